"""The addresses of the service, but for the probes' (``server.health``): the polled ones, and each room's others."""

from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path

import accounts.urls
import memberships.urls
from accounts.polled.fast_path import Endpoint
from accounts.polled.viewsets import PolledViewSet
from accounts.public.views import DeploymentViewSet
from api.document import OpenApiView, docs
from demo.mails import mails
from demo.playground import playground
from memberships.session.session_views import AccessTokenViewSet, CurrentUserViewSet, SessionStateViewSet
from memberships.views import OrganizationMembershipViewSet, WorkspaceMembershipViewSet
from staff.access.mfa_page import mfa_page, moved_mfa_page

FAST_PATHS: dict[str, Endpoint[Any]] = {}
"""The polled endpoints by path."""


def polled(view: type[PolledViewSet], action: str, **actions: str) -> URLPattern:
    """The address of an endpoint whose plain GETs the fast path answers, before Django and past ``view``.

    ``actions`` are those of other methods, which Django alone answers.
    """
    source = view.source
    methods = {"get", "head", "options", *actions}
    allowed = ", ".join(method.upper() for method in view.http_method_names if method in methods)
    FAST_PATHS[f"/{source.route}"] = source.endpoint._replace(allowed=allowed)
    return path(source.route, view.as_view({"get": action, **actions}))


urlpatterns = [
    polled(WorkspaceMembershipViewSet, "list"),
    polled(OrganizationMembershipViewSet, "list"),
    polled(CurrentUserViewSet, "retrieve", post="update"),
    polled(DeploymentViewSet, "retrieve"),
    polled(SessionStateViewSet, "retrieve"),
    polled(AccessTokenViewSet, "retrieve"),
    *accounts.urls.urlpatterns,
    *memberships.urls.urlpatterns,
    path("", playground),
    path("playground/mails", mails),
    path("openapi.json", OpenApiView.as_view()),
    path("docs/", docs),
    path("admin/mfa/", mfa_page, name="staff-mfa"),
    path("admin/second-factor/", moved_mfa_page),
    path("admin/", admin.site.urls),
]

handler400 = "api.exceptions.bad_request"
handler403 = "api.exceptions.permission_denied"
handler404 = "api.exceptions.page_not_found"
handler500 = "api.exceptions.server_error"
