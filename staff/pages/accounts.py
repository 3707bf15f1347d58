"""Pages for staff: deployments and their keys, users and their MFA."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from unfold.decorators import action
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldBooleanWidget

from accounts import notices, sessions
from accounts.keys import state_of, with_successors
from accounts.mail_texts import Template
from accounts.models import (
    Authenticator,
    BackupCode,
    Deployment,
    DeploymentAlias,
    EmailAddress,
    SigningKey,
    User,
)
from accounts.names import searched
from staff.pages.bulk_actions import (
    DEPLOYMENT_ACTIONS,
    SIGNING_KEY_ACTIONS,
    USER_ACTIONS,
)
from staff.pages.front_ends import FRONT_END, DeploymentForm
from staff.pages.mail import links_to_texts
from staff.pages.memberships import OrganizationOfUserInline, WorkspaceOfUserInline
from staff.pages.organizations import UserSegmentInline
from staff.toolkit.choices import fits
from staff.toolkit.filters import RelatedFilter
from staff.toolkit.forms import StaffForm
from staff.toolkit.inlines import EditableInline, ReadOnlyInline
from staff.toolkit.pages import DATES, ReadOnlyAdmin, StaffAdmin

OWN_ADMINISTRATION = (
    "allow_users_to_create_orgs",
    "org_creation_per_user_count",
    "workspaces_per_org_count",
    "max_allowed_org_members",
    "max_allowed_workspace_members",
    "allow_org_deletion",
    "allow_workspace_deletion",
    "custom_org_role_enabled",
    "custom_workspace_role_enabled",
    "organization_permissions",
    "workspace_permissions",
)
DEFAULT_ROLES = (
    "default_org_creator_role",
    "default_org_member_role",
    "default_workspace_creator_role",
    "default_workspace_member_role",
)


class AliasInline(EditableInline):
    model = DeploymentAlias


class SigningKeyInline(ReadOnlyInline):
    model = SigningKey
    verbose_name_plural = "newest signing keys"
    fields = ("kid", "state", "since", "retired_at", "revoked_at")
    readonly_fields = ("kid", "state", "since")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SigningKey]:
        return with_successors(super().get_queryset(request))

    @admin.display(description="state")
    def state(self, obj: SigningKey) -> str:
        return state_of(obj)


@admin.register(Deployment)
class DeploymentAdmin(StaffAdmin):
    form = DeploymentForm
    list_display = ("name", "host", "mode", "created_at")
    list_filter = ("mode",)
    search_fields = ("name", "host")
    search_help_text = "Name, host, alias or id"
    inlines = (AliasInline, SigningKeyInline)
    save_on_top = True
    bulk_actions = DEPLOYMENT_ACTIONS
    fieldsets = (
        (None, {"fields": ["name", "host", "mode", "allowed_origins", "cookie_same_site", "see_also"]}),
        (
            "Rules",
            {
                "description": "A rule that is off here is off for every organization and workspace of the deployment.",
                "fields": [
                    "ip_allowlist_per_org_enabled",
                    "ip_allowlist_per_workspace_enabled",
                    "enforce_mfa_per_org_enabled",
                    "enforce_mfa_per_workspace_enabled",
                    "private_metadata_audience",
                    "organizations_enabled",
                    "workspaces_enabled",
                ],
            },
        ),
        (
            "Sign-up and sign-in",
            {"fields": ["sign_up_mode", "sign_in_by_code", "challenge_demanded", "challenge_difficulty"]},
        ),
        ("Customers' own administrators", {"fields": [*OWN_ADMINISTRATION]}),
        (
            "Default roles",
            {"description": "Roles of the whole deployment only.", "fields": [*DEFAULT_ROLES]},
        ),
        FRONT_END,
        ("Mail", {"fields": ["mail_sender", "mail_sender_name", "texts"]}),
        DATES,
    )
    autocomplete_fields = DEFAULT_ROLES
    readonly_fields = (*StaffAdmin.readonly_fields, "texts")
    on_change_only = (*StaffAdmin.on_change_only, "texts", *DEFAULT_ROLES)

    @admin.display(description="texts")
    def texts(self, obj: Deployment) -> SafeString:
        return links_to_texts(obj)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By an alias too."""
        found, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        aliases = DeploymentAlias.objects.filter(host__istartswith=search_term.strip().replace("\0", ""))
        return found | queryset.filter(pk__in=aliases.values("deployment")), may_have_duplicates


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    """An action on deployments creates keys; actions here retire and revoke them."""

    list_display = ("kid", "deployment", "state", "algorithm", "created_at", "retired_at", "revoked_at")
    list_filter = (
        ("retired_at", admin.EmptyFieldListFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
        ("deployment", RelatedFilter),
    )
    list_select_related = ("deployment",)
    search_fields = ("kid", "deployment")
    search_help_text = "Key id (kid), deployment or id"
    readonly_fields = ("created_at",)
    fields = (
        *("deployment", "issuer", "kid", "state", "algorithm", "public_key"),
        *("created_at", "tokens_until", "retired_at", "revoked_at"),
    )
    autocomplete_fields = ("deployment",)

    bulk_actions = SIGNING_KEY_ACTIONS

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[SigningKey]:
        return with_successors(super().get_queryset(request))

    @admin.display(description="state")
    def state(self, obj: SigningKey) -> str:
        return state_of(obj)


class EmailAddressInline(ReadOnlyInline):
    model = EmailAddress
    verbose_name_plural = "newest e-mail addresses"
    fields = ("email", "is_primary", "verified_at", "since")
    readonly_fields = ("is_primary", "verified_at", "since")


SIGN_OUT = "Sign the user out everywhere"
_SIGNS_IN_BY = {"new_password", "external_id", "external_issuer"}


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
        if user.deployment_id is None or not {"external_id", "external_issuer"} & set(self.changed_data):
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


@admin.register(User)
class UserAdmin(StaffAdmin):
    form = UserForm
    identity = ("deployment",)
    list_display = ("__str__", "username", "first_name", "last_name", "deployment", "disabled", "created_at")
    list_filter = ("disabled", ("deployment", RelatedFilter))
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

    actions_detail = ("why_not",)  # type: ignore[assignment]

    @action(description="Why can't they enter?", url_path="why-not", icon="help")  # type: ignore[operator]
    def why_not(self, request: HttpRequest, object_id: str) -> HttpResponse:
        user = self.get_object(request, object_id)
        if user is None:
            raise Http404
        return redirect("admin:memberships_workspacemembership_why_not_for", user.pk)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Also by the stored form of an email address or username."""
        found, may_have_duplicates = super().get_search_results(request, queryset, search_term)
        if (stored := searched(search_term)) != search_term:
            found |= super().get_search_results(request, queryset, stored)[0]
        return found, may_have_duplicates

    def label(self, obj: User) -> str:
        return f"{obj} ({obj.deployment})"

    @method_decorator(sensitive_post_parameters("new_password"))
    def changeform_view(self, *args: Any, **kwargs: Any) -> Any:
        return super().changeform_view(*args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and form.signs_out:
            _sign_out(self, request, [obj])
        if change and form.cleaned_data["new_password"]:
            notices.send(obj, Template.PASSWORD_CHANGED, address=notices.STAFF)
        before = form.initial.get("email", "")
        if change and before and before != obj.email:
            text = f"Your main address is {obj.email} now." if obj.email else f"The address {before} was removed."
            notices.send(obj, Template.ADDRESS_CHANGED, address=notices.STAFF, to=before, change=text)

    @admin.display(description="password", boolean=True)
    def has_password(self, obj: User) -> bool:
        return bool(obj.password)

    @admin.display(description="MFA")
    def mfa(self, obj: User) -> str:
        confirmed = obj.authenticators.filter(confirmed_at__isnull=False).count()
        if not confirmed:
            return "Not set up"
        codes = obj.backup_codes.filter(used_at__isnull=True).count()
        parts = [_number(confirmed, "authenticator"), *([_number(codes, "unused backup code")] if codes else [])]
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
    told = "Your authenticator was removed. Signing in takes no code any more."
    list_display = ("__str__", "user", "confirmed_at", "created_at")
    list_filter = (("confirmed_at", admin.EmptyFieldListFilter),)
    fields = ("user", "confirmed_at", "created_at", "updated_at")


@admin.register(BackupCode)
class BackupCodeAdmin(MfaAdmin):
    told = "Backup codes were removed."
    list_display = ("__str__", "user", "used_at", "created_at")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    readonly_fields = ("created_at",)
    fields = ("user", "used_at", "created_at")


def _sign_out(page: admin.ModelAdmin, request: HttpRequest, users: list[User]) -> None:
    ended = sessions.sign_out_everywhere(users)
    if ended:
        page.message_user(request, f"Signed out: {_number(len(ended), 'sign-in')} ended.", messages.SUCCESS)


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


for _field in DEFAULT_ROLES:
    fits(Deployment, _field, id="deployment")
