"""Reading bodies."""

from __future__ import annotations

import codecs
import io
from typing import Any

from rest_framework.parsers import JSONParser

from api.errors import ApiError, Problem


class JsonParser(JSONParser):
    """Takes JSON in UTF-8, with or without the byte order mark that some editors write (RFC 8259, 8.1)."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Raises ``ParseError`` or ``ApiError`` (400)."""
        body: bytes = stream.read()
        if b"\0" in body or body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ApiError(Problem.MALFORMED_REQUEST, "The JSON must be in UTF-8; it seems to be in UTF-16.")
        return super().parse(io.BytesIO(body.removeprefix(codecs.BOM_UTF8)), media_type, parser_context)
