"""Bounds on a request's headers and body, applied before Django reads them."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings

MAX_BODY = 64 * 1024
"""Bytes that an endpoint of the API takes."""
MAX_PICTURE = 5 * 2**20
"""Bytes of the file of a picture."""
_WITH_PICTURE = re.compile(r"/(me/profile-picture|(organizations|workspaces)(/[0-9]+/update)?)")
"""Addresses of the API that take a picture."""
MAX_CONTENT_TYPE = 1000
"""Characters. The longest that anybody needs names a boundary of 70 (RFC 2046, 5.1.1)."""
MAX_ETAGS = 8 * 1024
"""Characters of ETags that a condition may name. A client of the API keeps one ETag for an address."""
MAX_COOKIES = 500
"""Browsers send fewer than 200 to a host."""

_CHARSET = re.compile(r""";\s*charset\s*=\s*"?([^";\s]*)"?""", re.IGNORECASE)
_READABLE = {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1"}


def tidy(environ: dict[str, Any]) -> None:
    """Change or refuse headers on which Django would fail unhandled, or which it would take seconds to read."""
    content_type = environ.get("CONTENT_TYPE", "")
    if len(content_type) > MAX_CONTENT_TYPE:  # the time that Python takes grows with the square of its length
        environ["CONTENT_TYPE"] = "application/octet-stream"
    else:
        named = _CHARSET.findall(content_type)
        if named and not all(name.lower() in _READABLE for name in named):
            environ["CONTENT_TYPE"] = _CHARSET.sub(
                "", content_type
            )  # Python has a codec zlib, for instance, but not of text
    for name in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
        if len(environ.get(name, "")) > MAX_ETAGS:  # each of them is looked at
            environ[name] = environ[name][:MAX_ETAGS]
    cookies = environ.get("HTTP_COOKIE", "")
    if "\\" in cookies or cookies.count(";") > MAX_COOKIES:
        # No cookie holds a backslash (RFC 6265, 4.1.1), and the time to read it as an escape grows likewise.
        pairs = cookies.split(";", MAX_COOKIES)[:MAX_COOKIES]
        environ["HTTP_COOKIE"] = ";".join(pair for pair in pairs if "\\" not in pair)


def limit_at(path: str) -> int:
    """The number of bytes that anybody may send to ``path``."""
    staff: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if path.startswith("/admin/"):
        return staff
    return MAX_PICTURE + MAX_BODY if _WITH_PICTURE.fullmatch(path) else MAX_BODY
