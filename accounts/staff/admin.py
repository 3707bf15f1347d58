"""Pages for those of the staff who manage the others' rights."""

from __future__ import annotations

from django.contrib import admin

from accounts.models import StaffAccess
from config.staff.pages import StaffAdmin


@admin.register(StaffAccess)
class StaffAccessAdmin(StaffAdmin):
    identity = ("user",)
    list_display = ("user", "role", "all_deployments", "sees_private_metadata", "created_at")
    list_filter = ("role", "all_deployments")
    list_select_related = ("user",)
    label_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    search_help_text = "Username or e-mail address of the staff member, or id"
    autocomplete_fields = ("user", "deployments")
    fieldsets = (
        (None, {"fields": ["user", "role", "all_deployments", "deployments", "sees_private_metadata"]}),
        ("Dates", {"fields": ["created_at", "updated_at"]}),
    )
