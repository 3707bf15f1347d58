"""The overview of a row: what staff look for first, and what they do with it, above the form that changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.decorators import action

from audit.models import AuditEntry
from staff.toolkit.changes import described, log_of
from staff.toolkit.links import address, link_to, plural
from staff.toolkit.pages import StaffAdmin
from staff.toolkit.search import is_id

SHOWN = 10
"""Rows of a part; a link leads to the list of all."""

Cell = SafeString | str | None
Facts = Iterable[tuple[str, Cell]]


@dataclass(frozen=True, slots=True)
class Part:
    """The first rows that belong to the page's own, newest first, as a table; ``more`` is the address of all."""

    title: str
    headings: list[str]
    rows: list[list[tuple[str, Cell]]]
    """Each cell with its heading."""
    more: str = ""
    add: str = ""
    """The address of the form for another one; "" for those who may not add any."""


class WithOverview(StaffAdmin):
    """Pages of a model whose rows have an overview, to which lists and the search lead."""

    actions_detail = ("overview",)  # type: ignore[assignment]  # Unfold says list; nothing adds to it

    def facts(self, request: HttpRequest, row: Any) -> Facts:
        """The names and values that describe the row."""
        raise NotImplementedError

    def parts(self, request: HttpRequest, row: Any) -> Iterator[Part]:
        """What belongs to the row."""
        raise NotImplementedError

    def unneeded(self, row: Any) -> set[str]:
        """The names of those ``bulk_actions`` that would do nothing with ``row``."""
        return set()

    def overview_links(self, request: HttpRequest, row: Any) -> Iterator[tuple[str, str]]:
        """Texts and addresses of the pages about ``row``."""
        yield ("Edit" if self.has_change_permission(request, row) else "All fields"), address(row, "change")
        yield "History", address(row, "history")

    def get_overview_queryset(self, request: HttpRequest) -> Any:
        """The rows, with what ``facts`` reads of other tables."""
        return self.get_queryset(request).select_related(*self.list_select_related)  # type: ignore[misc]  # Django takes a tuple of names

    @action(description="Overview", url_path="overview", icon="visibility")  # type: ignore[operator]  # Unfold wraps methods too
    def overview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page; by POST it begins, or does, one of the ``bulk_actions`` with this row alone."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_overview_queryset(request).filter(pk=object_id).first() if is_id(object_id) else None
        if row is None:
            raise Http404
        actions = {action.name: action for action in self.bulk_actions if action.may(request)}
        if request.method == "POST":
            chosen = actions.get(request.POST.get("action", ""))
            if chosen is None:
                raise PermissionDenied
            answer = chosen(self, request, self.get_queryset(request).filter(pk=row.pk))
            is_there = answer is not None or self.get_queryset(request).filter(pk=row.pk).exists()
            return answer or HttpResponseRedirect(request.path if is_there else address(self.model, "changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": str(row),
            "opts": self.opts,
            "facts": [(name, value) for name, value in self.facts(request, row) if value not in (None, "")],
            "parts": list(self.parts(request, row)),
            "links": list(self.overview_links(request, row)),
            # Not the actions themselves, which a template would call.
            "actions": [(name, each.description) for name, each in actions.items() if name not in self.unneeded(row)],
            "changes": _changes_of(request, row),
        }
        return TemplateResponse(request, "staff/overview.html", context)


def _changes_of(request: HttpRequest, row: Model) -> list[dict[str, Any]]:
    page = log_of(request)
    if page is None:
        return []
    entries = page.get_queryset(request).filter(subjects__contains=[AuditEntry.subject(row)])
    # An expression, lest the newest entries of the whole log are looked through for these.
    return described(request, page, entries.order_by((F("pk") + 0).desc())[:SHOWN])


def part(
    request: HttpRequest,
    rows: Any,
    owner: Mapping[str, Model],
    columns: Mapping[str, Callable[[Any], Cell]],
    *,
    title: str = "",
    prefetch: tuple[str, ...] = (),
    order: str = "-pk",
) -> Part:
    """The part with the first of ``rows``, which are those of the ``owner``, by the name of its field.

    ``columns`` are the values of the cells by their headings. The list of all, and the form for another one, are
    linked if the model has pages.
    """
    model = rows.model
    ((field, row),) = owner.items()
    more = add = ""
    if admin.site.is_registered(model):
        page = admin.site.get_model_admin(model)
        more = f"{address(model, 'changelist')}?{urlencode({f'{field}__id__exact': row.pk})}"
        if page.has_add_permission(request):
            add = f"{address(model, 'add')}?{urlencode({field: row.pk})}"
    found = rows.filter(**owner).prefetch_related(*prefetch).order_by(order)[:SHOWN]
    cells = [[(heading, cell(each)) for heading, cell in columns.items()] for each in found]
    return Part(title or plural(model), list(columns), cells, more, add)


def opened(text: Callable[[Any], str]) -> Callable[[Any], Cell]:
    """A cell that leads to the page of its row."""
    return lambda row: link_to(address(row, "change"), text(row))


def day(row: Any) -> str:
    """The day on which ``row`` was made."""
    return f"{row.created_at:%Y-%m-%d}"
