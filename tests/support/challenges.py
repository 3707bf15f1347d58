"""The proof of work of a browser."""

from __future__ import annotations

import hashlib
from itertools import count
from typing import Any

from accounts.sign_in import challenges
from tests.support.api import ApiClient

CHALLENGE, REDEEM = "/captcha/challenge", "/captcha/redeem"


def solved(challenge: dict[str, Any]) -> dict[str, Any]:
    """The body for ``/captcha/redeem``."""
    size, token = challenge["challenge"], challenge["token"]
    return {"token": token, "solutions": [_solution(token, number, size) for number in range(1, size["c"] + 1)]}


def _solution(token: str, number: int, size: dict[str, int]) -> int:
    salt = challenges.generated(f"{token}{number}", size["s"])
    target = challenges.generated(f"{token}{number}d", size["d"])
    return next(n for n in count() if hashlib.sha256(f"{salt}{n}".encode()).hexdigest().startswith(target))


def challenge(client: ApiClient) -> Any:
    response = client.post(CHALLENGE)
    assert response.status_code == 200
    return response.json()


def redeemed(client: ApiClient) -> str:
    response = client.post(REDEEM, solved(challenge(client)))
    assert response.status_code == 200, response.content
    return str(response.json()["token"])
