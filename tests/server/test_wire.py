"""HTTP as it goes over the wire of the real server: what an in-process client cannot show."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from config.environment import BASE_DIR
from tests.support.api import MEMBERSHIPS
from tests.support.demo import CHIOMA, THREADS
from tests.support.server import Connection, Reply, request

ORIGIN = "http://127.0.0.1"
SIGN_IN = {"strategy": "plain_email", "email": "chioma@demo.example"}


@pytest.fixture(scope="module")
def base_url(demo_server: str) -> str:
    return demo_server


@pytest.fixture(scope="module")
def cookie(demo_cookies: dict[str, str]) -> str:
    return demo_cookies[CHIOMA]


@pytest.fixture
def connection(base_url: str) -> Iterator[Connection]:
    with Connection(base_url) as connection:
        yield connection


def post(connection: Connection, body: bytes, *, path: str = "/auth/signin", late: float = 0, **headers: str) -> Reply:
    """POST ``body``, which is sent ``late`` seconds after the head, or in no case if the answer is there before."""
    fields = {"Origin": _origin(connection), "Content_Type": "application/json", "Content_Length": str(len(body))}
    connection.send(connection.head(path, method="POST", **(fields | headers)))
    time.sleep(late)
    connection.send(body)
    return connection.receive()


def _origin(connection: Connection) -> str:
    return "http://" + connection.head("/").decode().split("Host: ")[1].split("\r\n")[0]


def code_of(answer: Reply) -> int:
    return int(json.loads(answer.body)["errors"][0]["code"])


@pytest.mark.parametrize("target", [MEMBERSHIPS, "/session", "/.well-known/jwks.json", "/deployment"])
@pytest.mark.parametrize("is_kept", [False, True], ids=["a new connection", "a kept connection"])
def test_an_unchanged_answer_states_no_length(connection: Connection, cookie: str, target: str, is_kept: bool) -> None:
    etag = str(connection.request(target, Cookie=cookie).headers["ETag"])
    if not is_kept:
        connection.request("/healthz")
    for condition in (etag, "*", f'"other", {etag}'):
        answer = connection.request(target, Cookie=cookie, If_None_Match=condition)
        assert (answer.status, answer.headers["Content-Length"], answer.body) == (304, None, b"")


def test_an_unchanged_static_file_states_no_length(connection: Connection) -> None:
    target = "/static/staff/refused.css"
    date = str(connection.request(target).headers["Last-Modified"])
    answer = connection.request(target, If_Modified_Since=date)
    assert (answer.status, answer.headers["Content-Length"]) == (304, None)


@pytest.mark.parametrize("path", ["/auth/signin", "/nowhere", MEMBERSHIPS])
@pytest.mark.parametrize("late", [0, 0.3], ids=["with the head", "later"])
def test_a_refusal_keeps_the_connection_whenever_the_body_comes(connection: Connection, path: str, late: float) -> None:
    answer = post(connection, b"{}", path=path, late=late, Origin="https://evil.example")
    assert (answer.status // 100, answer.headers["Connection"]) == (4, "keep-alive")
    assert connection.request("/healthz").status == 200


def test_a_body_that_is_too_long_ends_the_connection(connection: Connection) -> None:
    connection.send(
        connection.head("/auth/signin", method="POST", Origin=_origin(connection), Content_Length="200000000")
    )
    answer = connection.receive()
    assert (code_of(answer), answer.headers["Connection"]) == (41301, "close")
    assert connection.is_closed()


def test_a_late_body_that_is_read_keeps_the_connection(connection: Connection) -> None:
    answer = post(connection, json.dumps(SIGN_IN | {"password": "wrong"}).encode(), late=0.5)
    assert (code_of(answer), answer.headers["Connection"]) == (40108, "keep-alive")
    assert connection.request("/healthz").status == 200


def test_a_body_in_chunks_is_read(connection: Connection, demo_env: dict[str, str]) -> None:
    body = json.dumps(SIGN_IN | {"password": demo_env["DEMO_PASSWORD"]}).encode()
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
    head = {"Origin": _origin(connection), "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    connection.send(connection.head("/auth/signin", method="POST", **head) + chunks)
    answer = connection.receive()
    assert (answer.status, answer.headers["Connection"]) == (200, "keep-alive")
    assert connection.request("/healthz").status == 200


def test_endless_chunks_are_refused_while_they_come(connection: Connection) -> None:
    head = {"Origin": _origin(connection), "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    connection.send(connection.head("/auth/signin", method="POST", **head) + b"%x\r\n%b\r\n" % (70_000, b"x" * 70_000))
    answer = connection.receive()
    assert (code_of(answer), answer.headers["Connection"]) == (41301, "close")


def test_a_content_type_of_60_kilobytes_is_refused_at_once(connection: Connection) -> None:
    began = time.monotonic()
    answer = post(connection, b"{}", Content_Type="application/json" + ";" * 60_000)
    assert code_of(answer) == 41501
    assert time.monotonic() - began < 5


def test_a_cookie_of_60_kilobytes_is_answered_at_once(base_url: str) -> None:
    began = time.monotonic()
    answer = request(base_url, MEMBERSHIPS, Cookie='__session="' + '\\"' * 30_000 + '"')
    assert answer.status == 401
    assert time.monotonic() - began < 5


def test_a_file_of_megabytes_comes_whole_however_slowly_it_is_read(base_url: str) -> None:
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    with ExitStack() as stack:
        other, *slow = (stack.enter_context(Connection(base_url)) for _ in range(THREADS + 1))
        for client in slow:
            client.send(client.head(path))
        time.sleep(0.5)
        assert other.request("/deployment").status == 200
        bodies = {client.receive().body for client in slow}
    assert bodies == {request(base_url, path).body}
    assert len(bodies.pop()) > 1_000_000


@pytest.mark.parametrize("host", ["rollcall_web:8000", "10.0.0.7", "rollcall_web"])
@pytest.mark.parametrize("probe", ["/healthz", "/readyz", "/metrics"])
def test_probes_may_name_any_host(base_url: str, host: str, probe: str) -> None:
    assert request(base_url, probe, Host=host).status == 200


def test_the_documented_way_to_sign_in_by_curl_works(base_url: str, demo_env: dict[str, str], tmp_path: Path) -> None:
    page = (BASE_DIR / "docs" / "sessions.md").read_text()
    (commands,) = re.findall(r"```\n(URL=.*?)```", page, re.DOTALL)
    (tmp_path / ".env").write_text(f"DEMO=true\nDEMO_PASSWORD={demo_env['DEMO_PASSWORD']}\n")
    commands = commands.replace("http://127.0.0.1:8000", base_url)
    result = subprocess.run(["bash", "-c", commands], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert '"message":"Your session."' in result.stdout
    assert '"message":"Your workspace memberships."' in result.stdout
