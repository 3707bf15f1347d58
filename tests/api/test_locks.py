"""Somebody holds a lock on what a request needs: it waits for a bounded time, and says so in its own way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from accounts.models import User
from database import cache
from memberships.models import WorkspaceMembership
from organizations.models import Organization
from tests.support.admin import send, url
from tests.support.api import MEMBERSHIPS, ApiClient, error_code
from tests.support.database import execute
from tests.support.demo import CHIOMA
from tests.support.factories import OrganizationFactory, WorkspaceFactory, join
from tests.support.server import SOON, Connection, request, running_server
from tests.support.sign_in import by_email, user_with_password

UNAVAILABLE = 50301
TIMEOUT = 0.2
READ = {
    MEMBERSHIPS: ["accounts_session", "accounts_signin", "memberships_workspacemembership", "database_invalidation"],
    "/me": ["accounts_user"],
    "/me/organization-memberships": ["memberships_organizationmembership"],
    "/session": ["accounts_session"],
    "/deployment": ["accounts_deployment"],
}
"""Tables that each answer is read from."""


in_a_database = pytest.mark.django_db(transaction=True)


@pytest.fixture
def short_timeout(transactional_db: None) -> Iterator[None]:
    execute("SELECT set_config('lock_timeout', %s, false)", [f"{int(TIMEOUT * 1000)}ms"])
    yield
    connection.close()


@contextmanager
def somebody_else() -> Iterator[psycopg.Connection]:
    """In a transaction, which is rolled back after the block."""
    with psycopg.connect(**connection.get_connection_params()) as other:
        yield other
        other.rollback()


@contextmanager
def locked(*tables: str) -> Iterator[None]:
    with somebody_else() as other:
        other.execute(f"LOCK {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        yield


def assert_says_so_soon(response: Any, began: float) -> None:
    assert error_code(response) == UNAVAILABLE
    assert int(response.headers["Retry-After"]) > 0
    assert time.monotonic() - began < SOON  # the limit of statements is thirty seconds


@in_a_database
def test_a_get_gives_up_waiting_for_a_locked_table(short_timeout: None, user: User) -> None:
    join(user, WorkspaceFactory.create(organization__deployment=user.deployment))
    client = ApiClient(user.deployment, user)
    for path, tables in READ.items():
        for table in tables:
            cache.clear()  # a cached deployment needs no table
            began = time.monotonic()
            with locked(table):
                assert_says_so_soon(client.get(path), began)
            assert client.get(path).status_code == 200


@in_a_database
def test_a_post_gives_up_waiting_for_a_locked_table(short_timeout: None, user: User) -> None:
    other = user_with_password(user.deployment)
    client = ApiClient(user.deployment, user)
    for table in ("accounts_user", "accounts_session", "accounts_signin", "accounts_failurecount"):
        began = time.monotonic()
        with locked(table):
            assert_says_so_soon(client.post("/auth/signin", by_email(other)), began)
        assert client.post("/auth/signin", by_email(other)).status_code == 200


@in_a_database
def test_a_page_says_to_staff_that_a_table_is_locked(short_timeout: None, admin_client: Client) -> None:
    admin_client.raise_request_exception = False
    with locked("accounts_deployment", "organizations_organization", "django_content_type"):
        response = admin_client.get(url(Organization, "changelist"))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.headers["Content-Type"].startswith("text/html")
    assert "Try again" in response.content.decode()


@in_a_database
def test_a_page_says_to_staff_that_somebody_else_changes_the_same_row(
    short_timeout: None, admin_client: Client
) -> None:
    organization = OrganizationFactory.create()
    admin_client.raise_request_exception = False
    with somebody_else() as other:
        other.execute("SELECT FROM organizations_organization FOR UPDATE")
        response = send(admin_client, url(organization, "change"), name="Renamed")
    assert response.status_code == 503
    assert "Nothing was saved" in response.content.decode()
    organization.refresh_from_db()
    assert organization.name != "Renamed"


@in_a_database
def test_the_wait_for_a_rule_that_takes_a_table_lock_is_bounded_too(short_timeout: None, user: User) -> None:
    workspace = WorkspaceFactory.create(organization__deployment=user.deployment)
    with somebody_else() as other:
        other.execute("LOCK memberships_workspacemembership IN SHARE MODE")
        began = time.monotonic()
        with pytest.raises(Exception, match="lock timeout"):
            join(user, workspace)
        assert time.monotonic() - began < SOON
    assert not WorkspaceMembership.objects.exists()


def test_the_real_server_gives_up_waiting_after_the_time_of_its_setting(
    demo_env: dict[str, str], demo_cookies: dict[str, str]
) -> None:
    env = demo_env | {"DATABASE_LOCK_TIMEOUT": "300"}
    headers = {"Cookie": demo_cookies[CHIOMA]}
    with (
        running_server(env) as base_url,
        Connection(base_url) as kept,
        psycopg.connect(env["DATABASE_URL"]) as migration,
    ):
        assert [kept.request(MEMBERSHIPS, **headers).status for _ in range(3)] == [200] * 3
        migration.execute("LOCK accounts_session IN ACCESS EXCLUSIVE MODE")
        for ask in (kept.request, lambda target, **more: request(base_url, target, **more)):
            began = time.monotonic()
            answer = ask(MEMBERSHIPS, **headers)
            assert (answer.status, json.loads(answer.body)["errors"][0]["code"]) == (503, UNAVAILABLE)
            assert time.monotonic() - began < SOON
        assert request(base_url, "/healthz").status == 200
        migration.rollback()
        assert kept.request(MEMBERSHIPS, **headers).status == 200
