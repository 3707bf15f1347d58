"""Session tokens keep to the keys of their deployment, which come and go."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.utils import timezone

from accounts.models import SigningKey
from accounts.tokens.keys import create_signing_key
from accounts.tokens.session_tokens import sign_session_token
from tests.support.factories import DeploymentFactory
from tests.support.keys import kid_of
from tests.support.tokens import Mint, answer, refusal

INVALID = 40102


def issued(mint: Mint) -> str:
    """A token as the service itself makes it, now."""
    return sign_session_token(mint.session, expires_at=mint.session.expires_at)


def stop(key: SigningKey, **moments: Any) -> None:
    SigningKey.objects.filter(pk=key.pk).update(**moments)


def test_tokens_have_the_header_and_the_claims_of_the_contract(mint: Mint) -> None:
    token = issued(mint)
    assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "ES256", "kid": mint.key.kid}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["iat"] == claims["nbf"]
    assert mint.now <= claims["iat"] <= time.time()
    del claims["iat"], claims["nbf"]
    assert claims == {
        "iss": f"https://{mint.deployment.host}",
        "sess": str(mint.session.pk),
        "exp": int(mint.session.expires_at.timestamp()),
    }


def test_a_token_of_a_revoked_key_is_refused(mint: Mint) -> None:
    token = issued(mint)
    stop(mint.key, revoked_at=timezone.now())
    assert refusal(mint, token) == INVALID


def test_a_key_that_is_retired_and_then_revoked_is_refused(mint: Mint) -> None:
    token = issued(mint)
    stop(mint.key, retired_at=timezone.now() - timedelta(days=1), revoked_at=timezone.now())
    assert refusal(mint, token) == INVALID


def test_a_token_of_a_retired_key_is_still_good(mint: Mint) -> None:
    token = issued(mint)
    stop(mint.key, retired_at=timezone.now())
    assert answer(mint.deployment, token).status_code == 200


def test_a_token_of_an_older_key_is_still_good(mint: Mint) -> None:
    token = issued(mint)
    create_signing_key(deployment=mint.deployment)
    assert answer(mint.deployment, token).status_code == 200


def test_the_newest_key_signs(mint: Mint) -> None:
    newest = create_signing_key(deployment=mint.deployment)
    create_signing_key(deployment=DeploymentFactory.create())
    assert kid_of(issued(mint)) == newest.kid


@pytest.mark.parametrize("end", ["retired_at", "revoked_at"])
def test_a_key_that_was_stopped_signs_no_more(mint: Mint, end: str) -> None:
    newest = create_signing_key(deployment=mint.deployment)
    stop(newest, **{end: timezone.now()})
    assert kid_of(issued(mint)) == mint.key.kid


@pytest.mark.parametrize("end", ["retired_at", "revoked_at"])
def test_a_key_is_made_where_none_is_left(mint: Mint, end: str) -> None:
    stop(mint.key, **{end: timezone.now()})
    token = issued(mint)
    assert kid_of(token) != mint.key.kid
    assert kid_of(token) == kid_of(issued(mint))
    assert answer(mint.deployment, token).status_code == 200
