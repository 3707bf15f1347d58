"""Caching in a test, whose rows are rolled back after it with its one transaction."""

from __future__ import annotations

import pytest

from database.cache import Changes
from database.prepared import Result


def cache_what_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the test's own changes as those of another transaction, which still runs: then what it reads is cached."""
    of = Changes.of

    def of_another(row: Result) -> Changes:
        changes = of(row)
        if not changes.own_transaction:
            return changes
        _, xmax, running = changes.snapshot.split(b":")
        # PostgreSQL lists none from xmax on; and if it lists none at all, all from xmin on are read the next time.
        is_listed = running and int(changes.own_transaction) < int(xmax)
        snapshot = changes.snapshot + b"," + changes.own_transaction if is_listed else changes.snapshot
        return changes._replace(snapshot=snapshot, own_transaction=None)

    monkeypatch.setattr(Changes, "of", of_another)
