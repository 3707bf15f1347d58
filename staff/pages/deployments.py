"""Pages for staff: deployments and their keys."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.models import Deployment, DeploymentAlias, SigningKey
from accounts.tokens.keys import state_of, with_successors
from staff.pages.bulk_actions import DEPLOYMENT_ACTIONS, SIGNING_KEY_ACTIONS
from staff.pages.front_ends import FRONT_END, DeploymentForm
from staff.pages.mail import links_to_texts
from staff.toolkit.choices import fits
from staff.toolkit.deletion import DeletedByName
from staff.toolkit.filters import RelatedFilter
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
class DeploymentAdmin(DeletedByName):
    form = DeploymentForm
    list_display = ("name", "host", "mode", "created_at")
    more_columns = ("id", "allowed_origins", "sign_up_mode", "mail_sender", "updated_at")
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
    more_columns = ("id", "issuer", "tokens_until")
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


for _field in DEFAULT_ROLES:
    fits(Deployment, _field, id="deployment")
