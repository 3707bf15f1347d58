"""Entries of the audit log."""

from __future__ import annotations

from django.db.models import Model

from audit.models import AuditEntry


def the_entry_of(row: Model) -> AuditEntry:
    """The newest entry about ``row``."""
    return AuditEntry.objects.filter(model=row._meta.label_lower, object_id=row.pk).latest("pk")
