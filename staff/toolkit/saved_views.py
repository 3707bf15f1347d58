"""The views of a list that members of staff save: its search, filters, order and columns, under a name.

A view is its owner's alone. Its name and its search may say what other staff may not know, and permissions change after
it was saved; the address of a list hands it on as well. A view only narrows: its rows are read like any others, so
within the deployments that its owner may see by now.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IS_FACETS_VAR, IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, PAGE_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.urls import path

from staff.models import SavedView
from staff.toolkit.links import address

VIEW_VAR = "view"
"""The parameter of a list's address that says which view is open; one of somebody else counts for nothing."""
MAX_VIEWS = 30
"""The views of one list that a member of staff may have."""
NOT_KEPT = {ALL_VAR, ERROR_FLAG, IS_FACETS_VAR, IS_POPUP_VAR, PAGE_VAR, TO_FIELD_VAR, VIEW_VAR}

_FULL = f"You have {MAX_VIEWS} views of this list, and more are not possible. Delete one first."
_TAKEN = "You have a view of this name. Choose another name, or open that view and update it."
_TOO_LONG = "This search and its filters are too long to be saved."
_NAME = forms.CharField(
    max_length=SavedView.NAME_LENGTH,
    error_messages={
        "required": "Give the view a name.",
        "max_length": f"Give the view a shorter name, of {SavedView.NAME_LENGTH} characters at most.",
    },
)


class UnusableView(Exception):
    """The open ``view`` filters by something that its list does not have."""

    def __init__(self, view: SavedView) -> None:
        super().__init__(
            f"The view “{view.name}” filters by something that this list no longer has, so this is the whole list. "
            "Filter it anew and update the view, or delete it."
        )
        self.view = view


class SavedViews:
    """The part of a list's page that saves, changes and deletes the views of its reader."""

    model: type[Model]

    def get_urls(self) -> list[Any]:
        page: Any = self
        name = f"{page.opts.app_label}_{page.opts.model_name}"
        own = [
            path("views/", page.admin_site.admin_view(self.save_view), name=f"{name}_save_view"),
            path("views/<int:view_id>/", page.admin_site.admin_view(self.change_saved_view), name=f"{name}_saved_view"),
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]  # the admin class beside it has it

    def save_view(self, request: HttpRequest) -> HttpResponse:
        """Save the list of the address as a new view under the posted ``name``, and open it."""
        if refusal := refused(self, request):
            return refusal
        if len(views_of(request, self.model)) >= MAX_VIEWS:
            messages.error(request, _FULL)
            return to_list(self.model, request.GET.urlencode())
        view = SavedView(**_own(request, self.model), columns=columns_of(request, self.model))
        return self._write(request, view, "Saved the view “{}”.", name=True, query=True)

    def change_saved_view(self, request: HttpRequest, view_id: int) -> HttpResponse:
        """Rename a view, update it to the list of the address, or delete it, as the posted button says."""
        view = next((view for view in views_of(request, self.model) if view.pk == view_id), None)
        if view is None:
            raise Http404
        if refusal := refused(self, request):
            return refusal
        if "delete" in request.POST:
            view.delete()
            messages.success(request, f"Deleted the view “{view.name}”.")
            return to_list(self.model, query_of(request.GET))
        if "update" in request.POST:
            return self._write(request, view, "Updated the view “{}”.", query=True)
        return self._write(request, view, "Renamed the view to “{}”.", name=True)

    def _write(
        self, request: HttpRequest, view: SavedView, done: str, *, name: bool = False, query: bool = False
    ) -> HttpResponse:
        """Write the posted name, the query of the address, or both, and go back to the list with a message."""
        try:
            if name:
                view.name = " ".join(str(_NAME.clean(request.POST.get("name", ""))).split())
            if query:
                view.query = query_of(request.GET)
                if len(view.query) > SavedView.QUERY_LENGTH:
                    raise ValidationError(_TOO_LONG)
            with transaction.atomic():
                view.save()
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        except IntegrityError:
            messages.error(request, _TAKEN)
        else:
            messages.success(request, done.format(view.name))
            if query:
                return to_list(self.model, address_of(view))
        return to_list(self.model, request.GET.urlencode())


def refused(page: Any, request: HttpRequest) -> HttpResponse | None:
    """The answer to a request that is no post; raises ``PermissionDenied`` if the reader may not see the list."""
    if not page.has_view_permission(request):
        raise PermissionDenied
    return None if request.method == "POST" else HttpResponseNotAllowed(["POST"])


def to_list(model: type[Model], query: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{address(model, 'changelist')}?{query}")


def query_of(params: QueryDict) -> str:
    """The part of a list's address that a view keeps, always in the same order: its search, filters and order."""
    return urlencode(
        sorted((name, value) for name, values in params.lists() if name not in NOT_KEPT for value in values if value)
    )


def address_of(view: SavedView) -> str:
    """The query of the address that opens ``view``."""
    return f"{view.query}&{VIEW_VAR}={view.pk}" if view.query else f"{VIEW_VAR}={view.pk}"


def is_own_page(request: HttpRequest) -> bool:
    """Whether the list is a page of its own, neither a window to choose a row in nor a history."""
    return IS_POPUP_VAR not in request.GET and not hasattr(request, "history_of")


def views_of(request: HttpRequest, model: type[Model]) -> list[SavedView]:
    """The views of the list of ``model`` that the reader has saved, by name."""
    return [view for view in _kept(request, model) if view.name]


def open_view(request: HttpRequest, model: type[Model]) -> SavedView | None:
    """The view that the address of ``request`` says is open, if it is the reader's own."""
    opened = request.GET.get(VIEW_VAR) if is_own_page(request) else None
    return next((view for view in views_of(request, model) if str(view.pk) == opened), None) if opened else None


def columns_of(request: HttpRequest, model: type[Model]) -> list[str]:
    """The columns that the reader has chosen, for the open view or else for the list; none for the usual ones."""
    if not is_own_page(request):
        return []
    view = open_view(request, model) or next((view for view in _kept(request, model) if not view.name), None)
    return view.columns if view else []


def keep_columns(request: HttpRequest, model: type[Model], columns: list[str]) -> None:
    """Choose ``columns``, for the open view or else for the list."""
    view = open_view(request, model)
    name = view.name if view else ""
    SavedView.objects.update_or_create(**_own(request, model), name=name, defaults={"columns": columns})


def _own(request: HttpRequest, model: type[Model]) -> dict[str, Any]:
    return {"staff_id": request.user.pk, "model": model._meta.label_lower}


def _kept(request: HttpRequest, model: type[Model]) -> list[SavedView]:
    """All views that the reader has of the list, the one without a name too, read once a request."""
    if not hasattr(request, "_saved_views"):
        request._saved_views = list(SavedView.objects.filter(**_own(request, model)).order_by("name"))  # type: ignore[attr-defined]  # kept for the request
    views: list[SavedView] = request._saved_views  # type: ignore[attr-defined]  # kept for the request
    return views
