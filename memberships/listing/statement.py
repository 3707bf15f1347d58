"""The statement behind the list: session, sign-in, user, memberships and the invalidation log in one round trip.

What is composed from its row and cached fragments is what the database holds at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from accounts.authentication.session_rows import with_session
from accounts.models import Deployment
from accounts.polled.poll import Poll
from database import cache
from database.prepared import Reading, Statement, Values, number
from memberships.listing.fragments import FoundRow, Fragments, read_with_fragments
from memberships.membership_rows import Memberships, memberships, parse_ids, parse_memberships

_IS_ORGANIZATION_MEMBER = """
    %(organization)s::bigint IS NULL OR EXISTS (
        SELECT 1 FROM memberships_organizationmembership own
        WHERE own.user_id = member.id AND own.organization_id = %(organization)s
    )
"""
LISTING = with_session(_IS_ORGANIZATION_MEMBER, f"CASE WHEN %(wants_all)s THEN {memberships('member.id')} END")

NOBODYS: tuple[Statement, Values] = (
    LISTING,
    {**dict.fromkeys(LISTING.parameters), **cache.begin().values, "wants_all": b"t"},
)
"""Finds nothing, but fails where the list cannot be read."""


class Rows(NamedTuple):
    """A user's memberships and the rows that they refer to, all as they were at one moment."""

    memberships: Memberships
    roles_of: dict[bytes, list[bytes]]
    """The ids in each of the rows' ``role_ids``."""
    fragments: Fragments


@dataclass(frozen=True, slots=True)
class ListingRow(FoundRow[Rows]):
    """The rows that the statement found."""

    @property
    def is_organization_member(self) -> bool:
        """Whether the user is a member of the organization that was requested; true if none was."""
        return self.data == b"\1"

    @property
    def text(self) -> bytes:
        """Stands for the rows, without what they refer to."""
        return self.shown or b""

    @property
    def version(self) -> bytes:
        """Stands for the session alone: the invalidation log covers all memberships of the user."""
        return self.session_version


def read_listing(
    deployment: Deployment, session_id: int, poll: Poll, *, is_loaded: bool, wants_all: bool
) -> Reading[ListingRow]:
    """The session and its user's memberships, of one organization if given, as they are in one snapshot.

    Unless it ``wants_all``, the session and the log alone are read.
    """
    row = yield from read_with_fragments(
        LISTING,
        _rows,
        deployment,
        session_id,
        poll,
        is_loaded=is_loaded,
        wants_all=wants_all,
        organization=number(poll.about),
        workspace=None,
    )
    return ListingRow(row.result, row.statement, row.as_of, row.found)


def _rows(text: bytes | None, known: Fragments) -> tuple[Rows, list[tuple[Statement, Values]]]:
    """The memberships in ``text`` with their fragments, and the statements that read missing fragments."""
    found = parse_memberships(text)
    roles_of = {role_ids: parse_ids(role_ids) for role_ids in {row[3] for row in found.rows}}
    missing = known.complete(
        {row[1] for row in found.rows},
        {row[2] for row in found.rows},
        {id_ for role_ids in roles_of.values() for id_ in role_ids},
    )
    return Rows(found, roles_of, known), missing
