"""Lists that open in constant time however many rows there are: counted up to a cap, and sorted up to it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR
from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import F
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

from staff.toolkit.exports import KINDS

COUNTED = 5_000
"""The number of rows that are counted, paged through and sorted. Beyond it, staff search or filter."""


class CappedPaginator(Paginator):
    """Pages of the first COUNTED rows. A list of more is neither counted to its end nor sorted: it is newest first."""

    object_list: Any
    template_name = "staff/pagination.html"

    @cached_property
    def _counted(self) -> int:
        return int(self.object_list.order_by()[: COUNTED + 1].count())

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
    paginator: CappedPaginator
    is_exported = True
    """Whether the page offers the list as a file."""

    @property
    def files(self) -> list[tuple[str, str]]:
        """The kinds of files of what is filtered and searched, and their addresses."""
        query = self.get_query_string(remove=[PAGE_VAR, ORDER_VAR])
        return [(name, f"export/{kind}/{query}") for kind, name in KINDS.items()] if self.is_exported else []

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count  # the pagination shows it
        if self.paginator.goes_on:
            self.sortable_by: Any = ()
            self.params.pop(ORDER_VAR, None)


def total(rows: Any) -> str:
    """The number of ``rows``, exact if they are few, else an estimate."""
    return _estimate(rows) or CappedPaginator(rows, 1).total


def _estimate(rows: Any) -> str:
    """PostgreSQL's last estimate of the table's rows; "" if it is small, or ``rows`` are not all of it."""
    if rows.query.where:
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [rows.model._meta.db_table])
        number = int(cursor.fetchone()[0])
    return f"about {number:,}" if number > COUNTED else ""
