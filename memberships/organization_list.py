"""GET /me/organization-memberships: the organizations that the signed-in user is a member of, in which roles."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import orjson

from accounts.answers import rendering as accounts_rendering
from accounts.answers.rows import PublicUserRow, public_user
from accounts.authentication.session_rows import with_session
from accounts.polled.poll import Composed, Poll, Source, composed
from accounts.polled.viewers import Viewer
from database.prepared import Statement, Values, time_text
from memberships.listing.composing import organization_restriction
from memberships.listing.fragments import (
    FoundRow,
    Fragments,
    PlaceFragment,
    owner_of,
    read_with_fragments,
    shows_private_metadata,
)
from memberships.rows import ORGANIZATION_ROLES

_STATEMENT = with_session(
    public_user("member"),
    f"""
    CASE WHEN %(wants_all)s THEN (
        SELECT json_agg(
            json_build_array(
                membership.id::text, membership.organization_id::text, membership.public_metadata::text,
                {time_text("membership.created_at")}, {time_text("membership.updated_at")},
                coalesce(role.roles, '[]'), coalesce(role.is_admin, false)
            )
            ORDER BY membership.created_at, membership.id
        )
        FROM memberships_organizationmembership membership
        LEFT JOIN LATERAL ({ORGANIZATION_ROLES}) role ON true
        WHERE membership.user_id = member.id AND membership.deployment_id = session.deployment_id
    ) END
    """,
)


class MembershipRow(NamedTuple):
    """A user's membership of an organization. Fields named ``*_json`` are JSON text, ready to be sent."""

    id: str
    organization_id: str
    public_metadata_json: str
    created_at: str
    updated_at: str
    roles_json: str
    is_organization_admin: bool


class Rows(NamedTuple):
    """A user's memberships in the order of joining, and the organizations: all as it was at one moment."""

    memberships: list[MembershipRow]
    fragments: Fragments


def _find(text: bytes | None, known: Fragments) -> tuple[Rows, list[tuple[Statement, Values]]]:
    memberships = [MembershipRow(*one) for one in orjson.loads(text or b"[]")]
    return Rows(memberships, known), known.complete(set(), {row.organization_id.encode() for row in memberships}, set())


def _compose(viewer: Viewer, row: FoundRow[Rows], poll: Poll) -> Composed:
    assert row.found is not None, "it was to be read"
    user = accounts_rendering.public_user(PublicUserRow(*orjson.loads(row.data or b"")), viewer.deployment)
    memberships, (_, organizations, _) = row.found
    data = [_membership(viewer, one, user, organizations, poll) for one in memberships]
    owner = owner_of(viewer.user_id, viewer.deployment.pk, as_of=row.as_of)
    return composed(viewer, "Your organization memberships.", data, [owner, *organizations.values()])


def _membership(
    viewer: Viewer, row: MembershipRow, user: Any, organizations: dict[bytes, PlaceFragment], poll: Poll
) -> dict[str, Any]:
    place = organizations[row.organization_id.encode()]
    is_admin = row.is_organization_admin
    shows = shows_private_metadata(viewer.deployment, is_admin=is_admin)
    return {
        "id": row.id,
        "organization": orjson.Fragment(place.shown if shows else place.hidden),
        "user": user,
        "roles": orjson.Fragment(row.roles_json),
        "public_metadata": orjson.Fragment(row.public_metadata_json),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "eligibility_restriction": organization_restriction(
            place, is_admin=is_admin, caller=viewer, address=poll.address
        ),
    }


SOURCE = Source("me/organization-memberships", partial(read_with_fragments, _STATEMENT, _find), _compose)
