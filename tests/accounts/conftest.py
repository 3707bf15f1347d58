"""Fixtures for the tests of accounts."""

from __future__ import annotations

from copy import deepcopy

import pytest

from accounts.models import Deployment, Session
from tests.support.factories import UserFactory, session_of
from tests.support.tokens import Mint


@pytest.fixture(scope="module")
def shared_session(shared_deployment: Deployment) -> Session:
    return session_of(UserFactory.create(deployment=shared_deployment))


@pytest.fixture
def mint(shared_session: Session, db: None) -> Mint:
    return Mint(deepcopy(shared_session))
