"""Invitations to organizations: what their tokens are good for, and what those get who accept.

An inviter gives what they could give at the moment of the acceptance, and nothing if they may not invite any more.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.mail import outbox
from accounts.models import Deployment, Invitation, User
from accounts.sign_in import invitations
from accounts.sign_in.invitations import Refusal
from accounts.values.mail_texts import Template
from api.errors import ApiError
from memberships import member_limits
from memberships.models import (
    OrganizationInvitation,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from memberships.permissions import Action, Rights, Verdict, may_give, verdict
from memberships.standing import rights_of_member
from organizations.models import ORGANIZATION_ADMIN


def find(deployment: Deployment, token: str) -> Invitation | Refusal:
    """The invitation, of either kind, with which somebody may sign up, or the reason why ``token`` is not good."""
    invitation = with_token(deployment, token)
    if invitation is None:
        return invitations.find(deployment, token)
    return refusal_of(invitation) or (Refusal.FULL if _is_full(invitation) else invitation)


def _is_full(invitation: OrganizationInvitation) -> bool:
    """Whether there is no room for somebody who is no member of the organization."""
    workspace, deployment = invitation.workspace, invitation.deployment
    return member_limits.is_full(invitation.organization, deployment) or (
        workspace is not None and member_limits.is_full(workspace, deployment)
    )


def with_token(deployment: Deployment, token: str) -> OrganizationInvitation | None:
    """The invitation to an organization of ``deployment`` that has ``token``."""
    return invitations.with_token(_of(deployment), token)


def _of(deployment: Deployment) -> QuerySet[OrganizationInvitation]:
    rows = OrganizationInvitation.objects.filter(deployment=deployment)
    return rows.select_related("deployment", "organization", "role", "workspace", "workspace_role")


def refusal_of(invitation: OrganizationInvitation) -> Refusal | None:
    """The reason why ``invitation`` cannot be accepted now, None if it can."""
    if invitation.discarded_at is not None:
        return Refusal.DISCARDED
    refusal = invitations.refusal_of(invitation)
    return refusal if refusal is not None or _is_covered(invitation) else Refusal.VOID


def _is_covered(invitation: OrganizationInvitation) -> bool:
    """Whether the inviter may still give what ``invitation`` gives; what staff have sent they may give."""
    if invitation.is_by_staff:
        return True
    if invitation.inviter_id is None:
        return False
    return may_send(invitation, rights_of_member(invitation.inviter_id, invitation.workspace_id))


def may_send(invitation: OrganizationInvitation, rights: Rights) -> bool:
    """Whether somebody with ``rights`` may give what ``invitation`` gives.

    The roles that members have by default are the deployment's own choice, so all who may invite give them, unless
    that of the organization would make administrators there of those whom a workspace's administrator invites.
    """
    deployment = invitation.deployment
    role, workspace_role = invitation.role, invitation.workspace_role
    action = Action.INVITE if invitation.workspace_id is None else Action.INVITE_TO_WORKSPACE
    gives_role = role is None or (
        role.pk == deployment.default_org_member_role_id
        and (rights.is_organization_admin or ORGANIZATION_ADMIN not in role.permissions)
    )
    gives_workspace_role = workspace_role is None or workspace_role.pk == deployment.default_workspace_member_role_id
    return (
        verdict(action, rights) is Verdict.ALLOWED
        and (gives_role or _may_give(role, rights, in_workspace=False, offered=deployment.organization_permissions))
        and (
            gives_workspace_role
            or _may_give(workspace_role, rights, in_workspace=True, offered=deployment.workspace_permissions)
        )
    )


def _may_give(role: Any, rights: Rights, *, in_workspace: bool, offered: list[str]) -> bool:
    return may_give(role.permissions, rights, in_workspace=in_workspace, offered=offered)


@transaction.atomic
def send(invitation: OrganizationInvitation) -> None:
    """Save ``invitation``, which may be new, and mail its link; a link that was sent before is void."""
    token = invitations.renew(invitation)
    invitation.save()
    deployment = invitation.organization.deployment
    inviter = None if invitation.inviter is None else invitation.inviter.user.email
    place = _in_mail(invitation.organization.name)
    if invitation.workspace is not None:
        place = f"{_in_mail(invitation.workspace.name)} at {place}"
    outbox.send(
        deployment,
        to=invitation.email,
        template=Template.INVITATION,
        values={
            "inviter": inviter or "An administrator",
            "place": place,
            "link": invitations.link(deployment, "accept_invitation_url", token),
            "days": str(invitations.DAYS),
        },
        good_for=timedelta(days=invitations.DAYS),
    )


def _in_mail(name: str) -> str:
    """``name``, which users have typed, without the addresses that it could lead strangers to."""
    return " ".join(re.sub(r"[^\w '’&()-]", " ", name).split())[:60] or "an organization"


def accept_by_hash(deployment: Deployment, user: User, token_hash: str) -> bool:
    """Make ``user``, who has just signed up, a member by the invitation whose token has that hash.

    Whether it was still good. Call it in the transaction of the sign-up.
    """
    invitation = _of(deployment).filter(token_hash=token_hash).first()
    if invitation is None or refusal_of(invitation) is not None or not invitations.is_for(invitation, user.email):
        return False
    try:
        return accept(invitation, user) is not None
    except ApiError:  # others have taken the last room
        return False


@transaction.atomic
def accept(invitation: OrganizationInvitation, user: User) -> bool | None:
    """Make ``user`` a member by ``invitation``, which has no ``refusal_of``; whether they got anything by that.

    None if it is open no longer: of many at once, one gets it. The roles are initial ones: somebody who is a member
    already keeps what they have. Raises ``ApiError`` (409) where there is no room for a further member.
    """
    still_open = OrganizationInvitation.objects.filter(
        pk=invitation.pk, token_hash=invitation.token_hash, accepted_at__isnull=True, discarded_at__isnull=True
    )
    if still_open.update(accepted_at=timezone.now()) == 0:
        return None
    is_in_workspace = (
        invitation.workspace is None
        or WorkspaceMembership.objects.filter(workspace=invitation.workspace, user=user).exists()
    )
    organization, workspace, deployment = invitation.organization, invitation.workspace, invitation.deployment
    membership, is_new = OrganizationMembership.objects.get_or_create(organization=organization, user=user)
    if is_new:
        member_limits.require_kept(organization, deployment)
        if invitation.role is not None:
            OrganizationMembershipRole.objects.create(membership=membership, role=invitation.role)
    if workspace is not None and not is_in_workspace:
        # If it is the auto-assigned one, they have joined it with the organization.
        place, _ = WorkspaceMembership.objects.get_or_create(workspace=workspace, user=user)
        member_limits.require_kept(workspace, deployment)
        if invitation.workspace_role is not None:
            WorkspaceMembershipRole.objects.get_or_create(membership=place, role=invitation.workspace_role)
    return is_new or not is_in_workspace


def is_member(invitation: OrganizationInvitation, user_id: int) -> bool:
    """Whether the user is where ``invitation`` leads."""
    if invitation.workspace_id is not None:
        return WorkspaceMembership.objects.filter(workspace=invitation.workspace_id, user=user_id).exists()
    return OrganizationMembership.objects.filter(organization=invitation.organization_id, user=user_id).exists()
