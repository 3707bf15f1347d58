"""The sidebar: headings, and the pages below them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User as Staff
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import (
    Authenticator,
    BackupCode,
    Deployment,
    Mail,
    MailText,
    Session,
    SignIn,
    SigningKey,
    SignUpInvitation,
    User,
)
from audit.models import AuditEntry
from memberships.models import OrganizationInvitation, OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, OrganizationDomain, OrganizationRole, Segment, Workspace, WorkspaceRole
from staff.models import StaffAccess
from staff.toolkit.links import address, plural


@dataclass(frozen=True)
class Entry:
    """A page of the admin of ``model``: its list, or the page that its URL name ends with.

    Staff see it if they pass the admin's ``has_view_permission``, or for a ``page`` other than the list,
    ``has_<page>_permission``.
    """

    model: type[Model]
    icon: str
    """The name of a Material symbol (https://fonts.google.com/icons)."""
    title: str = ""
    page: str = "changelist"


SECTIONS: dict[str, list[Entry]] = {
    "Users": [
        Entry(User, "person"),
        Entry(SignUpInvitation, "forward_to_inbox"),
        Entry(Session, "devices"),
        Entry(SignIn, "login"),
        Entry(Authenticator, "phonelink_lock"),
        Entry(BackupCode, "password"),
    ],
    "Organizations": [
        Entry(Organization, "apartment"),
        Entry(OrganizationDomain, "domain_verification"),
        Entry(Workspace, "workspaces"),
        Entry(OrganizationMembership, "badge"),
        Entry(WorkspaceMembership, "group_add"),
        Entry(OrganizationInvitation, "mark_email_unread"),
        Entry(WorkspaceMembership, "upload", "Import memberships", page="import_csv"),
    ],
    "Roles & permissions": [
        Entry(OrganizationRole, "shield_person"),
        Entry(WorkspaceRole, "shield"),
        Entry(Segment, "label"),
    ],
    "Settings": [
        Entry(Deployment, "dns"),
        Entry(SigningKey, "key"),
        Entry(Mail, "mail"),
        Entry(MailText, "edit_note"),
        Entry(AuditEntry, "history", "Audit log"),
    ],
    "Staff": [
        Entry(Staff, "support_agent", "Staff"),
        Entry(StaffAccess, "admin_panel_settings", "Staff permissions"),
    ],
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The SECTIONS and pages that the member of staff may open, as unfold's SIDEBAR takes them."""
    sections: list[dict[str, Any]] = [
        {"title": section, "items": [_item(entry) for entry in entries if _may_open(request, entry)]}
        for section, entries in SECTIONS.items()
    ]
    items = [item for section in sections for item in section["items"]]
    here = max((item["link"] for item in items if request.path.startswith(item["link"])), key=len, default="")
    for item in items:
        item["active"] = item["link"] == here
    home = {"items": [{"title": "Home", "icon": "home", "link": reverse("admin:index")}]}
    return [home, *(section for section in sections if section["items"])]


def _item(entry: Entry) -> dict[str, Any]:
    model = entry.model
    return {"title": entry.title or plural(model), "icon": entry.icon, "link": address(model, entry.page)}


def _may_open(request: HttpRequest, entry: Entry) -> bool:
    page = admin.site.get_model_admin(entry.model)
    permission = "view" if entry.page == "changelist" else entry.page
    return bool(getattr(page, f"has_{permission}_permission")(request))
