"""The browser of a user who has signed in."""

from __future__ import annotations

import pytest

from accounts.models import User
from tests.support.api import ApiClient


@pytest.fixture
def client(user: User) -> ApiClient:
    return ApiClient(user.deployment, user)
