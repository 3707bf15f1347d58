"""Entries of the audit log as a file to save."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from django.db.models import Max, Min, QuerySet
from django.http import StreamingHttpResponse

from audit.models import AuditEntry
from audit.names import deployment_of
from staff.toolkit.exports import file_of, in_chunks

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

IDS = 200_000
"""The ids among which one statement looks for entries."""

Prepare = Callable[[Iterable[AuditEntry]], None]


def export_page(entries: QuerySet[AuditEntry], kind: str, *, prepare: Prepare) -> StreamingHttpResponse:
    """``entries`` as a file of a kind; ``prepare`` gives some of them the names of their subjects and groups."""
    found = chain.from_iterable(in_chunks(part, prepare) for part in _parts(entries))
    return file_of(map(_row, found), kind, name="audit_log", columns=COLUMNS)


def _parts(entries: QuerySet[AuditEntry]) -> Iterator[QuerySet[AuditEntry]]:
    """``entries``, newest first, in parts that one statement looks through in time, even for nothing."""
    ids = AuditEntry.objects.aggregate(first=Min("pk"), last=Max("pk"))
    if ids["last"] is not None:
        for last in range(ids["last"], ids["first"] - 1, -IDS):
            yield entries.filter(pk__gt=last - IDS, pk__lte=last)


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
