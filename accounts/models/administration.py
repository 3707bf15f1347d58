"""The columns of a deployment that say how far its members may administer organizations and workspaces."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models

from database.constraints import ForeignKeyConstraint


def _organization_permissions() -> list[str]:
    return ["organization:admin", "organization:member"]


def _workspace_permissions() -> list[str]:
    return ["workspace:admin", "workspace:member"]


def permissions(level: str, help_text: str) -> ArrayField[Any, Any]:
    default = _organization_permissions if level == "organization" else _workspace_permissions
    return ArrayField(
        models.CharField(max_length=200), default=default, db_default=default(), blank=True, help_text=help_text
    )


def most_members(of: str) -> models.PositiveIntegerField[Any, Any]:
    return models.PositiveIntegerField(
        f"members of {of}",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The number up to which people can join by themselves or by invitation. Empty: no limit.",
    )


def default_role(kind: str, help_text: str) -> models.ForeignKey[Any, Any]:
    """Named by a string: roles are in a room above, which puts their rules into the database."""
    return models.ForeignKey(
        f"organizations.{kind}Role",
        models.SET_NULL,
        null=True,
        blank=True,
        db_constraint=False,
        limit_choices_to={"organization": None},
        related_name="+",
        help_text=help_text,
    )


def is_own_role(field: str, kind: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        name=f"accounts_deployment_{field}_is_its_own",
        fields=[field, "id"],
        to=f"organizations.{kind}Role",
        to_fields=["id", "deployment"],
        on_delete="SET NULL",
        violation_error_message="The default role must be one of this deployment.",
    )
