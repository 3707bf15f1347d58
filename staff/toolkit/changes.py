"""Entries of the audit log as lines of other pages: the home page, and the overview of a row."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from audit.models import AuditEntry
from staff.toolkit.links import address


def log_of(request: HttpRequest) -> Any:
    """The page of the audit log; None for those who may not see it."""
    page = admin.site.get_model_admin(AuditEntry)
    return page if page.has_view_permission(request) else None


def described(request: HttpRequest, page: Any, rows: Any) -> list[dict[str, Any]]:
    """The entries ``rows`` for the template ``staff/changes.html``, in their order."""
    entries = list(rows)
    page.prepare(request, entries)
    return [
        {
            "at": entry.at,
            "who": page.who(entry),
            "action": entry.get_action_display(),
            "what": page.what(entry),
            "name": entry.group and entry.group.name,
            "link": page.group_address(entry) if entry.group else address(entry, "change"),
            "undo": page.undo_address(entry) if page.has_undo_permission(request) else "",
        }
        for entry in entries
    ]
