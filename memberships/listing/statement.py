"""The statement behind the list: session, sign-in, user, memberships and the invalidation log in one round trip.

What is composed from its row and cached fragments is what the database holds at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from accounts.models import Deployment
from accounts.session_rows import SESSION_COLUMNS, SESSION_TABLES
from database import cache
from database.cache import CHANGES, Changes
from database.prepared import Reading, Result, Statement, Values, columns_of, number
from memberships.listing import fragments
from memberships.listing.fragments import Fragments
from memberships.membership_rows import Memberships, memberships, parse_ids, parse_memberships

LISTING = Statement(f"""
    SELECT
        {columns_of("log", Changes._fields)},
        %(organization)s::bigint IS NULL OR EXISTS (
            SELECT 1 FROM memberships_organizationmembership own
            WHERE own.user_id = member.id AND own.organization_id = %(organization)s
        ),
        CASE WHEN %(wants_rows)s THEN {memberships("member.id")} END,
        {SESSION_COLUMNS}
    FROM ({CHANGES} OFFSET 0) log
    LEFT JOIN ({SESSION_TABLES}) ON session.id = %(session)s::bigint AND session.deployment_id = %(deployment)s::bigint
""")
_IS_ORGANIZATION_MEMBER, _MEMBERSHIPS, _SESSION = range(len(Changes._fields), len(Changes._fields) + 3)

NOBODYS: tuple[Statement, Values] = (
    LISTING,
    {**dict.fromkeys(LISTING.parameters), **cache.begin().values, "wants_rows": b"t"},
)
"""Finds nothing, but fails where the list cannot be read."""

_OWN = """
    (SELECT array_agg({column}) FROM memberships_workspacemembership own {join} WHERE own.user_id = (
        SELECT sign_in.user_id FROM accounts_session session
        JOIN accounts_signin sign_in ON sign_in.id = session.active_sign_in_id
        WHERE session.id = %(session)s::bigint AND session.deployment_id = %(deployment)s::bigint
    ))
"""
_OWN_FRAGMENTS = fragments.statements(
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
    fragments: Fragments


@dataclass(frozen=True, slots=True)
class ListingRow:
    """What the statement found."""

    result: Result
    is_organization_member: bool
    """Whether the user is a member of the organization that was requested; true if none was."""
    rows: Rows | None
    """None if they were not wanted."""
    text: bytes
    """Stands for the rows, without what they refer to."""
    as_of: int

    @property
    def session_columns(self) -> tuple[Any, ...] | None:
        """For ``session_of``; None if the deployment has no such session."""
        return None if self.result[_SESSION] is None else self.result.rows()[0][_SESSION:]

    @property
    def session_version(self) -> bytes:
        """Stands for ``session_columns``: others have another."""
        # Each value is of a fixed length, or null; so with a mark before each they can't run into each other.
        values = [self.result[column] for column in range(_SESSION, self.result.number_of_columns)]
        return b"".join([b"-" if value is None else b"+%b" % value for value in values])


def read_listing(
    deployment: Deployment,
    session_id: int,
    *,
    organization_id: int | None,
    is_loaded: bool = False,
    wants_rows: bool = True,
) -> Reading[ListingRow]:
    """The session and its user's memberships, of one organization if given, as they are in one snapshot.

    Fragments that the process lacks are read in a second round trip, from one snapshot with the memberships. If the
    deployment was just loaded (``is_loaded``), that is done in the first one: the process is likely to lack them all.
    Unless it ``wants_rows``, the session and the log alone are read.
    """
    values = {
        "session": b"%d" % session_id,
        "deployment": b"%d" % deployment.pk,
        "organization": number(organization_id),
        "workspace": None,
        "wants_rows": b"t" if wants_rows else b"f",
    }
    own: list[tuple[Statement, Values]] = [(statement, values) for statement in _OWN_FRAGMENTS]
    besides = own if is_loaded else []
    while True:
        log = cache.begin()
        result, *results = yield [(LISTING, {**values, **log.values}), *besides]
        as_of = cache.apply(log, Changes.of(result))
        text = result[_MEMBERSHIPS]
        rows, missing = None, None
        if wants_rows:
            known = fragments.fragments_of(results, as_of=as_of) if results else Fragments({}, {}, {})
            rows, missing = _rows(text, known)
        # What another request has cached meanwhile may be newer than the row; what came with the row is not.
        if not missing and (besides is own or cache.holds(as_of)):
            return ListingRow(result, result[_IS_ORGANIZATION_MEMBER] == b"\1", rows, text or b"", as_of)
        besides = missing if missing and not besides else own


def _rows(text: bytes | None, known: Fragments) -> tuple[Rows, list[tuple[Statement, Values]]]:
    """The memberships in ``text`` with their fragments, and what reads the fragments that are missing."""
    found = parse_memberships(text)
    roles_of = {role_ids: parse_ids(role_ids) for role_ids in {row[3] for row in found.rows}}
    missing = known.complete(
        {row[1] for row in found.rows},
        {row[2] for row in found.rows},
        {id_ for role_ids in roles_of.values() for id_ in role_ids},
    )
    return Rows(found, roles_of, known), missing
