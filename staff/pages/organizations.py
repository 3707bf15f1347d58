"""Pages for staff: organizations, workspaces, their roles, and segments."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest

from organizations.models import (
    Organization,
    OrganizationDomain,
    OrganizationRole,
    OrganizationSegment,
    Segment,
    UserSegment,
    Workspace,
    WorkspaceRole,
    WorkspaceSegment,
)
from staff.pages.memberships import OrganizationMemberInline, WorkspaceMemberInline
from staff.pages.place_overviews import OrganizationOverview, WorkspaceOverview
from staff.toolkit.choices import fits
from staff.toolkit.deletion import DeletedByName
from staff.toolkit.filters import RelatedFilter
from staff.toolkit.inlines import LinkInline, ListInline, choosing
from staff.toolkit.pages import DATES, StaffAdmin


class WorkspaceInline(ListInline):
    model = Workspace
    verbose_name_plural = "newest workspaces"
    fields = ("name", "member_count", "since")
    readonly_fields = ("member_count", "since")


class DomainInline(ListInline):
    model = OrganizationDomain
    verbose_name_plural = "newest domains"
    fields = ("fqdn", "verified_at", "since")
    readonly_fields = ("verified_at", "since")


class OrganizationRoleInline(ListInline):
    model = OrganizationRole
    verbose_name_plural = "own roles"
    fields = ("name", "permissions")


class WorkspaceRoleInline(ListInline):
    model = WorkspaceRole
    fk_name = "workspace"
    verbose_name_plural = "own roles"
    fields = ("name", "permissions")


def _segments_of(model: type[Model], owner: str) -> type[ListInline]:
    return choosing("segment", model, owner, base=LinkInline, plural="segments")


UserSegmentInline = _segments_of(UserSegment, "user")


@admin.register(Segment)
class SegmentAdmin(StaffAdmin):
    identity = ("deployment", "type")
    list_display = ("name", "type", "deployment", "created_at")
    more_columns = ("id", "updated_at")
    list_filter = ("type", ("deployment", RelatedFilter))
    list_select_related = ("deployment",)
    search_fields = ("name",)
    search_help_text = "Name or id"
    autocomplete_fields = ("deployment",)
    fieldsets = ((None, {"fields": ["deployment", "type", "name"]}), DATES)

    members: ClassVar[dict[str, type[ListInline]]] = {
        model.type: choosing(model.type.value, model, "segment", base=LinkInline)
        for model in (UserSegment, OrganizationSegment, WorkspaceSegment)
    }

    def label(self, obj: Segment) -> str:
        return f"{obj} ({obj.get_type_display()} segment of {obj.deployment})"

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [self.members[obj.type]] if obj else []


class PlaceAdmin(StaffAdmin):
    """The base of the pages of organizations and workspaces."""

    readonly_fields = (*StaffAdmin.readonly_fields, "member_count")
    on_change_only = (*StaffAdmin.on_change_only, "member_count")
    save_on_top = True


METADATA: tuple[str, Any] = ("Metadata", {"fields": ["public_metadata", "private_metadata"]})
ALLOW_LIST_HELP = (
    "Whitelisted IPs are IPv4 or IPv6 addresses or CIDR networks, such as 203.0.113.7 or 2001:db8::/32. "
    "An empty list allows every address."
)


@admin.register(Organization)
class OrganizationAdmin(OrganizationOverview, DeletedByName, PlaceAdmin):
    identity = ("deployment",)
    on_change_only = (*PlaceAdmin.on_change_only, "auto_assigned_workspace")
    list_display = ("name", "deployment", "member_count", "enforce_mfa", "enable_ip_restriction", "created_at")
    more_columns = ("id", "description", "whitelisted_ips", "auto_assigned_workspace", "public_metadata", "updated_at")
    list_filter = ("enforce_mfa", "enable_ip_restriction", ("deployment", RelatedFilter))
    list_select_related = ("deployment",)
    search_fields = ("name",)
    search_help_text = "Name or id"
    autocomplete_fields = ("deployment", "auto_assigned_workspace")
    inlines = (
        WorkspaceInline,
        DomainInline,
        OrganizationRoleInline,
        _segments_of(OrganizationSegment, "organization"),
        OrganizationMemberInline,
    )
    fieldsets = (
        (
            None,
            {
                "fields": [
                    "deployment",
                    "name",
                    "description",
                    "image_url",
                    "auto_assigned_workspace",
                    "member_count",
                    "see_also",
                ]
            },
        ),
        (
            "Access",
            {"description": ALLOW_LIST_HELP, "fields": ["enforce_mfa", "enable_ip_restriction", "whitelisted_ips"]},
        ),
        METADATA,
        DATES,
    )

    def label(self, obj: Organization) -> str:
        return f"{obj} ({obj.deployment})"


@admin.register(OrganizationDomain)
class OrganizationDomainAdmin(StaffAdmin):
    identity = ("organization", "fqdn")
    shown = ("verified_at", "record_name", "record_data", "verification_attempts", "last_attempt_at")
    readonly_fields = (*StaffAdmin.readonly_fields, *shown)
    on_change_only = (*StaffAdmin.on_change_only, *shown)
    list_display = ("fqdn", "organization", "deployment", "verified_at", "verification_attempts", "created_at")
    more_columns = ("id", "last_attempt_at", "updated_at")
    list_filter = (("verified_at", admin.EmptyFieldListFilter), ("deployment", RelatedFilter))
    list_select_related = ("organization", "deployment")
    search_fields = ("fqdn", "organization")
    search_help_text = "Domain, name of the organization, or id"
    autocomplete_fields = ("organization",)
    fieldsets = (
        (
            None,
            {
                "description": "Administrators of the organization verify it once the TXT record stands in the DNS. "
                "From then on users with a verified address of the domain become members.",
                "fields": ["organization", "fqdn", *shown, "see_also"],
            },
        ),
        DATES,
    )

    def label(self, obj: OrganizationDomain) -> str:
        return f"{obj} ({obj.organization}, {obj.deployment})"


@admin.register(Workspace)
class WorkspaceAdmin(WorkspaceOverview, PlaceAdmin):
    identity = ("organization",)
    list_display = (
        "name",
        "organization",
        "organization__deployment",
        "member_count",
        "enforce_2fa",
        "enable_ip_restriction",
        "created_at",
    )
    more_columns = ("id", "description", "whitelisted_ips", "public_metadata", "updated_at")
    list_filter = ("enforce_2fa", "enable_ip_restriction", ("organization__deployment", RelatedFilter))
    list_select_related = ("organization__deployment",)
    search_fields = ("name", "organization")
    search_help_text = "Name of the workspace or its organization, or id"
    autocomplete_fields = ("organization",)
    inlines = (
        WorkspaceRoleInline,
        _segments_of(WorkspaceSegment, "workspace"),
        WorkspaceMemberInline,
    )
    fieldsets = (
        (None, {"fields": ["organization", "name", "description", "image_url", "member_count", "see_also"]}),
        (
            "Access",
            {"description": ALLOW_LIST_HELP, "fields": ["enforce_2fa", "enable_ip_restriction", "whitelisted_ips"]},
        ),
        METADATA,
        DATES,
    )

    def label(self, obj: Workspace) -> str:
        return f"{obj} ({obj.organization}, {obj.organization.deployment})"


class RoleAdmin(StaffAdmin):
    """The base of the pages of both kinds of role."""

    search_help_text = "Name of the role, its organization or workspace, or id"


@admin.register(OrganizationRole)
class OrganizationRoleAdmin(RoleAdmin):
    identity = ("deployment", "organization")
    list_select_related = ("deployment", "organization")
    list_display = ("name", "permissions", "deployment", "organization", "created_at")
    more_columns = ("id", "updated_at")
    list_filter = (("organization", admin.EmptyFieldListFilter), ("deployment", RelatedFilter))
    search_fields = ("name", "organization")
    autocomplete_fields = ("deployment", "organization")
    fieldsets = (
        (
            None,
            {
                "description": "Without an organization, the role is available in all organizations of the deployment.",
                "fields": ["deployment", "organization", "name", "permissions"],
            },
        ),
        DATES,
    )

    def label(self, obj: OrganizationRole) -> str:
        return f"{obj} ({obj.organization or obj.deployment})"


@admin.register(WorkspaceRole)
class WorkspaceRoleAdmin(RoleAdmin):
    identity = ("deployment", "organization", "workspace")
    list_display = ("name", "permissions", "deployment", "organization", "workspace", "created_at")
    more_columns = ("id", "updated_at")
    list_filter = (
        ("organization", admin.EmptyFieldListFilter),
        ("workspace", admin.EmptyFieldListFilter),
        ("deployment", RelatedFilter),
    )
    list_select_related = ("deployment", "organization", "workspace")
    search_fields = ("name", "organization", "workspace")
    autocomplete_fields = ("deployment", "organization", "workspace")
    fieldsets = (
        (
            None,
            {
                "description": "Without a workspace, the role is available in all workspaces of the organization; "
                "without either, in all workspaces of the deployment.",
                "fields": ["deployment", "organization", "workspace", "name", "permissions"],
            },
        ),
        DATES,
    )

    def label(self, obj: WorkspaceRole) -> str:
        return f"{obj} ({obj.workspace or obj.organization or obj.deployment})"


fits(Organization, "auto_assigned_workspace", id="organization")
fits(OrganizationRole, "deployment", organization="organizations")
fits(OrganizationRole, "organization", deployment="deployment")
fits(WorkspaceRole, "deployment", organization="organizations", workspace="organizations__workspaces")
fits(WorkspaceRole, "organization", deployment="deployment", workspace="workspaces")
fits(WorkspaceRole, "workspace", deployment="organization__deployment", organization="organization")

fits(UserSegment, "user", segment="deployment__segments")
fits(UserSegment, "segment", always=Q(type=UserSegment.type), user="deployment__users", deployment="deployment")
fits(OrganizationSegment, "organization", segment="deployment__segments")
fits(
    OrganizationSegment,
    "segment",
    always=Q(type=OrganizationSegment.type),
    organization="deployment__organizations",
    deployment="deployment",
)
fits(WorkspaceSegment, "workspace", segment="organization__deployment__segments")
fits(
    WorkspaceSegment,
    "segment",
    always=Q(type=WorkspaceSegment.type),
    workspace="deployment__organizations__workspaces",
    organization="deployment__organizations",
)
