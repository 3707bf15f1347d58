"""The list of a user's workspace memberships, in one round trip to the database where the process remembers the rest.

The statement that finds the caller's session also reads their memberships, and the news for the process's memory; so
what is put together from rows and remembered pieces is what the database holds at that moment.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from accounts.models import Deployment
from accounts.sessions import SESSION_COLUMNS, SESSION_TABLES, SignedIn, kept_serial
from config.database import memory
from config.database.memory import NEWS, News
from config.database.reading import Result, Statement, Values, number, read_together
from config.networks import Address
from memberships import pieces, rendering
from memberships.eligibility import UNRESTRICTED, EligibilityRestriction, restriction
from memberships.pieces import Pieces, Place, Role, shows_private_metadata
from memberships.read import MembershipRow, Memberships, memberships, parse_ids, parse_memberships, workspace_membership

LISTING = Statement(f"""
    SELECT
        {", ".join(f"news.{column}" for column in News._fields)},
        %(organization)s::bigint IS NULL OR EXISTS (
            SELECT 1 FROM memberships_organizationmembership own
            WHERE own.user_id = member.id AND own.organization_id = %(organization)s
        ),
        CASE WHEN NOT (%(unless_news)s AND news.notes IS NULL) THEN {memberships("member.id")} END,
        {SESSION_COLUMNS}
    FROM ({NEWS} OFFSET 0) news
    LEFT JOIN ({SESSION_TABLES}) ON session.id = %(session)s::bigint AND session.deployment_id = %(deployment)s::bigint
""")
_NEWS = range(len(News._fields))
_IS_ORGANIZATION_MEMBER, _MEMBERSHIPS, _SESSION = range(len(_NEWS), len(_NEWS) + 3)

NOBODYS: tuple[Statement, Values] = (
    LISTING,
    {**dict.fromkeys(LISTING.parameters), **memory.ask().values, "unless_news": b"f"},
)
"""What finds nothing, but fails where the list cannot be read."""

_OWN = """
    (SELECT array_agg({column}) FROM memberships_workspacemembership own {join} WHERE own.user_id = (
        SELECT sign_in.user_id FROM accounts_session session
        JOIN accounts_signin sign_in ON sign_in.id = session.active_sign_in_id
        WHERE session.id = %(session)s::bigint AND session.deployment_id = %(deployment)s::bigint
    ))
"""
_OWN_STATEMENTS = pieces.statements(
    [
        _OWN.format(column="own.workspace_id", join=""),
        _OWN.format(column="DISTINCT own.organization_id", join=""),
        _OWN.format(
            column="DISTINCT given.role_id",
            join="JOIN memberships_workspacemembershiprole given ON given.membership_id = own.id",
        ),
    ]
)


class Rows(NamedTuple):
    """A user's memberships, and what they refer to: all as it was at one moment."""

    memberships: Memberships
    roles_of: dict[bytes, list[bytes]]
    """The ids in each of the rows' ``role_ids``."""
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Reading:
    """What the statement found."""

    row: Result
    is_organization_member: bool
    """Whether the user is a member of the organization that was asked for; true if none was."""
    rows: Rows | None
    """None if they were wanted only with news and there is none."""
    text: bytes
    """Stands for the rows, without what they refer to."""
    as_of: int

    @property
    def session_columns(self) -> tuple[Any, ...] | None:
        """Those of ``accounts.sessions.SESSION_COLUMNS``; None if the deployment has no such session."""
        return None if self.row[_SESSION] is None else self.row.rows()[0][_SESSION:]

    @property
    def session_version(self) -> bytes:
        """Stands for ``session_columns``: others have another."""
        # Each value is of a fixed length, or null; so with a mark before each they can't run into each other.
        values = [self.row[column] for column in range(_SESSION, self.row.number_of_columns)]
        return b"".join([b"-" if value is None else b"+%b" % value for value in values])


def read_listing(
    deployment: Deployment,
    *,
    session_id: int,
    organization_id: int | None,
    with_pieces: bool = False,
    unless_news: bool = False,
) -> Reading:
    """The session and its user's memberships, of one organization if given, as they are in one snapshot.

    What the process lacks of what they refer to is read in a second round trip, from one snapshot with the memberships;
    ``with_pieces`` does so in the first one, for a process that is likely to remember nothing of it. With
    ``unless_news`` the memberships are read only if anything that processes remember has changed.
    """
    values = {
        "session": b"%d" % session_id,
        "deployment": b"%d" % deployment.pk,
        "organization": number(organization_id),
        "workspace": None,
        "unless_news": b"t" if unless_news else b"f",
    }
    own: list[tuple[Statement, Values]] = [(statement, values) for statement in _OWN_STATEMENTS]
    besides = own if with_pieces else []
    while True:
        question = memory.ask()
        row, *results = read_together([(LISTING, {**values, **question.values}), *besides])
        as_of = memory.hear(question, News._make(row[column] for column in _NEWS))
        text = row[_MEMBERSHIPS]
        rows, missing = None, None
        if not (unless_news and text is None):
            rows, missing = _rows(text, pieces.learn(results, as_of=as_of) if results else Pieces({}, {}, {}))
        # What another thread has remembered meanwhile may be newer than the row; what came with the row is not.
        if not missing and (besides is own or memory.holds(as_of)):
            return Reading(row, row[_IS_ORGANIZATION_MEMBER] == b"\1", rows, text or b"", as_of)
        besides = missing if missing and not besides else own


def _rows(text: bytes | None, known: Pieces) -> tuple[Rows, list[tuple[Statement, Values]]]:
    """The memberships in ``text`` with what they refer to, and what reads the rest of that: nothing if it is all."""
    found = parse_memberships(text)
    roles_of = {role_ids: parse_ids(role_ids) for role_ids in {row[3] for row in found.rows}}
    missing = pieces.find(
        {row[1] for row in found.rows},
        {row[2] for row in found.rows},
        {id_ for role_ids in roles_of.values() for id_ in role_ids},
        known,
    )
    return Rows(found, roles_of, known), missing


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: all of a signed-in user that an answer depends on."""

    deployment: Deployment
    user_id: int
    has_second_factor: bool
    session: bytes
    """As JSON text."""
    version: bytes
    """``Reading.session_version``."""
    expires_at: datetime
    """When the session or its active sign-in ends."""
    kept_serial: int | None
    """See ``accounts.sessions.kept_serial``."""


def asker_of(caller: SignedIn, reading: Reading) -> Asker:
    """``caller``, whose session is the one that was read."""
    return Asker(
        deployment=caller.deployment,
        user_id=caller.user.pk,
        has_second_factor=caller.has_second_factor,
        session=rendering.json_text(caller.session_summary),
        version=reading.session_version,
        expires_at=min(caller.session.expires_at, caller.sign_in.expires_at),
        kept_serial=kept_serial(caller.session),
    )


class Listing(NamedTuple):
    """An answer that is ready to be written, and what it depends on."""

    etag: str
    """Of a digest of all that the answer is made of: the same answer has the same, in every process."""
    text: list[bytes]
    parts: list[Place | Role]

    def body(self) -> bytes:
        """The whole success envelope."""
        return b"".join(self.text)


_HEAD = b'{"status":200,"message":"Your workspace memberships.","data":['
_TAIL = b'],"session":%b}'
_UNRESTRICTED = orjson.dumps(UNRESTRICTED)


def compose(reading: Reading, asker: Asker, *, address: Address | None) -> Listing:
    """The answer to ``asker`` at ``address``."""
    (administered, rows), roles_of, found = reading.rows or _rows(None, Pieces({}, {}, {}))[0]
    members = {role_ids: _member(asker, [found.roles[id_] for id_ in given]) for role_ids, given in roles_of.items()}
    shows = [shows_private_metadata(asker.deployment, is_admin=is_admin) for is_admin in (False, True)]
    text = [_HEAD]
    digests = [asker.deployment.private_metadata_audience.encode(), asker.session, reading.text]
    for id_, workspace_id, organization_id, role_ids, own_json in rows:
        workspace, organization = found.workspaces[workspace_id], found.organizations[organization_id]
        member, is_workspace_admin = members[role_ids]
        is_organization_admin = organization_id in administered
        is_admin = is_workspace_admin or is_organization_admin
        if is_admin or not (workspace.has_rules or organization.has_rules):
            kept_out = _UNRESTRICTED
        else:
            kept_out = orjson.dumps(
                workspace_restriction(workspace, organization, is_admin=is_admin, caller=asker, address=address)
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
    text.append(_TAIL % asker.session)
    return Listing(
        etag=f'"{hashlib.blake2b(b"".join(digests), digest_size=16).hexdigest()}"',
        text=text,
        parts=[*found.workspaces.values(), *found.organizations.values(), *found.roles.values()],
    )


def _member(asker: Asker, roles: list[Role]) -> tuple[bytes, bool]:
    """``rendering.between``, and whether one of the roles administers the workspace."""
    return rendering.between(asker.user_id, [role.json for role in roles]), any(role.is_admin for role in roles)


@dataclass(frozen=True, slots=True)
class Membership:
    """A user's membership of one workspace, as the database has it now."""

    id: int
    workspace_id: int
    organization_id: int
    workspace: Place
    organization: Place
    roles: list[Role]
    is_admin: bool
    """Whether the user administers the workspace or its organization."""

    @property
    def permissions(self) -> list[str]:
        """What the roles allow together, each permission once, in the order of the roles."""
        return list(dict.fromkeys(permission for role in self.roles for permission in role.permissions))


def membership_of(user_id: int, workspace_id: int) -> Membership | None:
    """The user's membership of the workspace, None if there is none."""
    administered, rows = workspace_membership(user_id=user_id, workspace_id=workspace_id)
    if not rows:
        return None
    row = MembershipRow._make(rows[0])
    role_ids = parse_ids(row.role_ids)
    found = pieces.read_afresh([row.workspace_id], [row.organization_id], role_ids)
    if not found.workspaces or not found.organizations:
        return None
    roles = [found.roles[id_] for id_ in role_ids if id_ in found.roles]
    return Membership(
        id=int(row.id),
        workspace_id=workspace_id,
        organization_id=int(row.organization_id),
        workspace=found.workspaces[row.workspace_id],
        organization=found.organizations[row.organization_id],
        roles=roles,
        is_admin=row.organization_id in administered or any(role.is_admin for role in roles),
    )


def workspace_restriction(
    workspace: Place, organization: Place, *, is_admin: bool, caller: SignedIn | Asker, address: Address | None
) -> EligibilityRestriction:
    """What keeps ``caller`` out of the workspace: its own rules and its organization's."""
    return restriction(
        [organization.level(caller.deployment), workspace.level(caller.deployment)],
        is_admin=is_admin,
        address=address,
        has_second_factor=caller.has_second_factor,
    )


def organization_restriction(
    organization: Place, *, is_admin: bool, caller: SignedIn | Asker, address: Address | None
) -> EligibilityRestriction:
    """What keeps ``caller`` out of the organization as such."""
    return restriction(
        [organization.level(caller.deployment)],
        is_admin=is_admin,
        address=address,
        has_second_factor=caller.has_second_factor,
    )
