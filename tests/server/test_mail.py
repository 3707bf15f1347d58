"""Mail on the real server: its processes send it in a thread, whatever becomes of them or of the mail server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from config.environment import BASE_DIR
from tests.support.mail import MailServer, mail_server
from tests.support.server import PATIENCE, OwnPostgres, ServerProcess, request, wait_until
from tests.support.starting import Starts

WRITE = """
from accounts.mail import outbox
from accounts.values.mail_texts import Template
from accounts.models import Deployment
outbox.send(
    Deployment.objects.get(host="127.0.0.1"),
    to="ada@example.com", template=Template.SIGN_IN_CODE, values={"code": "492039", "minutes": "10"},
)
"""


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


WRITE_AND_DIE = f"""
import os
from django.db import transaction
{WRITE}
with transaction.atomic():
{re.sub("(?m)^", "    ", WRITE)}
    os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def written(starts: Starts, demo_env: dict[str, str], demo_postgres: OwnPostgres) -> Iterator[dict[str, str]]:
    """A database with the table ``written``: the mails of a process that wrote one, and died while it wrote another.

    The server that tests share would send mails, too, and does not know of this one.
    """
    with demo_postgres.copied_database() as url:
        env = demo_env | {"DATABASE_URL": url}
        ended = starts.run("manage.main()", "shell", "-v0", "-c", WRITE_AND_DIE, env=env)
        assert ended.returncode == -signal.SIGKILL
        sql(env, "CREATE TABLE written AS TABLE accounts_mail")
        yield env


@pytest.fixture
def env(written: dict[str, str], mails: MailServer) -> dict[str, str]:
    sql(written, "DELETE FROM accounts_mail")
    return written | {"EMAIL_URL": f"smtp://127.0.0.1:{mails.port}"}


@contextmanager
def serving(env: dict[str, str]) -> Iterator[ServerProcess]:
    """One process, with one thread for requests."""
    server = ServerProcess(env | {"THREADS": "1", "EMAIL_TIMEOUT": "60"})
    try:
        server.wait_for_it()
        yield server
    finally:
        server.close()


def write(env: dict[str, str]) -> None:
    """Write the mail, as another process does that commits."""
    sql(env, "INSERT INTO accounts_mail TABLE written")
    make_due(env)


def sql(env: dict[str, str], statement: Any) -> Any:
    with psycopg.connect(env["DATABASE_URL"]) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone() if cursor.description else None


def make_due(env: dict[str, str]) -> None:
    sql(env, "UPDATE accounts_mail SET next_try_at = now()")


def test_the_server_sends_what_was_written_before_it_started(env: dict[str, str], mails: MailServer) -> None:
    write(env)
    with serving(env):
        wait_until(lambda: mails.messages, "the mail is sent")
        wait_until(lambda: sql(env, "SELECT state FROM accounts_mail") == ("sent",), "its row says so")
    assert mails.recipients == ["ada@example.com"]


def test_a_mail_server_that_does_not_answer_holds_no_request(env: dict[str, str], mails: MailServer) -> None:
    mails.greets_after = 30
    write(env)
    with serving(env) as server:
        wait_until(lambda: mails.connections, "the server connects to the mail server")
        assert request(server.base_url, "/session").status == 200
        assert request(server.base_url, "/readyz").status == 200
        assert sql(env, "SELECT state, tries FROM accounts_mail") == ("waiting", 1)


def test_a_worker_killed_while_it_sends_loses_no_mail(env: dict[str, str], mails: MailServer) -> None:
    mails.takes_after = 30
    with serving(env) as server:
        write(env)
        wait_until(lambda: sql(env, "SELECT tries FROM accounts_mail") == (1,), "a worker takes the mail")
        (worker,) = _children(server.pid)
        mails.takes_after = 0
        os.kill(worker, signal.SIGKILL)
        make_due(env)
        wait_until(lambda: _children(server.pid) not in ([], [worker]), "there is a new worker")
        wait_until(lambda: sql(env, "SELECT state FROM accounts_mail") == ("sent",), "the new worker sends it")


def test_a_sender_killed_between_sending_and_commit_sends_once_more(
    starts: Starts, env: dict[str, str], mails: MailServer
) -> None:
    """With the same Message-ID, by which mail programs tell that it is the same."""
    write(env)
    (written,) = sql(env, "SELECT next_try_at FROM accounts_mail")
    process = subprocess.Popen([sys.executable, BASE_DIR / "manage.py", "send_mail"], env=env)
    mails.on_message = process.kill
    assert process.wait(PATIENCE) == -signal.SIGKILL
    state, tries, next_try = sql(env, "SELECT state, tries, next_try_at FROM accounts_mail")
    assert (state, tries) == ("waiting", 1)
    assert next_try >= written + timedelta(seconds=10)
    mails.on_message = lambda: None
    make_due(env)
    assert starts.run("manage.main()", "send_mail", env=env).stdout == "1 mails sent\n"
    first, second = mails.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert sql(env, "SELECT state, tries FROM accounts_mail") == ("sent", 2)


def test_a_process_killed_before_its_commit_has_written_no_mail(written: dict[str, str]) -> None:
    assert sql(written, "SELECT count(*) FROM written") == (1,)


def test_a_demo_writes_mails_to_its_output(starts: Starts, env: dict[str, str]) -> None:
    write(env)
    by_default = {name: value for name, value in env.items() if name != "EMAIL_URL"}
    output = starts.run("manage.main()", "send_mail", env=by_default).stdout
    assert "Subject: Sign in to Demo" in output
    assert "492039" in output


def _children(pid: int) -> list[int]:
    path = f"/proc/{pid}/task/{pid}/children"
    with open(path) as children:
        return [int(child) for child in children.read().split()]
