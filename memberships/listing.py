"""The list of a user's workspace memberships, in one round trip to the database where the process remembers the rest.

The statement that finds the caller's session also reads their memberships, and the news for the process's memory; so
what is put together from rows and remembered pieces is what the database holds at that moment.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import ref

import orjson

from accounts.models import Deployment
from accounts.sessions import SESSION_COLUMNS, SESSION_TABLES, SignedIn, kept_serial
from config.database import memory
from config.database.memory import NEWS
from config.database.reading import Result, Statement, number, read, read_together
from config.networks import Address
from memberships import pieces, recent, rendering
from memberships.eligibility import UNRESTRICTED, EligibilityRestriction, restriction
from memberships.pieces import Pieces, Place, Role, shows_private_metadata
from memberships.read import membership_rows, memberships, workspace_membership_row
from memberships.recent import Entry, Listing, Owner

LISTING = Statement(f"""
    SELECT
        news.newest_id, news.snapshot, news.notes,
        %(organization)s::bigint IS NULL OR EXISTS (
            SELECT 1 FROM memberships_organizationmembership own
            WHERE own.user_id = member.id AND own.organization_id = %(organization)s
        ),
        CASE WHEN NOT (%(unless_news)s AND news.notes IS NULL) THEN {memberships("member.id")} END,
        {SESSION_COLUMNS}
    FROM (SELECT {NEWS} OFFSET 0) news (newest_id, snapshot, notes)
    LEFT JOIN ({SESSION_TABLES}) ON session.id = %(session)s::bigint AND session.deployment_id = %(deployment)s::bigint
""")
_NEWEST_ID, _SNAPSHOT, _NOTES, _IS_ORGANIZATION_MEMBER, _MEMBERSHIPS, _SESSION = range(6)

_OWN = """
    (SELECT array_agg({column}) FROM memberships_workspacemembership own {join} WHERE own.user_id = (
        SELECT sign_in.user_id FROM accounts_session session
        JOIN accounts_signin sign_in ON sign_in.id = session.active_sign_in_id
        WHERE session.id = %(session)s::bigint AND session.deployment_id = %(deployment)s::bigint
    ))
"""
_OWN_PIECES = pieces.statements(
    [
        _OWN.format(column="own.workspace_id", join=""),
        _OWN.format(column="DISTINCT own.organization_id", join=""),
        _OWN.format(
            column="DISTINCT given.role_id",
            join="JOIN memberships_workspacemembershiprole given ON given.membership_id = own.id",
        ),
    ]
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the statement found."""

    row: Result
    is_organization_member: bool
    """Whether the user is a member of the organization that was asked for; true if none was."""
    memberships: bytes | None
    """For ``membership_rows``; None if there are none, or if they were wanted only with news and there is none."""
    is_unchanged: bool
    """Whether there is no news, so that memberships which were wanted with news only have not been read."""
    as_of: int
    known: Pieces

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
    """The session and its user's memberships, of one organization if given; what has changed is forgotten.

    With ``with_pieces`` comes what they refer to as well, for a process that is likely to remember nothing of it. With
    ``unless_news`` the memberships are read only if anything that processes remember has changed.
    """
    question = memory.ask()
    values = {
        "session": b"%d" % session_id,
        "deployment": b"%d" % deployment.pk,
        "organization": number(organization_id),
        "workspace": None,
        "unless_news": b"t" if unless_news else b"f",
        **question.values,
    }
    if with_pieces:
        row, *results = read_together((LISTING, values), *((statement, values) for statement in _OWN_PIECES))
    else:
        row, results = read(LISTING, values), []
    newest_id, snapshot, notes = row[_NEWEST_ID] or b"", row[_SNAPSHOT] or b"", row[_NOTES]
    as_of = memory.hear(
        question, int.from_bytes(newest_id, "big"), snapshot.decode(), None if notes is None else notes.decode()
    )
    return Reading(
        row=row,
        is_organization_member=row[_IS_ORGANIZATION_MEMBER] == b"\1",
        memberships=row[_MEMBERSHIPS],
        is_unchanged=unless_news and notes is None,
        as_of=as_of,
        known=pieces.learn(results, as_of=as_of) if results else Pieces({}, {}, {}),
    )


_UNRESTRICTED = orjson.dumps(UNRESTRICTED)


class Composed(NamedTuple):
    """A new listing, with the pieces that it needs: nobody else might keep them."""

    listing: Listing
    pieces: Pieces

    @property
    def etag(self) -> str:
        return self.listing.etag

    def body(self) -> bytes:
        """The whole success envelope."""
        body = self.listing.body()
        assert body is not None  # noqa: S101 - its pieces are here
        return body


def compose(reading: Reading, *, caller: SignedIn, address: Address | None) -> Composed:
    """The answer to ``caller`` at ``address``."""
    owner = recent.owner_of(caller.user.pk, as_of=reading.as_of)
    rows = membership_rows(reading.memberships)
    found = pieces.find(
        {row.workspace_id for row in rows},
        {row.organization_id for row in rows},
        {id_ for row in rows for id_ in row.role_ids.split(b",") if id_},
        reading.known,
    )
    deployment = caller.deployment
    user_id = b"%d" % caller.user.pk
    roles_of: dict[bytes, tuple[bytes, bool]] = {}
    shows = {is_admin: shows_private_metadata(deployment, is_admin=is_admin) for is_admin in (False, True)}
    entries = []
    digests = []
    for row in rows:
        workspace = found.workspaces.get(row.workspace_id)
        organization = found.organizations.get(row.organization_id)
        if workspace is None or organization is None:
            continue  # gone since the rows were read
        given = roles_of.get(row.role_ids)
        if given is None:
            given = roles_of[row.role_ids] = _roles(row.role_ids, found.roles)
            digests.append(given[0])
        roles, is_workspace_admin = given
        is_organization_admin = row.organization_admin == b"t"
        is_admin = is_workspace_admin or is_organization_admin
        if is_admin or not (workspace.has_rules or organization.has_rules):
            kept_out = _UNRESTRICTED
        else:
            kept_out = orjson.dumps(
                workspace_restriction(workspace, organization, is_admin=is_admin, caller=caller, address=address)
            )
        digests += (workspace.digest, organization.digest, kept_out)
        before, between, after = rendering.workspace_membership(row, user_id=user_id, roles=roles, restriction=kept_out)
        entries.append(
            Entry(
                before, ref(workspace), shows[is_admin], between, ref(organization), shows[is_organization_admin], after
            )
        )
    session = orjson.dumps(caller.session_summary)
    audience = deployment.private_metadata_audience.encode()
    everything = b"\n".join([session, audience, reading.memberships or b"", *digests])
    parts: tuple[Owner | Place | Role, ...] = (
        owner,
        *found.workspaces.values(),
        *found.organizations.values(),
        *found.roles.values(),
    )
    listing = Listing(
        etag=f'"{hashlib.blake2b(everything, digest_size=16).hexdigest()}"',
        entries=tuple(entries),
        session=session,
        parts=tuple([ref(part) for part in parts]),
        address=address,
        deployment=deployment,
        session_version=reading.session_version,
        expires_at=min(caller.session.expires_at, caller.sign_in.expires_at),
        kept_serial=kept_serial(caller.session),
    )
    return Composed(listing, found)


def _roles(role_ids: bytes, roles: dict[bytes, Role]) -> tuple[bytes, bool]:
    """The JSON text of the roles, without brackets, and whether one of them administers the workspace."""
    given = [roles[id_] for id_ in role_ids.split(b",") if id_ in roles]
    return b",".join([role.json for role in given]), any(role.is_admin for role in given)


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
    row = workspace_membership_row(user_id=user_id, workspace_id=workspace_id)
    if row is None:
        return None
    role_ids = [id_ for id_ in row.role_ids.split(b",") if id_]
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
        is_admin=row.organization_admin == b"t" or any(role.is_admin for role in roles),
    )


def workspace_restriction(
    workspace: Place, organization: Place, *, is_admin: bool, caller: SignedIn, address: Address | None
) -> EligibilityRestriction:
    """What keeps ``caller`` out of the workspace: its own rules and its organization's."""
    return restriction(
        [organization.level(caller.deployment), workspace.level(caller.deployment)],
        is_admin=is_admin,
        address=address,
        has_second_factor=caller.has_second_factor,
    )


def organization_restriction(
    organization: Place, *, is_admin: bool, caller: SignedIn, address: Address | None
) -> EligibilityRestriction:
    """What keeps ``caller`` out of the organization as such."""
    return restriction(
        [organization.level(caller.deployment)],
        is_admin=is_admin,
        address=address,
        has_second_factor=caller.has_second_factor,
    )
