"""A user's membership of one workspace, as the database has it now, and whether they may enter."""

from __future__ import annotations

from dataclasses import dataclass

from accounts import counting
from accounts.authentication.sessions import SignedIn
from api.errors import ApiError, Problem
from database.prepared import Statement, number, read
from memberships.eligibility import EligibilityRestriction
from memberships.listing import fragments
from memberships.listing.fragments import PlaceFragment
from memberships.membership_rows import MembershipRow, memberships, parse_ids, parse_memberships

_MEMBERSHIP = Statement(f"SELECT {memberships('%(user)s::bigint')}")


@dataclass(frozen=True, slots=True)
class Membership:
    """A user's membership of one workspace, as the database has it now."""

    id: int
    workspace_id: int
    organization_id: int
    workspace: PlaceFragment
    organization: PlaceFragment
    is_admin: bool
    """Whether the user administers the workspace or its organization."""


def membership_of(user_id: int, workspace_id: int) -> Membership | None:
    """The user's membership of the workspace, None if there is none."""
    values = {"user": number(user_id), "workspace": number(workspace_id), "organization": None}
    administered, rows = parse_memberships(read(_MEMBERSHIP, values)[0])
    if not rows:
        return None
    row = MembershipRow._make(rows[0])
    found = fragments.read_afresh([row.workspace_id], [row.organization_id], parse_ids(row.role_ids))
    if not found.workspaces or not found.organizations:
        return None
    return Membership(
        id=int(row.id),
        workspace_id=workspace_id,
        organization_id=int(row.organization_id),
        workspace=found.workspaces[row.workspace_id],
        organization=found.organizations[row.organization_id],
        is_admin=row.organization_id in administered or any(role.is_admin for role in found.roles.values()),
    )


def require_unrestricted(caller: SignedIn, restriction: EligibilityRestriction) -> None:
    """Raise ``ApiError`` (403) if ``restriction`` keeps the caller out, who counts among today's for that."""
    if restriction["type"] != "none":
        counting.count_user(restriction["type"], caller.user.pk)
        raise ApiError(Problem.ENTRY_RESTRICTED, restriction["message"])
