"""The keys of a deployment, as its clients see them."""

from __future__ import annotations

import jwt

from accounts.models import Deployment
from tests.support.api import ApiClient, error_code

JWKS = "/.well-known/jwks.json"


def published(deployment: Deployment) -> list[str]:
    """The kids in the JWKS, in its order."""
    response = ApiClient(deployment).get(JWKS)
    assert response.status_code == 200
    return [key["kid"] for key in response.json()["keys"]]


def kid_of(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def is_good(deployment: Deployment, token: str) -> bool:
    response = ApiClient(deployment, token=token).get()
    assert response.status_code == 200 or error_code(response) == 40102
    return bool(response.status_code == 200)
