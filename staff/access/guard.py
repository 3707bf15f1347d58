"""The hosts of the pages for staff, and their Content-Security-Policy."""

from __future__ import annotations

from typing import TypeVar

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase

Response = TypeVar("Response", bound=HttpResponseBase)

CONTENT_SECURITY_POLICY = (
    # unfold's Alpine.js evaluates its attributes, and its Chart.js and Alpine.js write styles into the page.
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def require_admin_host(request: HttpRequest) -> None:
    """Raise ``Http404`` unless the Host header names one of ADMIN_HOSTS or there are none."""
    host = split_domain_port(request.get_host())[0].removesuffix(".")
    if settings.ADMIN_HOSTS and host not in {allowed.lower() for allowed in settings.ADMIN_HOSTS}:
        raise Http404


def guarded(response: Response) -> Response:
    """``response`` with the CONTENT_SECURITY_POLICY of the pages for staff."""
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    return response
