"""The invalidation log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Func
from django.db.models.functions import Now

from database.triggers import after_statement


class TransactionIdField(models.Field):
    """PostgreSQL's xid8: a 64-bit transaction id."""

    def db_type(self, connection: Any) -> str:
        return "xid8"


class CurrentTransactionId(Func):
    function = "pg_current_xact_id"
    output_field = TransactionIdField()


class Invalidation(models.Model):
    """A row of the invalidation log, which triggers write: a value that processes cache has changed.

    Rows are kept for a day, longer than a process keeps its cache without reading them (``database.cache``). Writers
    delete more rows than they add, ``sweep`` deletes them while nobody writes.
    """

    kind = models.CharField(max_length=20)
    key = models.BigIntegerField(help_text="The id of what changed; 0 where the kind says it all.")
    transaction = TransactionIdField(db_default=CurrentTransactionId(), editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["transaction"], name="database_invalidation_by_xact")]
        triggers = [
            after_statement(
                "keep_for_a_day",
                pgtrigger.Insert,
                """
                    IF random() < 0.01 * (SELECT count(*) FROM new_rows) THEN
                        -- Found once, by an array of places: for a join, the statistics may be those of an empty table.
                        DELETE FROM database_invalidation WHERE ctid = ANY (ARRAY(
                            SELECT ctid FROM database_invalidation
                            WHERE id < (SELECT min(id) + 2000 FROM database_invalidation)
                                AND created_at < now() - interval '1 day'
                            FOR UPDATE SKIP LOCKED
                        ));
                    END IF;
                    RETURN NULL;
                """,
                referencing={"new": "new_rows"},
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


def sweep() -> int:
    """Delete the rows of the log that are older than a day, some at a time; gives their number."""
    number = 0
    while oldest := Invalidation.objects.order_by("pk").values_list("pk", flat=True).first():
        old = Invalidation.objects.filter(pk__lt=oldest + 10_000, created_at__lt=Now() - timedelta(days=1))
        deleted, _ = old.delete()
        if not deleted:
            break
        number += deleted
    return number
