"""Requests as WSGI variables (RFC 9112, 3 to 7). llhttp, the parser of Node, says what is well-formed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools

from api.errors import Problem

MAX_HEAD = 64 * 1024
"""Bytes of the whole head, and of all that comes between two parts of a body in chunks or behind the last one."""

_ABSOLUTE = re.compile(rb"https?://([^/?#]+)(?=[/?]|$)", re.IGNORECASE)


class RefusedError(Exception):
    """The request cannot be read, for the reason of ``problem``."""

    def __init__(self, problem: Problem = Problem.MALFORMED_REQUEST) -> None:
        self.problem = problem
        super().__init__(problem.message)


class Head:
    """A request without its body: ``environ``, and how the body comes."""

    def __init__(self, raw: bytes, connection: Mapping[str, Any]) -> None:
        """``raw`` ends with the empty line; ``connection`` are the variables of the connection.

        Raises ``RefusedError``.
        """
        self.environ = dict(connection)
        self.is_kept = False
        """Whether the client keeps the connection for further requests."""
        self.is_over = False
        """Whether a body that comes in chunks has come."""
        self._is_read = False
        self._parts: list[bytes] = []
        self._fruitless = 0
        """Bytes since the last ones that were part of the body."""
        self._url = b""
        self._parser = httptools.HttpRequestParser(self)
        self._feed(raw)
        protocol = raw[: raw.find(b"\r\n")].rpartition(b" ")[2].decode("latin-1")  # llhttp takes RTSP's and ICE's too
        method = self._parser.get_method().decode()
        if protocol not in ("HTTP/1.0", "HTTP/1.1") or method == "CONNECT":
            raise RefusedError
        self.environ |= {"REQUEST_METHOD": method, "SERVER_PROTOCOL": protocol}
        self.is_old = protocol == "HTTP/1.0"
        self._set_target()
        if not self.is_old and "HTTP_HOST" not in self.environ:
            raise RefusedError  # RFC 9112, 3.2
        coding = self.environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        self.is_chunked = "HTTP_TRANSFER_ENCODING" in self.environ
        if self.is_chunked and (coding != "chunked" or self.is_old or self._parser.should_upgrade()):
            raise RefusedError  # somebody else may find another end of this body (RFC 9112, 6.1)
        self.length = int(self.environ.get("CONTENT_LENGTH", 0))
        """Bytes of the body, unless it comes in chunks."""

    @property
    def is_simple(self) -> bool:
        """Whether it is a GET, the head is all there is to it, and the connection is kept."""
        is_whole = not self.length and not self.is_chunked and "HTTP_EXPECT" not in self.environ
        is_named = "HTTP_HOST" in self.environ  # else the address at which it came says which deployment
        return self.is_kept and is_whole and is_named and self.environ["REQUEST_METHOD"] == "GET"

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for a 100 before it sends the body (RFC 9110, 10.1.1)."""
        return not self.is_old and self.environ.get("HTTP_EXPECT", "").lower() == "100-continue"

    def read_chunks(self, data: bytes) -> bytes:
        """The content of the chunks in ``data``; raises ``RefusedError``."""
        self._parts.clear()
        self._feed(data)
        self._fruitless = 0 if self._parts else self._fruitless + len(data)
        if self._fruitless > MAX_HEAD:  # the parser keeps a field until it ends, and joins its parts again and again
            raise RefusedError(Problem.HEADERS_TOO_LARGE)
        return b"".join(self._parts)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # to what we do not speak: the request is like others (RFC 9110, 7.8)
            pass
        except httptools.HttpParserError as error:
            cause = error.__context__
            raise (cause if isinstance(cause, RefusedError) else RefusedError()) from error

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        if self.is_over:  # further requests behind chunks: they are not read, and the connection ends
            self.is_kept = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # A field behind chunks says nothing here, and an underscore would be taken for the hyphen of what proxies set.
        if self._is_read or b"_" in name:
            return
        key = name.decode("ascii").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        text = value.strip(b" \t").decode("latin-1")
        if key in self.environ:
            if key == "HTTP_HOST":
                raise RefusedError
            text = f"{self.environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        self.environ[key] = text

    def on_headers_complete(self) -> None:
        if not self._is_read:
            self._is_read, self.is_kept = True, self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        self.is_over = True

    def _set_target(self) -> None:
        target = self._url
        if absolute := _ABSOLUTE.match(target):
            target = target[absolute.end() :]
            if "HTTP_HOST" in self.environ or self.is_old:
                self.environ["HTTP_HOST"] = absolute[1].decode("latin-1")  # whatever the field says (RFC 9112, 3.2.2)
        path, _, query = target.partition(b"?")
        path = path or b"/"
        if not path.startswith(b"/") or b"#" in target:
            raise RefusedError
        self.environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
        self.environ["QUERY_STRING"] = query.decode("latin-1")
        self.environ["RAW_URI"] = self._url.decode("latin-1")
