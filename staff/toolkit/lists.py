"""Lists that open in constant time however many rows there are: counted up to a cap, and sorted up to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR
from django.core.exceptions import EmptyResultSet, FieldDoesNotExist
from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import F
from django.db.models.expressions import NegatedExpression
from django.http import HttpRequest, QueryDict
from django.utils.functional import cached_property
from django.utils.text import capfirst
from unfold.templatetags import unfold_list
from unfold.views import ChangeList

from staff.models import SavedView
from staff.toolkit.columns import BOX
from staff.toolkit.exports import KINDS
from staff.toolkit.links import is_path, label_of_column, page_of
from staff.toolkit.saved_views import VIEW_VAR, address_of, is_own_page, open_view, query_of, views_of
from staff.toolkit.search import among, is_id

COUNTED = 5_000
"""The number of rows that are counted, paged through and sorted. Beyond it, staff search or filter."""


class CappedPaginator(Paginator):
    """Pages of the first COUNTED rows. A list of more is neither counted to its end nor sorted: it is newest first."""

    object_list: Any
    template_name = "staff/pagination.html"

    @cached_property
    def _counted(self) -> int:
        return int(self.object_list.order_by().values("pk")[: COUNTED + 1].count())  # without computed columns

    @cached_property
    def count(self) -> int:
        return min(self._counted, COUNTED)

    @property
    def goes_on(self) -> bool:
        """Whether there are more rows than are counted."""
        return self._counted > COUNTED

    def page(self, number: Any) -> Page:
        if self.goes_on:
            self.object_list = self.object_list.order_by("-pk")
        elif set(self.object_list.query.order_by) == {"-pk"}:
            # An expression, so that few rows among many are sorted, not looked for all along the primary key.
            self.object_list = self.object_list.order_by((F("pk") + 0).desc())
        return super().page(number)

    @property
    def total(self) -> str:
        """The number of rows, as far as it is known."""
        return _estimate(self.object_list) or f"more than {COUNTED:,}" if self.goes_on else f"{self.count:,}"


class StaffChangeList(ChangeList):
    """A list whose columns people choose. The order in its address names columns, or counts those that are offered.

    So the address means the same whichever columns show.
    """

    model_admin: Any
    list_display: Any
    paginator: CappedPaginator
    is_dataset = False  # unfold's templates look for it; see staff.toolkit.rendering
    is_exported = True
    """Whether the page offers the list as a file, its columns to choose, and views to save."""
    view: SavedView | None = None
    """The saved view that is open."""
    views: list[SavedView]
    """The reader's saved views of the list."""

    @property
    def files(self) -> list[tuple[str, str]]:
        """The kinds of files of what is filtered and searched, and their addresses."""
        query = self.get_query_string({PAGE_VAR: None, ORDER_VAR: None})  # "remove" takes all that begins so
        return [(name, f"export/{kind}/{query}") for kind, name in KINDS.items()] if self.is_exported else []

    @property
    def saved_views(self) -> list[dict[str, Any]]:
        """The ``name`` and ``address`` of each view of the reader, and whether it ``is_open``."""
        return [
            {"name": view.name, "address": f"?{address_of(view)}", "is_open": view == self.view} for view in self.views
        ]

    @property
    def query_to_save(self) -> str:
        """The search, filters and order of the list, as a view would have them."""
        return query_of(QueryDict(self.get_query_string().removeprefix("?")))

    @property
    def column_choices(self) -> list[dict[str, Any]]:
        """The columns that the page offers: ``name``, ``label``, whether each ``is_shown``, and ``is_fixed`` so."""
        return [
            {
                "name": name,
                "label": capfirst(label_of_column(self.model, name, self.model_admin)),
                "is_shown": name in self.list_display,
                "is_fixed": number == 0,
            }
            for number, name in enumerate(self.model_admin.offered_columns())
        ]

    @property
    def _numbered(self) -> list[str]:
        """The columns as an order counts them, whichever show."""
        return [*(name for name in self.list_display if name == BOX), *self.model_admin.offered_columns()]

    @contextmanager
    def _with_all_columns(self) -> Iterator[None]:
        shown, self.list_display = self.list_display, self._numbered
        try:
            yield
        finally:
            self.list_display = shown

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        with self._with_all_columns():
            return super().get_ordering(request, queryset)

    def get_ordering_field_columns(self) -> Any:
        """The ways, "asc" or "desc", of the shown columns that the list is sorted by, each by its place."""
        with self._with_all_columns():
            found = super().get_ordering_field_columns()
        names = dict(enumerate(self._numbered))
        shown = list(self.list_display)
        return {shown.index(names[number]): way for number, way in found.items() if names.get(number) in shown}

    def _read_order(self) -> None:
        """Bring the order of the address to the form in which Django reads it, and to names for all other addresses."""
        names = self._numbered
        parts = [part.rpartition("-") for part in self.params[ORDER_VAR].split(".")]
        known = [(way, _place(name, names)) for _, way, name in parts]
        order = [(way, place) for way, place in known if place is not None]
        self.params[ORDER_VAR] = ".".join(f"{way}{place}" for way, place in order)
        self.filter_params[ORDER_VAR] = [".".join(f"{way}{names[place]}" for way, place in order)]

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Django's; an order in ``new_params`` counts the columns shown, and the address names them."""
        if new_params and new_params.get(ORDER_VAR):
            parts = [part.rpartition("-") for part in new_params[ORDER_VAR].split(".")]
            order = ".".join(f"{way}{self.list_display[int(place)]}" for _, way, place in parts)
            new_params |= {ORDER_VAR: order}
        return super().get_query_string(new_params, remove)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        self.view = open_view(request, self.model)
        self.views = views_of(request, self.model) if is_own_page(request) else []
        if self.view is None:
            self.filter_params.pop(VIEW_VAR, None)
        if self.params.get(ORDER_VAR):
            self._read_order()
        computed = self.model_admin.computed
        rows = super().get_queryset(request, exclude_parameters)
        return rows.annotate(**{name: computed[name] for name in self.list_display if name in computed})

    def get_filters_params(self, params: Any = None) -> Any:
        found = super().get_filters_params(params)
        found.pop(VIEW_VAR, None)
        return found

    def apply_select_related(self, qs: Any) -> Any:
        """Also the rows that the chosen columns name."""
        rows = super().apply_select_related(qs)
        more = [name for name in self.list_display if name in self.model_admin.more_columns and _is_related(qs, name)]
        return rows.select_related(*more) if more else rows

    def url_for_result(self, result: Any) -> str:
        return page_of(result)

    def get_results(self, request: HttpRequest) -> None:
        self.queryset = _looked_for_once(self.queryset)
        super().get_results(request)
        self.full_result_count = self.result_count  # the pagination shows it
        if self.paginator.goes_on:
            self.sortable_by: Any = ()
            self.params.pop(ORDER_VAR, None)


def _heads(cl: Any) -> list[dict[str, Any]]:
    """The heads of the columns of ``cl``. unfold makes them anew for each row, in a fifth of the page's time."""
    if not hasattr(cl, "heads"):
        cl.heads = list(_heads_of_unfold(cl))
        for name, head in zip(cl.list_display, cl.heads, strict=True):
            if is_path(name):
                head["text"] = label_of_column(cl.model, name, cl.model_admin)
    heads: list[dict[str, Any]] = cl.heads
    return heads


_heads_of_unfold, unfold_list.result_headers = unfold_list.result_headers, _heads


def _looked_for_once(rows: Any) -> Any:
    """``rows``, by their ids if they are few that lack others: to find these takes as long for a page as for all."""
    if not any(isinstance(getattr(node, "lhs", node), NegatedExpression) for node in rows.query.where.children):
        return rows
    ids = ids_of(rows)
    return rows if ids is None else rows.filter(among(ids))


def ids_of(rows: Any) -> list[int] | None:
    """The ids of ``rows``; None if these are more than are counted."""
    ids = list(rows.order_by().values_list("pk", flat=True)[: COUNTED + 1])
    return ids if len(ids) <= COUNTED else None


def _is_related(rows: Any, name: str) -> bool:
    try:
        return bool(get_fields_from_path(rows.model, name)[-1].is_relation)
    except FieldDoesNotExist:
        return False


def _place(text: str, names: list[str]) -> int | None:
    """The place in ``names`` of the one that ``text`` is, by its name or by its number; None if there is none."""
    if text in names:
        return names.index(text)
    return int(text) if is_id(text) and int(text) < len(names) else None


def totals(several: list[Any]) -> list[str]:
    """The number of rows of each queryset, exact if they are few, else an estimate; in two statements at most."""
    found = _estimates([rows.model for rows in several if not rows.query.where])
    estimates = ["" if rows.query.where else found[rows.model] for rows in several]
    counted = iter(counts([rows for rows, estimate in zip(several, estimates, strict=True) if not estimate]))
    return [estimate or capped(next(counted)) for estimate in estimates]


def capped(number: int) -> str:
    """``number``, or that it is more than are counted."""
    return f"{number:,}" if number <= COUNTED else f"more than {COUNTED:,}"


def counts(several: list[Any]) -> list[int]:
    """The number of rows of each queryset, in one statement; without a limit of its own, at most COUNTED and one."""
    parts, values = [], []
    for rows in several:
        try:
            limited = rows if rows.query.is_sliced else rows.order_by().values("pk")[: COUNTED + 1]
            sql, params = limited.query.sql_with_params()
        except EmptyResultSet:
            sql, params = "SELECT WHERE false", ()
        parts.append(f"(SELECT count(*) FROM ({sql}) counted)")  # noqa: S608  Django writes it, values apart
        values += params
    if not parts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", values)
        return list(cursor.fetchone() or ())


def _estimate(rows: Any) -> str:
    """PostgreSQL's last estimate of the table's rows; "" if it is small, or ``rows`` are not all of it."""
    return "" if rows.query.where else _estimates([rows.model])[rows.model]


def _estimates(models: list[Any]) -> dict[Any, str]:
    """PostgreSQL's last estimates of the rows of whole tables; "" for small ones."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples::bigint FROM pg_class WHERE oid = ANY (%s::regclass[])",
            [[model._meta.db_table for model in models]],
        )
        found = dict(cursor.fetchall())
    numbers = {model: found[model._meta.db_table] for model in models}
    return {model: f"about {number:,}" if number > COUNTED else "" for model, number in numbers.items()}
