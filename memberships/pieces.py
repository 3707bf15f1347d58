"""What answers are put together from: workspaces, organizations and roles, each rendered once and then remembered.

A piece is the same in everybody's answer, but for the private metadata, which not everybody sees. Whether somebody may
enter is no part of it: that depends on who asks, and from where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from accounts.models import Deployment
from config.database.memory import Memory
from config.database.reading import Result, Statement, Values, read_together
from memberships import rendering
from memberships.eligibility import Level
from memberships.read import OrganizationRow, WorkspaceRoleRow, WorkspaceRow, organizations, workspace_roles, workspaces
from organizations.models import WORKSPACE_ADMIN

MIB = 2**20
OVERHEAD = 700
"""About the bytes that a piece takes besides its text."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class Place:
    """An organization or a workspace as JSON text, ``shown`` and ``hidden``: with its private metadata and without.

    Besides, its rules; not the whole row, which would double what is remembered.
    """

    kind: Literal["organization", "workspace"]
    name: str
    enable_ip_restriction: bool
    whitelisted_ips: list[str]
    enforce_mfa: bool
    shown: bytes
    hidden: bytes
    digest: bytes = field(init=False)
    """Stands for the text: another text has another digest."""
    has_rules: bool = field(init=False)
    """Whether the place could ever keep anybody out."""
    is_current: bool = True

    def __post_init__(self) -> None:
        self.digest = _digest(self.shown)
        self.has_rules = bool(self.enable_ip_restriction and self.whitelisted_ips) or self.enforce_mfa

    def level(self, deployment: Deployment) -> Level:
        """The place's rules, as far as its ``deployment`` lets it have them."""
        if self.kind == "workspace":
            ip_rule_allowed = deployment.ip_allowlist_per_workspace_enabled
            mfa_rule_allowed = deployment.enforce_mfa_per_workspace_enabled
        else:
            ip_rule_allowed = deployment.ip_allowlist_per_org_enabled
            mfa_rule_allowed = deployment.enforce_mfa_per_org_enabled
        return Level(
            kind=self.kind,
            name=self.name,
            enable_ip_restriction=self.enable_ip_restriction,
            whitelisted_ips=self.whitelisted_ips,
            enforce_mfa=self.enforce_mfa,
            ip_rule_allowed=ip_rule_allowed,
            mfa_rule_allowed=mfa_rule_allowed,
        )


@dataclass(eq=False, slots=True, weakref_slot=True)
class Role:
    """A role in workspaces as JSON text."""

    json: bytes
    permissions: list[str]
    digest: bytes = field(init=False)
    is_admin: bool = field(init=False)
    is_current: bool = True

    def __post_init__(self) -> None:
        self.digest = _digest(self.json)
        self.is_admin = WORKSPACE_ADMIN in self.permissions


def shows_private_metadata(deployment: Deployment, *, is_admin: bool) -> bool:
    """Whether members who administer a place, or do not, see its private metadata."""
    audience = deployment.private_metadata_audience
    return audience == Deployment.MetadataAudience.MEMBERS or (
        is_admin and audience == Deployment.MetadataAudience.ADMINS
    )


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


def organization_place(row: OrganizationRow) -> Place:
    """The organization as a piece."""
    return _place("organization", row, row.enforce_mfa, rendering.organization)


def _workspace_place(row: WorkspaceRow) -> Place:
    return _place("workspace", row, row.enforce_2fa, rendering.workspace)


def _place(
    kind: Literal["organization", "workspace"],
    row: OrganizationRow | WorkspaceRow,
    enforce_mfa: bool,
    render: Callable[..., bytes],
) -> Place:
    shown = render(row, shows_private_metadata=True)
    hidden = shown if row.private_metadata_json == "{}" else render(row, shows_private_metadata=False)
    return Place(kind, row.name, row.enable_ip_restriction, row.whitelisted_ips, enforce_mfa, shown, hidden)


def _weight(place: Place) -> int:
    return OVERHEAD + len(place.shown) + (0 if place.hidden is place.shown else len(place.hidden))


_workspaces: Memory[Place] = Memory("workspace", bound=24 * MIB, weigh=_weight)
_organizations: Memory[Place] = Memory("organization", bound=8 * MIB, weigh=_weight)
_roles: Memory[Role] = Memory("workspace role", bound=4 * MIB, weigh=lambda role: OVERHEAD + 2 * len(role.json))


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces by their ids, as ASCII digits."""

    workspaces: dict[bytes, Place]
    organizations: dict[bytes, Place]
    roles: dict[bytes, Role]


def statements(ids: Sequence[str]) -> list[Statement]:
    """What reads pieces, given SQL for three arrays of ids: workspaces', organizations', roles'."""
    return [
        statement(array) for statement, array in zip((workspaces, organizations, workspace_roles), ids, strict=True)
    ]


def learn(results: Iterable[Result], *, as_of: int) -> Pieces:
    """The pieces of the ``results`` of ``statements``, remembered from now on, unless anything was heard since."""
    found = _pieces(results)
    for store, pieces in _stores(found):
        for id_, piece in pieces.items():
            store.remember(id_, piece, as_of=as_of)
    return found


def _stores(pieces: Pieces) -> list[tuple[Memory[Any], dict[bytes, Any]]]:
    return [(_workspaces, pieces.workspaces), (_organizations, pieces.organizations), (_roles, pieces.roles)]


def find(
    workspace_ids: set[bytes], organization_ids: set[bytes], role_ids: set[bytes], known: Pieces
) -> list[tuple[Statement, Values]]:
    """Add to what is ``known`` the rest of these pieces that is remembered; gives what reads those that are not.

    Only for who has just heard the news.
    """
    missing: list[list[bytes]] = []
    for wanted, (store, found) in zip((workspace_ids, organization_ids, role_ids), _stores(known), strict=True):
        lacking = []
        for id_ in wanted:
            if id_ not in found:
                piece = store.get(id_)
                if piece is None:
                    lacking.append(id_)
                else:
                    found[id_] = piece
        missing.append(lacking)
    return _asking(*missing) if any(missing) else []


def read_afresh(workspace_ids: list[bytes], organization_ids: list[bytes], role_ids: list[bytes]) -> Pieces:
    """These pieces as the database has them now, for who has heard no news; those that are gone are not among them."""
    return _pieces(read_together(_asking(workspace_ids, organization_ids, role_ids)))


_STATEMENTS = statements(["%(ids)s::text[]"] * 3)


def _asking(*ids: list[bytes]) -> list[tuple[Statement, Values]]:
    return [(statement, {"ids": b"{%b}" % b",".join(some)}) for statement, some in zip(_STATEMENTS, ids, strict=True)]


def _pieces(results: Iterable[Result]) -> Pieces:
    workspace_rows, organization_rows, role_rows = results
    return Pieces(
        {_key(row): _workspace_place(row) for row in map(WorkspaceRow._make, workspace_rows.rows())},
        {_key(row): organization_place(row) for row in map(OrganizationRow._make, organization_rows.rows())},
        {
            _key(row): Role(rendering.workspace_role(row), row.permissions)
            for row in map(WorkspaceRoleRow._make, role_rows.rows())
        },
    )


def _key(row: WorkspaceRow | OrganizationRow | WorkspaceRoleRow) -> bytes:
    return b"%d" % row.id
