"""The names of the objects in entries of the audit log, as they were called then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import connection

from audit.models import AuditEntry, model_of
from audit.triggers import deployments, is_named

_NAMES_THEN = """
    SELECT wanted.entry, wanted.model || ':' || wanted.object_id, coalesce(until_then.name, after_it.name)
    FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) wanted (entry, model, object_id)
    LEFT JOIN LATERAL (
        SELECT name FROM audit_auditentry
        WHERE object_id = wanted.object_id AND model = wanted.model AND name <> '' AND id <= wanted.entry
        ORDER BY id DESC LIMIT 1
    ) until_then ON true
    LEFT JOIN LATERAL (
        SELECT name FROM audit_auditentry
        WHERE object_id = wanted.object_id AND model = wanted.model AND name <> '' AND id > wanted.entry
        ORDER BY id LIMIT 1
    ) after_it ON until_then.name IS NULL
    WHERE coalesce(until_then.name, after_it.name) IS NOT NULL
"""


def name_subjects(entries: Iterable[AuditEntry]) -> None:
    """Give each of ``entries`` a ``subject_names``, by the texts of its ``subjects`` and of its deployment.

    The names are those of the time of the entry, as the log itself has them, so that they outlive their objects. An
    object without an entry of its own has its present name. Objects that have no name of their own are left out.
    """
    entries = list(entries)
    wanted = {(entry.pk, subject) for entry in entries for subject in _named_beside(entry)}
    names = _names_then(wanted)
    names_now = _names_now({subject for key in wanted - names.keys() for subject in key[1:]})
    for entry in entries:
        found = {subject: names.get((entry.pk, subject), names_now.get(subject)) for subject in _named_beside(entry)}
        entry.subject_names = {subject: name for subject, name in found.items() if name}  # type: ignore[attr-defined]  # added for the page


def deployment_of(entry: AuditEntry) -> str:
    """The deployment of ``entry`` as a text of ``subjects``, among which it is not; "" for none."""
    return f"{deployments()._meta.label_lower}:{entry.deployment_id}" if entry.deployment_id else ""


def _named_beside(entry: AuditEntry) -> list[str]:
    subjects = [*entry.subjects[1:], deployment_of(entry)]
    return [subject for subject in subjects if (model := model_of(subject.partition(":")[0])) and is_named(model)]


def _names_then(wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], str]:
    rows = [(entry, *subject.split(":")) for entry, subject in wanted]
    columns = [[row[column] for row in rows] for column in range(3)]
    with connection.cursor() as cursor:
        cursor.execute(_NAMES_THEN, columns)
        return {(entry, subject): name for entry, subject, name in cursor}


def _names_now(subjects: Iterable[str]) -> dict[str, str]:
    """One query for each model."""
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for subject in subjects:
        label, _, pk = subject.partition(":")
        ids[label].add(pk)
    names: dict[str, str] = {}
    for label, pks in ids.items():
        rows = apps.get_model(label)._base_manager.filter(pk__in=pks)
        names |= {AuditEntry.subject(row): str(row) for row in rows}
    return names


def referred_to(model: Any, column: str, value: Any) -> str:
    """The object that ``value`` in the ``column`` of ``model`` refers to, as a text of ``subjects``; "" for none."""
    for field in model._meta.concrete_fields if model else ():
        if field.column == column and field.many_to_one:
            return f"{field.related_model._meta.label_lower}:{value}"
    return ""
