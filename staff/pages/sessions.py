"""Pages for staff: sessions and the sign-ins in them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.models import Session, SignIn, SignInAttempt, SignUpAttempt
from api.networks import parse_address
from staff.pages.bulk_actions import SESSION_ACTIONS, SIGN_IN_ACTIONS
from staff.pages.memberships import ActiveMembershipInline
from staff.toolkit.filters import EndsSoonFilter, RelatedFilter
from staff.toolkit.inlines import ReadOnlyInline
from staff.toolkit.links import link
from staff.toolkit.pages import ReadOnlyAdmin, StaffAdmin
from staff.toolkit.search import is_id


class EndableAdmin(ReadOnlyAdmin):
    """Rows that are live until they expire or are ended."""

    list_filter = (("ended_at", admin.EmptyFieldListFilter), EndsSoonFilter, ("deployment", RelatedFilter))

    @admin.display(description="state")
    def state(self, obj: Session | SignIn) -> str:
        if obj.ended_at is not None:
            return "ended"
        return "expired" if obj.expires_at <= timezone.now() else "live"


class SignInInline(ReadOnlyInline):
    model = SignIn
    verbose_name_plural = "newest sign-ins"
    fields = ("user", "since", "expires_at", "ended_at")
    select_related = ("user",)


class SignInAttemptInline(ReadOnlyInline):
    model = SignInAttempt
    verbose_name_plural = "newest sign-in attempts"
    fields = ("user", "since", "method", "failures", "expires_at", "completed_at")
    select_related = ("user",)


class SignUpAttemptInline(ReadOnlyInline):
    model = SignUpAttempt
    verbose_name_plural = "newest sign-up attempts"
    fields = ("email", "username", "since", "expires_at", "completed_at")


@admin.register(Session)
class SessionAdmin(EndableAdmin):
    list_display = ("__str__", "user", "deployment", "state", "created_at", "expires_at", "ended_at")
    more_columns = ("id", "updated_at")
    list_select_related = ("deployment", "active_sign_in__user")
    search_fields = ("active_sign_in",)
    search_help_text = "Email address or username of the active user, or id"
    autocomplete_fields = ("deployment", "active_sign_in")
    readonly_fields = (*StaffAdmin.readonly_fields, "user", "state")
    fields = ("deployment", "user", "state", "expires_at", "ended_at", "created_at", "updated_at")
    inlines = (SignInInline, SignInAttemptInline, SignUpAttemptInline)

    bulk_actions = SESSION_ACTIONS

    @admin.display(description="active user")
    def user(self, obj: Session) -> SafeString | None:
        return link(obj.active_sign_in.user) if obj.active_sign_in else None


@admin.register(SignIn)
class SignInAdmin(EndableAdmin):
    list_display = ("__str__", "user", "session", "deployment", "state", "created_at", "expires_at", "ended_at")
    more_columns = ("id", "ip_address", "user_agent", "last_active_at")
    list_select_related = ("deployment", "session", "user")
    search_fields = ("user",)
    search_help_text = "Email address or username, IP address, or id of the sign-in or its session"
    autocomplete_fields = ("session", "user")
    readonly_fields = (*StaffAdmin.readonly_fields, "state")
    fields = (
        "session",
        "user",
        "state",
        "ip_address",
        "user_agent",
        "expires_at",
        "ended_at",
        "created_at",
        "updated_at",
    )
    inlines = (ActiveMembershipInline,)

    bulk_actions = SIGN_IN_ACTIONS

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Also by the IP address, and by the session."""
        found, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        exact = self.exact(request, search_term.strip())
        return found | queryset.filter(exact) if exact else found, may_have_duplicates

    def exact(self, request: HttpRequest, text: str) -> Q:
        if is_id(text):
            return Q(pk=int(text)) | Q(session=int(text))
        try:
            return Q(ip_address=str(parse_address(text)))
        except ValueError:
            return Q()
