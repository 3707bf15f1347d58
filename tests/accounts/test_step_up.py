"""A session alone changes no MFA: a code of the current authenticator, the password or a fresh sign-in goes with it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.credentials import mfa
from accounts.models import Authenticator, BackupCode, Deployment, FailureCount, SignIn, User
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory
from tests.support.sign_in import (
    PASSWORD,
    attempt_of,
    sign_in,
    signed_in,
    totp,
    user_with_mfa,
    user_with_password,
    verify,
)

INVALID_FIELD = 40004
WRONG_CODE = 40109
WRONG_PASSWORD = 40113
CODE_REQUIRED = 40304
RECENT_SIGN_IN_REQUIRED = 40305
TOO_MANY_REQUESTS = 42901

AUTHENTICATOR = "/me/authenticator"
CONFIRM = "/me/authenticator/attempt-verification"
BACKUP_CODES = "/me/backup-codes"


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still, so that no period ends within a test."""
    monkeypatch.setattr(mfa, "_step", lambda: 60_000_000)


@pytest.fixture
def ada(deployment: Deployment) -> User:
    """She has a password and no MFA."""
    return user_with_password(deployment)


@pytest.fixture
def grace(deployment: Deployment) -> User:
    """She has an authenticator besides."""
    return user_with_mfa(deployment)


def in_a_session_of(user: User, *, age: timedelta = timedelta()) -> ApiClient:
    """A browser with a session in which ``user`` signed in so long ago."""
    client = ApiClient(user.deployment, user)
    SignIn.objects.filter(user=user).update(created_at=timezone.now() - age)
    return client


def mfa_of(user: User) -> list[Any]:
    """All that a change of ``user``'s MFA would change."""
    return [list(model.objects.filter(user=user).order_by("pk").values()) for model in (Authenticator, BackupCode)]


@each("path", [AUTHENTICATOR, BACKUP_CODES])
@each(
    ("body", "code"),
    [
        ({}, CODE_REQUIRED),
        ({"verification_code": ""}, CODE_REQUIRED),
        ({"password": PASSWORD}, CODE_REQUIRED),
        ({"verification_code": "000000"}, WRONG_CODE),
        ({"verification_code": "k7mq2vxt9a"}, WRONG_CODE),
        ({"verification_code": 123456}, INVALID_FIELD),
        ({"verification_code": "1" * 51}, INVALID_FIELD),
    ],
)
def test_a_session_alone_replaces_no_authenticator(grace: User, path: str, body: Any, code: int) -> None:
    """However fresh the sign-in is."""
    mfa.new_backup_codes(grace)
    before = mfa_of(grace)
    assert error_code(in_a_session_of(grace).post(path, body)) == code
    assert mfa_of(grace) == before


@each("content_type", [JSON, FORM, MULTIPART])
@each("path", [AUTHENTICATOR, BACKUP_CODES])
@each("by", ["authenticator", "backup code"])
def test_a_code_of_the_present_factor_replaces_it(grace: User, path: str, by: str, content_type: str) -> None:
    code = totp() if by == "authenticator" else mfa.new_backup_codes(grace)[0]
    client = in_a_session_of(grace, age=timedelta(days=1))
    assert client.post(path, {"verification_code": code}, content_type=content_type).status_code == 200
    assert error_code(client.post(path, {"verification_code": code}, content_type=content_type)) == WRONG_CODE


def test_the_new_authenticator_takes_the_place_of_the_old_one(grace: User) -> None:
    client = in_a_session_of(grace)
    new = data_of(client.post(AUTHENTICATOR, {"verification_code": totp()}))
    codes = [totp(step, secret=new["totp_secret"]) for step in (-1, 0)]
    assert client.post(CONFIRM, {"authenticator_id": new["id"], "codes": codes}).status_code == 200
    assert not mfa.take_code(grace, totp(1))
    assert mfa.take_code(grace, totp(1, secret=new["totp_secret"]))


def test_a_fresh_sign_in_sets_up_a_first_authenticator(ada: User) -> None:
    assert signed_in(ada).post(AUTHENTICATOR).status_code == 200


def test_an_older_sign_in_needs_the_password(ada: User) -> None:
    client = in_a_session_of(ada, age=timedelta(minutes=10))
    assert error_code(client.post(AUTHENTICATOR)) == RECENT_SIGN_IN_REQUIRED
    assert error_code(client.post(AUTHENTICATOR, {"verification_code": "123456"})) == RECENT_SIGN_IN_REQUIRED
    assert error_code(client.post(AUTHENTICATOR, {"password": "wrong"})) == WRONG_PASSWORD
    assert error_code(client.post(AUTHENTICATOR, {"password": f"{PASSWORD} "})) == WRONG_PASSWORD
    assert not ada.authenticators.exists()
    assert client.post(AUTHENTICATOR, {"password": PASSWORD}).status_code == 200


def test_a_sign_in_is_fresh_for_ten_minutes(ada: User) -> None:
    client = in_a_session_of(ada, age=timedelta(minutes=9, seconds=50))
    assert client.post(AUTHENTICATOR).status_code == 200


def test_a_user_without_password_signs_in_again(deployment: Deployment) -> None:
    user = UserFactory.create(deployment=deployment)
    client = in_a_session_of(user, age=timedelta(hours=1))
    assert error_code(client.post(AUTHENTICATOR)) == RECENT_SIGN_IN_REQUIRED
    assert error_code(client.post(AUTHENTICATOR, {"password": "x"})) == WRONG_PASSWORD
    assert in_a_session_of(user).post(AUTHENTICATOR).status_code == 200


def test_a_wrong_password_is_refused_after_a_fresh_sign_in_too(ada: User) -> None:
    assert error_code(in_a_session_of(ada).post(AUTHENTICATOR, {"password": "wrong"})) == WRONG_PASSWORD


# Backup codes right after the authenticator


def enrol(client: ApiClient) -> None:
    new = data_of(client.post(AUTHENTICATOR))
    codes = [totp(step, secret=new["totp_secret"]) for step in (-1, 0)]
    assert client.post(CONFIRM, {"authenticator_id": new["id"], "codes": codes}).status_code == 200


def test_the_first_backup_codes_end_an_enrolment(ada: User) -> None:
    """The codes that confirmed the authenticator are of now; to type a third is asked of nobody."""
    client = in_a_session_of(ada)
    enrol(client)
    assert client.post(BACKUP_CODES).status_code == 200
    assert error_code(client.post(BACKUP_CODES)) == CODE_REQUIRED


def test_an_enrolment_a_while_ago_makes_no_backup_codes(ada: User) -> None:
    client = in_a_session_of(ada)
    enrol(client)
    ada.authenticators.update(confirmed_at=timezone.now() - timedelta(minutes=10))
    SignIn.objects.update(created_at=timezone.now() - timedelta(minutes=20))
    assert error_code(client.post(BACKUP_CODES)) == CODE_REQUIRED


def test_an_enrolment_before_the_sign_in_makes_no_backup_codes(ada: User) -> None:
    enrol(in_a_session_of(ada))
    assert error_code(ApiClient(ada.deployment, ada).post(BACKUP_CODES)) == CODE_REQUIRED


def test_an_enrolment_replaces_no_authenticator(ada: User) -> None:
    client = in_a_session_of(ada)
    enrol(client)
    assert error_code(client.post(AUTHENTICATOR)) == CODE_REQUIRED


# Tries are counted


@pytest.fixture
def three_tries(settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 3


@pytest.mark.usefixtures("three_tries")
@pytest.mark.parametrize("path", [AUTHENTICATOR, BACKUP_CODES])
def test_wrong_codes_count_as_they_do_when_signing_in(grace: User, path: str) -> None:
    client, browser = in_a_session_of(grace), ApiClient(grace.deployment)
    attempt = attempt_of(sign_in(browser, grace))
    for _ in range(2):
        assert error_code(client.post(path, {"verification_code": "wrong"})) == WRONG_CODE
    assert error_code(verify(browser, attempt, "wrong")) == WRONG_CODE
    response = client.post(path, {"verification_code": totp()})
    assert error_code(response) == TOO_MANY_REQUESTS
    assert response.headers["Retry-After"].isdigit()
    assert error_code(verify(browser, attempt, totp())) == TOO_MANY_REQUESTS
    FailureCount.objects.update(window_ends_at=timezone.now())
    assert client.post(path, {"verification_code": totp()}).status_code == 200, "the code was spent"


@pytest.mark.usefixtures("three_tries")
def test_wrong_passwords_count_as_they_do_when_signing_in(ada: User) -> None:
    client = in_a_session_of(ada)
    for _ in range(3):
        assert error_code(client.post(AUTHENTICATOR, {"password": "wrong"})) == WRONG_PASSWORD
    assert error_code(client.post(AUTHENTICATOR, {"password": PASSWORD})) == TOO_MANY_REQUESTS
    assert error_code(sign_in(ApiClient(ada.deployment), ada)) == TOO_MANY_REQUESTS


def test_wrong_codes_count_against_the_address(grace: User, settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 1
    in_a_session_of(grace).post(AUTHENTICATOR, {"verification_code": "wrong"})
    assert error_code(sign_in(ApiClient(grace.deployment), grace)) == TOO_MANY_REQUESTS
    assert sign_in(ApiClient(grace.deployment), grace, REMOTE_ADDR="192.0.2.7").status_code == 200


# Many at once


def at_once(user: User, path: str, bodies: list[Any]) -> list[int]:
    """The status or code of each request, all sent at the same moment in one session of ``user``."""
    token = in_a_session_of(user).token
    barrier = threading.Barrier(len(bodies))

    def send(body: Any) -> int:
        try:
            barrier.wait()
            response = ApiClient(user.deployment, token=token).post(path, body)
            return 200 if response.status_code == 200 else error_code(response)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(bodies)) as pool:
        return sorted(pool.map(send, bodies))


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("three_tries")
def test_tries_at_once_are_no_more_than_one_after_the_other() -> None:
    user = user_with_mfa(DeploymentFactory.create())
    outcomes = at_once(user, AUTHENTICATOR, [{"verification_code": "wrong"}] * 8)
    assert outcomes == [WRONG_CODE] * 3 + [TOO_MANY_REQUESTS] * 5


@pytest.mark.django_db(transaction=True)
def test_one_code_at_once_makes_one_change() -> None:
    user = user_with_mfa(DeploymentFactory.create())
    outcomes = at_once(user, BACKUP_CODES, [{"verification_code": totp()}] * 6)
    assert outcomes == [200] + [WRONG_CODE] * 5
    assert user.backup_codes.count() == 10


@pytest.mark.django_db(transaction=True)
def test_a_change_has_nobody_at_the_same_address_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its transaction no count is locked. At the end of this one the other user has signed in."""
    grace = user_with_mfa(DeploymentFactory.create())
    ada = user_with_password(grace.deployment, email="ada@example.com")

    def sign_ada_in() -> int:
        try:
            return int(sign_in(ApiClient(ada.deployment), ada).status_code)
        finally:
            connection.close()

    def new_backup_codes(*args: Any, **values: Any) -> list[str]:
        with ThreadPoolExecutor(1) as other:
            assert other.submit(sign_ada_in).result() == 200
        return make(*args, **values)

    make = mfa.new_backup_codes
    monkeypatch.setattr(mfa, "new_backup_codes", new_backup_codes)
    response = in_a_session_of(grace).post(BACKUP_CODES, {"verification_code": totp()})
    assert response.status_code == 200
