"""The list from its rows and fragments, in one pass, as JSON text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import orjson

from accounts.models import Deployment
from accounts.sessions import SignedIn, kept_serial
from api.networks import Address
from memberships import rendering
from memberships.eligibility import UNRESTRICTED, EligibilityRestriction, restriction
from memberships.listing.fragments import PlaceFragment, RoleFragment, shows_private_metadata
from memberships.listing.statement import ListingRow


@dataclass(frozen=True, slots=True)
class Viewer:
    """The signed-in user to whom the list is shown: all of them that it depends on."""

    deployment: Deployment
    user_id: int
    has_mfa: bool
    session: bytes
    """As JSON text."""
    version: bytes
    """``ListingRow.session_version``."""
    expires_at: datetime
    """When the session or its active sign-in ends."""
    kept_serial: int | None
    """See ``accounts.sessions.kept_serial``."""


def viewer_of(caller: SignedIn, row: ListingRow) -> Viewer:
    """``caller``, whose session is the one that was read."""
    return Viewer(
        deployment=caller.deployment,
        user_id=caller.user.pk,
        has_mfa=caller.has_mfa,
        session=rendering.json_text(caller.session_summary),
        version=row.session_version,
        expires_at=min(caller.session.expires_at, caller.sign_in.expires_at),
        kept_serial=kept_serial(caller.session),
    )


class Listing(NamedTuple):
    """An answer that is ready to be written, and what it depends on."""

    etag: str
    """Of a digest of all that the answer is made of: the same answer has the same, in every process."""
    text: list[bytes]
    fragments: list[PlaceFragment | RoleFragment]

    def body(self) -> bytes:
        """The whole success envelope."""
        return b"".join(self.text)


_HEAD = b'{"status":200,"message":"Your workspace memberships.","data":['
_TAIL = b'],"session":%b}'
_UNRESTRICTED = orjson.dumps(UNRESTRICTED)


def compose(row: ListingRow, viewer: Viewer, *, address: Address | None) -> Listing:
    """The list for ``viewer`` at ``address``."""
    assert row.rows is not None, "they were to be read"  # noqa: S101
    (administered, rows), roles_of, found = row.rows
    members = {role_ids: _member(viewer, [found.roles[id_] for id_ in given]) for role_ids, given in roles_of.items()}
    shows = [shows_private_metadata(viewer.deployment, is_admin=is_admin) for is_admin in (False, True)]
    text = [_HEAD]
    digests = [viewer.deployment.private_metadata_audience.encode(), viewer.session, row.text]
    for id_, workspace_id, organization_id, role_ids, own_json in rows:
        workspace, organization = found.workspaces[workspace_id], found.organizations[organization_id]
        member, is_workspace_admin = members[role_ids]
        is_organization_admin = organization_id in administered
        is_admin = is_workspace_admin or is_organization_admin
        if is_admin or not (workspace.has_rules or organization.has_rules):
            kept_out = _UNRESTRICTED
        else:
            kept_out = orjson.dumps(
                workspace_restriction(workspace, organization, is_admin=is_admin, caller=viewer, address=address)
            )
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
    return Listing(
        etag=f'"{hashlib.blake2b(b"".join(digests), digest_size=16).hexdigest()}"',
        text=text,
        fragments=[*found.workspaces.values(), *found.organizations.values(), *found.roles.values()],
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
    """What keeps ``caller`` out of the workspace: its own rules and its organization's."""
    return restriction(
        [organization.level(caller.deployment), workspace.level(caller.deployment)],
        is_admin=is_admin,
        address=address,
        has_mfa=caller.has_mfa,
    )


def organization_restriction(
    organization: PlaceFragment, *, is_admin: bool, caller: SignedIn | Viewer, address: Address | None
) -> EligibilityRestriction:
    """What keeps ``caller`` out of the organization as such."""
    return restriction(
        [organization.level(caller.deployment)],
        is_admin=is_admin,
        address=address,
        has_mfa=caller.has_mfa,
    )
