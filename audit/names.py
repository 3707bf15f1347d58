"""The current names of the objects in entries of the audit log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db.models import Model

from audit.models import AuditEntry
from audit.triggers import is_named


def name_subjects(entries: Iterable[AuditEntry]) -> None:
    """Give each of ``entries`` a ``subject_names``, by the texts of its ``subjects``. One query for each model.

    Objects that are gone or have no name of their own are left out.
    """
    entries = list(entries)
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for subject in entry.subjects[1:]:
            label, _, pk = subject.partition(":")
            wanted[label].add(pk)
    names: dict[str, str] = {}
    for label, ids in wanted.items():
        model = model_of(label)
        if model is not None and is_named(model):
            names |= {AuditEntry.subject(row): str(row) for row in model._base_manager.filter(pk__in=ids)}
    for entry in entries:
        entry.subject_names = {subject: names[subject] for subject in entry.subjects if subject in names}  # type: ignore[attr-defined]


def model_of(label: str) -> type[Model] | None:
    """The model called ``label`` in the log; None if it is no more."""
    try:
        return apps.get_model(label)
    except LookupError:
        return None


def referred_to(model: Any, column: str, value: Any) -> str:
    """The object that ``value`` in the ``column`` of ``model`` refers to, as a text of ``subjects``; "" for none."""
    for field in model._meta.concrete_fields if model else ():
        if field.column == column and field.many_to_one:
            return f"{field.related_model._meta.label_lower}:{value}"
    return ""
