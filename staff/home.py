"""The home page: the numbers of rows, plots, and the newest changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.db.models import Model, Q
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.models import Deployment, Mail, Session, User
from audit import groups
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace
from staff.access.permissions import access_of
from staff.plots import plots
from staff.toolkit.changes import described, log_of
from staff.toolkit.links import address, plural
from staff.toolkit.lists import totals

LATEST = 10


@dataclass(frozen=True)
class Number:
    """The number of rows of ``model`` that fit ``where``; ``query`` lists them."""

    model: type[Model]
    title: str = ""
    where: Q = field(default_factory=Q)
    query: str = ""


NUMBERS = [
    Number(Deployment),
    Number(Organization),
    Number(Workspace),
    Number(User),
    Number(WorkspaceMembership),
    Number(OrganizationMembership),
    Number(Session, "Live sessions", Q(ended_at=None, expires_at__gt=Now()), "?ended_at__isempty=1"),
    Number(Mail, "Unsent mails", Q(state__in=["waiting", "refused"]), "?state__in=waiting,refused"),
]


def home(request: HttpRequest) -> dict[str, Any]:
    """The context of the home page's template, with data that the member of staff may see."""
    return {
        "numbers": list(_numbers(request)),
        "activity": plots(request),
        "changes": _latest_changes(request),
    }


def _numbers(request: HttpRequest) -> Iterator[dict[str, str]]:
    pages = [(number, admin.site.get_model_admin(number.model)) for number in NUMBERS]
    shown = [(number, page.get_queryset(request)) for number, page in pages if page.has_view_permission(request)]
    all_totals = totals([rows.filter(number.where) for number, rows in shown])
    for (number, _), total in zip(shown, all_totals, strict=True):
        yield {
            "title": number.title or plural(number.model),
            "total": total,
            "link": address(number.model, "changelist") + number.query,
        }


def _latest_changes(request: HttpRequest) -> list[dict[str, Any]]:
    """The latest actions, each by its name or by its last entry in the audit log."""
    page = log_of(request)
    if page is None:
        return []
    ids = groups.latest(LATEST, deployments=access_of(request.user).deployments)
    return described(request, page, page.get_queryset(request).filter(pk__in=ids).order_by("-pk"), of_actions=True)
