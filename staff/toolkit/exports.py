"""Lists as files to save: streamed, some rows at a time, newest first.

Each statement goes on below the last id, so that a long download holds neither a cursor nor a transaction open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from html import unescape
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from memberships.import_export.cells import csv_line, metadata_cell, without_formulas
from staff.toolkit.links import label_of_column

KINDS = {"csv": "CSV", "jsonl": "JSON lines"}
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
CHUNK = 1_000

Row = dict[str, Any]


def file_of(rows: Iterable[Row], kind: str, *, name: str, columns: Sequence[str]) -> StreamingHttpResponse:
    """``rows``, which have the ``columns``, as a file of one of KINDS."""
    lines = _csv(rows, columns) if kind == "csv" else _json_lines(rows)
    response = StreamingHttpResponse(lines, content_type=CONTENT_TYPES[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def in_chunks(rows: QuerySet[Any], prepare: Callable[[list[Any]], object] = list) -> Iterator[Any]:
    """All of ``rows``; ``prepare`` is called with CHUNK of them at a time."""
    rows = rows.order_by("-pk")
    chunk = list(rows[:CHUNK])
    while chunk:
        prepare(chunk)
        yield from chunk
        chunk = list(rows.filter(pk__lt=chunk[-1].pk)[:CHUNK])


def list_file(page: ModelAdmin, rows: QuerySet[Any], columns: Sequence[str], kind: str) -> StreamingHttpResponse:
    """The ``columns`` of a list of ``page``, and the id, of all its ``rows``."""
    labels = {column: label_of_column(page.model, column, page) for column in columns}
    texts = ({"id": row.pk} | {labels[name]: _value(name, row, page) for name in columns} for row in in_chunks(rows))
    name = str(page.opts.verbose_name_plural).replace(" ", "_")
    return file_of(texts, kind, name=name, columns=["id", *labels.values()])


def _value(name: str, row: Any, page: ModelAdmin) -> Any:
    try:
        _, _, value = lookup_field(name, row, page)
    except ObjectDoesNotExist:
        return None
    if isinstance(value, SafeString):
        return unescape(strip_tags(value))
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | list | dict) else str(value)


def _json_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    return (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + csv_line(columns)  # without the mark, spreadsheets guess at the encoding
    for row in rows:
        yield csv_line(_cell(value) for value in row.values())


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return metadata_cell(json.dumps(value, ensure_ascii=False))
    if isinstance(value, list):
        value = ";".join(map(str, value))
    return "" if value is None else without_formulas(str(value))
