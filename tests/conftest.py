"""Fixtures for every test."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from accounts.models import Deployment, User
from database import cache
from tests.support.browser import browser, demo, page
from tests.support.demo import demo_env, demo_postgres, loaded_demo
from tests.support.factories import DeploymentFactory, UserFactory

__all__ = ["browser", "demo", "demo_env", "demo_postgres", "loaded_demo", "page"]

# A busy machine is no fault, and examples do not change the fixtures that they share.
settings.register_profile(
    "rollcall", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("rollcall")


@pytest.fixture
def deployment(db: None) -> Deployment:
    return DeploymentFactory.create()


@pytest.fixture
def user(deployment: Deployment) -> User:
    return UserFactory.create(deployment=deployment)


@pytest.fixture(autouse=True)
def _nothing_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's rows are rolled back after it, which the invalidation log does not show."""
    cache.clear()
    monkeypatch.setattr(cache, "caches_uncommitted", True)
