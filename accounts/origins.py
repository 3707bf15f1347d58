"""Which front-ends may call a deployment from a browser (the Fetch standard's CORS protocol)."""

from __future__ import annotations

import re
from typing import Any

from corsheaders.signals import check_request_enabled
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from rest_framework.request import Request

from accounts.deployments import deployment_of
from config.api.errors import ApiError, Problem


def require_known_origin(request: Request) -> None:
    """Raise ``ApiError`` (403) unless the request says that it comes from a page of the deployment or an allowed one.

    Browsers state the origin of every POST and let no page forge it, so this keeps other sites from acting in a user's
    name.
    """
    origin = request.headers.get("Origin", "")
    own = f"{request.scheme}://{request.get_host()}"
    if origin.lower() != own.lower() and origin not in deployment_of(request).allowed_origins:
        raise ApiError(Problem.FOREIGN_ORIGIN)


def is_allowed(sender: Any, request: HttpRequest, **kwargs: Any) -> bool:
    """django-cors-headers' question: may a page of the request's Origin read the answer?

    It asks at every path, and takes yes for an answer there too: beyond the API it is no, and no database is asked.
    """
    origin = request.headers.get("Origin")
    if not origin or not re.match(settings.CORS_URLS_REGEX, request.path_info):
        return False
    try:
        return origin in deployment_of(request).allowed_origins
    except (ApiError, DatabaseError):
        return False  # the view says what is wrong


def connect() -> None:
    check_request_enabled.connect(is_allowed, dispatch_uid="accounts.origins")
