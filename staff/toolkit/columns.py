"""The columns of a list that a member of staff has chosen to see."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin.options import IS_POPUP_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path

from staff.models import SavedView
from staff.toolkit.links import address

BOX = "action_checkbox"
"""Django's column of boxes to choose rows with, before all others."""


class ChosenColumns:
    """The part of a list's page that shows the columns which its reader has chosen, of those that it offers.

    The first column leads to the row, and always shows.
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
        chosen = self.chosen_columns(request) or self.list_display
        first, *others = self.offered_columns()
        return [first, *(name for name in others if name in chosen)]

    def chosen_columns(self, request: HttpRequest) -> list[str]:
        """The columns that the reader has chosen; none stands for the ``list_display``."""
        if not chooses(request):
            return []
        if not hasattr(request, "_chosen_columns"):
            chosen = SavedView.objects.filter(staff_id=request.user.pk, model=self.model._meta.label_lower).first()
            request._chosen_columns = chosen.columns if chosen else []  # type: ignore[attr-defined]  # kept for the request
        columns: list[str] = request._chosen_columns  # type: ignore[attr-defined]  # kept for the request
        return columns

    def get_urls(self) -> list[Any]:
        page: Any = self
        view = page.admin_site.admin_view(self.choose_columns)
        name = f"{page.opts.app_label}_{page.opts.model_name}_columns"
        return [path("columns/", view, name=name), *super().get_urls()]  # type: ignore[misc]  # the admin class beside it has it

    def choose_columns(self, request: HttpRequest) -> HttpResponse:
        """Keep the posted ``columns`` for the reader, or with ``default`` forget theirs, and go back to the list."""
        page: Any = self
        if not page.has_view_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        posted = request.POST.getlist("columns")
        own: dict[str, Any] = {"staff_id": request.user.pk, "model": self.model._meta.label_lower}
        if "default" in request.POST:
            SavedView.objects.filter(**own).delete()
        else:
            first, *others = self.offered_columns()
            columns = [first, *(name for name in others if name in posted)]
            SavedView.objects.update_or_create(**own, defaults={"columns": columns})
        return back_to_list(self.model, request)


def chooses(request: HttpRequest) -> bool:
    """Whether the list is a page of its own: a window to choose a row in, or a history, has its fixed columns."""
    return IS_POPUP_VAR not in request.GET and not hasattr(request, "history_of")


def back_to_list(model: type[Model], request: HttpRequest) -> HttpResponseRedirect:
    """To the list with the filters, search and order that ``request`` has in its address."""
    return HttpResponseRedirect(f"{address(model, 'changelist')}?{request.GET.urlencode()}")
