"""An organization, its workspace and a user, whom files name."""

from __future__ import annotations

import pytest

from accounts.models import Deployment, User
from organizations.models import Organization, Workspace
from tests.support.factories import (
    OrganizationFactory,
    UserFactory,
    WorkspaceFactory,
)


@pytest.fixture
def acme(deployment: Deployment) -> Organization:
    return OrganizationFactory.create(deployment=deployment, name="Acme")


@pytest.fixture
def vault(acme: Organization) -> Workspace:
    return WorkspaceFactory.create(organization=acme, name="Vault")


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return UserFactory.create(deployment=deployment, email="ada@example.com", username="ada")
