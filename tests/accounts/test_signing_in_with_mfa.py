"""A user with MFA is signed in by the code of an authenticator or a backup code, in a few tries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.credentials import mfa
from accounts.models import Deployment, SignInAttempt, User
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import confirmed_authenticator
from tests.support.sign_in import VERIFY, attempt_of, session_data, sign_in, signed_in, totp, verify

REPEATED_PARAMETER = 40002
INVALID_PARAMETER = 40003
INVALID_FIELD = 40004
NO_ACTIVE_SIGN_IN = 40105
WRONG_CREDENTIALS = 40108
WRONG_CODE = 40109
SIGN_IN_ATTEMPT_OVER = 40110


def test_a_user_with_mfa_is_not_signed_in_yet(browser: ApiClient, grace: User) -> None:
    data = data_of(sign_in(browser, grace))
    assert data["active_signin"] is None
    assert data["signins"] == []
    (attempt,) = data["signin_attempts"]
    row = SignInAttempt.objects.get()
    assert attempt == {
        "id": str(row.pk),
        "email": "grace@example.com",
        "session_id": data["id"],
        "method": "plain_email",
        "sso_provider": "",
        "expires_at": row.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "first_method_authenticated": True,
        "second_method_authenticated": False,
        "second_method_authentication_required": True,
        "available_2fa_methods": ["authenticator"],
        "user_id": str(grace.pk),
        "current_step": "verify_second_factor",
        "completed": False,
    }
    assert error_code(browser.get("/me")) == NO_ACTIVE_SIGN_IN
    assert session_data(browser) == data


@pytest.mark.parametrize(
    ("has_codes", "methods"),
    [
        (False, ["authenticator"]),
        (True, ["authenticator", "backup_code"]),
    ],
)
def test_the_attempt_says_which_mfa_methods_there_are(
    browser: ApiClient, ada: User, has_codes: bool, methods: list[str]
) -> None:
    confirmed_authenticator(ada)
    if has_codes:
        mfa.new_backup_codes(ada)
    (attempt,) = data_of(sign_in(browser, ada))["signin_attempts"]
    assert attempt["available_2fa_methods"] == methods


def test_an_authenticator_that_was_never_confirmed_does_not_count(browser: ApiClient, ada: User) -> None:
    mfa.new_authenticator(ada)
    assert data_of(sign_in(browser, ada))["active_signin"] is not None


def test_the_wrong_password_opens_no_attempt(browser: ApiClient, grace: User) -> None:
    assert error_code(sign_in(browser, grace, "wrong")) == WRONG_CREDENTIALS
    assert not SignInAttempt.objects.exists()


@each("content_type", [JSON, FORM, MULTIPART])
def test_the_right_code_signs_in(browser: ApiClient, grace: User, content_type: str) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    query = f"attempt_identifier={attempt}&identifier_type=signin"
    response = browser.post(VERIFY, {"verification_code": totp()}, query, content_type=content_type)
    assert data_of(response)["active_signin"]["user_id"] == str(grace.pk)
    assert data_of(browser.get("/me"))["id"] == str(grace.pk)


def test_the_answer_to_the_right_code_alone_shows_the_completed_attempt(browser: ApiClient, grace: User) -> None:
    (awaited,) = data_of(sign_in(browser, grace))["signin_attempts"]
    (completed,) = data_of(verify(browser, awaited["id"], totp()))["signin_attempts"]
    assert completed == awaited | {"second_method_authenticated": True, "completed": True, "current_step": ""}
    assert session_data(browser)["signin_attempts"] == []


@each("spelling", ["{0} {1}", " {0}{1} ", "{0}-{1}"])
def test_a_code_may_be_typed_in_groups(browser: ApiClient, grace: User, spelling: str) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    code = totp()
    assert verify(browser, attempt, spelling.format(code[:3], code[3:])).status_code == 200


@pytest.mark.parametrize(
    "code", ["000000", "12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666", "-", " "]
)
def test_a_wrong_code_signs_nobody_in(
    browser: ApiClient, grace: User, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mfa, "_step", lambda: 60_000_000)  # whose codes are none of these
    attempt = attempt_of(sign_in(browser, grace))
    assert error_code(verify(browser, attempt, code)) == WRONG_CODE
    assert error_code(browser.get("/me")) == NO_ACTIVE_SIGN_IN


@pytest.mark.parametrize(("late", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_period_off(
    browser: ApiClient, grace: User, late: int, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mfa, "_step", lambda: 60_000_000)
    attempt = attempt_of(sign_in(browser, grace))
    assert (verify(browser, attempt, totp(late)).status_code == 200) == is_taken


def test_a_code_of_another_user_is_wrong(browser: ApiClient, grace: User, ada: User) -> None:
    confirmed_authenticator(ada)
    (code, *_) = mfa.new_backup_codes(ada)
    assert error_code(verify(browser, attempt_of(sign_in(browser, grace)), code)) == WRONG_CODE


def test_a_code_is_not_taken_twice(deployment: Deployment, grace: User) -> None:
    """Somebody who looks over a shoulder must not be in time."""
    code = totp()
    first, second = ApiClient(deployment), ApiClient(deployment)
    attempts = attempt_of(sign_in(first, grace)), attempt_of(sign_in(second, grace))
    assert verify(first, attempts[0], code).status_code == 200
    assert error_code(verify(second, attempts[1], code)) == WRONG_CODE


def test_a_code_from_before_the_last_one_is_not_taken(deployment: Deployment, grace: User) -> None:
    first, second = ApiClient(deployment), ApiClient(deployment)
    attempts = attempt_of(sign_in(first, grace)), attempt_of(sign_in(second, grace))
    earlier = totp()
    assert verify(first, attempts[0], totp(1)).status_code == 200
    assert error_code(verify(second, attempts[1], earlier)) == WRONG_CODE


@each("spelling", ["{}", "{} ", "upper", "groups"])
def test_a_backup_code_signs_in_once(deployment: Deployment, ada: User, spelling: str) -> None:
    confirmed_authenticator(ada)
    code, other, *_ = mfa.new_backup_codes(ada)
    typed = {"upper": code.upper(), "groups": f"{code[:5]}-{code[5:]}"}.get(spelling) or spelling.format(code)
    first, second = ApiClient(deployment), ApiClient(deployment)
    assert verify(first, attempt_of(sign_in(first, ada)), typed).status_code == 200
    attempt = attempt_of(sign_in(second, ada))
    assert error_code(verify(second, attempt, typed)) == WRONG_CODE
    assert verify(second, attempt, other).status_code == 200


def test_a_user_without_backup_codes_left_still_needs_the_authenticator(browser: ApiClient, grace: User) -> None:
    for code in mfa.new_backup_codes(grace):
        assert mfa.take_code(grace, code)
    (attempt,) = data_of(sign_in(browser, grace))["signin_attempts"]
    assert attempt["available_2fa_methods"] == ["authenticator"]


def test_an_attempt_belongs_to_its_session(browser: ApiClient, deployment: Deployment, grace: User, ada: User) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    for stranger in (ApiClient(deployment), signed_in(ada)):
        assert error_code(verify(stranger, attempt, totp())) == SIGN_IN_ATTEMPT_OVER
    assert verify(browser, attempt, totp()).status_code == 200


def test_an_expired_attempt_is_over(browser: ApiClient, grace: User) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    SignInAttempt.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert error_code(verify(browser, attempt, totp())) == SIGN_IN_ATTEMPT_OVER
    assert session_data(browser)["signin_attempts"] == []


def test_a_completed_attempt_is_over(browser: ApiClient, grace: User) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    assert verify(browser, attempt, totp()).status_code == 200
    assert error_code(verify(browser, attempt, totp(1))) == SIGN_IN_ATTEMPT_OVER


def test_an_attempt_of_a_user_disabled_since_is_over(browser: ApiClient, grace: User) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    User.objects.filter(pk=grace.pk).update(disabled=True)
    assert error_code(verify(browser, attempt, totp())) == SIGN_IN_ATTEMPT_OVER


def test_the_right_code_is_taken_after_four_wrong_ones(browser: ApiClient, grace: User) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    for _ in range(4):
        assert error_code(verify(browser, attempt, "wrong")) == WRONG_CODE
    assert verify(browser, attempt, totp()).status_code == 200


def test_five_wrong_codes_end_the_attempt(browser: ApiClient, grace: User) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    for _ in range(5):
        assert error_code(verify(browser, attempt, "wrong")) == WRONG_CODE
    assert error_code(verify(browser, attempt, totp())) == SIGN_IN_ATTEMPT_OVER
    assert session_data(browser)["signin_attempts"] == []
    assert error_code(browser.get("/me")) == NO_ACTIVE_SIGN_IN


@each(
    ("query", "code"),
    [
        ("attempt_identifier=0", SIGN_IN_ATTEMPT_OVER),
        ("attempt_identifier=9223372036854775807", SIGN_IN_ATTEMPT_OVER),
        ("", INVALID_PARAMETER),
        ("attempt_identifier=", INVALID_PARAMETER),
        ("attempt_identifier=x", INVALID_PARAMETER),
        ("attempt_identifier=-1", INVALID_PARAMETER),
        ("attempt_identifier=%00", INVALID_PARAMETER),
        ("attempt_identifier=9223372036854775808", INVALID_PARAMETER),
        ("attempt_identifier=1&attempt_identifier=1", REPEATED_PARAMETER),
        ("attempt_identifier=1&identifier_type=phone", INVALID_PARAMETER),
        ("attempt_identifier=1&identifier_type=signin&identifier_type=signin", REPEATED_PARAMETER),
    ],
)
def test_an_attempt_is_named_by_its_id(browser: ApiClient, grace: User, query: str, code: int) -> None:
    sign_in(browser, grace)
    assert error_code(browser.post(VERIFY, {"verification_code": totp()}, query)) == code


@each("value", [None, "", 123456, ["123456"], {}, "\0", "\ud800", "1" * 51])
def test_a_code_is_a_short_text(browser: ApiClient, grace: User, value: Any) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    response = browser.post(VERIFY, {"verification_code": value}, f"attempt_identifier={attempt}")
    assert error_code(response) == INVALID_FIELD
    assert SignInAttempt.objects.get().failures == 0
