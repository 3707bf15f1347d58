"""Pages for staff: who is a member of what, in which roles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from unfold.decorators import action

from accounts.admin import DATES
from config.staff.filters import RelatedFilter, WhenFilter
from config.staff.links import names, plural
from config.staff.pages import StaffAdmin
from memberships import actions  # noqa: F401
from memberships.entry_page import entry_page
from memberships.inlines import GivenOrganizationRoleInline, GivenWorkspaceRoleInline, JoiningForm
from memberships.models import OrganizationMembership, WorkspaceMembership
from memberships.transfer_pages import export_page, import_page, may_import


class MembershipAdmin(StaffAdmin):
    """What the pages of both kinds of membership have in common."""

    search_help_text = "E-mail address or username of the member, name of the place, or id"
    actions = ("export_chosen",)
    actions_list = ("export_all",)  # type: ignore[assignment]

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase:
        return export_page(queryset)

    @action(description="Export all", url_path="export", permissions=["view"], icon="download")  # type: ignore[operator]
    def export_all(self, request: HttpRequest) -> HttpResponseBase:
        return export_page(self.get_queryset(request))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("roles")

    @admin.display(description="roles")
    def given(self, obj: Any) -> str:
        return names(obj.roles.all())


@admin.register(OrganizationMembership)
class OrganizationMembershipAdmin(MembershipAdmin):
    identity = ("organization", "user")
    list_display = ("user", "organization", "given", "created_at")
    list_filter = (
        ("organization", RelatedFilter),
        ("roles", RelatedFilter),
        ("deployment", RelatedFilter),
        ("created_at", WhenFilter),
    )
    list_select_related = ("user", "organization")
    search_fields = ("user", "organization")
    autocomplete_fields = ("organization", "user")
    inlines = (GivenOrganizationRoleInline,)
    fieldsets = ((None, {"fields": ["organization", "user", "public_metadata"]}), DATES)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the memberships of workspaces too: the database deletes them along, which Django does not know."""
        to_delete, counts, perms_needed, protected = super().get_deleted_objects(objs, request)
        workspaces = WorkspaceMembership.objects.none()
        for membership in objs:
            workspaces |= WorkspaceMembership.objects.filter(
                organization=membership.organization_id, user=membership.user_id
            )
        found = list(workspaces.select_related("user", "workspace"))
        if found:
            to_delete = [*to_delete, *(f"Workspace membership: {membership}" for membership in found)]
            counts = {**counts, plural(WorkspaceMembership): len(found)}
            if not request.user.has_perm("memberships.delete_workspacemembership"):
                perms_needed = {*perms_needed, str(WorkspaceMembership._meta.verbose_name)}
        return to_delete, counts, perms_needed, protected


@admin.register(WorkspaceMembership)
class WorkspaceMembershipAdmin(MembershipAdmin):
    form = JoiningForm
    identity = ("workspace", "user")
    list_display = ("user", "workspace", "organization", "given", "created_at")
    list_filter = (
        ("organization", RelatedFilter),
        ("workspace", RelatedFilter),
        ("roles", RelatedFilter),
        ("organization__deployment", RelatedFilter),
        ("created_at", WhenFilter),
    )
    list_select_related = ("user", "workspace", "organization")
    search_fields = ("user", "workspace")
    autocomplete_fields = ("workspace", "user")
    inlines = (GivenWorkspaceRoleInline,)
    readonly_fields = (*StaffAdmin.readonly_fields, "organization")
    on_change_only = (*StaffAdmin.on_change_only, "organization")
    fieldsets = ((None, {"fields": ["organization", "workspace", "user", "public_metadata"]}), DATES)
    actions_list = (*MembershipAdmin.actions_list, "import_csv")  # type: ignore[assignment]
    actions_detail = ("entry",)  # type: ignore[assignment]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.entry_of_user)
        return [
            path("entry/<int:user_id>/", view, name="memberships_workspacemembership_entry_of"),
            *super().get_urls(),
        ]

    def entry_of_user(self, request: HttpRequest, user_id: int) -> HttpResponse:
        return entry_page(self, request, user_id, workspace_id=None)

    @action(description="Why can't they enter?", url_path="entry", icon="help")  # type: ignore[operator]
    def entry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        membership = self.get_object(request, object_id)
        if membership is None:
            raise Http404
        return entry_page(self, request, membership.user_id, workspace_id=membership.workspace_id)

    def has_import_csv_permission(self, request: HttpRequest) -> bool:
        return may_import(request)

    @action(description="Import", url_path="import", permissions=["import_csv"], icon="upload")  # type: ignore[operator]
    def import_csv(self, request: HttpRequest) -> HttpResponseBase:
        return import_page(self, request)
