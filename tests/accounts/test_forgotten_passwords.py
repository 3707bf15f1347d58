"""A user who has forgotten a password replaces it with the code of a mail, and nobody learns who has an account."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.core import mail as django_mail
from django.db import connection
from django.utils import timezone

from accounts.mail import outbox
from accounts.models import Deployment, Mail, MailedCode, SignIn, SignInAttempt, User
from accounts.sign_in import forgotten_passwords
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory, session_of
from tests.support.forgotten_passwords import NEW_PASSWORD, exchange, forget, reset, token_by_mail
from tests.support.mail import mail_server
from tests.support.sign_in import (
    PASSWORD,
    attempt_of,
    deliver_mail,
    mailed_code,
    session_data,
    sign_in,
    signed_in,
    totp,
    user_with_mfa,
    user_with_password,
    verify,
)

INVALID_FIELD = 40004
SESSION_ENDED, WRONG_CREDENTIALS, WRONG_CODE, RESET_OVER = 40104, 40108, 40109, 40117
TOO_MANY_REQUESTS = 42901


@each("content_type", [MULTIPART, FORM, JSON])
def test_a_forgotten_password_is_replaced_and_signs_in(browser: ApiClient, ada: User, content_type: str) -> None:
    assert data_of(forget(browser, content_type=content_type)) == {}
    code = mailed_code()
    assert django_mail.outbox[-1].to == ["ada@example.com"]
    data = data_of(exchange(browser, code))
    assert {name: type(value) for name, value in data.items()} == {"token": str}
    assert len(data["token"]) <= forgotten_passwords.MAX_TOKEN
    session = data_of(reset(browser, data["token"], content_type=content_type))
    assert session["active_signin"]["user_id"] == str(ada.pk)
    (attempt,) = session["signin_attempts"]
    assert (attempt["completed"], attempt["current_step"], attempt["user_id"]) == (True, "", str(ada.pk))
    assert data_of(browser.get("/me"))["id"] == str(ada.pk)
    ada.refresh_from_db()
    assert check_password(NEW_PASSWORD, ada.password)
    other = ApiClient(ada.deployment)
    assert error_code(sign_in(other, ada)) == WRONG_CREDENTIALS
    assert sign_in(other, ada, NEW_PASSWORD).status_code == 200


def test_the_code_of_a_reset_verifies_the_address_that_it_went_to(browser: ApiClient, ada: User) -> None:
    forget(browser)
    assert error_code(exchange(browser, "wrong")) == WRONG_CODE
    assert not ada.email_addresses.filter(verified_at__isnull=False).exists()
    exchange(browser, mailed_code())
    assert ada.email_addresses.get().verified_at is not None


def test_the_user_is_told_of_the_new_password(browser: ApiClient, ada: User) -> None:
    reset(browser, token_by_mail(browser))
    deliver_mail()
    message = django_mail.outbox[-1]
    assert message.to == ["ada@example.com"]
    assert "password" in message.subject
    assert "from 127.0.0.1" in str(message.body)


def test_a_new_password_does_not_stand_in_for_mfa(browser: ApiClient, deployment: Deployment) -> None:
    grace = user_with_mfa(deployment, email="grace@example.com")
    response = reset(browser, token_by_mail(browser, "grace@example.com"))
    data = data_of(response)
    assert data["active_signin"] is None
    attempt = data["signin_attempts"][-1]
    assert (attempt["completed"], attempt["current_step"]) == (False, "verify_second_factor")
    assert error_code(browser.get("/me")) == 40105
    assert not SignIn.objects.filter(user=grace).exists()
    assert grace.authenticators.filter(confirmed_at__isnull=False).exists()
    data = data_of(verify(browser, attempt["id"], totp()))
    assert data["active_signin"]["user_id"] == str(grace.pk)


def test_mfa_is_awaited_in_a_session_that_lives_when_ones_own_has_ended(deployment: Deployment) -> None:
    """The very browser in which the user is signed in: the reset ends its session."""
    grace = user_with_mfa(deployment, email="grace@example.com")
    client = ApiClient(deployment)
    verify(client, attempt_of(sign_in(client, grace)), totp(-1))
    attempt = attempt_of(reset(client, token_by_mail(client, "grace@example.com")))
    assert [one["id"] for one in session_data(client)["signin_attempts"]] == [attempt]
    assert data_of(verify(client, attempt, totp()))["active_signin"]["user_id"] == str(grace.pk)


def test_other_sessions_and_attempts_of_the_user_end(browser: ApiClient, ada: User, deployment: Deployment) -> None:
    other = signed_in(ada)
    pending = session_of(UserFactory.create(deployment=deployment))
    attempt = SignInAttempt.objects.create(
        deployment=deployment,
        session=pending,
        user=ada,
        method="plain_email",
        expires_at=timezone.now() + timedelta(minutes=5),
    )
    reset(browser, token_by_mail(browser))
    assert error_code(other.get("/me")) == SESSION_ENDED
    attempt.refresh_from_db()
    assert attempt.expires_at <= timezone.now()
    assert data_of(browser.get("/me"))["id"] == str(ada.pk)


def test_somebody_else_in_the_same_browser_stays_signed_in(ada: User, deployment: Deployment) -> None:
    grace = user_with_password(deployment, email="grace@example.com")
    client = signed_in(grace)
    sign_in(client, ada)
    data = data_of(reset(client, token_by_mail(client)))
    assert sorted(one["user_id"] for one in data["signins"]) == sorted([str(ada.pk), str(grace.pk)])
    assert data["active_signin"]["user_id"] == str(ada.pk)


def test_nothing_says_whether_anybody_has_the_address(deployment: Deployment) -> None:
    user_with_password(deployment, email="ada@example.com")
    user_with_mfa(deployment, email="grace@example.com")
    user_with_password(deployment, email="gone@example.com", disabled=True)
    UserFactory.create(deployment=deployment, email="sso@example.com", external_id="7")
    seen = set()
    for name in ("ada", "grace", "gone", "sso", "nobody"):
        client = ApiClient(deployment)
        email = f"{name}@example.com"
        answers = [forget(client, email), exchange(client, "wrong", email), client.get("/session")]
        text = repr([(answer.status_code, answer.json(), dict(answer.headers)) for answer in answers])
        text = re.sub(r"\d{4}-\d\d-\d\dT[^']*", "TIME", text)
        seen.add(re.sub(r"'ETag': '[^']*'|'\d+'", "ID", text))
    assert len(seen) == 1, seen
    assert sorted(Mail.objects.values_list("to", flat=True)) == ["ada@example.com", "grace@example.com"]


def test_whoever_has_no_password_gets_no_token_even_for_a_guessed_code(
    browser: ApiClient, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    UserFactory.create(deployment=deployment, email="sso@example.com", external_id="7")
    monkeypatch.setattr("secrets.randbelow", lambda _: 123456)
    for email in ("sso@example.com", "nobody@example.com"):
        forget(browser, email)
        assert error_code(exchange(browser, "123456", email)) == WRONG_CODE


def test_another_address_resets_the_password_only_once_it_is_verified(browser: ApiClient, ada: User) -> None:
    other = ada.email_addresses.create(deployment=ada.deployment, email="other@example.com")
    forget(browser, "other@example.com")
    assert not Mail.objects.exists()
    ada.email_addresses.filter(pk=other.pk).update(verified_at=timezone.now())
    token = token_by_mail(browser, "other@example.com")
    assert django_mail.outbox[-1].to == ["other@example.com"]
    assert data_of(reset(browser, token))["active_signin"]["user_id"] == str(ada.pk)


def test_an_address_that_the_user_has_removed_resets_nothing(browser: ApiClient, ada: User) -> None:
    other = ada.email_addresses.create(deployment=ada.deployment, email="other@example.com", verified_at=timezone.now())
    token = token_by_mail(browser, "other@example.com")
    other.delete()
    assert error_code(reset(browser, token)) == RESET_OVER


def test_the_mail_goes_to_the_address_as_it_is_stored(browser: ApiClient, ada: User) -> None:
    forget(browser, "ADA@Example.com")
    assert Mail.objects.get().to == "ada@example.com"
    assert exchange(browser, mailed_code(), "aDa@example.com").status_code == 200


def test_a_code_resets_no_password_of_an_address_that_only_resembles_its_own(
    browser: ApiClient, deployment: Deployment
) -> None:
    """The names are two, of two owners: case folding alone makes ß into ss."""
    user_with_password(deployment, email="info@straße.example")
    user_with_password(deployment, email="info@strasse.example")
    forget(browser, "info@strasse.example")
    code = mailed_code()
    assert django_mail.outbox[-1].to == ["info@strasse.example"]
    assert error_code(exchange(browser, code, "info@straße.example")) == WRONG_CODE
    assert exchange(browser, code, "info@strasse.example").status_code == 200


def test_a_code_is_good_once_and_for_five_tries(browser: ApiClient, ada: User) -> None:
    forget(browser)
    code = mailed_code()
    wrong = "000000" if code != "000000" else "1"
    assert [error_code(exchange(browser, wrong)) for _ in range(5)] == [WRONG_CODE] * 5
    assert error_code(exchange(browser, code)) == WRONG_CODE
    forget(browser)
    code = mailed_code()
    assert exchange(browser, code).status_code == 200
    assert error_code(exchange(browser, code)) == WRONG_CODE


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_codes_and_tries_are_limited_whoever_is_asked_for(browser: ApiClient, ada: User, email: str) -> None:
    assert [forget(browser, email).status_code for _ in range(7)] == [200] * 5 + [429] * 2
    tries = [error_code(exchange(browser, "wrong", email)) for _ in range(12)]
    assert tries == [WRONG_CODE] * 10 + [TOO_MANY_REQUESTS] * 2


def test_a_code_for_something_else_resets_no_password(ada: User) -> None:
    Deployment.objects.update(sign_in_by_code=True)
    client = ApiClient(ada.deployment)
    attempt = attempt_of(client.post("/auth/signin", {"strategy": "email_otp", "email": "ada@example.com"}))
    client.post("/auth/prepare-verification", None, f"attempt_identifier={attempt}")
    assert error_code(exchange(client, mailed_code())) == WRONG_CODE


@each("email", ["", "ada", "x" * 255])
def test_what_is_no_address_is_refused(browser: ApiClient, db: None, email: str) -> None:
    assert error_code(forget(browser, email)) == INVALID_FIELD


def test_a_mail_server_that_refuses_loses_nothing(browser: ApiClient, ada: User, settings: Any) -> None:
    with mail_server(settings) as server:
        server.refusals["ada@example.com"] = "451 Later"
        assert data_of(forget(browser)) == {}
        deliver_mail()
        assert server.messages == []
        server.refusals.clear()
        deliver_mail()
        body = server.messages[0].get_body(("plain",))
    assert body is not None
    (code,) = re.findall(r"(?m)^(\d{6})\r?$", body.get_content())
    assert exchange(browser, code).status_code == 200


def at_once(use: Any) -> int:
    """The number of 50 uses at once that succeed."""

    def one(_: int) -> bool:
        try:
            return bool(use().status_code == 200)
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(one, range(50)))


@pytest.mark.django_db(transaction=True)
def test_of_fifty_uses_of_one_code_and_one_token_at_once_one_succeeds(settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 1000
    deployment = DeploymentFactory.create()
    ada = user_with_password(deployment, email="ada@example.com")
    client = ApiClient(deployment)
    forget(client)
    code = mailed_code()
    assert at_once(lambda: exchange(ApiClient(deployment), code)) == 1
    assert not MailedCode.objects.exists()
    token = token_by_mail(client)
    assert at_once(lambda: reset(ApiClient(deployment), token)) == 1
    assert SignIn.objects.filter(user=ada, ended_at__isnull=True).count() == 1
    assert Mail.objects.filter(template="password_changed").count() == 1


def test_the_password_of_before_is_as_good_as_any_other_wrong_one(browser: ApiClient, ada: User) -> None:
    reset(browser, token_by_mail(browser))
    assert error_code(sign_in(ApiClient(ada.deployment), ada, PASSWORD)) == WRONG_CREDENTIALS


def test_the_mail_waits_for_a_moment_that_says_nothing(browser: ApiClient, ada: User) -> None:
    """Sending takes time, which would show in the answer to the next question."""
    begun = timezone.now()
    forget(browser)
    pause = Mail.objects.get().next_try_at - begun
    assert timedelta(seconds=1) <= pause <= timedelta(seconds=4)
    outbox.deliver_due()
    assert django_mail.outbox == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_the_sender_wakes_after_the_pause_whoever_is_asked_for(email: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PAUSES", (0.01, 0.02))
    deployment = DeploymentFactory.create()
    user_with_password(deployment, email="ada@example.com")
    outbox.due.clear()
    forget(ApiClient(deployment), email)
    assert outbox.due.wait(5)
