"""The members of an organization or a workspace, and their roles. ``Standing`` says which of the two it is about."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from api.errors import ApiError, Problem
from memberships import last_admin
from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from memberships.self_service.roles import NO_ROLE, role_of
from memberships.standing import Standing
from organizations.models import Organization, Workspace

Membership = OrganizationMembership | WorkspaceMembership

NO_MEMBER = "There is no such member here."


def page_of(standing: Standing, *, page: int, limit: int, search: str) -> tuple[list[int], int]:
    """The ids of the memberships on ``page`` (from 1), in the order of joining, and the number of all.

    ``search`` is a part of a name, a username or an e-mail address; "" finds all.
    """
    rows: Any = _memberships(standing)
    if search:
        fields = ("first_name", "last_name", "username", "email")
        conditions = Q()
        for word in search.split():
            conditions &= Q(*((f"user__{field}__icontains", word) for field in fields), _connector=Q.OR)
        rows = rows.filter(conditions)
        total = rows.count()
    elif standing.workspace_id is not None:
        total = Workspace.objects.values_list("member_count", flat=True).get(pk=standing.workspace_id)
    else:
        total = Organization.objects.values_list("member_count", flat=True).get(pk=standing.organization_id)
    first = (page - 1) * limit
    return list(rows.order_by("created_at", "id").values_list("pk", flat=True)[first : first + limit]), total


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
