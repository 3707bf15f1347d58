"""Permissions in organizations and workspaces, as pure functions; ``memberships.standing`` reads their input.

Organization administrators act in their organization and in all of its workspaces, workspace administrators in their
own workspace only. To whom a place is strange, it does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from organizations.models import ORGANIZATION_ADMIN, WORKSPACE_ADMIN


class Needs(Enum):
    """The standing that an action takes."""

    MEMBERSHIP = "to be a member of the organization"
    ORGANIZATION_ADMIN = "to administer the organization"
    WORKSPACE_MEMBERSHIP = "to be a member of the workspace"
    WORKSPACE_ACCESS = "to be a member of the workspace, or to administer its organization"
    WORKSPACE_ADMIN = "to administer the workspace or its organization"

    @property
    def is_in_workspace(self) -> bool:
        return self in (Needs.WORKSPACE_MEMBERSHIP, Needs.WORKSPACE_ACCESS, Needs.WORKSPACE_ADMIN)


class Action(Enum):
    """Everything that members can do in a place of theirs, with what it takes."""

    UPDATE_ORGANIZATION = "update the organization", Needs.ORGANIZATION_ADMIN
    DELETE_ORGANIZATION = "delete the organization", Needs.ORGANIZATION_ADMIN
    LEAVE_ORGANIZATION = "leave the organization", Needs.MEMBERSHIP
    LIST_ORGANIZATION_MEMBERS = "list the organization's members", Needs.MEMBERSHIP
    REMOVE_ORGANIZATION_MEMBERS = "remove members from the organization", Needs.ORGANIZATION_ADMIN
    CHANGE_ORGANIZATION_MEMBERS_ROLES = "change the roles of the organization's members", Needs.ORGANIZATION_ADMIN
    LIST_ORGANIZATION_ROLES = "list the organization's roles", Needs.MEMBERSHIP
    CHANGE_ORGANIZATION_ROLES = "change the organization's roles", Needs.ORGANIZATION_ADMIN
    LIST_INVITATIONS = "list the organization's invitations", Needs.ORGANIZATION_ADMIN
    INVITE = "invite people to the organization", Needs.ORGANIZATION_ADMIN
    LIST_DOMAINS = "list the organization's domains", Needs.ORGANIZATION_ADMIN
    CHANGE_DOMAINS = "change the organization's domains", Needs.ORGANIZATION_ADMIN
    CREATE_WORKSPACE = "create workspaces in the organization", Needs.ORGANIZATION_ADMIN

    UPDATE_WORKSPACE = "update the workspace", Needs.WORKSPACE_ADMIN
    DELETE_WORKSPACE = "delete the workspace", Needs.WORKSPACE_ADMIN
    LEAVE_WORKSPACE = "leave the workspace", Needs.WORKSPACE_MEMBERSHIP
    LIST_WORKSPACE_MEMBERS = "list the workspace's members", Needs.WORKSPACE_ACCESS
    REMOVE_WORKSPACE_MEMBERS = "remove members from the workspace", Needs.WORKSPACE_ADMIN
    CHANGE_WORKSPACE_MEMBERS_ROLES = "change the roles of the workspace's members", Needs.WORKSPACE_ADMIN
    LIST_WORKSPACE_ROLES = "list the workspace's roles", Needs.WORKSPACE_ACCESS
    CHANGE_WORKSPACE_ROLES = "change the workspace's roles", Needs.WORKSPACE_ADMIN
    LIST_WORKSPACE_INVITATIONS = "list the invitations to the workspace", Needs.WORKSPACE_ADMIN
    INVITE_TO_WORKSPACE = "invite people to the workspace", Needs.WORKSPACE_ADMIN

    def __init__(self, does: str, needs: Needs) -> None:
        self.does = does
        self.needs = needs


class Verdict(Enum):
    """``STRANGER``: they must not learn whether the place exists."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Rights:
    """The permissions of a user's roles in an organization, and in one of its workspaces; None for a non-member."""

    organization: frozenset[str] | None
    workspace: frozenset[str] | None = None

    @property
    def is_organization_admin(self) -> bool:
        return self.organization is not None and ORGANIZATION_ADMIN in self.organization

    @property
    def is_workspace_admin(self) -> bool:
        """Whether they administer the workspace, or all workspaces of its organization."""
        return self.is_organization_admin or (self.workspace is not None and WORKSPACE_ADMIN in self.workspace)


def verdict(action: Action, rights: Rights) -> Verdict:
    """Whether somebody with ``rights`` may do ``action`` there."""
    needs = action.needs
    if rights.organization is None:
        return Verdict.STRANGER
    if needs.is_in_workspace and rights.workspace is None and not rights.is_organization_admin:
        return Verdict.STRANGER
    allowed = {
        Needs.MEMBERSHIP: True,
        Needs.ORGANIZATION_ADMIN: rights.is_organization_admin,
        Needs.WORKSPACE_MEMBERSHIP: rights.workspace is not None,
        Needs.WORKSPACE_ACCESS: True,
        Needs.WORKSPACE_ADMIN: rights.is_workspace_admin,
    }[needs]
    return Verdict.ALLOWED if allowed else Verdict.FORBIDDEN


def may_give(permissions: Iterable[str], rights: Rights, *, in_workspace: bool, offered: Collection[str]) -> bool:
    """Whether somebody with ``rights`` may give a role with ``permissions``, or make one.

    They need each of the permissions themselves. An administrator has those that the deployment ``offered`` to
    customers at that level; a role with others, which staff made, is given only by those who hold them.
    """
    held = set(rights.organization or ()) if not in_workspace or rights.is_organization_admin else set()
    if in_workspace:
        held |= rights.workspace or set()
        administers = rights.is_workspace_admin
    else:
        administers = rights.is_organization_admin
    return administers and set(permissions) <= held | set(offered)
