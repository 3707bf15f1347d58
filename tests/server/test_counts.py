"""Counts a day on the real server: its processes write them in a thread, and once more when they end."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from urllib.error import HTTPError

import psycopg
import pytest

from tests.support.server import OwnPostgres, ServerProcess, wait_until


@pytest.fixture
def database_url(demo_env: dict[str, str], demo_postgres: OwnPostgres) -> Iterator[str]:
    """The URL of a database in which the server that tests share counts nothing."""
    with demo_postgres.copied_database() as url:
        yield url


def test_counts_are_written_now_and_then_and_at_the_end(demo_env: dict[str, str], database_url: str) -> None:
    server = ServerProcess(demo_env | {"DATABASE_URL": database_url, "THREADS": "1"})

    def fail_to_sign_in() -> None:
        body = {"strategy": "plain_email", "email": "ada@demo.example", "password": "wrong"}
        headers = {"Origin": server.base_url, "Content-Type": "application/json"}
        sent = urllib.request.Request(f"{server.base_url}/auth/signin", json.dumps(body).encode(), headers)
        with pytest.raises(HTTPError, match="401"):
            urllib.request.urlopen(sent)

    def counted() -> int:
        with psycopg.connect(database_url) as connection:
            query = "SELECT coalesce(sum(number), 0) FROM accounts_dailycount WHERE kind = 'failed_sign_ins'"
            (number,) = connection.execute(query).fetchone() or (0,)
        return int(number)

    before = counted()
    try:
        server.wait_for_it()
        fail_to_sign_in()
        wait_until(lambda: counted() == before + 1, "the first is written")
        for _ in range(3):
            fail_to_sign_in()
        server.terminate()
        assert counted() == before + 4
    finally:
        server.close()
