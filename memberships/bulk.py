"""Changes of many memberships at once. Each is to be called in a transaction, and raises ``Refused`` or does it all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from accounts.models import User
from config.bulk import Change, Refused
from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import OrganizationRole, Workspace, WorkspaceRole

Membership = OrganizationMembership | WorkspaceMembership
Role = OrganizationRole | WorkspaceRole


def add_to_workspace(users: Sequence[User], workspace: Workspace, roles: Collection[WorkspaceRole]) -> list[Change]:
    """Make ``users`` members of ``workspace``, and of its organization, with ``roles`` besides those that they hold."""
    organization = workspace.organization
    _refuse(
        f"{user} is a user of another deployment than “{workspace}”."
        for user in users
        if user.deployment_id != organization.deployment_id
    )
    _refuse(
        f"“{role}” is a role of “{role.workspace or role.organization or role.deployment}”, not of “{workspace}”."
        for role in roles
        if not _fits(role, workspace)
    )
    in_organization = _users_in(OrganizationMembership.objects.filter(organization=organization, user__in=users))
    in_workspace = _users_in(WorkspaceMembership.objects.filter(workspace=workspace, user__in=users))
    OrganizationMembership.objects.bulk_create(
        OrganizationMembership(deployment_id=organization.deployment_id, organization=organization, user=user)
        for user in users
        if user.pk not in in_organization
    )
    WorkspaceMembership.objects.bulk_create(
        WorkspaceMembership(organization=organization, workspace=workspace, user=user)
        for user in users
        if user.pk not in in_workspace
    )
    memberships = list(WorkspaceMembership.objects.filter(workspace=workspace, user__in=users))
    given = {
        membership.user_id: changed
        for membership, changed in zip(memberships, _give(WorkspaceMembershipRole, memberships, roles), strict=True)
    }
    return [
        Change(
            user,
            _sentence(
                f"joins “{organization}”" if user.pk not in in_organization else "",
                f"joins “{workspace}”" if user.pk not in in_workspace else "",
                _named("is given", given[user.pk]),
            ),
        )
        for user in users
    ]


def change_roles(memberships: Sequence[Any], give: Collection[Any], take: Collection[Any]) -> list[Change]:
    """Give and take roles of ``memberships``, which are all of organizations or all of workspaces, as the roles are."""
    _refuse(
        f"{membership}: “{role}” is a role of “{_owner(role)}” and cannot be given here."
        for membership in memberships
        for role in give
        if not _fits(role, _place(membership))
    )
    _refuse(f"“{role}” is to be given and taken." for role in set(give) & set(take))
    if not memberships:
        return []
    link = WorkspaceMembershipRole if isinstance(memberships[0], WorkspaceMembership) else OrganizationMembershipRole
    given = _give(link, memberships, give)
    taken = _take(link, memberships, take)
    return [
        Change(membership, _sentence(_named("is given", new), _named("loses", old)))
        for membership, new, old in zip(memberships, given, taken, strict=True)
    ]


def remove(memberships: Sequence[Membership]) -> list[Change]:
    """End ``memberships``. With one of an organization those of its workspaces end."""
    changes = [Change(membership, f"leaves “{_place(membership)}”") for membership in memberships]
    for membership in memberships[:1]:
        type(membership).objects.filter(pk__in=[row.pk for row in memberships]).delete()
    return changes


def _refuse(reasons: Iterable[str]) -> None:
    """Raise ``Refused`` if there are any ``reasons``."""
    if found := list(reasons):
        raise Refused(found)


def _users_in(memberships: Any) -> set[int]:
    return set(memberships.values_list("user_id", flat=True))


def _place(membership: Membership) -> Any:
    return membership.workspace if isinstance(membership, WorkspaceMembership) else membership.organization


def _owner(role: Role) -> Any:
    return getattr(role, "workspace", None) or role.organization or role.deployment


def _fits(role: Role, place: Any) -> bool:
    """The rule of the triggers ``role_fits``, which hold all writers to it; here the row is named that breaks it."""
    organization = place.organization if isinstance(place, Workspace) else place
    return (
        role.deployment_id == organization.deployment_id
        and role.organization_id in (None, organization.pk)
        and getattr(role, "workspace_id", None) in (None, place.pk)
    )


def _held(link: Any, memberships: Sequence[Any], roles: Collection[Any]) -> dict[int, set[int]]:
    """The ids of those of ``roles`` that each membership has, by its id."""
    held: dict[int, set[int]] = defaultdict(set)
    for membership_id, role_id in link.objects.filter(membership__in=memberships, role__in=roles).values_list(
        "membership_id", "role_id"
    ):
        held[membership_id].add(role_id)
    return held


def _give(link: Any, memberships: Sequence[Any], roles: Collection[Any]) -> list[list[Any]]:
    """Give ``roles``; for each membership, those that are new to it."""
    held = _held(link, memberships, roles)
    new = [[role for role in roles if role.pk not in held[membership.pk]] for membership in memberships]
    link.objects.bulk_create(
        link(membership=membership, role=role) for membership, own in zip(memberships, new, strict=True) for role in own
    )
    return new


def _take(link: Any, memberships: Sequence[Any], roles: Collection[Any]) -> list[list[Any]]:
    """Take ``roles``; for each membership, those that it had."""
    held = _held(link, memberships, roles)
    link.objects.filter(membership__in=memberships, role__in=roles).delete()
    return [[role for role in roles if role.pk in held[membership.pk]] for membership in memberships]


def _named(verb: str, roles: Sequence[Any]) -> str:
    return f"{verb} {', '.join(f'“{role}”' for role in roles)}" if roles else ""


def _sentence(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
