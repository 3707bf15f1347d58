"""The invitations of an organization, and their acceptance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.authentication import sessions
from accounts.authentication.sessions import Caller
from accounts.credentials import throttling
from accounts.credentials.users import holder_id, user_with
from accounts.models import Deployment, SignIn
from accounts.sign_in.invitations import Refusal
from accounts.values.person_fields import email_field
from api.answers import timestamp
from api.errors import ApiError, Problem
from api.exceptions import violated_by
from api.networks import Address
from api.requests import id_field
from memberships import invitations, member_limits
from memberships.models import OrganizationInvitation, OrganizationMembership
from memberships.self_service import roles
from memberships.self_service import shown as shown_places
from memberships.standing import Standing, rights_of_member
from organizations.models import Workspace

MAX_OPEN = 1000
"""Invitations of an organization that await an answer."""

JsonObject = dict[str, Any]


def open_ones(standing: Standing, workspace_id: int | None) -> list[JsonObject]:
    """The invitations that are neither accepted nor discarded, to that workspace or all, in the order of creation."""
    rows = OrganizationInvitation.objects.filter(
        organization=standing.organization_id, accepted_at__isnull=True, discarded_at__isnull=True
    )
    if workspace_id is not None:
        rows = rows.filter(workspace=workspace_id)
    return shown(standing, list(rows.select_related("role", "workspace_role").order_by("created_at", "id")))


def workspace_of(organization_id: int, invitation_id: int) -> int | None:
    """The id of the workspace to which the organization's invitation leads, None if there is no such one."""
    rows = OrganizationInvitation.objects.filter(organization=organization_id, pk=invitation_id)
    return rows.values_list("workspace", flat=True).first()


def invite(standing: Standing, body: Mapping[str, Any], *, client: Address | None) -> OrganizationInvitation:
    """Invite the address in ``body``. Raises ``ApiError``: 400, also for an address that is a member's or invited
    already; 403 for roles that allow more than the caller may do; 404, 409, and 429 after too many mails.
    """
    email = email_field(body)
    workspace = _workspace(standing, body)
    invitation = OrganizationInvitation(
        deployment=standing.caller.deployment,
        organization_id=standing.organization_id,
        workspace=workspace,
        email=email,
        inviter_id=standing.organization_membership_id,
        **_roles(standing, body, workspace),
    )
    _require_may_send(standing, invitation)
    if invitations.is_member(invitation, holder_id(standing.caller.deployment, email)):
        place = "workspace" if workspace else "organization"
        raise ApiError(Problem.INVALID_FIELD, f"Somebody with this address is a member of the {place} already.")
    _require_room(invitation)
    if (
        OrganizationInvitation.objects.filter(
            organization=standing.organization_id, accepted_at__isnull=True, discarded_at__isnull=True
        ).count()
        >= MAX_OPEN
    ):
        raise ApiError(Problem.LIMIT_REACHED, f"{MAX_OPEN} invitations are open already; discard some first.")
    _count_mail(standing, email, client)
    try:
        invitations.send(invitation)
    except IntegrityError as error:
        if violated_by(error) != "memberships_invitation_one_is_open":
            raise
        text = "This address has an open invitation already; send that one again, or discard it."
        raise ApiError(Problem.INVALID_FIELD, text) from error
    return invitation


@transaction.atomic
def discard(standing: Standing, invitation_id: int) -> OrganizationInvitation:
    """Withdraw an open invitation: its link is void. Raises ``ApiError``: 404, or 403 for one that gives more than an
    administrator of a workspace may, unless it is their own.
    """
    invitation = _open(standing, invitation_id)
    is_own = invitation.inviter_id == standing.organization_membership_id
    if not is_own and not standing.rights.is_organization_admin:
        _require_may_send(standing, invitation)
    invitation.discarded_at = timezone.now()
    invitation.save(update_fields=["discarded_at"])
    return invitation


@transaction.atomic
def resend(standing: Standing, invitation_id: int, *, client: Address | None) -> OrganizationInvitation:
    """Mail an open invitation again, with a new link, as the caller's own. Raises ``ApiError``: 404, 403, 429."""
    invitation = _open(standing, invitation_id)
    invitation.inviter_id, invitation.is_by_staff = standing.organization_membership_id, False
    _require_may_send(standing, invitation)
    _require_room(invitation)
    _count_mail(standing, invitation.email, client)
    invitations.send(invitation)
    return invitation


def shown(standing: Standing, rows: Sequence[OrganizationInvitation]) -> list[JsonObject]:
    """The ``OrganizationInvitation``s."""
    inviter_ids = {row.inviter_id for row in rows if row.inviter_id is not None}
    inviters = {member["id"]: member for member in shown_places.organization_members(standing, sorted(inviter_ids))}
    workspace_ids = {row.workspace_id for row in rows if row.workspace_id is not None}
    places = shown_places.workspaces(standing, workspace_ids)
    return [
        {
            "id": str(row.pk),
            "created_at": timestamp(row.created_at),
            "updated_at": timestamp(row.updated_at),
            "organization_id": str(row.organization_id),
            "email": row.email,
            "initial_organization_role": row.role and roles.shown(row.role),
            "inviter": inviters.get(str(row.inviter_id)),
            "workspace": None if row.workspace_id is None else places.get(row.workspace_id),
            "initial_workspace_role": row.workspace_role and roles.shown(row.workspace_role),
            "expired": row.expires_at <= timezone.now(),
        }
        for row in rows
    ]


def _workspace(standing: Standing, body: Mapping[str, Any]) -> Workspace | None:
    workspace_id = id_field(body, "workspace_id")
    if workspace_id is None:
        return None
    found = Workspace.objects.filter(organization=standing.organization_id, pk=workspace_id).first()
    if found is None:
        raise ApiError(Problem.NOT_FOUND, "There is no such workspace in this organization.")
    return found


def _roles(standing: Standing, body: Mapping[str, Any], workspace: Workspace | None) -> JsonObject:
    """The roles that ``body`` names, in the place of those that members have by default."""
    deployment = standing.caller.deployment
    role_id, workspace_role_id = id_field(body, "role_id"), id_field(body, "workspace_role_id")
    if workspace is None and workspace_role_id is not None:
        raise ApiError(Problem.INVALID_FIELD, "workspace_role_id takes a workspace_id beside it.")
    role = (
        deployment.default_org_member_role
        if role_id is None
        else roles.role_of(replace(standing, workspace_id=None), role_id)
    )
    if workspace is None or workspace_role_id is None:
        workspace_role = deployment.default_workspace_member_role if workspace else None
    else:
        workspace_role = roles.role_of(replace(standing, workspace_id=workspace.pk), workspace_role_id)
    return {"role": role, "workspace_role": workspace_role}


def _require_may_send(standing: Standing, invitation: OrganizationInvitation) -> None:
    rights = rights_of_member(standing.organization_membership_id, invitation.workspace_id)
    if not invitations.may_send(invitation, rights):
        raise ApiError(Problem.FORBIDDEN, "You cannot give a role that allows more than you may do yourself.")


def _require_room(invitation: OrganizationInvitation) -> None:
    """Raise ``ApiError`` (409) where there is no room now, for a member of the organization only in the workspace."""
    deployment = invitation.deployment
    if invitation.workspace is not None:
        member_limits.require_room(invitation.workspace, deployment)
    holder = holder_id(deployment, invitation.email)
    members = OrganizationMembership.objects.filter(organization=invitation.organization_id, user=holder)
    if not members.exists():
        member_limits.require_room(invitation.organization, deployment)


def _count_mail(standing: Standing, email: str, client: Address | None) -> None:
    """Count a mail to ``email``, whoever invites it; raises ``ApiError`` (429)."""
    subject = f"invite: {throttling.folded(email)}"
    throttling.count_use(throttling.code_limits(standing.caller.deployment, subject=subject, address=client))


def _open(standing: Standing, invitation_id: int) -> OrganizationInvitation:
    """The invitation, locked until the end of the transaction."""
    rows = OrganizationInvitation.objects.select_for_update(of=("self",)).select_related(
        "deployment", "organization", "role", "workspace", "workspace_role"
    )
    found = rows.filter(
        organization=standing.organization_id, pk=invitation_id, accepted_at__isnull=True, discarded_at__isnull=True
    ).first()
    if found is None:
        raise ApiError(Problem.NOT_FOUND, "There is no such open invitation here.")
    return found


def accept(caller: Caller, token: str) -> JsonObject:
    """What comes of following the link with ``token``: the place that somebody of the caller's session is a member of
    now, or the reason why nobody is, with the next step.
    """
    invitation = invitations.with_token(caller.deployment, token)
    if invitation is None:
        return _refused(Refusal.UNKNOWN)
    sign_in = _sign_in_of_invited(caller, invitation)
    refusal = invitations.refusal_of(invitation)
    if refusal is Refusal.ACCEPTED and sign_in is not None and invitations.is_member(invitation, sign_in.user_id):
        return _accepted(invitation, sign_in, is_new=False)
    if refusal is not None:
        shows_address = refusal in (Refusal.EXPIRED, Refusal.VOID)
        return _refused(refusal) | ({"invited_email": invitation.email} if shows_address else {})
    if sign_in is None:
        return _next_step(caller, invitation)
    is_new = invitations.accept(invitation, sign_in.user)
    if is_new is None:  # it has just been accepted, withdrawn or sent again
        return accept(caller, token)
    return _accepted(invitation, sign_in, is_new=is_new)


def _sign_in_of_invited(caller: Caller, invitation: OrganizationInvitation) -> SignIn | None:
    """The sign-in of the caller's session, the active one or another, whose user has the invited address."""
    owner = user_with(caller.deployment, "email", invitation.email)
    if owner is None or caller.is_visitor:
        return None
    return sessions.live_sign_ins(caller.session).filter(user=owner).select_related("user").last()


def _accepted(invitation: OrganizationInvitation, sign_in: SignIn, *, is_new: bool) -> JsonObject:
    place = invitation.workspace or invitation.organization
    data: JsonObject = {
        "organization": _named(invitation.organization),
        "signin_id": str(sign_in.pk),
        "already_member": not is_new,
        "message": f"You are a member of {place.name} now." if is_new else f"You are a member of {place.name} already.",
    }
    return data | ({"workspace": _named(invitation.workspace)} if invitation.workspace else {})


def _named(place: Any) -> JsonObject:
    return {"id": str(place.pk), "name": place.name}


def _refused(refusal: Refusal) -> JsonObject:
    return {"error_code": f"INVITATION_{refusal.name}", "message": refusal.value}


def _next_step(caller: Caller, invitation: OrganizationInvitation) -> JsonObject:
    """The way to a session of the invited user. Whoever has the link may know whether their address has an account."""
    email = invitation.email
    is_signed_in = not caller.is_visitor and sessions.live_sign_ins(caller.session).exists()
    if user_with(caller.deployment, "email", email) is not None:
        code = "INVITATION_EMAIL_MISMATCH" if is_signed_in else "INVITATION_REQUIRES_SIGNIN"
        text = f"This invitation is for {email}; sign in with that address."
    elif caller.deployment.sign_up_mode == Deployment.SignUpMode.CLOSED:
        text = f"This invitation is for {email}, which has no account here; ask the operator for one."
        return {"error_code": "INVITATION_REQUIRES_ACCOUNT", "message": text, "invited_email": email}
    else:
        code = "INVITATION_REQUIRES_SIGNUP"
        text = f"This invitation is for {email}; sign up with that address."
    return {"requires_signin": True, "error_code": code, "message": text, "invited_email": email}
