"""The short way to the answer that every open tab polls for.

What Django and Django REST framework do for any request, and what this one has no need of, takes longer than the answer
itself: so a middleware gives it, made by the very functions that the view calls. Whatever is not plain, such as another
method or a body, goes the long way; a test holds both ways against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, resolve
from rest_framework.request import Request

from accounts import tenants
from accounts.authentication import write_token
from config.api.exceptions import to_response
from config.api.views import surely_accepts_json
from memberships.lookup import Lookup
from memberships.views import listing_answer

PATH = "/me/workspace-memberships"
ALLOWED = "GET, HEAD, OPTIONS"
"""Django REST framework tells it with every answer."""


class ExpressMiddleware:
    """Answers GET /me/workspace-memberships; stands behind the middleware whose headers the answer needs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == PATH and _is_plain(request):
            request.resolver_match = _match()
            return _answer(request)
        return self.get_response(request)


def _is_plain(request: HttpRequest) -> bool:
    """Whether all that the view would first look at is as it mostly is."""
    return (
        request.method == "GET"
        and request.META.get("CONTENT_LENGTH") in (None, "", "0")
        and "HTTP_TRANSFER_ENCODING" not in request.META
        and surely_accepts_json(request)
    )


@cache
def _match() -> ResolverMatch:
    """For the metrics."""
    return resolve(PATH)


def _answer(http: HttpRequest) -> HttpResponse:
    request = Request(http)
    try:
        tenants.tenant_of(request)
        lookup = Lookup()
        response = listing_answer(request, lookup.find(request), lookup)
    except Exception as error:  # what it is, and whether anybody should know, to_response knows
        response = to_response(error, {"request": request})
    write_token(request, response)
    response.headers["Allow"] = ALLOWED
    if response.status_code != 304:
        response.headers["Content-Length"] = str(len(response.content))
    return response
