"""Tables of cases inside a test, where making the rows anew takes longer than a case."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import wraps
from typing import Any

from django.core import mail
from django.db import connection, transaction
from django.test import Client

from database import cache

Test = Callable[..., None]


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


NOT_COPIED = {"caplog", "capsys", "monkeypatch", "request", "settings"}
"""Fixtures of pytest's that a test for each case has anew."""


def each(names: str | Sequence[str], cases: Iterable[Any], *, ids: Iterable[str] = ()) -> Callable[[Test], Test]:
    """``pytest.mark.parametrize`` within one test: to begin another one takes longer than most cases.

    Each case has rows and fixtures as they were before the first, but nothing is cached any more. Not for a test that
    commits, or patches something.
    """
    given = [{names: case} if isinstance(names, str) else dict(zip(names, case, strict=True)) for case in cases]
    labels = [*ids] or given

    def in_one(test: Test) -> Test:
        @wraps(test)
        def all_cases(**fixtures: Any) -> None:
            if connection.in_atomic_block:
                connection.check_constraints()  # once, not for each case, of what fixtures have written
            for label, values in zip(labels, given, strict=True):
                if connection.in_atomic_block:
                    with undone(label):
                        test(**_as_new(fixtures), **values)
                        if not connection.needs_rollback:
                            connection.check_constraints()  # those that are checked at a commit, as Django does it
                    mail.outbox.clear()
                else:
                    with named(label):
                        test(**fixtures, **values)

        signature = inspect.signature(test)
        assert not NOT_COPIED & signature.parameters.keys(), "a copy of it would do nothing, or stay for other tests"
        others = [parameter for name, parameter in signature.parameters.items() if name not in given[0]]
        all_cases.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]  # pytest reads it
        return all_cases

    return in_one


def _as_new(fixtures: dict[str, Any]) -> dict[str, Any]:
    """Copies of ``fixtures``, but for clients of Django, which hold all its middleware and keep a session's cookie."""
    return deepcopy(fixtures, {id(value): value for value in fixtures.values() if isinstance(value, Client)})
