"""A firm in whose deployment only the invited sign up, and its administrator."""

from __future__ import annotations

import pytest

from tests.support.api import ApiClient
from tests.support.self_service import Firm, open_deployment


@pytest.fixture
def firm(db: None) -> Firm:
    return Firm(open_deployment(sign_up_mode="invitation", allowed_origins=["https://app.example.com"]))


@pytest.fixture
def admin(firm: Firm) -> ApiClient:
    return firm.client(firm.admin)
