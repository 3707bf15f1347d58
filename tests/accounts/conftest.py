"""Fixtures for the tests of accounts."""

from __future__ import annotations

from copy import deepcopy

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from accounts.models import Deployment, Session, User
from tests.support.api import ApiClient
from tests.support.factories import UserFactory, session_of
from tests.support.outside_issuers import trusted_key
from tests.support.sign_in import user_with_mfa, user_with_password
from tests.support.tokens import Mint


@pytest.fixture(scope="module")
def shared_session(shared_deployment: Deployment) -> Session:
    return session_of(UserFactory.create(deployment=shared_deployment))


@pytest.fixture
def mint(shared_session: Session, db: None) -> Mint:
    return Mint(deepcopy(shared_session))


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return user_with_password(deployment, email="ada@example.com")


@pytest.fixture
def grace(deployment: Deployment) -> User:
    """She has MFA."""
    return user_with_mfa(deployment, email="grace@example.com", username="grace")


@pytest.fixture
def browser(deployment: Deployment) -> ApiClient:
    return ApiClient(deployment)


@pytest.fixture
def outside_key(deployment: Deployment) -> ec.EllipticCurvePrivateKey:
    return trusted_key(deployment)


@pytest.fixture
def sso_user(deployment: Deployment) -> User:
    return user_with_password(deployment, external_id="idp|42")


@pytest.fixture
def client(ada: User) -> ApiClient:
    """A browser in which Ada signed in a moment ago."""
    return ApiClient(ada.deployment, ada)
