"""Entries of the audit log on other pages: lines of the home page and of overviews, and a link that undoes them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from audit import actors
from audit.models import AuditEntry
from audit.triggers import audited_models, kept
from staff.toolkit.links import address, link_to


def log_of(request: HttpRequest) -> Any:
    """The page of the audit log; None for those who may not see it."""
    page = admin.site.get_model_admin(AuditEntry)
    return page if page.has_view_permission(request) else None


def undo_link(request: HttpRequest) -> SafeString | str:
    """A link to the undo of the present action; "" if nothing of it can be undone, or not by this member of staff."""
    page = log_of(request)
    if page is None or not page.has_undo_permission(request):
        return ""
    ends = [model._meta.label_lower for model in audited_models() if (columns := kept(model)) and columns.only_ends]
    entries = page.get_queryset(request).filter(group_id=actors.current_group(), erased_at=None)
    entry = entries.exclude(model__in=ends).order_by().first()
    return link_to(page.undo_address(entry), "Undo") if entry else ""


def described(request: HttpRequest, page: Any, rows: Any, *, of_actions: bool = False) -> list[dict[str, Any]]:
    """The entries ``rows`` for the template ``staff/changes.html``, in their order.

    Each is about its own row, or, ``of_actions``, about the whole action if that has a name.
    """
    entries = list(rows)
    page.prepare(request, entries)
    return [
        {
            "at": entry.at,
            "who": page.who(entry),
            "action": entry.get_action_display(),
            "what": page.what(entry),
            "name": of_actions and entry.group and entry.group.name,
            "link": page.group_address(entry) if entry.group else address(entry, "change"),
            "undo": page.undo_address(entry) if not entry.erased_at and page.has_undo_permission(request) else "",
            "undoes": entry.group or f"the change of {entry.at:%H:%M:%S}",
        }
        for entry in entries
    ]
