"""The proof of work: /captcha/challenge, /captcha/redeem, and what a deployment demands of whoever signs in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Deployment, SpentToken, User
from accounts.sign_in import challenges
from accounts.tokens import outside_issuers
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.challenges import CHALLENGE, REDEEM, challenge, redeemed, solved
from tests.support.factories import DeploymentFactory
from tests.support.sign_in import (
    PASSWORD,
    SIGN_IN,
    attempt_of,
    by_email,
    totp,
    user_with_mfa,
    user_with_password,
    verify,
)

IDENTIFY = "/auth/identify"
INVALID_FIELD = 40004
CHALLENGE_REQUIRED = 40005
CHALLENGE_FAILED = 40006
UNKNOWN_DEPLOYMENT = 40402
WRONG_CREDENTIALS = 40108


@pytest.fixture
def demanding(db: None) -> Deployment:
    return DeploymentFactory.create(challenge_demanded=True, challenge_difficulty=1)


@pytest.fixture
def ada(demanding: Deployment) -> User:
    return user_with_password(demanding, email="ada@example.com", username="ada")


@pytest.fixture
def browser(demanding: Deployment) -> ApiClient:
    return ApiClient(demanding)


def sign_in(
    client: ApiClient, user: User, token: Any = None, *, password: str = PASSWORD, content_type: str = JSON
) -> Any:
    body = by_email(user, password) | ({} if token is None else {"challenge_token": token})
    return client.post(SIGN_IN, body, content_type=content_type)


# The protocol


@each("difficulty", [1, 2, 6])
def test_a_challenge_has_no_envelope_and_the_deployments_difficulty(db: None, difficulty: int) -> None:
    client = ApiClient(DeploymentFactory.create(challenge_demanded=True, challenge_difficulty=difficulty))
    body = challenge(client)
    assert body == {
        "challenge": {"c": 50, "s": 32, "d": difficulty},
        "token": body["token"],
        "expires": body["expires"],
    }
    assert 590 < body["expires"] / 1000 - timezone.now().timestamp() <= 600
    assert challenge(client)["token"] != body["token"]


def test_a_challenge_that_is_not_demanded_is_easy_and_good_for_nothing_later(db: None) -> None:
    deployment = DeploymentFactory.create(challenge_difficulty=2)
    client, user = ApiClient(deployment), user_with_password(deployment, email="ada@example.com")
    body = challenge(client)
    assert body["challenge"]["d"] == 1
    token = client.post(REDEEM, solved(body)).json()["token"]
    deployment.challenge_demanded = True
    deployment.save()
    assert error_code(sign_in(client, user, token)) == CHALLENGE_FAILED


def test_a_challenge_and_its_solution_are_stored_nowhere(browser: ApiClient) -> None:
    response = browser.post(REDEEM, solved(challenge(browser)))
    body = response.json()
    assert set(body) == {"success", "token", "expires"}
    assert body["success"] is True
    assert "__session" not in response.cookies
    assert not SpentToken.objects.exists()


def test_the_same_solution_gives_the_same_token(browser: ApiClient) -> None:
    """Else one proof would be as good as many."""
    body = solved(challenge(browser))
    assert browser.post(REDEEM, body).json() == browser.post(REDEEM, body).json()


def _without_one(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"solutions": body["solutions"][:-1]}


def _with_a_wrong_one(body: dict[str, Any]) -> dict[str, Any]:
    others = body["solutions"][:-1]
    size = {"s": 32, "d": 1}
    right = challenges.generated(f"{body['token']}50d", size["d"])
    salt = challenges.generated(f"{body['token']}50", size["s"])
    wrong = next(n for n in count() if not hashlib.sha256(f"{salt}{n}".encode()).hexdigest().startswith(right))
    return body | {"solutions": [*others, wrong]}


@each(
    "spoil",
    [
        _without_one,
        _with_a_wrong_one,
        lambda body: body | {"solutions": []},
        lambda body: body | {"solutions": [*body["solutions"], 0]},
        lambda body: body | {"solutions": [str(solution) for solution in body["solutions"]]},
        lambda body: body | {"solutions": [-1] * 50},
        lambda body: body | {"solutions": [True] * 50},
        lambda body: body | {"solutions": [None] * 50},
        lambda body: body | {"solutions": [2**200] * 50},
        lambda body: body | {"token": body["token"] + "x"},
        lambda body: body | {"token": body["token"].replace(":", ".")},
        lambda body: body | {"token": "x"},
    ],
)
def test_what_is_not_solved_is_not_redeemed(browser: ApiClient, spoil: Callable[[Any], Any]) -> None:
    assert error_code(browser.post(REDEEM, spoil(solved(challenge(browser))))) == CHALLENGE_FAILED


@each("body", [{}, {"token": "x"}, {"solutions": [1]}, {"token": 7, "solutions": [1]}])
def test_a_body_without_its_fields_is_a_mistake(browser: ApiClient, body: Any) -> None:
    assert error_code(browser.post(REDEEM, body)) == INVALID_FIELD


def test_a_challenge_of_another_deployment_is_not_redeemed(browser: ApiClient) -> None:
    other = ApiClient(DeploymentFactory.create(challenge_difficulty=1))
    assert error_code(browser.post(REDEEM, solved(challenge(other)))) == CHALLENGE_FAILED


@pytest.mark.parametrize(("late", "is_taken"), [(599, True), (601, False)])
def test_a_challenge_expires(browser: ApiClient, late: int, is_taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    body = solved(challenge(browser))
    later = challenges._now() + late * 1000
    monkeypatch.setattr(challenges, "_now", lambda: later)
    assert (browser.post(REDEEM, body).status_code == 200) == is_taken


def test_a_host_without_deployment_has_no_challenge(browser: ApiClient) -> None:
    assert error_code(browser.post(CHALLENGE, HTTP_HOST="nobody.example.com")) == UNKNOWN_DEPLOYMENT


def test_pages_of_allowed_origins_get_challenges_and_no_others(demanding: Deployment) -> None:
    Deployment.objects.update(allowed_origins=["https://app.example.com"])
    client = ApiClient(demanding)
    allowed = client.post(CHALLENGE, HTTP_ORIGIN="https://app.example.com")
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Access-Control-Allow-Origin" not in client.post(CHALLENGE, HTTP_ORIGIN="https://evil.example").headers


# Where it is demanded


@each("content_type", [JSON, FORM, MULTIPART])
def test_a_user_signs_in_with_a_token_in_any_encoding(browser: ApiClient, ada: User, content_type: str) -> None:
    response = sign_in(browser, ada, redeemed(browser), content_type=content_type)
    assert data_of(response)["active_signin"]["user_id"] == str(ada.pk)


def test_nothing_is_asked_where_it_is_not_demanded(deployment: Deployment) -> None:
    user = user_with_password(deployment)
    for token in (None, "", "nonsense"):
        assert sign_in(ApiClient(deployment), user, token).status_code == 200


@each(
    ("token", "code"),
    [(None, CHALLENGE_REQUIRED), ("", CHALLENGE_REQUIRED), ("nonsense", CHALLENGE_FAILED), (7, INVALID_FIELD)],
)
@each("path", [SIGN_IN, IDENTIFY])
def test_a_missing_or_forged_token_is_refused(browser: ApiClient, ada: User, path: str, token: Any, code: int) -> None:
    body = {"identifier": ada.email} if path == IDENTIFY else by_email(ada)
    assert error_code(browser.post(path, body | ({} if token is None else {"challenge_token": token}))) == code


def test_a_challenge_that_was_not_redeemed_is_no_token(browser: ApiClient, ada: User) -> None:
    assert error_code(sign_in(browser, ada, challenge(browser)["token"])) == CHALLENGE_FAILED


def test_a_token_of_another_deployment_is_refused(browser: ApiClient, ada: User) -> None:
    other = ApiClient(DeploymentFactory.create(challenge_difficulty=1))
    assert error_code(sign_in(browser, ada, redeemed(other))) == CHALLENGE_FAILED


def test_a_token_expires(browser: ApiClient, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token = redeemed(browser)
    later = challenges._now() + 1201 * 1000
    monkeypatch.setattr(challenges, "_now", lambda: later)
    assert error_code(sign_in(browser, ada, token)) == CHALLENGE_FAILED


def test_a_token_is_good_once(browser: ApiClient, ada: User) -> None:
    token = redeemed(browser)
    assert sign_in(browser, ada, token).status_code == 200
    assert error_code(sign_in(browser, ada, token)) == CHALLENGE_FAILED
    assert error_code(browser.post(IDENTIFY, {"identifier": "x", "challenge_token": token})) == CHALLENGE_FAILED
    assert sign_in(browser, ada, redeemed(browser)).status_code == 200


def test_identifying_oneself_leaves_the_token_good(browser: ApiClient, ada: User) -> None:
    """The public form solves one challenge, and sends its token with both."""
    token = redeemed(browser)
    for _ in range(2):
        assert browser.post(IDENTIFY, {"identifier": ada.email, "challenge_token": token}).status_code == 200
    assert sign_in(browser, ada, token).status_code == 200


def test_a_wrong_password_can_be_corrected_four_times(browser: ApiClient, ada: User) -> None:
    token = redeemed(browser)
    for _ in range(4):
        assert error_code(sign_in(browser, ada, token, password="wrong")) == WRONG_CREDENTIALS
    assert sign_in(browser, ada, token).status_code == 200
    token = redeemed(browser)
    for _ in range(5):
        assert error_code(sign_in(browser, ada, token, password="wrong")) == WRONG_CREDENTIALS
    assert error_code(sign_in(browser, ada, token)) == CHALLENGE_FAILED


def test_an_unsolved_challenge_is_no_failed_sign_in(browser: ApiClient, ada: User, settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 1
    for _ in range(3):
        assert error_code(sign_in(browser, ada, "nonsense")) == CHALLENGE_FAILED
    assert sign_in(browser, ada, redeemed(browser)).status_code == 200


def test_an_mfa_code_needs_no_further_challenge(browser: ApiClient, demanding: Deployment) -> None:
    grace = user_with_mfa(demanding)
    attempt = attempt_of(sign_in(browser, grace, redeemed(browser)))
    assert verify(browser, attempt, totp()).status_code == 200


def test_used_tokens_are_swept_once_they_have_expired(browser: ApiClient, ada: User) -> None:
    sign_in(browser, ada, redeemed(browser))
    assert outside_issuers.sweep() == 0
    SpentToken.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    assert outside_issuers.sweep() == 1


@pytest.mark.django_db(transaction=True)
def test_of_fifty_uses_of_one_token_at_once_one_succeeds() -> None:
    deployment = DeploymentFactory.create(challenge_demanded=True, challenge_difficulty=1)
    user = user_with_password(deployment)
    token = redeemed(ApiClient(deployment))

    def use(_: int) -> int:
        try:
            response = sign_in(ApiClient(deployment), user, token)
            return 200 if response.status_code == 200 else error_code(response)
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(use, range(50)))
    assert sorted(codes) == [200, *[CHALLENGE_FAILED] * 49]


# Identify


@each("content_type", [JSON, FORM, MULTIPART])
def test_everybody_signs_in_by_password_known_or_not(deployment: Deployment, content_type: str) -> None:
    known = user_with_password(deployment, username="known")
    disabled = user_with_password(deployment, disabled=True)
    client = ApiClient(deployment)
    client.get("/session")
    answers = {
        client.post(IDENTIFY, {"identifier": name}, content_type=content_type).content
        for name in (known.email, "known", disabled.email, "nobody@example.com", "x")
    }
    assert len(answers) == 1
    assert data_of(client.post(IDENTIFY, {"identifier": "x"})) == {"strategy": "password"}


def test_identifying_asks_no_table_of_users(deployment: Deployment) -> None:
    """So the time says nothing either."""
    client = ApiClient(deployment)
    user = user_with_password(deployment)
    with CaptureQueriesContext(connection) as queries:
        client.post(IDENTIFY, {"identifier": user.email})
    assert not [query["sql"] for query in queries if "accounts_user" in query["sql"]]


@each("body", [{}, {"identifier": ""}, {"identifier": ["x"]}, {"identifier": "\0"}])
def test_identifying_takes_a_name(deployment: Deployment, body: Any) -> None:
    assert error_code(ApiClient(deployment).post(IDENTIFY, body)) == INVALID_FIELD
