"""Rows that the tests of a module share: made once, in a transaction around all of them, and as new for each test."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from accounts.models import Deployment
from tests.support.factories import DeploymentFactory, World, new_world


def commits(item: pytest.Item) -> bool:
    """Whether the test's own transactions end, so that no other can be around them."""
    marker = item.get_closest_marker("django_db")
    by_fixture = {"transactional_db", "live_server"} & {*getattr(item, "fixturenames", ())}
    return bool(by_fixture or (marker and marker.kwargs.get("transaction")))


def _some_commit(module: pytest.Module) -> bool:
    return any(commits(item) for item in module.session.items if item.path == module.path)


@pytest.fixture(scope="module")
def shared_rows(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Rows that fixtures of a module make after this one stay for all its tests, whose own changes are rolled back.

    Each test gets a deep copy of what such a fixture returns, lest it sees attributes that another one has changed.
    """
    assert not _some_commit(request.node), "no other transaction can be around a test that commits"
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def shared_deployment(request: pytest.FixtureRequest) -> Deployment | None:
    """The deployment of all tests of a module; None if some of them commit."""
    if _some_commit(request.node):
        return None
    request.getfixturevalue("shared_rows")
    return DeploymentFactory.create()


@pytest.fixture
def deployment(shared_deployment: Deployment | None, db: None) -> Deployment:
    return DeploymentFactory.create() if shared_deployment is None else deepcopy(shared_deployment)


@pytest.fixture(scope="module")
def shared_world(shared_rows: None) -> World:
    return new_world()


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    return deepcopy(shared_world)
