"""JSON text made by PostgreSQL: a Python value with SQL in it becomes one SQL expression.

``concat`` of constants and columns is the fastest way: at 1,000 memberships it takes a quarter less time than nested
``json_build_object``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

MAX_ARGUMENTS = 100
"""Of a function in PostgreSQL."""


class Json(str):
    """SQL whose value is JSON text."""


class Plain(str):
    """SQL whose value has nothing to escape, for a JSON string; null makes an empty one."""


def string(column: str) -> Json:
    """The text in ``column``."""
    return Json(f"to_json({column})")


def boolean(condition: str) -> Json:
    return Json(f"({condition})::text")


def time(column: str) -> Plain:
    """RFC 3339 in UTC."""
    return Plain(f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""")


def array(items: str) -> Json:
    """The array around ``items``, SQL for JSON texts with commas between them; null makes an empty one."""
    return Json(f"concat('[', {items}, ']')")


def json_text(value: Any) -> Json:
    """SQL for the JSON text of ``value``: dicts, lists and constants, with ``Json`` and ``Plain`` in them."""
    arguments: list[str] = []
    constant = ""
    for piece in _pieces(value):
        if isinstance(piece, Json):
            arguments += [_literal(constant), piece] if constant else [piece]
            constant = ""
        else:
            constant += piece
    if constant:
        arguments.append(_literal(constant))
    parts = [arguments[first : first + MAX_ARGUMENTS] for first in range(0, len(arguments), MAX_ARGUMENTS)]
    return Json(" || ".join(f"concat({', '.join(part)})" for part in parts))


def _pieces(value: Any) -> Iterator[str]:
    match value:
        case Json():
            yield value
        case Plain():
            yield from ('"', Json(value), '"')
        case dict():
            for index, (key, member) in enumerate(value.items()):
                yield f"{',' if index else '{'}{orjson.dumps(key).decode()}:"
                yield from _pieces(member)
            yield "}" if value else "{}"
        case list():
            yield "["
            for index, item in enumerate(value):
                yield "," if index else ""
                yield from _pieces(item)
            yield "]"
        case _:
            yield orjson.dumps(value).decode()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
