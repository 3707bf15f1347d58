"""Members, and the roles given to them, on the pages of organizations, workspaces, users and memberships."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.models import SignIn, User
from config.staff.choices import several
from config.staff.forms import StaffForm
from config.staff.inlines import ListInline, ReadOnlyInline, add_inlines
from config.staff.links import names
from memberships.models import (
    ActiveMembership,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import Organization, Workspace


class NewMemberForm(StaffForm):
    """A new membership with its first roles, which the field ``given`` chooses."""

    def validate_unique(self) -> None:
        super().validate_unique()
        for role in self.cleaned_data.get("given", ()):
            try:
                self._meta.model.roles.through(membership=self.instance, role=role).clean()
            except ValidationError as error:
                self.add_error("given", error)

    def _save_m2m(self) -> None:
        super()._save_m2m()  # type: ignore[misc]
        self.instance.roles.add(*self.cleaned_data["given"])


class MembershipInline(ListInline):
    """Memberships of the page's own row. ``given`` chooses the roles of a new one, and names those of the others."""

    form = NewMemberForm
    verbose_name = "membership"
    prefetch_related = ("roles",)

    def get_formset(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        given = several(self.model.roles.through, "role", request, label="Roles")
        form = type(NewMemberForm.__name__, (self.form,), {"given": given})
        return super().get_formset(request, obj, **{"form": form, **options})

    @admin.display(description="roles")
    def given(self, obj: Any) -> str:
        return names(obj.roles.all())


class OrganizationMemberInline(MembershipInline):
    model = OrganizationMembership
    verbose_name = "member"
    verbose_name_plural = "newest members"
    fields = ("user", "given", "since")
    autocomplete_fields = ("user",)
    select_related = ("user", "organization")


class WorkspaceMemberInline(MembershipInline):
    model = WorkspaceMembership
    verbose_name = "member"
    verbose_name_plural = "newest members"
    fields = ("user", "given", "since")
    autocomplete_fields = ("user",)
    select_related = ("user", "workspace")


class OrganizationOfUserInline(MembershipInline):
    model = OrganizationMembership
    verbose_name = "organization"
    verbose_name_plural = "newest organizations"
    fields = ("organization", "given", "since")
    autocomplete_fields = ("organization",)
    select_related = ("user", "organization")


class WorkspaceOfUserInline(MembershipInline):
    model = WorkspaceMembership
    verbose_name = "workspace"
    verbose_name_plural = "newest workspaces"
    fields = ("workspace", "given", "since")
    autocomplete_fields = ("workspace",)
    select_related = ("user", "workspace")


class ActiveMembershipInline(ReadOnlyInline):
    model = ActiveMembership
    verbose_name_plural = "where it acts"
    fields = ("organization_membership", "workspace_membership", "since")
    select_related = ("organization_membership", "workspace_membership")


add_inlines(SignIn, ActiveMembershipInline)
add_inlines(Organization, OrganizationMemberInline)
add_inlines(Workspace, WorkspaceMemberInline)
add_inlines(User, OrganizationOfUserInline, WorkspaceOfUserInline)


class GivenRoleInline(ListInline):
    verbose_name = "role"
    verbose_name_plural = "roles"
    fields = ("role",)
    autocomplete_fields = ("role",)
    select_related = ("role",)
    can_delete = True


class GivenOrganizationRoleInline(GivenRoleInline):
    model = OrganizationMembershipRole


class GivenWorkspaceRoleInline(GivenRoleInline):
    model = WorkspaceMembershipRole
