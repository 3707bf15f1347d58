"""Rows that the tests of a module share: made once, in a transaction around all of them, and as new for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from copy import deepcopy

import pytest
from django.contrib.auth.models import User as Staff
from django.db import transaction
from django.test import Client
from pytest_django import DjangoDbBlocker

from accounts.models import Deployment
from tests.support.factories import DeploymentFactory, World, new_world


def commits(item: pytest.Item) -> bool:
    """Whether the test's own transactions end, so that no other can be around them."""
    marker = item.get_closest_marker("django_db")
    by_fixture = {"transactional_db", "live_server"} & {*getattr(item, "fixturenames", ())}
    return bool(by_fixture or (marker and marker.kwargs.get("transaction")))


_OPEN = pytest.StashKey[ExitStack]()
_COMMITTED = pytest.StashKey[bool]()


def end_shared_rows(item: pytest.Item) -> None:
    """Roll back the rows that a module shares if ``item`` is the first of its tests that commits."""
    module = item.getparent(pytest.Module)
    if module is not None and commits(item):
        module.stash[_COMMITTED] = True
        module.stash.setdefault(_OPEN, ExitStack()).close()


@pytest.fixture(scope="module")
def rows_until_a_commit(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Rows that fixtures of a module make after this one stay until one of its tests commits; each changes its own.

    Each test gets a deep copy of what such a fixture returns, lest it sees attributes that another one has changed.
    """
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        stack.enter_context(transaction.atomic())
        stack.callback(transaction.set_rollback, True)
        request.node.stash[_OPEN] = stack
        yield


@pytest.fixture(scope="module")
def shared_rows(request: pytest.FixtureRequest, rows_until_a_commit: None) -> None:
    """The same for a module none of whose tests commits: its rows stay to the end."""
    some_commit = any(commits(item) for item in request.session.items if item.path == request.path)
    assert not some_commit, "no other transaction can be around a test that commits"


@pytest.fixture(scope="module")
def shared_deployment(request: pytest.FixtureRequest) -> Deployment | None:
    """The deployment of the tests of a module; None if the first of them commits."""
    if _COMMITTED in request.node.stash:
        return None
    request.getfixturevalue("rows_until_a_commit")
    return DeploymentFactory.create()


@pytest.fixture
def deployment(request: pytest.FixtureRequest, shared_deployment: Deployment | None, db: None) -> Deployment:
    if shared_deployment is None or _COMMITTED in request.node.getparent(pytest.Module).stash:
        return DeploymentFactory.create()
    return deepcopy(shared_deployment)


@pytest.fixture(scope="module")
def shared_admin(request: pytest.FixtureRequest) -> Client | None:
    """A browser in which a superuser has signed in; None if the first test of the module commits."""
    if _COMMITTED in request.node.stash:
        return None
    request.getfixturevalue("rows_until_a_commit")
    return _signed_in_admin()


@pytest.fixture
def admin_client(request: pytest.FixtureRequest, shared_admin: Client | None, db: None) -> Client:
    """Takes the place of pytest-django's, which makes a superuser and signs them in for each test."""
    if shared_admin is None or _COMMITTED in request.node.getparent(pytest.Module).stash:
        return _signed_in_admin()
    client = Client()
    client.cookies = deepcopy(shared_admin.cookies)
    return client


def _signed_in_admin() -> Client:
    client = Client()
    client.force_login(Staff.objects.create_superuser("admin", "admin@example.com"))
    return client


@pytest.fixture(scope="module")
def shared_world(shared_rows: None) -> World:
    return new_world()


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    return deepcopy(shared_world)
