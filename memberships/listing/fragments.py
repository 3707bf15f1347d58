"""The fragments of answers: workspaces, organizations and roles, each rendered once and then cached.

A fragment is the same in everybody's answer, but for the private metadata, which not everybody sees. Whether somebody
may enter is no part of it: that depends on the viewer and their address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

from accounts.authentication.session_rows import SessionRow, SessionStatement, session_values
from accounts.models import Deployment
from accounts.polled.poll import Poll
from database.cache import Cache, Changes, apply, begin, holds
from database.prepared import Reading, Result, Statement, Values, read_together
from memberships import rendering
from memberships.eligibility import Level
from memberships.rows import OrganizationRow, WorkspaceRoleRow, WorkspaceRow, organizations, workspace_roles, workspaces
from organizations.models import WORKSPACE_ADMIN

T = TypeVar("T")

MIB = 2**20
OVERHEAD = 700
"""About the bytes that a fragment takes besides its text."""


class HasRules(Protocol):
    """An organization or a workspace, as far as its rules go."""

    @property
    def name(self) -> str: ...
    @property
    def enable_ip_restriction(self) -> bool: ...
    @property
    def whitelisted_ips(self) -> list[str]: ...
    @property
    def enforce_mfa(self) -> bool: ...


def level(kind: Literal["organization", "workspace"], place: HasRules, deployment: Deployment) -> Level:
    """The rules of ``place``, as far as its ``deployment`` lets it have them."""
    if kind == "workspace":
        ip_rule_allowed = deployment.ip_allowlist_per_workspace_enabled
        mfa_rule_allowed = deployment.enforce_mfa_per_workspace_enabled
    else:
        ip_rule_allowed = deployment.ip_allowlist_per_org_enabled
        mfa_rule_allowed = deployment.enforce_mfa_per_org_enabled
    return Level(
        kind=kind,
        name=place.name,
        enable_ip_restriction=place.enable_ip_restriction,
        whitelisted_ips=place.whitelisted_ips,
        enforce_mfa=place.enforce_mfa,
        ip_rule_allowed=ip_rule_allowed,
        mfa_rule_allowed=mfa_rule_allowed,
    )


@dataclass(eq=False, slots=True, weakref_slot=True)
class PlaceFragment:
    """An organization or a workspace as JSON text, ``shown`` and ``hidden``: with its private metadata and without.

    It has the rules besides, but not the whole row, which would double the size of the cache.
    """

    deployment_id: int
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
        return level(self.kind, self, deployment)


@dataclass(eq=False, slots=True, weakref_slot=True)
class RoleFragment:
    """A role in workspaces as JSON text."""

    deployment_id: int
    json: bytes
    permissions: list[str]
    digest: bytes = field(init=False)
    is_admin: bool = field(init=False)
    is_current: bool = True

    def __post_init__(self) -> None:
        self.digest = _digest(self.json)
        self.is_admin = WORKSPACE_ADMIN in self.permissions


@dataclass(eq=False, slots=True, weakref_slot=True)
class Owner:
    """Stands for all that answers show of a user: what they are a member of, in which roles, and their account."""

    deployment_id: int
    is_current: bool = True


def shows_private_metadata(deployment: Deployment, *, is_admin: bool) -> bool:
    """Whether members who administer a place, or do not, see its private metadata."""
    audience = deployment.private_metadata_audience
    return audience == Deployment.MetadataAudience.MEMBERS or (
        is_admin and audience == Deployment.MetadataAudience.ADMINS
    )


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


def of_organization(row: OrganizationRow) -> PlaceFragment:
    """The organization as a fragment."""
    return _of_place("organization", row, row.enforce_mfa, rendering.organization)


def _of_workspace(row: WorkspaceRow) -> PlaceFragment:
    return _of_place("workspace", row, row.enforce_2fa, rendering.workspace)


def _of_place(
    kind: Literal["organization", "workspace"],
    row: OrganizationRow | WorkspaceRow,
    enforce_mfa: bool,
    render: Callable[..., bytes],
) -> PlaceFragment:
    shown = render(row, shows_private_metadata=True)
    hidden = shown if row.private_metadata_json == "{}" else render(row, shows_private_metadata=False)
    return PlaceFragment(
        row.deployment_id,
        kind,
        row.name,
        row.enable_ip_restriction,
        row.whitelisted_ips,
        enforce_mfa,
        shown,
        hidden,
    )


def _weight(place: PlaceFragment) -> int:
    return OVERHEAD + len(place.shown) + (0 if place.hidden is place.shown else len(place.hidden))


_workspaces: Cache[PlaceFragment] = Cache("workspace", bound=24 * MIB, weigh=_weight)
_organizations: Cache[PlaceFragment] = Cache("organization", bound=8 * MIB, weigh=_weight)
_roles: Cache[RoleFragment] = Cache("workspace role", bound=4 * MIB, weigh=lambda role: OVERHEAD + 2 * len(role.json))


_owners: Cache[Owner] = Cache("user", bound=30_000)


def owner_of(user_id: int, deployment_id: int, *, as_of: int) -> Owner:
    """The cached ``Owner`` of a user whose memberships, or account, were read ``as_of`` then."""
    key = b"%d" % user_id
    owner = _owners.get(key)
    if owner is None:
        owner = Owner(deployment_id)
        _owners.put(key, owner, as_of=as_of)
    return owner


class Fragments(NamedTuple):
    """Fragments by their ids, as ASCII digits."""

    workspaces: dict[bytes, PlaceFragment]
    organizations: dict[bytes, PlaceFragment]
    roles: dict[bytes, RoleFragment]

    @property
    def _dicts(self) -> tuple[dict[bytes, Any], ...]:
        return self.workspaces, self.organizations, self.roles

    def complete(
        self, workspace_ids: set[bytes], organization_ids: set[bytes], role_ids: set[bytes]
    ) -> list[tuple[Statement, Values]]:
        """Add the cached ones of these ids; returns statements that read the rest, [] if there is none.

        Only for a reader that has just applied the invalidation log.
        """
        missing: list[list[bytes]] = []
        for wanted, cache, found in zip((workspace_ids, organization_ids, role_ids), _CACHES, self._dicts, strict=True):
            lacking = []
            for id_ in wanted:
                if id_ not in found:
                    fragment = cache.get(id_)
                    if fragment is None:
                        lacking.append(id_)
                    else:
                        found[id_] = fragment
            missing.append(lacking)
        return _reading(*missing) if any(missing) else []


_CACHES: tuple[Cache[Any], ...] = (_workspaces, _organizations, _roles)


def statements(ids: Sequence[str]) -> list[Statement]:
    """Statements that read fragments, given SQL for three arrays of ids: workspaces', organizations', roles'."""
    return [
        statement(array) for statement, array in zip((workspaces, organizations, workspace_roles), ids, strict=True)
    ]


_BY_ID = statements(["%(ids)s::text[]"] * 3)


def _reading(*ids: list[bytes]) -> list[tuple[Statement, Values]]:
    return [(statement, {"ids": b"{%b}" % b",".join(some)}) for statement, some in zip(_BY_ID, ids, strict=True)]


def fragments_of(results: Iterable[Result], *, as_of: int) -> Fragments:
    """The fragments in the ``results`` of ``statements``, which are cached from now on as they were ``as_of`` then."""
    found = _fragments(results)
    for cache, fragments in zip(_CACHES, found._dicts, strict=True):
        for id_, fragment in fragments.items():
            cache.put(id_, fragment, as_of=as_of)
    return found


_OF_THE_USER = """
    (SELECT array_agg({column}) FROM {table} own {join} WHERE own.user_id = (
        SELECT sign_in.user_id FROM accounts_session session
        JOIN accounts_signin sign_in ON sign_in.id = session.active_sign_in_id
        WHERE session.id = %(session)s::bigint AND session.deployment_id = %(deployment)s::bigint
    ))
"""
_OWN = statements(
    [
        _OF_THE_USER.format(column="own.workspace_id", table="memberships_workspacemembership", join=""),
        _OF_THE_USER.format(column="own.organization_id", table="memberships_organizationmembership", join=""),
        _OF_THE_USER.format(
            column="DISTINCT given.role_id",
            table="memberships_workspacemembership",
            join="JOIN memberships_workspacemembershiprole given ON given.membership_id = own.id",
        ),
    ]
)
"""All that the answers to a user can be made of."""


@dataclass(frozen=True, slots=True)
class FoundRow(SessionRow, Generic[T]):
    """The row of a statement, and what was found by its last value, with all fragments."""

    found: T | None
    """None if it was not wanted. The invalidation log names each change of it."""

    @property
    def is_whole(self) -> bool:
        return self.found is not None


def read_with_fragments(
    statement: SessionStatement,
    find: Callable[[bytes | None, Fragments], tuple[T, list[tuple[Statement, Values]]]],
    deployment: Deployment,
    session_id: int,
    poll: Poll,
    *,
    is_loaded: bool,
    wants_all: bool,
    **more: bytes | None,
) -> Reading[FoundRow[T]]:
    """As ``accounts.polled.poll.Read``: the row of ``statement``, which is given ``wants_all`` and ``more`` values.

    Of its last value and the cached fragments ``find`` makes what is found, and what reads the fragments that are
    missing. They are read in a second round trip, from one snapshot with the row: those, or all of the session's user,
    as in the first one if it ``is_loaded``.
    """
    values = {**session_values(deployment, session_id), "wants_all": b"t" if wants_all else b"f", **more}
    all_own: list[tuple[Statement, Values]] = [(own, values) for own in _OWN]
    besides = all_own if is_loaded else []
    while True:
        log = begin()
        result, *results = yield [(statement, {**values, **log.values}), *besides]
        as_of = apply(log, Changes.of(result))
        known = fragments_of(results, as_of=as_of) if results else Fragments({}, {}, {})
        found, missing = find(result[statement.first - 1], known) if wants_all else (None, [])
        # What another request has cached meanwhile may be newer than the row; what came with the row is not.
        if not missing and (besides is all_own or holds(as_of)):
            return FoundRow(result, statement, as_of, found)
        besides = missing if missing and not besides else all_own


def read_afresh(workspace_ids: list[bytes], organization_ids: list[bytes], role_ids: list[bytes]) -> Fragments:
    """These fragments as the database has them now; those that are gone are not among them."""
    return _fragments(read_together(_reading(workspace_ids, organization_ids, role_ids)))


def _fragments(results: Iterable[Result]) -> Fragments:
    workspace_rows, organization_rows, role_rows = results
    return Fragments(
        {_key(row): _of_workspace(row) for row in map(WorkspaceRow._make, workspace_rows.rows())},
        {_key(row): of_organization(row) for row in map(OrganizationRow._make, organization_rows.rows())},
        {
            _key(row): RoleFragment(row.deployment_id, rendering.workspace_role(row), row.permissions)
            for row in map(WorkspaceRoleRow._make, role_rows.rows())
        },
    )


def _key(row: WorkspaceRow | OrganizationRow | WorkspaceRoleRow) -> bytes:
    return b"%d" % row.id
