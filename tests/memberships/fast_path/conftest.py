"""A user of a staging deployment, and each polled endpoint asked in two ways."""

from __future__ import annotations

from copy import deepcopy

import pytest

from accounts.models import User
from tests.support.api import MEMBERSHIPS
from tests.support.factories import DeploymentFactory, UserFactory, member_of_new_workspace
from tests.support.two_ways import ORIGIN, POLLED, Ways


@pytest.fixture(scope="module")
def shared_user(shared_rows: None) -> User:
    deployment = DeploymentFactory.create(allowed_origins=[ORIGIN], mode="staging")
    user = UserFactory.create(deployment=deployment)
    member_of_new_workspace(user, enforce_2fa=True, enable_ip_restriction=True, whitelisted_ips=["192.0.2.0/24"])
    return user


@pytest.fixture
def user(shared_user: User, db: None) -> User:
    return deepcopy(shared_user)


@pytest.fixture(params=POLLED)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ways(user: User, path: str) -> Ways:
    return Ways(user, path)


@pytest.fixture
def of_workspaces(user: User) -> Ways:
    return Ways(user, MEMBERSHIPS)
