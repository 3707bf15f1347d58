"""A user's standing in an organization or a workspace, as the database has it now, and the one door that checks it.

An endpoint about a place begins with ``in_organization`` or ``in_workspace``: they give the place only to those who may
do what the endpoint does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from accounts.authentication.sessions import SignedIn
from api.errors import ApiError, Problem
from api.networks import Address
from database.prepared import Statement, number, read
from memberships.access import require_unrestricted
from memberships.eligibility import EligibilityRestriction, restriction
from memberships.listing.fragments import level
from memberships.permissions import Action, Rights, Verdict, may_give, verdict

NO_WORKSPACE = "You are no member of such a workspace."


class _Place(NamedTuple):
    """The columns of an organization or a workspace that its rules are in."""

    id: int
    name: str
    enable_ip_restriction: bool
    whitelisted_ips: list[str]
    enforce_mfa: bool
    membership_id: int | None
    permissions: list[str] | None
    """Of the caller's roles there, null for a non-member."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the caller is in an organization and, if it is about one, in a workspace of it. They may do the action."""

    caller: SignedIn
    organization_id: int
    organization_membership_id: int
    workspace_id: int | None
    workspace_membership_id: int | None
    """None also for an administrator of the organization who is no member of the workspace."""
    rights: Rights

    def require_may_give(self, permissions: list[str], *, in_workspace: bool) -> None:
        """Raise ``ApiError`` (403) for permissions beyond the caller's own; see ``permissions.may_give``."""
        deployment = self.caller.deployment
        offered = deployment.workspace_permissions if in_workspace else deployment.organization_permissions
        if not may_give(permissions, self.rights, in_workspace=in_workspace, offered=offered):
            raise ApiError(Problem.FORBIDDEN, "You cannot give a role that allows more than you may do yourself.")


def _permissions(level: Literal["organization", "workspace"]) -> str:
    return f"""
        CASE WHEN {level}_membership.id IS NOT NULL THEN ARRAY (
            SELECT unnest(role.permissions) FROM memberships_{level}membershiprole given
            JOIN organizations_{level}role role ON role.id = given.role_id
            WHERE given.membership_id = {level}_membership.id
        ) END
    """


_ORGANIZATION = f"""
    organization.id, organization.name, organization.enable_ip_restriction, organization.whitelisted_ips,
    organization.enforce_mfa, organization_membership.id, {_permissions("organization")}
"""
_JOIN_MEMBERSHIP = """
    JOIN memberships_organizationmembership organization_membership
        ON organization_membership.organization_id = organization.id
        AND organization_membership.user_id = %(user)s::bigint
"""
_IN_ORGANIZATION = Statement(f"""
    SELECT {_ORGANIZATION} FROM organizations_organization organization {_JOIN_MEMBERSHIP}
    WHERE organization.id = %(place)s::bigint AND organization.deployment_id = %(deployment)s::bigint
""")
_IN_WORKSPACE = Statement(f"""
    SELECT {_ORGANIZATION}, workspace.id, workspace.name, workspace.enable_ip_restriction, workspace.whitelisted_ips,
        workspace.enforce_2fa, workspace_membership.id, {_permissions("workspace")}
    FROM organizations_workspace workspace
    JOIN organizations_organization organization ON organization.id = workspace.organization_id {_JOIN_MEMBERSHIP}
    LEFT JOIN memberships_workspacemembership workspace_membership
        ON workspace_membership.workspace_id = workspace.id AND workspace_membership.user_id = %(user)s::bigint
    WHERE workspace.id = %(place)s::bigint AND organization.deployment_id = %(deployment)s::bigint
""")

_OF_A_MEMBER = Statement(f"""
    SELECT {_permissions("organization")}, {_permissions("workspace")}
    FROM memberships_organizationmembership organization_membership
    JOIN accounts_user member ON member.id = organization_membership.user_id AND NOT member.disabled
    LEFT JOIN memberships_workspacemembership workspace_membership
        ON workspace_membership.workspace_id = %(workspace)s::bigint
        AND workspace_membership.user_id = organization_membership.user_id
    WHERE organization_membership.id = %(membership)s::bigint
""")


def rights_of_member(organization_membership_id: int, workspace_id: int | None) -> Rights:
    """The rights that a member has now in their organization and in a workspace of it; none once they are disabled."""
    values = {"membership": number(organization_membership_id), "workspace": number(workspace_id)}
    for row in read(_OF_A_MEMBER, values).rows():
        return Rights(*(None if permissions is None else frozenset(permissions) for permissions in row))
    return Rights(None)


def in_organization(caller: SignedIn, organization_id: int, action: Action, *, address: Address | None) -> Standing:
    """The caller's standing in the organization, where they may do ``action`` from ``address``.

    Raises ``ApiError``: 404 to strangers, whether or not there is such an organization; 403 to members without the
    right, and with the eligibility's message to those whom a rule keeps out.
    """
    assert not action.needs.is_in_workspace
    row = _row(_IN_ORGANIZATION, caller, organization_id)
    if row is None:
        raise ApiError(Problem.NOT_A_MEMBER)
    organization = _Place(*row)
    return _standing(caller, action, address, organization, None)


def in_workspace(caller: SignedIn, workspace_id: int, action: Action, *, address: Address | None) -> Standing:
    """As ``in_organization``, for a workspace."""
    assert action.needs.is_in_workspace
    row = _row(_IN_WORKSPACE, caller, workspace_id)
    if row is None:
        raise ApiError(Problem.NOT_FOUND, NO_WORKSPACE)
    columns = len(_Place._fields)
    return _standing(caller, action, address, _Place(*row[:columns]), _Place(*row[columns:]))


def _row(statement: Statement, caller: SignedIn, place_id: int) -> tuple[Any, ...] | None:
    values = {
        "user": number(caller.user.pk),
        "deployment": number(caller.deployment.pk),
        "place": number(place_id),
    }
    return next(iter(read(statement, values).rows()), None)


def _standing(
    caller: SignedIn, action: Action, address: Address | None, organization: _Place, workspace: _Place | None
) -> Standing:
    rights = Rights(
        organization=_held(organization),
        workspace=_held(workspace) if workspace else None,
    )
    match verdict(action, rights):
        case Verdict.STRANGER:
            raise ApiError(Problem.NOT_FOUND, NO_WORKSPACE) if workspace else ApiError(Problem.NOT_A_MEMBER)
        case Verdict.FORBIDDEN:
            raise ApiError(Problem.FORBIDDEN, f"You may not {action.does}; ask one of its administrators.")
    require_unrestricted(caller, _restriction(caller, address, organization, workspace, rights))
    assert organization.membership_id is not None, "strangers are gone"
    return Standing(
        caller=caller,
        organization_id=organization.id,
        organization_membership_id=organization.membership_id,
        workspace_id=workspace.id if workspace else None,
        workspace_membership_id=workspace.membership_id if workspace else None,
        rights=rights,
    )


def _held(place: _Place) -> frozenset[str] | None:
    return None if place.permissions is None else frozenset(place.permissions)


def _restriction(
    caller: SignedIn, address: Address | None, organization: _Place, workspace: _Place | None, rights: Rights
) -> EligibilityRestriction:
    levels = [level("organization", organization, caller.deployment)]
    if workspace is not None:
        levels.append(level("workspace", workspace, caller.deployment))
    return restriction(
        levels,
        is_admin=rights.is_workspace_admin if workspace else rights.is_organization_admin,
        address=address,
        has_mfa=caller.has_mfa,
    )
