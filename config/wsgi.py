"""The WSGI application, for servers of development and tests; ``manage.py serve`` answers by ``server.service``."""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import Any

from django.core.wsgi import get_wsgi_application

from api.bounds import tidy

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_django = get_wsgi_application()

from server import at_once  # noqa: E402 (the models are there from here on)


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """A probe's answer, the fast path, or else Django."""
    tidy(environ)
    answer = at_once.answer(environ)
    if answer is None:
        return _django(environ, start_response)
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
    return [answer.body]
