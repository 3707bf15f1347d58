"""The one search over everything that staff look for: people, places, memberships, sessions and the admin's own pages.

It finds what the lists find, within what the member of staff may see, and only the first few rows of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Case, Model, When
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.answers.browsers import client_of
from accounts.models import SignIn, User
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace
from staff.navigation import Entry, entries
from staff.toolkit.links import address, page_of, plural
from staff.toolkit.search import found_ids, is_id, is_partial, search_quickly

SHOWN = 5
"""Results of one kind; a link leads to the list of all."""
SHORTEST = 2
"""Characters: the word that begins with a single letter may be any. An id may have one digit."""
LONGEST = 200
OWNERS = {User, Organization, Workspace}
"""Rows of the other models are found by the rows of these."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A result: a row or a page of the admin."""

    title: str
    detail: str
    link: str


@dataclass(frozen=True, slots=True)
class Group:
    """The first results of one kind; ``more`` is the address of the list of all, "" if these are all."""

    title: str
    hits: list[Hit]
    more: str = ""


def search_page(request: HttpRequest) -> HttpResponse:
    """The list of what the parameter ``q`` finds, to be shown below the field in which it is typed."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    is_long_enough = len(text) >= SHORTEST or is_id(text)
    groups = list(_found(request, text)) if is_long_enough else []
    context = {
        "groups": groups,
        "asked": text if is_long_enough else "",
        "is_partial": is_partial(request),
        "number": sum(len(group.hits) for group in groups),
        "goes_on": any(group.more for group in groups),
    }
    return TemplateResponse(request, "staff/search_results.html", context)


def _found(request: HttpRequest, text: str) -> Iterator[Group]:
    search_quickly(request, text)
    if pages := [_page(entry, section) for section, entry in entries(request) if entry.is_called(text)]:
        yield Group("Pages", pages[:SHOWN])
    for model, describe in DESCRIPTIONS.items():
        page: Any = admin.site.get_model_admin(model)
        if page.has_view_permission(request) and (rows := _rows(request, page, text)):
            more = f"{address(model, 'changelist')}?{urlencode({'q': text})}" if len(rows) > SHOWN else ""
            hits = [Hit(*describe(row), link=page_of(row)) for row in rows[:SHOWN]]
            yield Group(plural(model), hits, more)


def _page(entry: Entry, section: str) -> Hit:
    return Hit(entry.name, section, address(entry.model, entry.page))


def _rows(request: HttpRequest, page: Any, text: str) -> list[Any]:
    """The first rows that ``text`` finds on ``page``, those first that it names exactly; one more than are shown."""
    rows = page.get_queryset(request).prefetch_related(None).select_related(*page.list_select_related)
    exact = page.exact(request, text)
    found = _first(request, page, text)
    # By their ids, so that PostgreSQL joins what is shown to a few rows.
    if not exact:
        return list(rows.filter(pk__in=found))
    named = _some(page.get_queryset(request).filter(exact))
    return list(rows.filter(pk__in=named.union(found)).order_by(Case(When(exact, then=0), default=1))[: SHOWN + 1])


def _first(request: HttpRequest, page: Any, text: str) -> Any:
    """The ids of the first rows. Those of owners are found once, for what they own as well."""
    found = page.get_queryset(request)
    if page.model in OWNERS:
        (ids,) = found_ids(request, page, text)
        found = found.filter(pk__in=ids[: SHOWN + 1])
    else:
        found, _ = page.get_search_results(request, found, text)
    return _some(found)


def _some(rows: Any) -> Any:
    # In no order: any would tempt the planner to walk along the primary key until enough are found.
    return rows.order_by().values("pk")[: SHOWN + 1]


def _user(user: User) -> tuple[str, str]:
    parts = [f"{user.first_name} {user.last_name}".strip(), user.username if user.email else "", str(user.deployment)]
    return str(user), _joined(*parts, "disabled" if user.disabled else "")


def _sign_in(sign_in: SignIn) -> tuple[str, str]:
    state = admin.site.get_model_admin(SignIn).state(sign_in)  # type: ignore[attr-defined]  # of EndableAdmin
    client = client_of(sign_in.user_agent) or "unknown device"
    return f"{sign_in.user}: {client}", _joined(sign_in.ip_address or "", f"session {sign_in.session_id}", state)


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


DESCRIPTIONS: dict[type[Model], Callable[[Any], tuple[str, str]]] = {
    User: _user,
    Organization: lambda row: (str(row), str(row.deployment)),
    Workspace: lambda row: (str(row), _joined(str(row.organization), str(row.organization.deployment))),
    OrganizationMembership: lambda row: (str(row), f"since {row.created_at:%Y-%m-%d}"),
    WorkspaceMembership: lambda row: (str(row), _joined(str(row.organization), f"since {row.created_at:%Y-%m-%d}")),
    SignIn: _sign_in,
}
"""The title and the detail of a row, by its model, in the order of the groups. They read nothing beyond the
``list_select_related`` of its list."""
