"""Decides which front-ends may call a deployment from a browser (the Fetch standard's CORS protocol)."""

from __future__ import annotations

import re
from typing import Any

from corsheaders.signals import check_request_enabled
from django.conf import settings
from django.dispatch import receiver
from django.http import HttpRequest
from rest_framework.request import Request

from accounts.deployments.cached_deployments import deployment_of, last_known_deployment
from api.errors import ApiError, Problem

MISSING = (
    "Say where the request comes from: send the header Origin, as in “Origin: {origin}”, "
    "or the session's token as Authorization: Bearer."
)

_DEFAULT_PORTS = {"http": 80, "https": 443}
_WEB_ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII)


def require_known_origin(request: Request) -> None:
    """Raise ``ApiError`` (403) unless the request says that it comes from a page of the deployment or an allowed one.

    Browsers state the origin of every POST and let no page forge it, so this keeps other sites from acting in a user's
    name.
    """
    origin = request.headers.get("Origin", "")
    if not origin:
        raise ApiError(Problem.FOREIGN_ORIGIN, MISSING.format(origin=own_origin(request._request)))
    if not _is_own(origin, request._request) and origin not in deployment_of(request).allowed_origins:
        raise ApiError(Problem.FOREIGN_ORIGIN)


def own_origin(request: HttpRequest) -> str:
    """The origin of pages at the host that ``request`` was sent to, as browsers write it."""
    written = f"{request.scheme}://{request.get_host()}".lower()
    parts = _parts(written)
    return written if parts is None or parts[2] != _DEFAULT_PORTS[parts[0]] else f"{parts[0]}://{parts[1]}"


def _is_own(origin: str, request: HttpRequest) -> bool:
    """Whether ``origin`` has the scheme, host and port to which ``request`` was sent (RFC 6454, 5)."""
    parts = _parts(origin)
    return parts is not None and parts == _parts(own_origin(request))


def _parts(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port, which is the scheme's own if none is written; None if ``origin`` is no web page's."""
    match = _WEB_ORIGIN.fullmatch(origin.lower())
    return (match[1], match[2], int(match[3] or _DEFAULT_PORTS[match[1]])) if match else None


@receiver(check_request_enabled, dispatch_uid="accounts.origins")
def is_allowed(sender: Any, request: HttpRequest, **kwargs: Any) -> bool:
    """Whether a page of the request's Origin may read the answer, for django-cors-headers.

    It calls this for every path. Beyond the API the answer is no, without a look into the database.
    """
    origin = request.headers.get("Origin")
    if not origin or not re.match(settings.CORS_URLS_REGEX, request.path_info):
        return False
    http: Any = request
    if not hasattr(http, "allows_origin"):
        known = last_known_deployment(request)  # a page that could read answers before can read a 503, too
        http.allows_origin = known is not None and origin in known.allowed_origins
    return bool(http.allows_origin)
