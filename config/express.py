"""The short way: what is asked most often is answered past Django, by the module that the setting EXPRESS names.

The server asks ``ask`` what a request is, which it may remember for the same bytes from the same address, and
``answer`` for the answer. What either has no answer to goes the long way, through Django.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, NamedTuple, Protocol, cast

from django.conf import settings


class Answer(NamedTuple):
    """What WSGI takes; ``headers`` includes Content-Length where it has a place."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class ShortWay(Protocol):
    """What the module that EXPRESS names has."""

    START: bytes
    """How each request begins that it may answer."""

    def ask(self, environ: dict[str, Any]) -> Any:
        """What the request asks; None if it has to go the long way."""

    def answer(self, question: Any) -> Answer | None:
        """The answer to what ``ask`` gave; None if the request has to go the long way after all."""


@cache
def short_way() -> ShortWay:
    return cast(ShortWay, import_module(settings.EXPRESS))


def short_answer(environ: dict[str, Any]) -> Answer | None:
    """The answer to a WSGI request by the short way, None if it has to go the long way."""
    question = short_way().ask(environ)
    return None if question is None else short_way().answer(question)
