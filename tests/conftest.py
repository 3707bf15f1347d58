"""What every test may ask for."""

from __future__ import annotations

import pytest

from accounts.models import Deployment, User
from tests.browser import browser, demo, page
from tests.factories import DeploymentFactory, UserFactory

__all__ = ["browser", "demo", "page"]


@pytest.fixture
def deployment(db: None) -> Deployment:
    return DeploymentFactory.create()


@pytest.fixture
def user(deployment: Deployment) -> User:
    return UserFactory.create(deployment=deployment)
