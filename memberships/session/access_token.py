"""GET /session/token: a token that says to back-ends where the signed-in user acts, and with what permissions.

A restricted organization or workspace is left out of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import orjson
from django.conf import settings
from rest_framework.request import Request

from accounts.authentication.session_rows import with_session
from accounts.models import Deployment
from accounts.polled.poll import Composed, Poll, Source, composed, plain_poll
from accounts.polled.viewers import Viewer
from accounts.tokens import keys, session_tokens
from api.errors import ApiError, Problem
from api.requests import single_parameter
from database.prepared import Statement, Values
from memberships.listing.composing import organization_restriction, workspace_restriction
from memberships.listing.fragments import FoundRow, Fragments, read_with_fragments
from memberships.rows import ORGANIZATION_ROLES

_STATEMENT = with_session(f"""
    (
        SELECT json_build_array(
            (
                SELECT json_build_array(
                    membership.organization_id::text, coalesce(role.is_admin, false), coalesce(role.roles, '[]')
                )
                FROM memberships_organizationmembership membership
                LEFT JOIN LATERAL ({ORGANIZATION_ROLES}) role ON true
                WHERE membership.id = active.organization_membership_id
            ),
            (
                SELECT json_build_array(
                    own.workspace_id::text, own.organization_id::text, coalesce(role.is_admin, false),
                    ARRAY (
                        SELECT given.role_id::text FROM memberships_workspacemembershiprole given
                        WHERE given.membership_id = own.id ORDER BY given.role_id
                    )
                )
                FROM memberships_workspacemembership own
                JOIN memberships_organizationmembership membership
                    ON membership.user_id = own.user_id AND membership.organization_id = own.organization_id
                LEFT JOIN LATERAL ({ORGANIZATION_ROLES}) role ON true
                WHERE own.id = active.workspace_membership_id
            )
        )
        FROM memberships_activemembership active WHERE active.sign_in_id = sign_in.id
    )
""")


class OrganizationRow(NamedTuple):
    """The active membership of an organization."""

    organization_id: str
    is_organization_admin: bool
    roles_json: str


class WorkspaceRow(NamedTuple):
    """The active membership of a workspace."""

    workspace_id: str
    organization_id: str
    is_organization_admin: bool
    role_ids: list[str]


class Active(NamedTuple):
    """The active memberships, and what they refer to: all as it was at one moment."""

    organization: OrganizationRow | None
    workspace: WorkspaceRow | None
    fragments: Fragments


def _find(text: bytes | None, known: Fragments) -> tuple[Active, list[tuple[Statement, Values]]]:
    found_organization, found_workspace = orjson.loads(text or b"[null,null]")
    organization = OrganizationRow(*found_organization) if found_organization else None
    workspace = WorkspaceRow(*found_workspace) if found_workspace else None
    missing = known.complete(
        {workspace.workspace_id.encode()} if workspace else set(),
        {place.organization_id.encode() for place in (organization, workspace) if place},
        {id_.encode() for id_ in workspace.role_ids} if workspace else set(),
    )
    return Active(organization, workspace, known), missing


def _compose(viewer: Viewer, row: FoundRow[Active], poll: Poll) -> Composed:
    assert row.found is not None, "it was to be read"
    expires_at = _expiry()
    if not keys.is_ready(viewer.deployment, expires_at):
        raise ApiError(Problem.UNAVAILABLE)  # on the fast path: the view makes it ready
    claims = {"sub": str(viewer.user_id), "sid": str(viewer.session_id)} | _claims(viewer, row.found, poll)
    data = {
        "token": session_tokens.sign_access_token(viewer.deployment, claims, expires_at=expires_at),
        "expires": int(expires_at.timestamp() * 1000),
    }
    return composed(viewer, "An access token for your back-ends.", data)


def _claims(viewer: Viewer, active: Active, poll: Poll) -> dict[str, Any]:
    """Where the viewer acts: the memberships that may be entered from their address now."""
    claims: dict[str, Any] = {
        "organization": "",
        "organization_permissions": [],
        "workspace": "",
        "workspace_permissions": [],
    }
    if (own := active.workspace) is not None:
        roles = [active.fragments.roles[id_.encode()] for id_ in own.role_ids]
        restriction = workspace_restriction(
            active.fragments.workspaces[own.workspace_id.encode()],
            active.fragments.organizations[own.organization_id.encode()],
            is_admin=own.is_organization_admin or any(role.is_admin for role in roles),
            caller=viewer,
            address=poll.address,
        )
        if restriction["type"] == "none":
            claims["workspace"] = own.workspace_id
            claims["workspace_permissions"] = _each_once(role.permissions for role in roles)
    if (organization := active.organization) is not None:
        restriction = organization_restriction(
            active.fragments.organizations[organization.organization_id.encode()],
            is_admin=organization.is_organization_admin,
            caller=viewer,
            address=poll.address,
        )
        # Administrators of a workspace enter it whatever rules its organization has.
        if restriction["type"] == "none" or claims["workspace"]:
            claims["organization"] = organization.organization_id
            claims["organization_permissions"] = _each_once(
                role["permissions"] for role in orjson.loads(organization.roles_json)
            )
    return claims


def _each_once(permissions: Iterable[list[str]]) -> list[str]:
    """The permissions of all roles, each once, in the order of the roles."""
    return list(dict.fromkeys(permission for some in permissions for permission in some))


def _expiry() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + settings.ACCESS_TOKEN_LIFETIME


def make_ready(deployment: Deployment) -> None:
    """Have a key that signs a token now, or in a moment."""
    keys.make_ready(deployment, _expiry() + timedelta(minutes=1))


def _parse(request: Request, etag: str) -> Poll:
    if single_parameter(request, "template") not in ("", "default"):
        raise ApiError(Problem.NOT_FOUND, "There is no such template; leave it out.")
    return plain_poll(request, etag)


SOURCE = Source("session/token", partial(read_with_fragments, _STATEMENT, _find), _compose, _parse, is_lasting=False)
