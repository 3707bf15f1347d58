"""The WSGI application: what the server runs."""

from __future__ import annotations

import os
import re
from http import HTTPStatus
from typing import Any

from django.core.wsgi import get_wsgi_application

from config import operations
from config.express import short_answer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

_CHARSET = re.compile(r""";\s*charset\s*=\s*"?([^";\s]*)"?""", re.IGNORECASE)
_READABLE = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1"}

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """A probe's answer, the short way, or else Django, which is kept from charsets that Python knows and that are none,
    such as zlib: it fails on them unhandled.
    """
    content_type = environ.get("CONTENT_TYPE", "")
    named = _CHARSET.findall(content_type)
    if named and not all(name.lower() in _READABLE for name in named):
        environ["CONTENT_TYPE"] = _CHARSET.sub("", content_type)
    answer = operations.answer(environ) or short_answer(environ)
    if answer is None:
        return _django(environ, start_response)
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
    return [answer.body]
