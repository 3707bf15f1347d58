"""The permissions of staff. Only this module decides; all others call ``visible_to`` or ``has_perm``.

``deployment_path`` of a model leads from its rows to their deployment. Only staff of all deployments see the rows of a
model without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.models import User as Staff
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, QuerySet

from database.prepared import Statement, columns_of, field_names, number, read
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
        found: Any = read_staff(staff.pk)
        staff._access = found._access if found else NOTHING  # type: ignore[attr-defined]  # kept for the request
    access: Access = staff._access  # type: ignore[attr-defined,unused-ignore]  # kept for the request
    return access


_COLUMNS = field_names(Staff)
_STAFF = Statement(f"""
    SELECT {columns_of("staff", _COLUMNS)}, access.role, access.all_deployments, access.sees_private_metadata, ARRAY(
        SELECT deployment_id FROM staff_staffaccess_deployments WHERE staffaccess_id = access.id
    )
    FROM auth_user staff LEFT JOIN staff_staffaccess access ON access.user_id = staff.id WHERE staff.id = %(id)s
""")


def read_staff(id: int) -> Staff | None:
    """The member of staff with their access, in one statement, since every page needs both. None if there is none."""
    found = read(_STAFF, {"id": number(id)}).rows()
    if not found:
        return None
    *columns, role, all_deployments, sees_private_metadata, deployments = found[0]
    staff: Any = Staff.from_db(DEFAULT_DB_ALIAS, _COLUMNS, columns)
    is_operator = role == StaffAccess.Role.OPERATOR
    staff._access = (
        NOTHING
        if role is None
        else Access(
            None if all_deployments else frozenset(deployments),
            writes=is_operator,
            sees_private_metadata=is_operator or sees_private_metadata,
        )
    )
    member: Staff = staff
    return member


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
