"""Signing in with a code that is sent by e-mail, where a deployment allows it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core import mail as django_mail
from django.db import connection

from accounts.credentials.users import user_with
from accounts.models import Deployment, Mail, MailedCode, SignInAttempt, User
from accounts.sign_in import signing_in
from tests.support.api import MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory
from tests.support.sign_in import (
    SIGN_IN,
    attempt_of,
    mailed_code,
    session_data,
    totp,
    user_with_mfa,
    user_with_password,
    verify,
)

PREPARE = "/auth/prepare-verification"
INVALID_PARAMETER, INVALID_FIELD = 40003, 40004
WRONG_CODE, SIGN_IN_ATTEMPT_OVER, TOO_MANY_REQUESTS = 40109, 40110, 42901
UNAVAILABLE = 50301


@pytest.fixture
def allowing(db: None) -> Deployment:
    return DeploymentFactory.create(sign_in_by_code=True)


@pytest.fixture
def ada(allowing: Deployment) -> User:
    return user_with_password(allowing, email="ada@example.com")


@pytest.fixture
def browser(allowing: Deployment) -> ApiClient:
    return ApiClient(allowing)


def begin(client: ApiClient, email: str = "ada@example.com") -> Any:
    return client.post(SIGN_IN, {"strategy": "email_otp", "email": email}, content_type=MULTIPART)


def prepare(client: ApiClient, attempt: str, query: str = "strategy=email_otp&identifier_type=signin") -> Any:
    return client.post(PREPARE, {}, f"attempt_identifier={attempt}&{query}", content_type=MULTIPART)


def test_a_user_signs_in_with_the_code_of_a_mail(browser: ApiClient, ada: User) -> None:
    data = data_of(begin(browser))
    assert data["active_signin"] is None
    (attempt,) = data["signin_attempts"]
    assert attempt["current_step"] == "verify_email_otp"
    assert attempt["method"] == "email_otp"
    assert attempt["completed"] is False
    assert data_of(prepare(browser, attempt["id"])) == {
        "otp_sent": True,
        "masked_email": "a***@example.com",
        "verification_method": "email_otp",
    }
    data = data_of(verify(browser, attempt["id"], mailed_code()))
    assert django_mail.outbox[-1].to == ["ada@example.com"]
    assert data["active_signin"]["user_id"] == str(ada.pk)
    assert data["signin_attempts"][-1]["completed"] is True
    assert data["signin_attempts"][-1]["current_step"] == ""


def test_mfa_is_asked_for_after_the_mailed_code(browser: ApiClient, allowing: Deployment) -> None:
    grace = user_with_mfa(allowing, email="grace@example.com")
    attempt = attempt_of(begin(browser, grace.email))
    prepare(browser, attempt)
    data = data_of(verify(browser, attempt, mailed_code()))
    assert data["active_signin"] is None
    assert data["signin_attempts"][-1]["current_step"] == "verify_second_factor"
    assert data["signin_attempts"][-1]["user_id"] == str(grace.pk)
    data = data_of(verify(browser, attempt, totp()))
    assert data["active_signin"]["user_id"] == str(grace.pk)


def test_a_right_code_at_the_last_try_leads_on_to_mfa(browser: ApiClient, allowing: Deployment) -> None:
    grace = user_with_mfa(allowing, email="grace@example.com")
    attempt = attempt_of(begin(browser, grace.email))
    prepare(browser, attempt)
    SignInAttempt.objects.update(failures=signing_in.MAX_CODE_FAILURES - 1)
    data = data_of(verify(browser, attempt, mailed_code()))
    assert data["signin_attempts"][-1]["current_step"] == "verify_second_factor"
    assert data_of(verify(browser, attempt, totp()))["active_signin"]["user_id"] == str(grace.pk)


def test_it_is_refused_unless_the_deployment_allows_it(deployment: Deployment) -> None:
    client = ApiClient(deployment)
    user_with_password(deployment, email="ada@example.com")
    assert error_code(begin(client)) == INVALID_FIELD
    assert data_of(client.get("/deployment"))["auth_settings"]["auth_factors_enabled"]["email_otp"] is False
    Deployment.objects.update(sign_in_by_code=True)
    assert begin(client).status_code == 200
    assert data_of(client.get("/deployment"))["auth_settings"]["auth_factors_enabled"]["email_otp"] is True


def test_nothing_says_whether_anybody_has_the_address(browser: ApiClient, ada: User, allowing: Deployment) -> None:
    user_with_mfa(allowing, email="grace@example.com")
    user_with_password(allowing, email="gone@example.com", disabled=True)
    seen = set()
    for email in ("ada@example.com", "grace@example.com", "gone@example.com", "nobody@example.com"):
        client = ApiClient(allowing)
        begun = begin(client, email)
        attempt = attempt_of(begun)
        answers = [begun, client.get("/session"), prepare(client, attempt), verify(client, attempt, "wrong")]
        text = repr([(answer.status_code, answer.json()) for answer in answers])
        text = re.sub(r"\d{4}-\d\d-\d\dT[^']*", "TIME", text.replace(email, "EMAIL").replace(email[0] + "***", "M***"))
        seen.add(re.sub(r"'\d+'", "'ID'", text))
    assert len(seen) == 1, seen
    assert sorted(Mail.objects.values_list("to", flat=True)) == ["ada@example.com", "grace@example.com"]


def test_the_code_of_one_attempt_is_good_for_no_other(browser: ApiClient, ada: User, allowing: Deployment) -> None:
    thief = ApiClient(allowing)
    own = attempt_of(begin(browser))
    other = attempt_of(begin(thief))
    prepare(thief, other)
    prepare(browser, own)
    assert error_code(verify(thief, other, mailed_code())) == WRONG_CODE
    assert error_code(prepare(thief, own)) == SIGN_IN_ATTEMPT_OVER


def test_five_wrong_codes_end_the_attempt(browser: ApiClient, ada: User) -> None:
    attempt = attempt_of(begin(browser))
    prepare(browser, attempt)
    code = mailed_code()
    for _ in range(5):
        assert error_code(verify(browser, attempt, "000000" if code != "000000" else "1")) == WRONG_CODE
    assert error_code(verify(browser, attempt, code)) == SIGN_IN_ATTEMPT_OVER


def test_a_code_goes_to_no_address_that_the_user_has_left(browser: ApiClient, ada: User) -> None:
    attempt = attempt_of(begin(browser))
    prepare(browser, attempt)
    code = mailed_code()
    User.objects.filter(pk=ada.pk).update(email="new@example.com")
    assert error_code(verify(browser, attempt, code)) == WRONG_CODE


def test_mails_to_one_address_are_limited(ada: User, allowing: Deployment) -> None:
    clients = [ApiClient(allowing) for _ in range(2)]
    attempts = [attempt_of(begin(client)) for client in clients]
    codes = [prepare(clients[n % 2], attempts[n % 2]).status_code for n in range(7)]
    assert codes == [200, 200, 200, 200, 200, 429, 429]
    assert Mail.objects.count() == 5


def test_attempts_are_limited_so_that_nobody_fills_the_table(ada: User, allowing: Deployment) -> None:
    codes = [begin(ApiClient(allowing)).status_code for _ in range(7)]
    assert codes == [200, 200, 200, 200, 200, 429, 429]
    assert SignInAttempt.objects.count() == 5


@each("query", ["strategy=phone_otp", "identifier_type=phone", "strategy=email_otp&strategy=x"])
def test_other_ways_to_verify_are_refused(browser: ApiClient, ada: User, query: str) -> None:
    assert error_code(prepare(browser, attempt_of(begin(browser)), query)) in (40002, INVALID_PARAMETER)


def test_a_password_attempt_awaits_no_mail(browser: ApiClient, allowing: Deployment) -> None:
    grace = user_with_mfa(allowing)
    body = {"strategy": "plain_email", "email": grace.email, "password": "seven lazy foxes jump"}
    assert error_code(prepare(browser, attempt_of(browser.post(SIGN_IN, body)))) == SIGN_IN_ATTEMPT_OVER


def test_the_attempt_survives_a_reload_of_the_page(browser: ApiClient, ada: User) -> None:
    begun = data_of(begin(browser))["signin_attempts"]
    assert session_data(browser)["signin_attempts"] == begun


@pytest.mark.django_db(transaction=True)
def test_of_fifty_uses_of_one_code_at_once_one_signs_in() -> None:
    deployment = DeploymentFactory.create(sign_in_by_code=True)
    user_with_password(deployment, email="ada@example.com")
    client = ApiClient(deployment)
    attempt = attempt_of(begin(client))
    prepare(client, attempt)
    code = mailed_code()

    def use(_: int) -> bool:
        try:
            return bool(verify(ApiClient(deployment, token=client.token), attempt, code).status_code == 200)
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(use, range(50))) == 1
    assert not MailedCode.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_user_deleted_while_a_sign_in_begins_has_it_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = DeploymentFactory.create(sign_in_by_code=True)
    user_with_password(deployment, email="ada@example.com")

    def found_and_lost(*args: Any) -> User | None:
        user = user_with(*args)
        User.objects.all().delete()
        return user

    monkeypatch.setattr(signing_in, "user_with", found_and_lost)
    assert error_code(begin(ApiClient(deployment))) == UNAVAILABLE
