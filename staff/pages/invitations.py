"""Pages for staff: the invitations to sign up, and to organizations."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from accounts.credentials.users import user_with
from accounts.models import Deployment, Invitation, SignUpInvitation
from accounts.sign_in import invitations
from memberships import invitations as organization_invitations
from memberships.models import OrganizationInvitation
from staff.pages.bulk_actions import INVITATION_ACTIONS, ORGANIZATION_INVITATION_ACTIONS
from staff.pages.memberships import of_organization, of_workspace
from staff.toolkit.choices import fits
from staff.toolkit.filters import EndsSoonFilter, RelatedFilter
from staff.toolkit.forms import StaffForm
from staff.toolkit.pages import DATES, StaffAdmin


class InvitationForm(StaffForm):
    """The address must be free, and its deployment let people sign up: a link that leads nowhere helps nobody."""

    def validate_row(self) -> None:
        super().validate_row()
        invitation = self.instance
        if invitation.pk is not None:
            return
        if invitation.deployment.sign_up_mode == Deployment.SignUpMode.CLOSED:
            raise ValidationError("Nobody can sign up at this deployment: change its sign-up mode first.")
        if user_with(invitation.deployment, "email", invitation.email) is not None:
            raise ValidationError("A user of this deployment has this address.")


def state_of(invitation: Invitation) -> str:
    """The word for what has become of ``invitation``."""
    if invitation.accepted_at is not None:
        return "accepted"
    return "expired" if invitation.expires_at <= timezone.now() else "open"


class InvitationAdmin(StaffAdmin):
    """To add an invitation is to send it. What was sent cannot be changed: send it again, or end it."""

    readonly_fields = (*StaffAdmin.readonly_fields, "state", "expires_at", "accepted_at")
    on_change_only = (*StaffAdmin.on_change_only, "state", "expires_at", "accepted_at")

    @admin.display(description="state")
    def state(self, obj: Any) -> str:
        return state_of(obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            self.send(obj)
            self.message_user(request, f"The invitation is on its way to {obj.email}.", messages.SUCCESS)

    def send(self, invitation: Any) -> None:
        invitations.send(invitation)


@admin.register(SignUpInvitation)
class SignUpInvitationAdmin(InvitationAdmin):
    form = InvitationForm
    identity = ("deployment", "email", "first_name", "last_name")
    list_display = ("email", "deployment", "state", "created_at", "expires_at", "accepted_at")
    more_columns = ("id", "first_name", "last_name", "updated_at")
    list_filter = (("accepted_at", admin.EmptyFieldListFilter), EndsSoonFilter, ("deployment", RelatedFilter))
    list_select_related = ("deployment",)
    search_fields = ("email",)
    search_help_text = "Email address or id"
    autocomplete_fields = ("deployment",)
    bulk_actions = INVITATION_ACTIONS
    fieldsets = (
        (None, {"fields": ["deployment", "email", "first_name", "last_name", "state", "expires_at", "accepted_at"]}),
        DATES,
    )


class OrganizationInvitationForm(StaffForm):
    """The address must not be a member's already."""

    def validate_row(self) -> None:
        super().validate_row()
        invitation = self.instance
        if invitation.pk is not None:
            return
        user = user_with(invitation.organization.deployment, "email", invitation.email)
        if user is not None and organization_invitations.is_member(invitation, user.pk):
            raise ValidationError("A member with this address is there already.")


@admin.register(OrganizationInvitation)
class OrganizationInvitationAdmin(InvitationAdmin):
    form = OrganizationInvitationForm
    identity = ("organization", "email", "role", "workspace", "workspace_role")
    list_display = ("email", "organization", "role", "workspace", "workspace_role", "sender", "state", "created_at")
    more_columns = ("id", "deployment", "expires_at", "accepted_at", "discarded_at", "updated_at")
    list_filter = (
        ("accepted_at", admin.EmptyFieldListFilter),
        ("discarded_at", admin.EmptyFieldListFilter),
        EndsSoonFilter,
        ("organization", RelatedFilter),
        ("deployment", RelatedFilter),
    )
    list_select_related = ("deployment", "organization", "role", "workspace", "workspace_role", "inviter__user")
    search_fields = ("email", "organization")
    search_help_text = "Email address, name of the organization, or id"
    autocomplete_fields = ("organization", "role", "workspace", "workspace_role")
    readonly_fields = (*InvitationAdmin.readonly_fields, "sender", "discarded_at")
    on_change_only = (*InvitationAdmin.on_change_only, "sender", "discarded_at")
    bulk_actions = ORGANIZATION_INVITATION_ACTIONS
    fieldsets = (
        (None, {"fields": ["organization", "email", "role", "workspace", "workspace_role", "sender"]}),
        ("State", {"fields": ["state", "expires_at", "accepted_at", "discarded_at"]}),
        DATES,
    )

    @admin.display(description="invited by")
    def sender(self, obj: OrganizationInvitation) -> str:
        if obj.is_by_staff:
            return "staff"
        return "somebody who is a member no more" if obj.inviter is None else str(obj.inviter.user)

    @admin.display(description="state")
    def state(self, obj: Any) -> str:
        return "discarded" if obj.discarded_at is not None else state_of(obj)

    def send(self, invitation: Any) -> None:
        invitation.is_by_staff = True
        organization_invitations.send(invitation)


fits(OrganizationInvitation, "role", organization=of_organization)
fits(OrganizationInvitation, "workspace", organization="organization")
fits(
    OrganizationInvitation,
    "workspace_role",
    workspace=of_workspace,
    organization=of_organization,
)
