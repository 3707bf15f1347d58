"""The proof of work that a deployment may demand of whoever signs in: it makes guessing cost computing time.

The protocol is that of the public Cap widget. A challenge is a number of salts with the beginning that the SHA-256 of
salt and solution must have, in hexadecimal; both follow from the challenge's signed token by the widget's generator.
Nothing is stored until a redeemed token is used, which it can be once.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.core import signing

from accounts.credentials import throttling
from accounts.models import Deployment, SpentToken
from api.errors import ApiError, Problem
from api.requests import optional_text_field

COUNT = 50
"""Puzzles of a challenge. Many easy ones take about as long each time; of a few hard ones the time varies."""
EASIEST = 1
SALT_LENGTH = 32
LIFETIME = 10 * 60
"""Seconds in which a challenge must be solved, and again seconds in which the redeemed token must be used."""
MAX_TOKEN = 400
_REDEEMED, _CHALLENGE = "accounts.challenges.redeemed", "accounts.challenges"
_MASK = 0xFFFFFFFF


def new(deployment: Deployment) -> dict[str, Any]:
    """A challenge, as the widget takes it.

    Clients solve one whether or not it is demanded; where it is not, it is easy, so that nobody waits for it.
    """
    expires = _now() + LIFETIME * 1000
    difficulty = _difficulty(deployment)
    token = signing.dumps([deployment.pk, secrets.token_urlsafe(12), difficulty, expires], salt=_CHALLENGE)
    return {"challenge": {"c": COUNT, "s": SALT_LENGTH, "d": difficulty}, "token": token, "expires": expires}


def redeem(deployment: Deployment, token: str, solutions: list[Any]) -> dict[str, Any]:
    """The token for the solved challenge, the same each time; raises ``ApiError`` (400) if it is not solved."""
    _, nonce, difficulty, expires = _read(deployment, token, salt=_CHALLENGE)
    if len(solutions) != COUNT or not all(_is_solution(solution) for solution in solutions):
        raise ApiError(Problem.CHALLENGE_FAILED)
    for number, solution in enumerate(solutions, start=1):
        salt = generated(f"{token}{number}", SALT_LENGTH)
        target = generated(f"{token}{number}d", difficulty)
        if not hashlib.sha256(f"{salt}{solution}".encode()).hexdigest().startswith(target):
            raise ApiError(Problem.CHALLENGE_FAILED)
    expires += LIFETIME * 1000
    redeemed = signing.dumps([deployment.pk, nonce, difficulty, expires], salt=_REDEEMED)
    return {"success": True, "token": redeemed, "expires": expires}


def require(deployment: Deployment, body: Mapping[str, Any]) -> None:
    """Raise ``ApiError`` (400) if ``deployment`` demands a token and ``body`` has none that could be used now.

    The token stays good: clients ask with it which way to sign in there is, and then sign in with it.
    """
    if deployment.challenge_demanded:
        digest, _ = _token_of(deployment, body)
        if SpentToken.objects.filter(digest=digest).exists():
            raise ApiError(Problem.CHALLENGE_FAILED)


@contextmanager
def spending(deployment: Deployment, body: Mapping[str, Any]) -> Iterator[None]:
    """Spend the token of ``body`` on the block, if ``deployment`` demands one; raises as ``require`` does.

    The clients' form solves one challenge, and lets people correct a wrong password: so a block that fails with wrong
    credentials gives the token back, a few times. Of several uses at once one has it. Call it in no transaction.
    """
    if not deployment.challenge_demanded:
        yield
        return
    digest, expires_at = _token_of(deployment, body)
    _, is_new = SpentToken.objects.get_or_create(digest=digest, defaults={"expires_at": expires_at})
    if not is_new:
        raise ApiError(Problem.CHALLENGE_FAILED)
    try:
        yield
    except ApiError as error:
        if error.problem is Problem.WRONG_CREDENTIALS and throttling.is_within(throttling.corrections(digest)):
            SpentToken.objects.filter(digest=digest).delete()
        raise


def _token_of(deployment: Deployment, body: Mapping[str, Any]) -> tuple[str, datetime]:
    """The digest of the redeemed token in ``body``, and its end."""
    token = optional_text_field(body, "challenge_token", max_length=MAX_TOKEN)
    if not token:
        raise ApiError(Problem.CHALLENGE_REQUIRED)
    _, _, difficulty, expires = _read(deployment, token, salt=_REDEEMED)
    if difficulty < _difficulty(deployment):  # the challenge was not demanded yet
        raise ApiError(Problem.CHALLENGE_FAILED)
    return hashlib.sha256(token.encode()).hexdigest(), datetime.fromtimestamp(expires / 1000, UTC)


def _difficulty(deployment: Deployment) -> int:
    """Hexadecimal digits that each puzzle gives of its solution's hash."""
    return deployment.challenge_difficulty if deployment.challenge_demanded else EASIEST


def _read(deployment: Deployment, token: str, *, salt: str) -> list[Any]:
    """Deployment, nonce, difficulty and end from ``token``.

    Raises ``ApiError`` (400) unless it is of this deployment and of now.
    """
    try:
        content: list[Any] = signing.loads(token, salt=salt)
    except signing.BadSignature as error:
        raise ApiError(Problem.CHALLENGE_FAILED) from error
    if content[0] != deployment.pk or content[-1] <= _now():
        raise ApiError(Problem.CHALLENGE_FAILED)
    return content


def is_number(text: str) -> bool:
    """Whether ``text`` writes a solution in decimal digits."""
    return text.isascii() and text.isdigit() and len(text) < 20


def _is_solution(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def generated(seed: str, length: int) -> str:
    """Hexadecimal digits from ``seed``, as the widget makes them: by xorshift32, from the FNV-1a hash of the seed."""
    state = 0x811C9DC5
    for character in seed:
        state = (state ^ ord(character)) * 0x01000193 & _MASK
    text = ""
    while len(text) < length:
        state ^= state << 13 & _MASK
        state ^= state >> 17
        state ^= state << 5 & _MASK
        text += f"{state:08x}"
    return text[:length]


def _now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)
