"""Statements that PostgreSQL keeps: asked again after whatever has failed (``config.database.reading``)."""

from __future__ import annotations

import time
from threading import Thread

import pytest
from django.db import DataError, connection, transaction

from config.database.reading import Statement, read, read_together

pytestmark = pytest.mark.django_db


def test_a_statement_whose_first_execution_fails_can_be_asked_again() -> None:
    statement = Statement("SELECT 6 / %(divisor)s::int")
    with pytest.raises(DataError), transaction.atomic():
        read(statement, {"divisor": b"0"})
    assert read(statement, {"divisor": b"3"}).rows() == [(2,)]


def test_one_that_fails_among_several_fails_them_all_and_spoils_none() -> None:
    statements = [Statement("SELECT 6 / %(divisor)s::int") for _ in range(3)]
    for _ in range(2):
        with pytest.raises(DataError), transaction.atomic():
            read_together(*zip(statements, ({"divisor": divisor} for divisor in (b"1", b"0", b"2")), strict=True))
    results = read_together(*((statement, {"divisor": b"2"}) for statement in statements))
    assert [result.rows() for result in results] == [[(3,)]] * 3


def test_null_is_null() -> None:
    (row,) = read(Statement("SELECT %(given)s::bigint, 'ä'::text"), {"given": None}).rows()
    assert row == (None, "ä")


@pytest.mark.parametrize("number", [1, 2])
def test_other_threads_go_on_while_one_waits_for_the_database(number: int) -> None:
    def wait() -> None:
        try:
            read_together(*((Statement("SELECT pg_sleep(1)::text"), {}) for _ in range(number)))
        finally:
            connection.close()

    thread = Thread(target=wait)
    thread.start()
    began = time.monotonic()
    while thread.is_alive() and time.monotonic() - began < 0.5:
        before = time.monotonic()
        time.sleep(0.01)
        assert time.monotonic() - before < 0.5  # it would be the whole second
    thread.join()
