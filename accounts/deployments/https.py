"""HTTPS_ONLY: limits requests over plain http."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase

from accounts.deployments.hosts import find_deployment, host_of
from api.errors import ApiError, Problem, error_response

_API = re.compile(r"/(me|session|auth|deployment|\.well-known)(/|$)|/openapi\.json$")
"""The addresses of the API, which never redirect."""


class HttpsOnlyMiddleware:
    """Refuses changes over plain http, and redirects pages to https; reading the API stays possible.

    A change is not redirected: most clients would follow with a GET, and the password has been sent in clear already.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.HTTPS_ONLY and not request.is_secure():
            if request.method not in ("GET", "HEAD", "OPTIONS"):
                return error_response(Problem.HTTPS_REQUIRED)
            if not _API.match(request.path_info):
                return _redirect(request)
        return self.get_response(request)


def _redirect(request: HttpRequest) -> HttpResponse:
    """A redirect to the same address over https; 404 if the Host header names no host of the service."""
    try:
        host = host_of(request)
        if host not in {name.lower() for name in settings.ADMIN_HOSTS} and find_deployment(host) is None:
            return error_response(Problem.UNKNOWN_DEPLOYMENT)
    except ApiError as error:
        return error_response(error.problem)
    except DatabaseError:
        return error_response(Problem.UNAVAILABLE)
    return HttpResponsePermanentRedirect(f"https://{request.get_host()}{request.get_full_path()}")
