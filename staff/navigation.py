"""The sidebar: headings, and the pages below them."""

from __future__ import annotations

from collections.abc import Iterator
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
    words: str = ""
    """Other words by which staff look for the page."""

    @property
    def name(self) -> str:
        return self.title or plural(self.model)

    def is_called(self, text: str) -> bool:
        """Whether each word of ``text`` begins one of the page's."""
        own = f"{self.name} {self.words}".lower().split()
        return all(any(word.startswith(part) for word in own) for part in text.lower().split())


SECTIONS: dict[str, list[Entry]] = {
    "Users": [
        Entry(User, "person", words="people persons accounts customers"),
        Entry(SignUpInvitation, "forward_to_inbox", words="waitlist"),
        Entry(Session, "devices", words="devices browsers"),
        Entry(SignIn, "login", words="logins ip addresses"),
        Entry(Authenticator, "phonelink_lock", words="mfa 2fa totp two-factor multi-factor"),
        Entry(BackupCode, "password", words="mfa 2fa recovery"),
    ],
    "Organizations": [
        Entry(Organization, "apartment", words="companies customers teams allow-list whitelist"),
        Entry(OrganizationDomain, "domain_verification", words="dns txt verification"),
        Entry(Workspace, "workspaces", words="allow-list whitelist projects"),
        Entry(OrganizationMembership, "badge", words="members"),
        Entry(WorkspaceMembership, "group_add", words="members"),
        Entry(OrganizationInvitation, "mark_email_unread", words="invites"),
        Entry(WorkspaceMembership, "upload", "Import memberships", page="import_csv", words="csv upload members"),
    ],
    "Roles & permissions": [
        Entry(OrganizationRole, "shield_person", words="permissions"),
        Entry(WorkspaceRole, "shield", words="permissions"),
        Entry(Segment, "label", words="groups tags"),
    ],
    "Settings": [
        Entry(Deployment, "dns", words="settings rules hosts origins sign-up tenants"),
        Entry(SigningKey, "key", words="jwks jwt tokens"),
        Entry(Mail, "mail", words="emails outbox"),
        Entry(MailText, "edit_note", words="emails templates"),
        Entry(AuditEntry, "history", "Audit log", words="changes history trail undo"),
    ],
    "Staff": [
        Entry(Staff, "support_agent", "Staff", words="operators support"),
        Entry(StaffAccess, "admin_panel_settings", "Staff permissions", words="access operators support"),
    ],
}


def entries(request: HttpRequest) -> Iterator[tuple[str, Entry]]:
    """The pages that the member of staff may open, each with the heading above it."""
    for section, pages in SECTIONS.items():
        yield from ((section, entry) for entry in pages if _may_open(request, entry))


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The SECTIONS and pages that the member of staff may open; the page that is open is ``active``."""
    links = [(section, entry, address(entry.model, entry.page)) for section, entry in entries(request)]
    here = max((link for _, _, link in links if request.path.startswith(link)), key=len, default=request.path)
    sections: dict[str, list[dict[str, Any]]] = {"": [_item("Home", "home", reverse("admin:index"), here)]}
    for section, entry, link in links:
        sections.setdefault(section, []).append(_item(entry.name, entry.icon, link, here))
    return [{"title": section, "items": items} for section, items in sections.items()]


def _item(title: str, icon: str, link: str, here: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": link, "active": link == here}


def _may_open(request: HttpRequest, entry: Entry) -> bool:
    page = admin.site.get_model_admin(entry.model)
    permission = "view" if entry.page == "changelist" else entry.page
    return bool(getattr(page, f"has_{permission}_permission")(request))
