"""The most members that a deployment lets its organizations and workspaces have.

They hold for all who join by themselves or by invitation. ``memberships.triggers`` and ``domain_triggers`` hold to them
where the database makes the members. Staff may go beyond.
"""

from __future__ import annotations

from accounts.models import Deployment
from api.errors import ApiError, Problem
from organizations.models import Organization, Workspace

Place = Organization | Workspace


def is_full(place: Place, deployment: Deployment) -> bool:
    """Whether nobody can join ``place`` now."""
    limit = _limit(place, deployment)
    return limit is not None and _count(place) >= limit


def require_room(place: Place, deployment: Deployment) -> None:
    """Raise ``ApiError`` (409) if nobody can join ``place`` now."""
    if is_full(place, deployment):
        raise _full(place)


def require_kept(place: Place, deployment: Deployment) -> None:
    """Raise ``ApiError`` (409), to undo it, if the member just made in this transaction is one too many.

    To make a member is to count it, which locks the row of the place: of all who join at once, each sees those before.
    """
    limit = _limit(place, deployment)
    if limit is not None and _count(place) > limit:
        raise _full(place)


def _limit(place: Place, deployment: Deployment) -> int | None:
    limit: int | None = (
        deployment.max_allowed_org_members
        if isinstance(place, Organization)
        else deployment.max_allowed_workspace_members
    )
    return limit


def _count(place: Place) -> int:
    """As it is now: ``place`` may have been read before others joined."""
    return type(place).objects.values_list("member_count", flat=True).get(pk=place.pk)


def _full(place: Place) -> ApiError:
    return ApiError(Problem.LIMIT_REACHED, f"{place.name} has as many members as it may have.")
