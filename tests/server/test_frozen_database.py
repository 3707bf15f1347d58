"""A database that hangs: every request gets its answer in time, and those that need no database as ever."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest

from server.threads import MAX_WAITING
from tests.support.api import MEMBERSHIPS
from tests.support.demo import CHIOMA, THREADS
from tests.support.server import SOON, Connection, OwnPostgres, Reply, request, wait_until

POST = {"Content_Length": "2", "Content_Type": "application/json"}


@pytest.fixture(scope="module")
def cookie(demo_cookies: dict[str, str]) -> str:
    return demo_cookies[CHIOMA]


@pytest.fixture(scope="module")
def server(demo_server: str) -> str:
    return demo_server


def code_of(answer: Reply) -> int:
    return int(json.loads(answer.body)["errors"][0]["code"])


def timed(base_url: str, path: str, cookie: str) -> tuple[Reply, float]:
    began = time.monotonic()
    return request(base_url, path, Cookie=cookie), time.monotonic() - began


@pytest.mark.parametrize("is_kept", [False, True], ids=["new connections", "kept connections"])
def test_every_request_is_answered_while_the_database_is_frozen(
    demo_postgres: OwnPostgres, server: str, cookie: str, is_kept: bool
) -> None:
    paths = [MEMBERSHIPS, "/session", "/me", "/deployment", "/.well-known/jwks.json"]
    wait_until(lambda: {request(server, path, Cookie=cookie).status for path in paths} == {200}, "all is well")

    def ask(path: str) -> tuple[str, int, float]:
        with Connection(server) as client:
            if is_kept:
                client.request("/healthz")
            began = time.monotonic()
            status = client.request(path, Cookie=cookie).status
            return path, status, time.monotonic() - began

    with demo_postgres.frozen(), ThreadPoolExecutor(20) as clients:
        for _ in range(2):
            found = list(clients.map(ask, paths * 3))
            assert [(path, status) for path, status, _ in found if status != 503] == []
            assert max(seconds for _, _, seconds in found) < SOON
            answer, seconds = timed(server, "/healthz", cookie)
            assert (answer.status, seconds < SOON) == (200, True)
        answer, seconds = timed(server, "/readyz", cookie)
        assert (answer.status, seconds < SOON) == (503, True)
    wait_until(lambda: {request(server, path, Cookie=cookie).status for path in paths} == {200}, "normal")
    assert all(request(server, path, Cookie=cookie).status == 200 for path in paths * 2)


def test_a_503_says_when_to_come_back_and_who_may_read_it(demo_postgres: OwnPostgres, server: str, cookie: str) -> None:
    wait_until(lambda: request(server, MEMBERSHIPS, Cookie=cookie).status == 200, "all is well")
    before = request(server, MEMBERSHIPS, Cookie=cookie)
    with demo_postgres.frozen():
        answer = request(server, MEMBERSHIPS, Cookie=cookie)
    assert (answer.status, code_of(answer)) == (503, 50301)
    assert int(answer.headers["Retry-After"]) > 0
    for name in ("Vary", "Cache-Control", "X-Content-Type-Options", "Allow"):
        assert answer.headers[name] == before.headers[name]


@pytest.mark.parametrize("path", [MEMBERSHIPS, "/me/signins", "/.well-known/jwks.json"])
def test_a_503_of_a_frozen_database_can_be_read_by_allowed_pages(
    demo_postgres: OwnPostgres, server: str, cookie: str, path: str
) -> None:
    page = "https://page.example.net"
    with psycopg.connect(demo_postgres.url, autocommit=True) as other:
        other.execute("UPDATE accounts_deployment SET allowed_origins = allowed_origins || %s::varchar", [page])
    wait_until(lambda: request(server, path, Cookie=cookie, Origin=page).status == 200, "all is well")
    before = request(server, path, Cookie=cookie, Origin=page)
    with demo_postgres.frozen():
        for _ in range(2):  # at first Django is asked
            answer = request(server, path, Cookie=cookie, Origin=page)
            foreign = request(server, path, Cookie=cookie, Origin="https://foreign.example.net")
            assert (answer.status, foreign.status) == (503, 503)
            for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Vary"):
                assert answer.headers[name] == before.headers[name]
            assert (answer.headers["Access-Control-Allow-Origin"], foreign.headers["Access-Control-Allow-Origin"]) == (
                page,
                None,
            )


def test_healthz_answers_while_all_threads_hang(demo_postgres: OwnPostgres, server: str, cookie: str) -> None:
    wait_until(lambda: request(server, "/.well-known/jwks.json").status == 200, "all is well")
    with psycopg.connect(demo_postgres.url) as other, ExitStack() as stack:
        other.execute("LOCK accounts_deployment, accounts_signingkey IN ACCESS EXCLUSIVE MODE")
        hanging = [stack.enter_context(Connection(server)) for _ in range(THREADS)]
        for client in hanging:
            client.send(client.head("/.well-known/jwks.json"))
        time.sleep(0.3)
        answer, seconds = timed(server, "/healthz", cookie)
        assert (answer.status, seconds < SOON) == (200, True)
        other.rollback()
        assert [client.receive().status for client in hanging] == [200] * THREADS


def test_more_requests_than_may_wait_for_django_are_refused_at_once(
    demo_postgres: OwnPostgres, server: str, cookie: str
) -> None:
    with psycopg.connect(demo_postgres.url) as other, ExitStack() as stack:
        other.execute("LOCK accounts_deployment, accounts_signingkey IN ACCESS EXCLUSIVE MODE")
        for _ in range(MAX_WAITING):
            waiting = stack.enter_context(Connection(server))
            waiting.send(waiting.head("/.well-known/jwks.json"))
        wait_until(lambda: timed(server, "/.well-known/jwks.json", "")[0].status == 503, "it refuses")
        answer, seconds = timed(server, "/.well-known/jwks.json", "")
        assert (answer.status, code_of(answer), seconds < SOON) == (503, 50301, True)
        assert int(answer.headers["Retry-After"]) > 0
        other.rollback()


def test_requests_whose_clients_are_gone_are_bounded_too(demo_postgres: OwnPostgres, server: str) -> None:
    with psycopg.connect(demo_postgres.url) as other:
        other.execute("LOCK accounts_deployment, accounts_signingkey IN ACCESS EXCLUSIVE MODE")
        for _ in range(MAX_WAITING):
            with Connection(server) as gone:
                gone.send(gone.head("/.well-known/jwks.json"))
                time.sleep(0.005)
                gone.reset()
        answer, seconds = timed(server, "/.well-known/jwks.json", "")
        assert (answer.status, seconds < SOON) == (503, True)
        other.rollback()
    wait_until(lambda: request(server, "/.well-known/jwks.json").status == 200, "there is room")


def test_a_lock_on_one_table_leaves_polls_of_others_alone(demo_postgres: OwnPostgres, server: str, cookie: str) -> None:
    assert [request(server, MEMBERSHIPS, Cookie=cookie).status for _ in range(3)] == [200] * 3
    with psycopg.connect(demo_postgres.url) as other, Connection(server) as blocked:
        other.execute("LOCK accounts_deploymentalias IN ACCESS EXCLUSIVE MODE")
        blocked.send(blocked.head("/deployment", Host="nowhere.example.com"))
        time.sleep(0.1)
        answer, seconds = timed(server, MEMBERSHIPS, cookie)
        assert (answer.status, seconds < SOON) == (200, True)
        other.rollback()
        assert blocked.receive().status == 404


def test_every_request_is_answered_in_time_while_a_table_is_locked(
    demo_postgres: OwnPostgres, server: str, cookie: str
) -> None:
    paths = [MEMBERSHIPS, "/session", "/me", "/.well-known/jwks.json"]
    wait_until(lambda: {request(server, path, Cookie=cookie).status for path in paths} == {200}, "all is well")
    page = "https://unknown.example.net"

    def ask(path: str) -> tuple[str, int, float]:
        began = time.monotonic()
        status = request(server, path, Cookie=cookie, Origin=page).status
        return path, status, time.monotonic() - began

    with psycopg.connect(demo_postgres.url) as other, ThreadPoolExecutor(80) as clients:
        other.execute("LOCK accounts_session, accounts_deployment IN ACCESS EXCLUSIVE MODE")
        found = list(clients.map(ask, paths * 40))
        other.rollback()
    assert {path: status for path, status, _ in found} == dict.fromkeys(paths, 503)
    assert max(seconds for _, _, seconds in found) < SOON
