"""The home page: how much there is of everything, and what changed last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest

from audit.models import AuditEntry
from staff.toolkit.links import address, plural
from staff.toolkit.lists import total

LATEST = 10


@dataclass(frozen=True)
class Number:
    """How many rows of ``model`` ("app.Model") there are, those alone that fit ``where``; ``query`` lists them."""

    model: str
    title: str = ""
    where: Q = field(default_factory=Q)
    query: str = ""


NUMBERS = [
    Number("accounts.Deployment"),
    Number("organizations.Organization"),
    Number("organizations.Workspace"),
    Number("accounts.User"),
    Number("memberships.WorkspaceMembership"),
    Number("memberships.OrganizationMembership"),
    Number("accounts.Session", "Live sessions", Q(ended_at=None, expires_at__gt=Now()), "?ended_at__isempty=1"),
]


def home(request: HttpRequest) -> dict[str, Any]:
    """What the template of the home page shows of what the member of staff may see."""
    return {
        "numbers": list(_numbers(request)),
        "changes": _latest_changes(request),
        "search_users": _user_search(request),
    }


def _numbers(request: HttpRequest) -> Iterator[dict[str, str]]:
    for number in NUMBERS:
        model = apps.get_model(number.model)
        page = admin.site.get_model_admin(model)
        if page.has_view_permission(request):
            yield {
                "title": number.title or plural(model),
                "total": total(page.get_queryset(request).filter(number.where)),
                "link": address(model, "changelist") + number.query,
            }


def _latest_changes(request: HttpRequest) -> list[dict[str, Any]]:
    """Of the audit trail, as its own list shows them."""
    page: Any = admin.site.get_model_admin(AuditEntry)
    if not page.has_view_permission(request):
        return []
    entries = list(page.get_queryset(request).order_by("-pk")[:LATEST])
    page.name_subjects(entries)
    return [
        {
            "at": entry.at,
            "who": page.who(entry),
            "action": entry.get_action_display(),
            "what": page.what(entry),
            "link": address(entry, "change"),
        }
        for entry in entries
    ]


def _user_search(request: HttpRequest) -> str:
    """The address that searches for users; "" for those who may not see any."""
    model = apps.get_model("accounts.User")
    may_search = admin.site.get_model_admin(model).has_view_permission(request)
    return address(model, "changelist") if may_search else ""
