"""Pages for staff: the invitations to sign up."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from accounts import invitations
from accounts.models import Deployment, SignUpInvitation
from accounts.users import user_with
from staff.pages.bulk_actions import INVITATION_ACTIONS
from staff.toolkit.filters import RelatedFilter
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


@admin.register(SignUpInvitation)
class SignUpInvitationAdmin(StaffAdmin):
    """To add one is to send it. What was sent cannot be changed: send it again, or delete it."""

    form = InvitationForm
    identity = ("deployment", "email", "first_name", "last_name")
    list_display = ("email", "deployment", "state", "created_at", "expires_at", "accepted_at")
    list_filter = (("accepted_at", admin.EmptyFieldListFilter), ("deployment", RelatedFilter))
    list_select_related = ("deployment",)
    search_fields = ("email",)
    search_help_text = "Email address or id"
    autocomplete_fields = ("deployment",)
    readonly_fields = (*StaffAdmin.readonly_fields, "state", "expires_at", "accepted_at")
    on_change_only = (*StaffAdmin.on_change_only, "state", "expires_at", "accepted_at")
    bulk_actions = INVITATION_ACTIONS
    fieldsets = (
        (None, {"fields": ["deployment", "email", "first_name", "last_name", "state", "expires_at", "accepted_at"]}),
        DATES,
    )

    @admin.display(description="state")
    def state(self, obj: SignUpInvitation) -> str:
        if obj.accepted_at is not None:
            return "accepted"
        return "expired" if obj.expires_at <= timezone.now() else "open"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            invitations.send(obj)
            self.message_user(request, f"The invitation is on its way to {obj.email}.", messages.SUCCESS)
