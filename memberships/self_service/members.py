"""The members of an organization or a workspace, and their roles. ``Standing`` says which of the two it is about."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts.values.names import searched
from api.errors import ApiError, Problem
from database.prepared import Statement, number, read
from database.words import words_begin
from memberships import last_admin
from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from memberships.self_service.roles import NO_ROLE, role_of
from memberships.self_service.shown import NO_MEMBER
from memberships.standing import Standing

Membership = OrganizationMembership | WorkspaceMembership


MOST_FOUND = 500
"""The number of members that a search finds and counts. To find others, the user types more of the name."""
_SEARCHED = ("user__email", "user__username", "user__first_name", "user__last_name")


def _page(level: str) -> Statement:
    """Reads a page's ids and the number of all from an index of (place, created_at, id) alone, from its nearer end.

    Of the two ends one has a LIMIT of 0, which reads nothing.
    """
    found = f"FROM memberships_{level}membership WHERE {level}_id = %(place)s::bigint"
    is_early = "%(first)s::bigint <= place.total / 2"
    return Statement(f"""
        WITH place AS MATERIALIZED (
            SELECT member_count::bigint AS total FROM organizations_{level} WHERE id = %(place)s::bigint
        )
        SELECT place.total, ARRAY(
            SELECT id FROM (
                (
                    SELECT id, created_at {found} ORDER BY created_at, id OFFSET %(first)s::bigint
                    LIMIT CASE WHEN {is_early} THEN %(limit)s::bigint ELSE 0 END
                ) UNION ALL (
                    SELECT id, created_at {found} ORDER BY created_at DESC, id DESC
                    OFFSET greatest(place.total - %(first)s::bigint - %(limit)s::bigint, 0)
                    LIMIT CASE
                        WHEN {is_early} THEN 0
                        ELSE greatest(least(%(limit)s::bigint, place.total - %(first)s::bigint), 0)
                    END
                )
            ) found ORDER BY created_at, id
        )
        FROM place
    """)


PAGES = {"organization": _page("organization"), "workspace": _page("workspace")}


def page_of(standing: Standing, *, page: int, limit: int, search: str) -> tuple[list[int], int]:
    """The ids of the memberships on ``page`` (from 1), in the order of joining, and the number of all.

    ``search`` is the beginning of a word, or of several, in a name, a username or an e-mail address; "" finds all. Of
    more than MOST_FOUND members it finds as many, and does not look for the rest.
    """
    first = (page - 1) * limit
    if search:
        ids = _found(standing, search)
        return ids[first : first + limit], len(ids)
    level, place = (
        ("organization", standing.organization_id)
        if standing.workspace_id is None
        else ("workspace", standing.workspace_id)
    )
    values = {"place": number(place), "first": number(first), "limit": number(limit)}
    rows = read(PAGES[level], values).rows()
    if not rows:  # the place was just deleted
        return [], 0
    ((total, ids),) = rows
    return ids, total


def _found(standing: Standing, search: str) -> list[int]:
    """The ids of the memberships that ``search`` finds, in the order of joining."""
    matches = matching(standing, search)
    if matches is None:
        return []
    found = matches.values_list("created_at", "pk")[:MOST_FOUND]
    return [pk for _, pk in sorted(found)]


def matching(standing: Standing, search: str) -> QuerySet[Any] | None:
    """The memberships that ``search`` finds, in no order; None if it has no words.

    The index of words has the ids that outside issuers know users by as well, which other members do not see.
    """
    text = searched(search)
    by_index = words_begin((*_SEARCHED, "user__external_id"), text)
    by_what_is_seen = words_begin(_SEARCHED, text)
    if by_index is None or by_what_is_seen is None:
        return None
    seen = Q(user__external_id="") | Q(by_what_is_seen)
    return _memberships(standing).filter(by_index).filter(seen).order_by()


def member(standing: Standing, membership_id: int) -> Any:
    """The membership of this place with that id; raises ``ApiError`` (404)."""
    found = _memberships(standing).filter(pk=membership_id).first()
    if found is None:
        raise ApiError(Problem.NOT_FOUND, NO_MEMBER)
    return found


def remove(standing: Standing, membership: Membership) -> None:
    """End ``membership``; the last administrator's stays: ``IntegrityError``, which is answered by 409."""
    with transaction.atomic():
        type(membership).objects.filter(pk=membership.pk).delete()
        last_admin.check()


def add_role(standing: Standing, membership: Membership, role_id: int) -> None:
    """Give a role of this place; nothing happens if they hold it. Raises ``ApiError``: 404, 403 (see ``may_give``)."""
    role = role_of(standing, role_id)
    standing.require_may_give(role.permissions, in_workspace=standing.workspace_id is not None)
    link = _links(standing)
    try:
        with transaction.atomic():
            # Locked, so that the member does not go meanwhile.
            if not type(membership).objects.select_for_update(no_key=True).filter(pk=membership.pk).exists():
                raise ApiError(Problem.NOT_FOUND, NO_MEMBER)
            link.objects.bulk_create([link(membership_id=membership.pk, role_id=role.pk)], ignore_conflicts=True)
    except IntegrityError as error:  # the role was removed in this very moment
        raise ApiError(Problem.NOT_FOUND, NO_ROLE) from error


def remove_role(standing: Standing, membership: Membership, role_id: int) -> None:
    """Take a role; nothing happens if they do not hold it. Raises ``ApiError`` (404); the last administrator keeps
    theirs: ``IntegrityError``, which is answered by 409.
    """
    role = role_of(standing, role_id)
    with transaction.atomic():
        _links(standing).objects.filter(membership_id=membership.pk, role_id=role.pk).delete()
        last_admin.check()


def _memberships(standing: Standing) -> QuerySet[Any]:
    if standing.workspace_id is not None:
        return WorkspaceMembership.objects.filter(workspace=standing.workspace_id)
    return OrganizationMembership.objects.filter(organization=standing.organization_id)


def _links(standing: Standing) -> Any:
    return OrganizationMembershipRole if standing.workspace_id is None else WorkspaceMembershipRole
