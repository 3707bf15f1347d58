"""What the models of all apps share."""

from __future__ import annotations

from typing import Any, cast

from django.db import models
from django.db.models.functions import Now


class TimeStamped(models.Model):
    """When a row was made and last changed. The database writes both, for raw SQL and COPY too (see ``touch``)."""

    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class MetadataField(models.JSONField):
    """A JSON object with free keys; empty unless told otherwise."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**cast(Any, {"default": dict, "db_default": {}, "blank": True} | kwargs))


def is_json_object(*fields: str) -> list[models.BaseConstraint]:
    """Checks, one for each of ``fields``, that its JSON is an object (never a list, a text or null)."""
    return [
        models.CheckConstraint(
            name=f"%(app_label)s_%(class)s_{field}_is_object",
            condition=models.Q(**{f"{field}__kind": "object"}),
            violation_error_message=f"{field} must be a JSON object.",
        )
        for field in fields
    ]


def is_list_of_texts(*fields: str) -> list[models.BaseConstraint]:
    """Checks, one for each of ``fields``, that its array holds texts alone: PostgreSQL lets nulls and arrays in."""
    return [
        models.CheckConstraint(
            name=f"%(app_label)s_%(class)s_{field}_are_texts",
            condition=models.Q(_IsListOfTexts(field)),
            violation_error_message=f"{field} must be texts.",
        )
        for field in fields
    ]


class _IsListOfTexts(models.Func):
    template = """NOT to_jsonb(%(expressions)s) @? 'strict $[*] ? (@.type() != "string")'"""
    output_field = models.BooleanField()


@models.JSONField.register_lookup
class JsonKind(models.Transform):
    """``field__kind``: the JSON type of the value as ``jsonb_typeof`` names it."""

    lookup_name = "kind"
    function = "jsonb_typeof"
    output_field = models.TextField()
