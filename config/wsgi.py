"""The WSGI application: what the server runs."""

from __future__ import annotations

import os
import re
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

_CHARSET = re.compile(r""";\s*charset\s*=\s*"?([^";\s]*)"?""", re.IGNORECASE)
_READABLE = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1"}

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Django, protected from charsets that Python knows and that are none, such as zlib: it fails on them unhandled."""
    content_type = environ.get("CONTENT_TYPE", "")
    named = _CHARSET.findall(content_type)
    if named and not all(name.lower() in _READABLE for name in named):
        environ["CONTENT_TYPE"] = _CHARSET.sub("", content_type)
    return _django(environ, start_response)
