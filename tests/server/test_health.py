"""The probes: they cost what they check, and depend on nothing else of a request."""

from __future__ import annotations

import io
from typing import Any, NoReturn

import pytest
from django.core import signals
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from api.answers import Reply
from config.wsgi import application
from server import health

PROBES = ["/healthz", "/readyz", "/metrics"]
each_probe = pytest.mark.parametrize("path", PROBES)
pytestmark = pytest.mark.django_db


def ask(path: str, method: str = "GET", **environ: str) -> Reply:
    """The server's answer to a request with these WSGI variables."""
    began: list[Any] = []
    request = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "nowhere.example.com",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        **environ,
    }
    body = b"".join(application(request, lambda *answer: began.append(answer)))
    ((status, headers),) = began
    return Reply(int(status[:3]), headers, body)


@each_probe
@pytest.mark.parametrize("host", ["rollcall_web:8000", "10.0.0.7", "a b", "", "x" * 300, "nowhere.example.com"])
def test_a_probe_is_answered_at_any_host(path: str, host: str) -> None:
    assert ask(path, HTTP_HOST=host).status == 200


@each_probe
def test_a_probe_needs_no_https(path: str, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert ask(path).status == 200


@each_probe
@pytest.mark.parametrize("cookie", ["", "__session=junk; staff_session=junk"])
def test_a_probe_touches_no_session(path: str, cookie: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = ask(path, HTTP_COOKIE=cookie, HTTP_ORIGIN="https://app.example.com")
    assert not {name for name, _ in answer.headers} & {"Set-Cookie", "Vary", "Access-Control-Allow-Origin"}
    assert "django_session" not in str(queries.captured_queries)


@each_probe
def test_a_probe_passes_by_django(path: str) -> None:
    def fail(**_: Any) -> NoReturn:
        raise AssertionError("this is for Django")

    signals.request_started.connect(fail)
    try:
        assert ask(path).status == 200
    finally:
        signals.request_started.disconnect(fail)


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_only_readiness_asks_the_database(path: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert ask(path).status == 200


def test_readiness_does_not_build_the_graph_of_migrations_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> NoReturn:
        raise AssertionError("it takes milliseconds")

    assert ask("/readyz").body == b'{"status": "ready"}'
    monkeypatch.setattr(MigrationExecutor, "__init__", fail)
    monkeypatch.setattr("django.db.migrations.loader.MigrationLoader.__init__", fail)
    assert ask("/readyz").status == 200


@pytest.mark.parametrize("app", ["database", "audit", "accounts", "memberships", "organizations", "staff", "auth"])
def test_a_pending_migration_of_any_app_is_not_ready(app: str) -> None:
    recorder = MigrationRecorder(connection)
    newest = next(name for name in health.newest_migrations() if name.startswith(f"{app}."))
    recorder.record_unapplied(*newest.split(".", 1))
    answer = ask("/readyz")
    assert answer.status == 503
    assert b"manage.py migrate" in answer.body
    assert dict(answer.headers)["Retry-After"]
    recorder.record_applied(*newest.split(".", 1))
    assert ask("/readyz").status == 200


def test_a_database_without_a_table_of_migrations_is_not_ready() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO elsewhere")
    answer = ask("/readyz")
    assert (answer.status, b"manage.py migrate" in answer.body) == (503, True)


@each_probe
def test_probes_are_counted_by_their_path(path: str) -> None:
    def number() -> str:
        label = f'method="GET",route="{path[1:]}",status="200"'
        lines = ask("/metrics").body.decode().splitlines()
        return next((line.rpartition(" ")[2] for line in lines if label in line), "0.0")

    ask(path)
    before = float(number())
    ask(path)
    assert float(number()) > before


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "192.0.2.1"}, 404),
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 404),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1, 192.0.2.1"}, 404),
    ],
)
def test_metrics_are_for_the_networks_that_may_read_them(
    settings: Settings, environ: dict[str, str], status: int
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    assert ask("/metrics", **environ).status == status


@each_probe
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "FOO"])
def test_a_probe_only_reads(path: str, method: str) -> None:
    answer = ask(path, method)
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/healthz/", "/readyz/x", "//metrics", "/HEALTHZ"])
def test_no_other_path_is_a_probe(path: str) -> None:
    assert ask(path).status == 404
