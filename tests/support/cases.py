"""Tables of cases inside a test, where making the rows anew takes longer than a case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from database import cache


@contextmanager
def named(*case: object) -> Iterator[None]:
    """An error of the block names its case."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"The case: {', '.join(map(repr, case))}")
        raise


@contextmanager
def undone(*case: object) -> Iterator[None]:
    """The same; and for the next case, rows are as they were before the block and nothing is cached."""
    with named(*case), transaction.atomic():
        yield
        transaction.set_rollback(True)
    cache.clear()
