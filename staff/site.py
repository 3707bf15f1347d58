"""The site of the pages for staff, and the labels of its choices."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import DataError, models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern, path, reverse
from django_otp import user_has_device
from unfold.sites import UnfoldAdminSite

from staff.access.guard import guarded, require_admin_host
from staff.access.mfa_page import start_proven
from staff.access.sign_in import with_retry_after
from staff.home import home
from staff.navigation import sidebar
from staff.search import search_page
from staff.toolkit.choices import fitting
from staff.toolkit.fields import check_value
from staff.toolkit.pages import StaffAdmin

logger = logging.getLogger("rollcall")

Response = TypeVar("Response", bound=HttpResponseBase)

_EMPTY_NAMES = dict.fromkeys(["extra_attrs", "nested_inline", "outline", "size", "stacked", "value"], "")
"""Names that unfold's templates ask for dozens of times a page, and mostly in vain, which costs an exception each."""


class StaffSite(UnfoldAdminSite):
    """The admin. If ADMIN_HOSTS names any host, no other has it: the page does not exist there."""

    index_title = "Home"
    login_template = "staff/login.html"
    logout_template = "staff/signed_out.html"
    index_template = "staff/home.html"

    def index(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().index(request, home(request) | (extra_context or {}))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return _EMPTY_NAMES | super().each_context(request)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The models of one app. No page shows those of all apps: they have the sidebar (``staff.navigation``)."""
        return super().get_app_list(request, app_label) if app_label else []

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        return sidebar(request)

    def extra_urls(self) -> list[URLPattern]:
        """unfold puts these before its own."""
        return [path("check/<str:model>/<str:field>/", self.admin_view(check_value), name="check_value")]

    def admin_view(self, view: Callable[..., HttpResponseBase], cacheable: bool = False) -> Any:
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def only_here(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require_admin_host(request)
            with _blamed_on(request):
                return guarded(_rendered(inner(request, *args, **kwargs)))

        return only_here

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether a member of staff has signed in, with MFA if STAFF_MFA_REQUIRED."""
        user: Any = request.user
        return super().has_permission(request) and (not settings.STAFF_MFA_REQUIRED or user.is_verified())

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        require_admin_host(request)
        if self._must_enrol(request):
            return HttpResponseRedirect(reverse("staff-mfa"))
        response = super().login(request, extra_context)
        if request.method == "POST" and response.status_code == 302 and not user_has_device(request.user):
            start_proven(request)  # the password was given just now
        form = (getattr(response, "context_data", None) or {}).get("form")
        return guarded(with_retry_after(response, form))

    def _must_enrol(self, request: HttpRequest) -> bool:
        return (
            super().has_permission(request) and not self.has_permission(request) and not user_has_device(request.user)
        )

    def search(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return search_page(request)

    def autocomplete_view(self, request: HttpRequest) -> Any:
        return _Autocomplete.as_view(admin_site=self)(request)


class _Autocomplete(AutocompleteJsonView):
    """Offers rows by their full label, not by their name alone."""

    model_admin: StaffAdmin
    source_field: Any

    def process_request(self, request: HttpRequest) -> Any:
        """Run Django's checks, and refuse relations that lead back to a model: no form has those."""
        found = super().process_request(request)
        if found[2].auto_created:
            raise PermissionDenied
        return found

    def get_queryset(self) -> models.QuerySet:
        rows = fitting(self.source_field, super().get_queryset(), self.request.GET)
        related: Any = self.model_admin.list_select_related
        return rows.select_related(*related) if related else rows  # without a name it would follow every foreign key

    def serialize_result(self, obj: models.Model, to_field_name: str) -> dict[str, str]:
        result = super().serialize_result(obj, to_field_name)
        if isinstance(self.model_admin, StaffAdmin):
            result["text"] = self.model_admin.label(obj)
        return result


@contextmanager
def _blamed_on(request: HttpRequest) -> Iterator[None]:
    """Answer 400 if the database cannot make sense of a value that the address has; anything else is our own fault.

    The log keeps what the database said, lest a fault of ours hide there.
    """
    try:
        yield
    except DataError as error:
        match = request.resolver_match
        if not (request.META.get("QUERY_STRING") or (match and match.kwargs)):
            raise
        logger.warning("%s %s: the database refused a value", request.method, request.path, exc_info=error)
        raise BadRequest("the database refused a value") from error


def _rendered(response: Response) -> Response:
    """``response``, written now: some queries run no earlier."""
    if isinstance(response, SimpleTemplateResponse):
        response.render()
    return response
