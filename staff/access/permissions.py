"""The permissions of staff. Only this module decides; all others call ``visible_to`` or ``has_perm``.

``deployment_path`` of a model leads from its rows to their deployment. Only staff of all deployments see the rows of a
model without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Model, Q, QuerySet

from staff.models import StaffAccess

PRIVATE_METADATA = "staff.view_private_metadata"
"""The permission to see ``private_metadata``, wherever it is shown, logged or exported."""


Row = TypeVar("Row", bound=Model)

NOT_BY_DEPLOYMENT_STAFF = {"accounts.add_deployment", "accounts.delete_deployment"}
MANAGED_BY_OPERATORS = {"auth.user", "staff.staffaccess"}
"""Models besides the tenancy data that operators of all deployments manage."""


@dataclass(frozen=True, slots=True)
class Access:
    """``deployments`` are ids, None for all."""

    deployments: frozenset[int] | None
    writes: bool
    sees_private_metadata: bool

    @property
    def everywhere(self) -> bool:
        return self.deployments is None


NOTHING = Access(frozenset(), writes=False, sees_private_metadata=False)
EVERYTHING = Access(None, writes=True, sees_private_metadata=True)


def access_of(staff: AbstractBaseUser | AnonymousUser) -> Access:
    """The access of ``staff``, read once per user object, so once per request."""
    if not staff.is_active or not getattr(staff, "is_staff", False):
        return NOTHING
    if getattr(staff, "is_superuser", False):
        return EVERYTHING
    if not hasattr(staff, "_access"):
        staff._access = _read(staff)  # type: ignore[attr-defined]  # kept for the request
    access: Access = staff._access  # type: ignore[attr-defined,unused-ignore]  # kept for the request
    return access


def _read(staff: Any) -> Access:
    ids = ArrayAgg("deployments", filter=Q(deployments__isnull=False), default=[])
    row = StaffAccess.objects.filter(user=staff.pk).annotate(deployment_ids=ids).first()
    if row is None:
        return NOTHING
    is_operator = row.role == StaffAccess.Role.OPERATOR
    return Access(
        None if row.all_deployments else frozenset(row.deployment_ids),
        writes=is_operator,
        sees_private_metadata=is_operator or row.sees_private_metadata,
    )


def visible_to(staff: AbstractBaseUser | AnonymousUser, rows: QuerySet[Row]) -> QuerySet[Row]:
    """The ``rows`` that belong to a deployment of ``staff``."""
    access = access_of(staff)
    if access.everywhere:
        return rows
    path = getattr(rows.model, "deployment_path", None)
    return rows.none() if path is None else rows.filter(**{f"{path}__in": access.deployments})


def permissions_of(staff: AbstractBaseUser | AnonymousUser) -> set[str]:
    """The permissions of ``staff`` as Django names them, such as ``accounts.change_user``."""
    access = access_of(staff)
    if access == NOTHING:
        return set()
    granted = {PRIVATE_METADATA} if access.sees_private_metadata else set()
    for model in apps.get_models():
        if not (hasattr(model, "deployment_path") or (_is_managed(model) and access.everywhere and access.writes)):
            continue
        actions = model._meta.default_permissions if access.writes else ["view"]
        granted |= {f"{model._meta.app_label}.{action}_{model._meta.model_name}" for action in actions}
    return granted if access.everywhere else granted - NOT_BY_DEPLOYMENT_STAFF


def _is_managed(model: type[Model]) -> bool:
    return model._meta.label_lower in MANAGED_BY_OPERATORS
