"""Pages for staff: memberships of organizations and workspaces, and their roles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from unfold.decorators import action

from accounts.models import User
from memberships.models import (
    ActiveMembership,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import Organization, Workspace
from staff.pages.bulk_actions import ORGANIZATION_MEMBERSHIP_ACTIONS, WORKSPACE_MEMBERSHIP_ACTIONS
from staff.pages.import_export import export_page, import_page, may_import
from staff.pages.why_not import why_not_page
from staff.toolkit.choices import fits, several
from staff.toolkit.filters import RelatedFilter, WhenFilter
from staff.toolkit.forms import StaffForm
from staff.toolkit.inlines import LinkInline, ListInline, ReadOnlyInline, choosing
from staff.toolkit.links import names
from staff.toolkit.pages import DATES, StaffAdmin


class JoiningForm(StaffForm):
    """A membership. A user who joins a workspace joins its organization, too, as in an import."""

    joined: OrganizationMembership | None = None
    """The membership of the organization, to be saved before that of the workspace, if the user has none."""

    def clean(self) -> Any:
        data = super().clean() or self.cleaned_data
        self.joined = _joined(data.get("workspace"), data.get("user"))
        return data

    def _get_validation_exclusions(self) -> set[str]:
        """With the fields of the one constraint that holds from then on alone; ``joined`` answers for it till then."""
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # the stubs lack it
        return exclusions | {"organization", "user"} if self.joined else exclusions

    def validate_row(self) -> None:
        if self.joined is None:
            super().validate_row()
        else:
            self.joined.validate_constraints()
            self.instance.validate_constraints(exclude={"organization", "user"})

    def prepare(self) -> str:
        joined = self.joined
        if joined is None:
            return ""
        is_member = _is_member(joined.user, joined.organization)  # by another part of the same page
        if not is_member:
            joined.save()
        # With the organization they may have joined the workspace, but not as this form says.
        WorkspaceMembership.objects.filter(workspace=self.instance.workspace, user=joined.user).delete()
        return "" if is_member else self._note(joined)

    def _note(self, joined: OrganizationMembership) -> str:
        return f"{joined.user} became a member of “{joined.organization}”, too, which the workspace belongs to."


def _joined(workspace: Workspace | None, user: User | None) -> OrganizationMembership | None:
    """The membership that ``user`` lacks in the organization of ``workspace``, not saved; None if there is one."""
    if workspace is None or user is None or workspace.organization_id is None:
        return None
    organization = workspace.organization
    if _is_member(user, organization):
        return None
    return OrganizationMembership(organization=organization, user=user, deployment_id=organization.deployment_id)


def _is_member(user: User, organization: Organization) -> bool:
    return OrganizationMembership.objects.filter(user=user, organization=organization).exists()


class NewMemberForm(JoiningForm):
    """A new membership with its first roles, which the field ``given`` chooses."""

    def validate_unique(self) -> None:
        super().validate_unique()
        for role in self.cleaned_data.get("given", ()):
            try:
                self._meta.model.roles.through(membership=self.instance, role=role).clean()
            except ValidationError as error:
                self.add_error("given", error)

    def _save_m2m(self) -> None:
        super()._save_m2m()  # type: ignore[misc]  # the stubs lack it
        self.instance.roles.add(*self.cleaned_data["given"])


class MembershipInline(ListInline):
    """Memberships of the page's own row. ``given`` chooses the roles of a new one, and names those of the others."""

    form = NewMemberForm
    more_fields = ("given", "since")
    prefetch_related = ("roles",)

    def get_formset(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        given = several(self.model.roles.through, "role", request, label="Roles")
        form = type(NewMemberForm.__name__, (self.form,), {"given": given})
        return super().get_formset(request, obj, **{"form": form, **options})

    @admin.display(description="roles")
    def given(self, obj: Any) -> str:
        return names(obj.roles.all())


OrganizationMemberInline = choosing(
    "user", OrganizationMembership, "organization", base=MembershipInline, noun="member"
)
WorkspaceMemberInline = choosing("user", WorkspaceMembership, "workspace", base=MembershipInline, noun="member")
OrganizationOfUserInline = choosing("organization", OrganizationMembership, "user", base=MembershipInline)
WorkspaceOfUserInline = choosing("workspace", WorkspaceMembership, "user", base=MembershipInline)


class ActiveMembershipInline(ReadOnlyInline):
    model = ActiveMembership
    verbose_name_plural = "active memberships"
    fields = ("organization_membership", "workspace_membership", "since")
    select_related = ("organization_membership", "workspace_membership")


def of_organization(pk: Any) -> Q:
    """The roles that can be given in an organization or, of those of workspaces, in some of its workspaces."""
    return Q(deployment__organizations=pk) & (Q(organization=None) | Q(organization=pk))


def of_workspace(pk: Any) -> Q:
    """The roles that can be given in a workspace."""
    organization = Q(organization=None) | Q(organization__workspaces=pk)
    return Q(deployment__organizations__workspaces=pk) & organization & (Q(workspace=None) | Q(workspace=pk))


def _of_members_organization(pk: int) -> Q:
    return of_organization(Subquery(OrganizationMembership.objects.filter(pk=pk).values("organization")))


def _of_members_workspace(pk: int) -> Q:
    return of_workspace(Subquery(WorkspaceMembership.objects.filter(pk=pk).values("workspace")))


fits(OrganizationMembership, "organization", user="deployment__users", deployment="deployment")
fits(OrganizationMembership, "user", organization="deployment__organizations", deployment="deployment")
fits(
    WorkspaceMembership,
    "workspace",
    user="organization__deployment__users",
    organization="organization",
    deployment="organization__deployment",
)
fits(
    WorkspaceMembership,
    "user",
    workspace="deployment__organizations__workspaces",
    organization="deployment__organizations",
    deployment="deployment",
)
fits(
    OrganizationMembershipRole,
    "role",
    membership=_of_members_organization,
    organization=of_organization,
    user="deployment__users",
    deployment="deployment",
)
fits(
    WorkspaceMembershipRole,
    "role",
    membership=_of_members_workspace,
    workspace=of_workspace,
    organization=lambda pk: of_organization(pk) & Q(workspace=None),
    user="deployment__users",
    deployment="deployment",
)


class MembershipAdmin(StaffAdmin):
    """The base of the pages of both kinds of membership."""

    search_help_text = "Email address or username of the member, name of the organization or workspace, or id"
    actions = ("export_chosen",)
    actions_list = ("export_all",)  # type: ignore[assignment]  # Unfold says list; nothing adds to it

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase:
        return export_page(queryset)

    @action(description="Export all", url_path="export", permissions=["view"], icon="download")  # type: ignore[operator]  # Unfold wraps methods too
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
    more_columns = ("id", "deployment", "public_metadata", "updated_at")
    list_filter = (
        ("organization", RelatedFilter),
        ("roles", RelatedFilter),
        ("deployment", RelatedFilter),
        ("created_at", WhenFilter),
    )
    list_select_related = ("user", "organization")
    search_fields = ("user", "organization")
    autocomplete_fields = ("organization", "user")
    inlines = (choosing("role", OrganizationMembershipRole, "membership", base=LinkInline, plural="roles"),)
    bulk_actions = ORGANIZATION_MEMBERSHIP_ACTIONS
    fieldsets = ((None, {"fields": ["organization", "user", "public_metadata"]}), DATES)

    def deleted_by_the_database(self, chosen: QuerySet[Any]) -> QuerySet[Any]:
        """The memberships of workspaces, which end with those of the organization."""
        above = chosen.filter(organization=OuterRef("organization"), user=OuterRef("user"))
        return WorkspaceMembership.objects.filter(Exists(above)).select_related("user", "workspace")


@admin.register(WorkspaceMembership)
class WorkspaceMembershipAdmin(MembershipAdmin):
    form = JoiningForm
    identity = ("workspace", "user")
    list_display = ("user", "workspace", "organization", "given", "created_at")
    more_columns = ("id", "organization__deployment", "public_metadata", "updated_at")
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
    inlines = (choosing("role", WorkspaceMembershipRole, "membership", base=LinkInline, plural="roles"),)
    readonly_fields = (*StaffAdmin.readonly_fields, "organization")
    on_change_only = (*StaffAdmin.on_change_only, "organization")
    bulk_actions = WORKSPACE_MEMBERSHIP_ACTIONS
    fieldsets = ((None, {"fields": ["organization", "workspace", "user", "public_metadata"]}), DATES)
    actions_list = (*MembershipAdmin.actions_list, "import_csv")  # type: ignore[assignment]  # Unfold says list; nothing adds to it
    actions_detail = ("why_not",)  # type: ignore[assignment]  # Unfold says list; nothing adds to it

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.why_not_for_user)
        return [
            path("why-not/<int:user_id>/", view, name="memberships_workspacemembership_why_not_for"),
            *super().get_urls(),
        ]

    def why_not_for_user(self, request: HttpRequest, user_id: int) -> HttpResponse:
        return why_not_page(self, request, user_id, workspace_id=None)

    @action(description="Why can't they enter?", url_path="why-not", icon="help")  # type: ignore[operator]  # Unfold wraps methods too
    def why_not(self, request: HttpRequest, object_id: str) -> HttpResponse:
        membership = self.get_object(request, object_id)
        if membership is None:
            raise Http404
        return why_not_page(self, request, membership.user_id, workspace_id=membership.workspace_id)

    def has_import_csv_permission(self, request: HttpRequest) -> bool:
        return may_import(request)

    @action(description="Import", url_path="import", permissions=["import_csv"], icon="upload")  # type: ignore[operator]  # Unfold wraps methods too
    def import_csv(self, request: HttpRequest) -> HttpResponseBase:
        return import_page(self, request)
