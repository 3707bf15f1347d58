"""The list from its rows and fragments, in one pass, as JSON text."""

from __future__ import annotations

import hashlib

import orjson

from accounts.authentication.sessions import SignedIn
from accounts.polled.poll import Composed, Poll
from accounts.polled.viewers import Viewer
from api.errors import ApiError, Problem
from api.networks import Address
from memberships import rendering
from memberships.eligibility import UNRESTRICTED, EligibilityRestriction, restriction
from memberships.listing.fragments import PlaceFragment, RoleFragment, owner_of, shows_private_metadata
from memberships.listing.statement import ListingRow

_HEAD = b'{"status":200,"message":"Your workspace memberships.","data":['
_TAIL = b'],"session":%b}'
_UNRESTRICTED = orjson.dumps(UNRESTRICTED)


def compose(viewer: Viewer, row: ListingRow, poll: Poll) -> Composed:
    """The list for ``viewer`` at the poll's address; raises ``ApiError`` (404) for an organization of others."""
    if not row.is_organization_member:  # the same whether or not the organization exists
        raise ApiError(Problem.NOT_A_MEMBER)
    assert row.found is not None, "it was to be read"
    (administered, rows), roles_of, found = row.found
    members = {role_ids: _member(viewer, [found.roles[id_] for id_ in given]) for role_ids, given in roles_of.items()}
    shows = [shows_private_metadata(viewer.deployment, is_admin=is_admin) for is_admin in (False, True)]
    text = [_HEAD]
    kept_out_by: set[str] = set()
    digests = [viewer.deployment.private_metadata_audience.encode(), viewer.session, row.text]
    for id_, workspace_id, organization_id, role_ids, own_json in rows:
        workspace, organization = found.workspaces[workspace_id], found.organizations[organization_id]
        member, is_workspace_admin = members[role_ids]
        is_organization_admin = organization_id in administered
        is_admin = is_workspace_admin or is_organization_admin
        if is_admin or not (workspace.has_rules or organization.has_rules):
            kept_out = _UNRESTRICTED
        else:
            decision = workspace_restriction(
                workspace, organization, is_admin=is_admin, caller=viewer, address=poll.address
            )
            if decision is not UNRESTRICTED:
                kept_out_by.add(decision["type"])
            kept_out = orjson.dumps(decision)
        digests += (workspace.digest, organization.digest, member, kept_out)
        text += rendering.workspace_membership(
            id_,
            workspace.shown if shows[is_admin] else workspace.hidden,
            organization_id,
            member,
            organization.shown if shows[is_organization_admin] else organization.hidden,
            own_json,
            kept_out,
        )
    if len(text) > 1:
        text[1] = text[1].removeprefix(b",")
    text.append(_TAIL % viewer.session)
    return Composed(
        etag=f'"{hashlib.blake2b(b"".join(digests), digest_size=16).hexdigest()}"',
        text=text,
        parts=[
            owner_of(viewer.user_id, viewer.deployment.pk, as_of=row.as_of),
            *found.workspaces.values(),
            *found.organizations.values(),
            *found.roles.values(),
        ],
        counts=kept_out_by,
    )


def _member(viewer: Viewer, roles: list[RoleFragment]) -> tuple[bytes, bool]:
    """``rendering.between``, and whether one of the roles administers the workspace."""
    return rendering.between(viewer.user_id, [role.json for role in roles]), any(role.is_admin for role in roles)


def workspace_restriction(
    workspace: PlaceFragment,
    organization: PlaceFragment,
    *,
    is_admin: bool,
    caller: SignedIn | Viewer,
    address: Address | None,
) -> EligibilityRestriction:
    """The restriction of ``caller`` in the workspace, by its own rules and its organization's."""
    return restriction(
        [organization.level(caller.deployment), workspace.level(caller.deployment)],
        is_admin=is_admin,
        address=address,
        has_mfa=caller.has_mfa,
    )


def organization_restriction(
    organization: PlaceFragment, *, is_admin: bool, caller: SignedIn | Viewer, address: Address | None
) -> EligibilityRestriction:
    """The restriction of ``caller`` in the organization as such."""
    return restriction(
        [organization.level(caller.deployment)],
        is_admin=is_admin,
        address=address,
        has_mfa=caller.has_mfa,
    )
