"""The roles that can be given in an organization or a workspace, and the own ones among them.

Roles of the deployment, and an organization's roles in its workspaces, are seen and given; only staff change them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from api.answers import timestamp
from api.errors import ApiError, Problem
from api.exceptions import violated_by
from api.requests import list_field, text_field
from memberships.standing import Standing
from organizations.models import OrganizationRole, WorkspaceRole

NO_ROLE = "There is no such role here."
MAX_NAME = 200
MAX_PERMISSIONS = 100
MAX_ROLES = 100
"""Own roles of a place: whoever has more does not mean roles."""


def roles(standing: Standing) -> list[dict[str, Any]]:
    """All roles of the place as the API shows them, the deployment's first."""
    return [shown(role) for role in _roles(standing).order_by("pk")]


def role_of(standing: Standing, role_id: int) -> Any:
    """The role of this place with that id; raises ``ApiError`` (404)."""
    role = _roles(standing).filter(pk=role_id).first()
    if role is None:
        raise ApiError(Problem.NOT_FOUND, NO_ROLE)
    return role


def create(standing: Standing, body: Mapping[str, Any]) -> Any:
    """A new role of the place's own. Raises ``ApiError``: 403 if the deployment does not let them, or for permissions
    beyond the caller's own; 400; 409.
    """
    deployment, in_workspace = standing.caller.deployment, standing.workspace_id is not None
    if not (deployment.custom_workspace_role_enabled if in_workspace else deployment.custom_org_role_enabled):
        raise ApiError(Problem.FORBIDDEN, "Roles are set up by the operator here; ask there for one.")
    name = text_field(body, "name", max_length=MAX_NAME).strip()
    permissions = list(dict.fromkeys(list_field(body, "permissions") or []))
    if not name or len(permissions) > MAX_PERMISSIONS or not all(0 < len(one) <= MAX_NAME for one in permissions):
        raise ApiError(Problem.INVALID_FIELD, f"A role needs a name and at most {MAX_PERMISSIONS} permissions.")
    standing.require_may_give(permissions, in_workspace=in_workspace)
    place: dict[str, Any] = {"organization_id": standing.organization_id}
    if in_workspace:
        place["workspace_id"] = standing.workspace_id
    model: Any = WorkspaceRole if in_workspace else OrganizationRole
    if _roles(standing).filter(name=name).exists():
        raise _taken(name)
    if model.objects.filter(**place).count() >= MAX_ROLES:
        raise ApiError(Problem.LIMIT_REACHED, f"There are {MAX_ROLES} roles here already; remove one first.")
    try:
        with transaction.atomic():
            return model.objects.create(deployment=deployment, name=name, permissions=permissions, **place)
    except IntegrityError as error:
        if not violated_by(error).endswith("name_is_unique"):
            raise
        raise _taken(name) from error


def remove(standing: Standing, role_id: int) -> Any:
    """Delete an own role of the place that nobody holds. Raises ``ApiError``: 404, 403 for a shared one, 409."""
    role = role_of(standing, role_id)
    is_own = role.workspace_id is not None if standing.workspace_id is not None else role.organization_id is not None
    if not is_own:
        raise ApiError(Problem.FORBIDDEN, "This role is shared with other places; only the operator can remove it.")
    with transaction.atomic():
        locked = type(role).objects.select_for_update().filter(pk=role.pk)  # so that nobody gets it meanwhile
        if not locked.exists():
            raise ApiError(Problem.NOT_FOUND, NO_ROLE)
        if role.given_roles.exists():
            raise ApiError(Problem.ROLE_IN_USE)
        locked.delete()
    return role


def shown(role: Any) -> dict[str, Any]:
    """The ``OrganizationRole`` or ``WorkspaceRole``."""
    value = {
        "id": str(role.pk),
        "name": role.name,
        "permissions": role.permissions,
        "created_at": timestamp(role.created_at),
        "updated_at": timestamp(role.updated_at),
    }
    if isinstance(role, OrganizationRole):
        value["organization_id"] = "" if role.organization_id is None else str(role.organization_id)
    return value


def _taken(name: str) -> ApiError:
    return ApiError(Problem.INVALID_FIELD, f"There is a role called “{name}” already; choose another name.")


def _roles(standing: Standing) -> QuerySet[Any]:
    """All roles that can be given in the place."""
    own = Q(deployment=standing.caller.deployment.pk) & (
        Q(organization=None) | Q(organization=standing.organization_id)
    )
    if standing.workspace_id is None:
        return OrganizationRole.objects.filter(own)
    return WorkspaceRole.objects.filter(own, Q(workspace=None) | Q(workspace=standing.workspace_id))
