"""Organizations, workspaces and members as those who run them see them, as the database has them now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson

from accounts.answers import rendering as accounts_rendering
from accounts.answers.rows import PublicUserRow, public_user
from api.errors import ApiError, Problem
from database.prepared import Statement, read, time_text
from memberships.listing.fragments import read_afresh, shows_private_metadata
from memberships.rows import ORGANIZATION_ROLES, WORKSPACE_ROLES
from memberships.standing import Standing
from organizations.models import Organization, Workspace

JsonObject = dict[str, Any]

NO_MEMBER = "There is no such member here."


def _members(level: str, roles: str) -> Statement:
    return Statement(f"""
        SELECT
            membership.id::text, membership.user_id::text, membership.public_metadata::text,
            {time_text("membership.created_at")}, {time_text("membership.updated_at")},
            coalesce(role.roles, '[]'), {public_user("member")}
        FROM memberships_{level}membership membership
        JOIN accounts_user member ON member.id = membership.user_id
        LEFT JOIN LATERAL ({roles}) role ON true
        WHERE membership.id = ANY (%(ids)s::bigint[])
        ORDER BY membership.created_at, membership.id
    """)


ORGANIZATION_MEMBERS = _members("organization", ORGANIZATION_ROLES)
WORKSPACE_MEMBERS = _members("workspace", WORKSPACE_ROLES)


def organization(standing: Standing) -> Any:
    """The ``Organization``; raises ``Organization.DoesNotExist`` if somebody deleted it meanwhile."""
    place = read_afresh([], [key := _key(standing.organization_id)], []).organizations.get(key)
    if place is None:
        raise Organization.DoesNotExist
    shows = shows_private_metadata(standing.caller.deployment, is_admin=standing.rights.is_organization_admin)
    return orjson.Fragment(place.shown if shows else place.hidden)


def workspace(standing: Standing) -> Any:
    """The ``Workspace``; raises ``Workspace.DoesNotExist`` if somebody deleted it meanwhile."""
    assert standing.workspace_id is not None
    found = workspaces(standing, [standing.workspace_id])
    if standing.workspace_id not in found:
        raise Workspace.DoesNotExist
    return found[standing.workspace_id]


def workspaces(standing: Standing, workspace_ids: Collection[int]) -> dict[int, Any]:
    """The ``Workspace``s by id, to whoever may see all of them."""
    places = read_afresh([_key(id_) for id_ in workspace_ids], [], []).workspaces
    shows = shows_private_metadata(standing.caller.deployment, is_admin=standing.rights.is_workspace_admin)
    return {int(key): orjson.Fragment(place.shown if shows else place.hidden) for key, place in places.items()}


def place(standing: Standing) -> Any:
    """The ``Workspace`` or the ``Organization`` that the standing is in."""
    return organization(standing) if standing.workspace_id is None else workspace(standing)


def members(standing: Standing, membership_ids: Sequence[int]) -> list[JsonObject]:
    """The ``WorkspaceMembership``s or ``OrganizationMembership``s of that place, in the order of joining."""
    found = organization_members if standing.workspace_id is None else workspace_members
    return found(standing, membership_ids)


def member(standing: Standing, membership_id: int) -> JsonObject:
    """One of ``members``; raises ``ApiError`` (404) if they are gone meanwhile."""
    found = members(standing, [membership_id])
    if not found:
        raise ApiError(Problem.NOT_FOUND, NO_MEMBER)
    return found[0]


def organization_members(standing: Standing, membership_ids: Sequence[int]) -> list[JsonObject]:
    """``OrganizationMembership``s, in the order of joining."""
    above = organization(standing)
    return [
        {"id": id_, "organization": above, **_own(standing, user, roles, metadata, created_at, updated_at)}
        for id_, _, metadata, created_at, updated_at, roles, user in _read(ORGANIZATION_MEMBERS, membership_ids)
    ]


def workspace_members(standing: Standing, membership_ids: Sequence[int]) -> list[JsonObject]:
    """``WorkspaceMembership``s, in the order of joining."""
    inner, above = workspace(standing), organization(standing)
    return [
        {
            "id": id_,
            "workspace": inner,
            "organization_id": str(standing.organization_id),
            "user_id": user_id,
            "organization": above,
            **_own(standing, user, roles, metadata, created_at, updated_at),
        }
        for id_, user_id, metadata, created_at, updated_at, roles, user in _read(WORKSPACE_MEMBERS, membership_ids)
    ]


def _own(standing: Standing, user: Any, roles: str, metadata: str, created_at: str, updated_at: str) -> JsonObject:
    return {
        "user": accounts_rendering.public_user(PublicUserRow(*user), standing.caller.deployment),
        "roles": orjson.Fragment(roles),
        "public_metadata": orjson.Fragment(metadata),
        "created_at": created_at,
        "updated_at": updated_at,
    }


def _read(statement: Statement, ids: Sequence[int]) -> list[tuple[Any, ...]]:
    return read(statement, {"ids": b"{%b}" % b",".join(map(_key, ids))}).rows()


def _key(id_: int) -> bytes:
    return b"%d" % id_
