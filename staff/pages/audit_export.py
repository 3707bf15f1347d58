"""Entries of the audit log as a file to save: streamed, some entries at a time, newest first.

The log is append-only and each statement goes on below the last id, so that a long download holds neither a cursor
nor a transaction open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from audit.models import AuditEntry
from audit.names import deployment_of
from memberships.import_export.cells import csv_line, metadata_cell, without_formulas

KINDS = {"csv": "CSV", "jsonl": "JSON lines"}
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
CHUNK = 1_000
COLUMNS = (
    "id",
    "at",
    "action",
    "kind",
    "object_id",
    "object",
    "refers_to",
    "deployment_id",
    "deployment",
    "actor_kind",
    "actor_id",
    "actor",
    "address",
    "part_of_id",
    "part_of",
    "before",
    "after",
)

Prepare = Callable[[Iterable[AuditEntry]], None]


def export_page(entries: QuerySet[AuditEntry], kind: str, *, prepare: Prepare) -> StreamingHttpResponse:
    """``entries`` as a file of one of KINDS; ``prepare`` gives some of them the names of their subjects and groups."""
    rows = (_row(entry) for entry in _in_chunks(entries, prepare))
    lines = _csv(rows) if kind == "csv" else (json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    response = StreamingHttpResponse(lines, content_type=CONTENT_TYPES[kind])
    response.headers["Content-Disposition"] = f'attachment; filename="audit_log.{kind}"'
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _in_chunks(entries: QuerySet[AuditEntry], prepare: Prepare) -> Iterator[AuditEntry]:
    entries = entries.order_by("-pk")
    chunk = list(entries[:CHUNK])
    while chunk:
        prepare(chunk)
        yield from chunk
        chunk = list(entries.filter(pk__lt=chunk[-1].pk)[:CHUNK])


def _row(entry: Any) -> dict[str, Any]:
    names = dict(entry.subject_names)
    values = (
        entry.pk,
        entry.at.isoformat(),
        entry.action,
        entry.model,
        entry.object_id,
        entry.name,
        {subject: names.get(subject, "") for subject in entry.subjects[1:]},
        entry.deployment_id,
        names.get(deployment_of(entry), ""),
        entry.actor_kind,
        entry.actor_id,
        entry.actor_name,
        entry.address,
        entry.group_id and str(entry.group_id),
        entry.group.name if entry.group else "",
        *(_shown(state, is_censored=entry.is_censored) for state in (entry.before, entry.after)),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _shown(state: dict[str, Any] | None, *, is_censored: bool) -> dict[str, Any] | None:
    if not is_censored or state is None:
        return state
    return {column: value for column, value in state.items() if column != "private_metadata"}


def _csv(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + csv_line(COLUMNS)  # without the mark, spreadsheets guess at the encoding
    for row in rows:
        yield csv_line(_cell(value) for value in row.values())


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return metadata_cell(json.dumps(value, ensure_ascii=False))
    return "" if value is None else without_formulas(str(value))
