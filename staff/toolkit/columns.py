"""The columns of a list that a member of staff has chosen to see."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import path

from staff.toolkit.saved_views import columns_of, keep_columns, refused, to_list

BOX = "action_checkbox"
"""Django's column of boxes to choose rows with, before all others."""


class ChosenColumns:
    """The part of a list's page that shows the columns which its reader has chosen, of those that it offers.

    The first column leads to the row, and always shows. A window to choose a row in, and a history, have their fixed
    columns.
    """

    model: type[Model]
    list_display: Any
    more_columns: ClassVar[tuple[str, ...]] = ()
    """Columns besides ``list_display``, which show only to those who choose them."""
    computed: ClassVar[dict[str, Any]] = {}
    """The expressions of columns that are annotations, by name; the query has those alone that show."""

    def offered_columns(self) -> list[str]:
        return [*self.list_display, *self.more_columns]

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns that show. Names that the page does not offer (any more) count for nothing."""
        return self._offered(columns_of(request, self.model) or self.list_display)

    def _offered(self, names: Any) -> list[str]:
        first, *others = self.offered_columns()
        return [first, *(name for name in others if name in names)]

    def get_urls(self) -> list[Any]:
        page: Any = self
        view = page.admin_site.admin_view(self.choose_columns)
        name = f"{page.opts.app_label}_{page.opts.model_name}_columns"
        return [path("columns/", view, name=name), *super().get_urls()]  # type: ignore[misc]  # the admin class beside it has it

    def choose_columns(self, request: HttpRequest) -> HttpResponse:
        """Keep the posted ``columns`` for the reader, or with ``default`` the usual ones, and go back to the list."""
        if refusal := refused(self, request):
            return refusal
        chosen = [] if "default" in request.POST else self._offered(request.POST.getlist("columns"))
        keep_columns(request, self.model, chosen)
        return to_list(self.model, request.GET.urlencode())
