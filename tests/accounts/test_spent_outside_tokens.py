"""A token of an outside issuer is good for one sign-in, and not for long."""

from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Deployment, SignIn, SpentToken, User
from accounts.tokens.session_tokens import LEEWAY
from tests.support.api import ApiClient, error_code
from tests.support.cases import each
from tests.support.outside_issuers import ISSUER, OTHER_ISSUER, outside_token, trusted_key, with_token
from tests.support.sign_in import user_with_password

USER_DISABLED = 40106
OUTSIDE_TOKEN_USED = 40115
YEAR = 365 * 24 * 3600


def test_a_token_is_good_for_one_sign_in(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    token = outside_token(outside_key, browser.deployment)
    assert with_token(browser, token).status_code == 200
    for client in (browser, ApiClient(browser.deployment)):
        assert error_code(with_token(client, token)) == OUTSIDE_TOKEN_USED
    assert SignIn.objects.count() == 1


def test_the_same_signature_written_otherwise_makes_no_new_token(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    """(r, -s) is as good a signature as (r, s)."""
    token = outside_token(outside_key, browser.deployment)
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    negated = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    twin = f"{signed}.{base64.urlsafe_b64encode(negated).decode().rstrip('=')}"
    assert with_token(browser, token).status_code == 200
    assert error_code(with_token(browser, twin)) == OUTSIDE_TOKEN_USED


@pytest.mark.parametrize(("first", "second", "code"), [("a", "a", OUTSIDE_TOKEN_USED), ("a", "b", None)])
def test_the_claim_jti_names_a_token(
    browser: ApiClient, sso_user: User, outside_key: Any, first: str, second: str, code: int | None
) -> None:
    now = int(time.time())
    answers = [
        with_token(browser, outside_token(outside_key, browser.deployment, jti=jti, iat=now - number))
        for number, jti in enumerate((first, second))
    ]
    assert answers[0].status_code == 200
    assert answers[1].status_code == 200 if code is None else error_code(answers[1]) == code


def test_two_issuers_may_use_one_jti(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    user_with_password(browser.deployment, external_id="idp|42", external_issuer=OTHER_ISSUER)
    for key, kid, issuer in ((outside_key, "outside-1", ISSUER), (other, "other-1", OTHER_ISSUER)):
        token = outside_token(key, browser.deployment, kid=kid, iss=issuer, jti="1")
        assert with_token(browser, token).status_code == 200


def test_a_refused_sign_in_does_not_use_the_token_up(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    token = outside_token(outside_key, browser.deployment)
    User.objects.update(disabled=True)
    assert error_code(with_token(browser, token)) == USER_DISABLED
    User.objects.update(disabled=False)
    assert with_token(browser, token).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_one_signs_in(deployment: Deployment) -> None:
    user_with_password(deployment, external_id="idp|42")
    token = outside_token(trusted_key(deployment), deployment)

    def use(_: int) -> int:
        try:
            status: int = with_token(ApiClient(deployment), token).status_code
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(use, range(8)))
    assert sorted(statuses) == [200] + [401] * 7
    assert SignIn.objects.count() == 1


@each(
    ("age", "lifetime", "is_good"),
    [
        (0, 3600, True),
        (0, 3900, True),
        (300, 3900, True),
        (0, 3901, False),
        (0, 24 * 3600, False),
        (0, 10 * YEAR, False),
        (10, 0, False),
        (10, -5, False),
    ],
)
def test_a_token_lives_for_65_minutes_at_most(
    browser: ApiClient, sso_user: User, outside_key: Any, age: int, lifetime: int, is_good: bool
) -> None:
    begun = int(time.time()) - age
    token = outside_token(outside_key, browser.deployment, iat=begun, nbf=begun, exp=begun + lifetime)
    assert (with_token(browser, token).status_code == 200) is is_good


@each("claim", ["iat", "exp", "nbf"])
@each("value", [True, "1", [1], {}, 1e400, float("nan"), 253402300795, -1e300])
def test_a_time_that_is_none_is_refused(
    browser: ApiClient, sso_user: User, outside_key: Any, claim: str, value: Any
) -> None:
    assert with_token(browser, outside_token(outside_key, browser.deployment, **{claim: value})).status_code == 401


def test_used_tokens_are_swept_once_they_have_expired(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    assert with_token(browser, outside_token(outside_key, browser.deployment)).status_code == 200
    call_command("sweep_sessions")
    assert SpentToken.objects.count() == 1
    SpentToken.objects.update(expires_at=timezone.now() - timedelta(seconds=2 * LEEWAY))
    call_command("sweep_sessions")
    assert not SpentToken.objects.exists()


def test_the_database_holds_nothing_by_which_a_used_token_could_be_made(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    token = outside_token(outside_key, browser.deployment)
    with_token(browser, token)
    assert SpentToken.objects.get().digest not in token
