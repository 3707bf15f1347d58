"""Who of the staff may do what where. The one place that knows; everything else asks ``visible_to`` or ``has_perm``.

A model says by ``deployment_path`` how its rows reach their deployment. The rows of a model that does not, only staff
of all deployments see.
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
class Rights:
    """``deployments`` are ids, None for all."""

    deployments: frozenset[int] | None
    writes: bool
    sees_private_metadata: bool

    @property
    def everywhere(self) -> bool:
        return self.deployments is None


NOTHING = Rights(frozenset(), writes=False, sees_private_metadata=False)
EVERYTHING = Rights(None, writes=True, sees_private_metadata=True)


def rights_of(staff: AbstractBaseUser | AnonymousUser) -> Rights:
    """The rights of ``staff``, read once for each object that stands for them, which is once a request."""
    if not staff.is_active or not getattr(staff, "is_staff", False):
        return NOTHING
    if getattr(staff, "is_superuser", False):
        return EVERYTHING
    if not hasattr(staff, "_rights"):
        staff._rights = _read(staff)  # type: ignore[attr-defined]
    rights: Rights = staff._rights  # type: ignore[attr-defined,unused-ignore]
    return rights


def _read(staff: Any) -> Rights:
    ids = ArrayAgg("deployments", filter=Q(deployments__isnull=False), default=[])
    access = StaffAccess.objects.filter(user=staff.pk).annotate(deployment_ids=ids).first()
    if access is None:
        return NOTHING
    is_operator = access.role == StaffAccess.Role.OPERATOR
    return Rights(
        None if access.all_deployments else frozenset(access.deployment_ids),
        writes=is_operator,
        sees_private_metadata=is_operator or access.sees_private_metadata,
    )


def visible_to(staff: AbstractBaseUser | AnonymousUser, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Those of ``rows`` that are of a deployment of ``staff``."""
    rights = rights_of(staff)
    if rights.everywhere:
        return rows
    path = getattr(rows.model, "deployment_path", None)
    return rows.none() if path is None else rows.filter(**{f"{path}__in": rights.deployments})


def permissions_of(staff: AbstractBaseUser | AnonymousUser) -> set[str]:
    """The permissions of ``staff`` as Django names them, such as ``accounts.change_user``."""
    rights = rights_of(staff)
    if rights == NOTHING:
        return set()
    granted = {PRIVATE_METADATA} if rights.sees_private_metadata else set()
    for model in apps.get_models():
        if not (hasattr(model, "deployment_path") or (_is_managed(model) and rights.everywhere and rights.writes)):
            continue
        actions = model._meta.default_permissions if rights.writes else ["view"]
        granted |= {f"{model._meta.app_label}.{action}_{model._meta.model_name}" for action in actions}
    return granted if rights.everywhere else granted - NOT_BY_DEPLOYMENT_STAFF


def _is_managed(model: type[Model]) -> bool:
    return model._meta.label_lower in MANAGED_BY_OPERATORS
