"""Writing around the models' own checks, as imports and consoles do, and being refused by the database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from typing import Any, Protocol, cast

import psycopg
import pytest
from django.db import IntegrityError, connection, models, transaction

from tests.support.cases import each

Row = dict[str, Any]


def execute(sql: str, params: Sequence[Any] = ()) -> int:
    """Run ``sql`` and return the number of rows that it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


@contextmanager
def refused(constraint_name: str) -> Iterator[None]:
    """The block must fail with an ``IntegrityError`` of that very constraint; what it did before is undone."""
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        yield
    assert isinstance(caught.value.__cause__, psycopg.Error)
    assert caught.value.__cause__.diag.constraint_name == constraint_name


class Insert(Protocol):
    """Inserts ``rows``, given by column, in one statement."""

    def __call__(self, model: type[models.Model], *rows: dict[str, Any]) -> None: ...


def insert_by_sql(model: type[models.Model], *rows: dict[str, Any]) -> None:
    columns = list(rows[0])
    row = f"({', '.join(['%s'] * len(columns))})"
    execute(
        f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) VALUES {', '.join([row] * len(rows))}",
        [values[column] for values in rows for column in columns],
    )


def insert_in_bulk(model: type[models.Model], *rows: dict[str, Any]) -> None:
    model._base_manager.bulk_create([model(**row) for row in rows])


class Update(Protocol):
    """Gives ``row`` other ``values``, given by column."""

    def __call__(self, row: models.Model, **values: Any) -> None: ...


def update_by_sql(row: models.Model, **values: Any) -> None:
    execute(
        f"UPDATE {row._meta.db_table} SET {', '.join(f'{column} = %s' for column in values)} WHERE id = %s",
        [*(json.dumps(value) if "metadata" in column else value for column, value in values.items()), row.pk],
    )


def update_in_bulk(row: models.Model, **values: Any) -> None:
    type(row)._base_manager.filter(pk=row.pk).update(**values)


each_insert = each("insert", [insert_by_sql, insert_in_bulk])
each_update = each("update", [update_by_sql, update_in_bulk])


def everything_stored() -> str:
    """The content of every table, as anybody with a copy of the database can read it."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        texts = []
        for table in tables:
            cursor.execute(f'SELECT coalesce(string_agg(row::text, chr(10)), $$$$) FROM "{table}" row')
            texts.append(cursor.fetchone()[0])
    return "\n".join(texts)


@contextmanager
def round_trips(expected: int) -> Iterator[None]:
    """Fail unless the block makes exactly so many round trips, as libpq traces them."""
    connection.ensure_connection()
    pgconn = cast(Any, connection.connection).pgconn
    with TemporaryFile("w+") as trace:
        pgconn.trace(trace.fileno())
        yield
        pgconn.untrace()
        trace.seek(0)
        assert len(re.findall(r"(?m)^[^\t]+\tF\t\d+\t(?:Sync|Query)\b", trace.read())) == expected


# Connections that a module keeps: a new one first reads PostgreSQL's catalogs, which takes longer than most tests.


@pytest.fixture(scope="module")
def reader(django_db_setup: None) -> Iterator[psycopg.Connection]:
    """A connection that sees what is committed. It plans its queries once: oracles ask the same ones all the time."""
    own = {"autocommit": True, "cursor_factory": psycopg.Cursor, "prepare_threshold": 0}
    with psycopg.connect(**connection.get_connection_params() | own) as connected:
        yield connected


@pytest.fixture(scope="module")
def shared_writers(django_db_setup: None) -> Iterator[list[psycopg.Connection]]:
    with ExitStack() as stack:
        yield [stack.enter_context(psycopg.connect(**connection.get_connection_params())) for _ in range(4)]


@pytest.fixture
def writers(shared_writers: list[psycopg.Connection], transactional_db: None) -> Iterator[list[psycopg.Connection]]:
    """Four connections of others; a test may leave their transactions open."""
    yield shared_writers
    for writer in shared_writers:
        writer.rollback()
