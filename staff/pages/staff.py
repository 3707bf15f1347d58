"""Pages on which staff manage other staff and their permissions. Nobody changes their own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.contrib.auth.models import User as Staff
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django_otp import user_has_device
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from staff.access.mfa import reset
from staff.bulk_changes import Change, Refused
from staff.models import StaffAccess
from staff.toolkit.bulk_actions import BulkAction
from staff.toolkit.choices import fits
from staff.toolkit.forms import StaffForm
from staff.toolkit.links import names
from staff.toolkit.pages import StaffAdmin

admin.site.unregister(Staff)
admin.site.unregister(Group)  # permissions come from StaffAccess alone


NOWHERE = "Choose a deployment, or tick “All deployments”: without either, these permissions allow nothing."


def others(request: HttpRequest, rows: QuerySet, staff: str = "") -> QuerySet:
    """Without the rows about the reader or superusers, unless the reader is a superuser.

    ``staff`` is the path from a row to the member of staff.
    """
    if request.user.is_superuser:
        return rows
    prefix = f"{staff}__" if staff else ""
    return rows.exclude(**{f"{prefix}pk": request.user.pk}).exclude(**{f"{prefix}is_superuser": True})


@admin.register(Staff)
class StaffUserAdmin(UserAdmin, StaffAdmin):  # type: ignore[misc]  # Django's and Unfold's bases differ in their stubs
    """Django's pages of users, without groups and single permissions: they have no effect here."""

    form: Any = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    readonly_fields = ("last_login", "date_joined")
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_superuser", "last_login")
    more_columns = ("id", "is_staff", "date_joined")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = "Username, name, email address or id"
    filter_horizontal = ()
    actions = ("reset_mfa",)
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return others(request, super().get_queryset(request))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        flags = ["is_active", "is_staff", *(["is_superuser"] if request.user.is_superuser else [])]
        return [
            (None, {"fields": ["username", "password", "first_name", "last_name", "email"]}),
            (
                "Access",
                {
                    "fields": flags,
                    "description": "“Staff permissions” say what they may do, and in which deployments.",
                },
            ),
            ("Dates", {"fields": ["last_login", "date_joined"]}),
        ]

    @admin.action(description="Reset MFA …", permissions=["change"])
    def reset_mfa(self, request: HttpRequest, queryset: QuerySet[Staff]) -> HttpResponse | None:
        return BulkAction(
            name="reset_mfa",
            description="Reset MFA",
            permissions=("auth.change_user",),
            run=lambda rows, _: [self._reset_mfa(request, row) for row in rows],
        )(self, request, queryset)

    def _reset_mfa(self, request: HttpRequest, staff: Staff) -> Change:
        if staff == request.user:
            raise Refused([f"{staff} is you: replace your own MFA in the menu of your account."])
        if not user_has_device(staff):
            return Change(staff, "")
        reset(staff)
        self.log_change(request, staff, "Reset MFA.")
        return Change(staff, "is signed out, and sets up MFA anew at the next sign-in")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.is_staff = obj.is_staff or not change
        super().save_model(request, obj, form, change)


class StaffAccessForm(StaffForm):
    def clean(self) -> Any:
        data = super().clean() or self.cleaned_data
        if not data.get("all_deployments") and not data.get("deployments") and "deployments" not in self.errors:
            self.add_error("deployments", NOWHERE)
        return data


@admin.register(StaffAccess)
class StaffAccessAdmin(StaffAdmin):
    form = StaffAccessForm
    identity = ("user",)
    list_display = ("user", "role", "where", "sees_private_metadata", "created_at")
    more_columns = ("id", "updated_at")
    list_filter = ("role", "all_deployments")
    list_select_related = ("user",)
    search_fields = ("user",)
    search_help_text = "Username or email address of the staff member, or id"
    autocomplete_fields = ("user", "deployments")
    fieldsets = (
        (None, {"fields": ["user", "role", "all_deployments", "deployments", "sees_private_metadata"]}),
        ("Dates", {"fields": ["created_at", "updated_at"]}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return others(request, super().get_queryset(request), "user").prefetch_related("deployments")

    @admin.display(description="deployments")
    def where(self, obj: StaffAccess) -> str:
        return "all" if obj.all_deployments else names(obj.deployments.all()) or "none: allows nothing"

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        rows = super().get_field_queryset(db, db_field, request)
        return others(request, rows) if db_field.name == "user" else rows


fits(StaffAccess, "user", always=Q(staff_access=None))
