"""Pages for staff: users and their MFA."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet, Subquery, Value, prefetch_related_objects
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from unfold.decorators import action
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldBooleanWidget

from accounts.authentication import sessions
from accounts.mail import notices
from accounts.models import Authenticator, BackupCode, Deployment, EmailAddress, SignIn, User
from accounts.models.addresses import IS_HELD
from accounts.values.mail_texts import Template
from accounts.values.names import normal_name, searched
from memberships.models import OrganizationMembership, WorkspaceMembership
from staff.access.permissions import visible_to
from staff.account_changes import EXTERNAL_ID, follow_up
from staff.bulk_changes import MFA_REMOVED
from staff.numbers import number_of
from staff.pages.bulk_actions import USER_ACTIONS
from staff.pages.memberships import OrganizationOfUserInline, WorkspaceOfUserInline
from staff.pages.organizations import UserSegmentInline
from staff.pages.user_overview import UserOverview
from staff.toolkit.filters import LackFilter, RelatedFilter
from staff.toolkit.forms import StaffForm
from staff.toolkit.inlines import ReadOnlyInline
from staff.toolkit.pages import DATES, ReadOnlyAdmin, StaffAdmin

MAX_EXACT = 5
"""Users of different deployments with the same address or username whom a search puts first."""


class EmailAddressInline(ReadOnlyInline):
    model = EmailAddress
    verbose_name_plural = "newest e-mail addresses"
    fields = ("email", "is_primary", "verified_at", "since")
    readonly_fields = ("is_primary", "verified_at", "since")


SIGN_OUT = "Sign the user out everywhere"
_SIGNS_IN_BY = {"new_password", *EXTERNAL_ID}


class UserForm(StaffForm):
    new_password = forms.CharField(
        required=False,
        max_length=256,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Leave blank to keep the current password.",
    )

    sign_out = forms.BooleanField(
        required=False,
        initial=True,
        label=SIGN_OUT,
        widget=UnfoldBooleanWidget,
        help_text="Applies when you set a new password or change the external id.",
    )

    @property
    def signs_out(self) -> bool:
        """Whether the change signs the user out; staff can untick the box."""
        return bool(self.cleaned_data["sign_out"]) and not _SIGNS_IN_BY.isdisjoint(self.changed_data)

    def validate_unique(self) -> None:
        super().validate_unique()
        self._check_issuer()
        if password := self.cleaned_data.get("new_password"):
            try:
                # Not earlier: the password is compared with the names of the user as the form changes them.
                password_validation.validate_password(password, self.instance)
            except ValidationError as error:
                self.add_error("new_password", error)

    def _check_issuer(self) -> None:
        """Refuse a new external id that nobody could sign in with."""
        user = self.instance
        if user.deployment_id is None or not set(EXTERNAL_ID) & set(self.changed_data):
            return
        issuers = user.deployment.outside_issuers()
        if user.external_issuer and user.external_issuer not in issuers:
            self.add_error(
                "external_issuer", f"The deployment does not trust this issuer. It trusts {_listed(issuers)}."
            )
        elif user.external_id and not user.external_issuer and len(issuers) > 1:
            self.add_error(
                "external_issuer", f"Enter the issuer of the external id. The deployment trusts {_listed(issuers)}."
            )

    def save(self, commit: bool = True) -> Any:
        if password := self.cleaned_data["new_password"]:
            self.instance.set_password(password)
        return super().save(commit)


def _listed(issuers: list[str]) -> str:
    return ", ".join(issuers) or "none (see manage.py trust_issuer)"


class UserLackFilter(LackFilter):
    title, parameter_name = "missing sign-in, MFA or membership", "without"
    lacks: ClassVar[dict[str, tuple[str, QuerySet]]] = {
        "sign_in": ("Never signed in", SignIn.objects.filter(user=OuterRef("pk"))),
        "mfa": ("Without MFA", Authenticator.objects.filter(user=OuterRef("pk"), confirmed_at__isnull=False)),
        "organization": ("Without an organization", OrganizationMembership.objects.filter(user=OuterRef("pk"))),
        "workspace": ("Without a workspace", WorkspaceMembership.objects.filter(user=OuterRef("pk"))),
    }


def _of_user(rows: QuerySet, value: Min | Max) -> Subquery:
    """``value`` of the ``rows`` that refer to the user."""
    own = rows.filter(user=OuterRef("pk")).order_by()
    return Subquery(own.values("user").annotate(value=value).values("value"))


LAST_SIGN_IN = _of_user(SignIn.objects.all(), Max("created_at"))
MFA_SINCE = _of_user(Authenticator.objects.filter(confirmed_at__isnull=False), Min("confirmed_at"))


@admin.register(User)
class UserAdmin(UserOverview):
    form = UserForm
    identity = ("deployment",)
    list_display = ("__str__", "username", "first_name", "last_name", "deployment", "disabled", "created_at")
    more_columns = (
        *("id", "email", "external_id", "external_issuer", "last_sign_in", "mfa_since"),
        *("public_metadata", "updated_at"),
    )
    computed: ClassVar[dict[str, Any]] = {"last_sign_in": LAST_SIGN_IN, "mfa_since": MFA_SINCE}
    list_filter = (UserLackFilter, "disabled", ("deployment", RelatedFilter))
    list_select_related = ("deployment",)
    search_fields = ("email", "username", "first_name", "last_name", "external_id")
    search_help_text = "Email address, name or id"
    autocomplete_fields = ("deployment",)
    readonly_fields = (*StaffAdmin.readonly_fields, "mfa", "has_password")
    on_change_only = (*StaffAdmin.on_change_only, "mfa", "has_password", "sign_out")
    save_on_top = True
    inlines = (
        EmailAddressInline,
        UserSegmentInline,
        OrganizationOfUserInline,
        WorkspaceOfUserInline,
    )
    bulk_actions = USER_ACTIONS
    fieldsets = (
        (
            None,
            {"fields": ["deployment", "email", "username", "first_name", "last_name", "disabled", "see_also"]},
        ),
        (
            "Sign-in",
            {"fields": ["has_password", "new_password", "mfa", "external_id", "external_issuer", "sign_out"]},
        ),
        ("Metadata", {"fields": ["public_metadata", "private_metadata"]}),
        DATES,
    )

    actions_detail = (*UserOverview.actions_detail, "why_not")  # type: ignore[assignment]  # Unfold says list; nothing adds to it

    @action(description="Why can't they enter?", url_path="why-not", icon="help")  # type: ignore[operator]  # Unfold wraps methods too
    def why_not(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self.get_object(request, object_id)
        if user is None:
            raise Http404
        page = reverse("admin:memberships_workspacemembership_why_not_for", args=[user.pk])
        return redirect(f"{page}?{request.GET.urlencode()}")

    def overview_links(self, request: HttpRequest, row: User) -> Iterator[tuple[str, str]]:
        yield "Why can't they enter?", reverse("admin:memberships_workspacemembership_why_not_for", args=[row.pk])
        yield from super().overview_links(request, row)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Also by the stored form of an email address or username."""
        found, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        if (stored := searched(search_term)) != search_term:
            found |= super().get_search_results(request, queryset, stored)[0]
        return found, may_have_duplicates

    def exact(self, request: HttpRequest, text: str) -> Q:
        """Also by a name of theirs."""
        found = self.ids_called(request, text, most=MAX_EXACT)
        return super().exact(request, text) | (Q(pk__in=found) if found else Q())

    def ids_called(self, request: HttpRequest, text: str, *, most: int) -> list[int]:
        """The ids of the first users with that username, or with that address as theirs alone."""
        name = Lower(Value(normal_name(text)))
        deployments = visible_to(request.user, Deployment.objects.all()).values("pk")  # by which the indexes begin
        addresses = EmailAddress.objects.alias(lowered=Lower("email")).filter(IS_HELD, lowered=name)
        usernames = User.objects.alias(lowered=Lower("username")).filter(~Q(username=""), lowered=name)
        ids = (
            addresses.filter(deployment__in=deployments)
            .values_list("user", flat=True)
            .union(usernames.filter(deployment__in=deployments).values_list("pk", flat=True))
        )
        return list(ids[:most])

    def label(self, obj: User) -> str:
        return f"{obj} ({obj.deployment})"

    @method_decorator(sensitive_post_parameters("new_password"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        return super().changeform_view(*args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            return
        if form.cleaned_data["new_password"]:
            notices.send(obj, Template.PASSWORD_CHANGED, address=notices.STAFF)
        signs_out = [obj] if form.signs_out else []
        ended = follow_up([(obj, form.initial.get("email", ""))], signs_out=signs_out)
        _show_ended(self, request, ended)

    @admin.display(description="last sign-in", ordering=LAST_SIGN_IN)
    def last_sign_in(self, obj: Any) -> datetime | None:
        last: datetime | None = obj.last_sign_in
        return last

    @admin.display(description="MFA since", ordering=MFA_SINCE)
    def mfa_since(self, obj: Any) -> datetime | None:
        since: datetime | None = obj.mfa_since
        return since

    @admin.display(description="password", boolean=True)
    def has_password(self, obj: User) -> bool:
        return bool(obj.password)

    @admin.display(description="MFA")
    def mfa(self, obj: User) -> str:
        prefetch_related_objects([obj], "authenticators", "backup_codes")  # unfold asks several times a page
        confirmed = sum(authenticator.confirmed_at is not None for authenticator in obj.authenticators.all())
        if not confirmed:
            return "Not set up"
        codes = sum(code.used_at is None for code in obj.backup_codes.all())
        parts = [number_of(confirmed, "authenticator"), *([number_of(codes, "unused backup code")] if codes else [])]
        return " and ".join(parts)


class MfaAdmin(ReadOnlyAdmin):
    """Support resets MFA by deleting the authenticator; the database deletes its backup codes with it.

    The page has a ticked box that signs the user out.
    """

    told: str
    """The sentence of the mail to the user."""
    delete_confirmation_template = "staff/delete_mfa.html"
    delete_selected_confirmation_template = "staff/delete_mfa_selected.html"
    list_select_related = ("user",)
    search_fields = ("user",)
    search_help_text = "Email address or username of the user, or id"
    autocomplete_fields = ("user",)

    def delete_model(self, request: HttpRequest, obj: Authenticator | BackupCode) -> None:
        users = _users_of([obj])
        super().delete_model(request, obj)
        self._tell(users)
        self._sign_out(request, users)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        users = _users_of(list(queryset.select_related("user")))
        with transaction.atomic():
            super().delete_queryset(request, queryset)
            self._tell(users)
            self._sign_out(request, users)

    def _tell(self, users: list[User]) -> None:
        for user in users:
            notices.send(user, Template.MFA_CHANGED, address=notices.STAFF, change=self.told)

    def _sign_out(self, request: HttpRequest, users: list[User]) -> None:
        if "sign_out" in request.POST or "sign_out_asked" not in request.POST:
            _sign_out(self, request, users)


def _users_of(devices: list[Any]) -> list[User]:
    """The users of ``devices``, without unconfirmed authenticators."""
    return list({device.user for device in devices if getattr(device, "confirmed_at", True) is not None})


@admin.register(Authenticator)
class AuthenticatorAdmin(MfaAdmin):
    told = MFA_REMOVED
    list_display = ("__str__", "user", "confirmed_at", "created_at")
    more_columns = ("id", "updated_at")
    list_filter = (("confirmed_at", admin.EmptyFieldListFilter),)
    fields = ("user", "confirmed_at", "created_at", "updated_at")

    def deleted_by_the_database(self, chosen: QuerySet[Any]) -> QuerySet[Any]:
        """The backup codes of users who keep no confirmed authenticator."""
        kept = Authenticator.objects.filter(user=OuterRef("user"), confirmed_at__isnull=False).exclude(
            pk__in=chosen.order_by().values("pk")
        )
        users = chosen.order_by().values("user")
        return BackupCode.objects.filter(~Exists(kept), user__in=users).select_related("user")


@admin.register(BackupCode)
class BackupCodeAdmin(MfaAdmin):
    told = "Backup codes were removed."
    list_display = ("__str__", "user", "used_at", "created_at")
    more_columns = ("id",)
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    readonly_fields = ("created_at",)
    fields = ("user", "used_at", "created_at")


def _sign_out(page: admin.ModelAdmin, request: HttpRequest, users: list[User]) -> None:
    _show_ended(page, request, sessions.sign_out_everywhere(users))


def _show_ended(page: admin.ModelAdmin, request: HttpRequest, ended: list[SignIn]) -> None:
    if ended:
        page.message_user(request, f"Signed out: {number_of(len(ended), 'sign-in')} ended.", messages.SUCCESS)
