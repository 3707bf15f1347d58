"""POST /auth/signin and /auth/attempt-verification: who gets in, and what is told to those who do not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.authentication.sessions import MAX_SIGN_INS
from accounts.credentials import mfa
from accounts.models import Deployment, Session, SignIn, SignInAttempt, User
from accounts.sign_in import signing_in
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, encode, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, confirmed_authenticator
from tests.support.sign_in import (
    PASSWORD,
    SIGN_IN,
    VERIFY,
    attempt_of,
    by_email,
    session_data,
    sign_in,
    signed_in,
    totp,
    user_with_mfa,
    user_with_password,
    verify,
)

MALFORMED_REQUEST = 40000
REPEATED_PARAMETER = 40002
INVALID_PARAMETER = 40003
INVALID_FIELD = 40004
INVALID_SESSION_TOKEN = 40102
SESSION_EXPIRED = 40103
NO_ACTIVE_SIGN_IN = 40105
USER_DISABLED = 40106
WRONG_CREDENTIALS = 40108
WRONG_CODE = 40109
SIGN_IN_ATTEMPT_OVER = 40110
TOKEN_REPLACED = 40111
BODY_TOO_LARGE = 41301
UNSUPPORTED_MEDIA_TYPE = 41501


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return user_with_password(deployment, email="Ada@example.com", username="Ada")


@pytest.fixture
def grace(deployment: Deployment) -> User:
    """Has MFA."""
    return user_with_mfa(deployment, email="grace@example.com", username="grace")


@pytest.fixture
def browser(deployment: Deployment) -> ApiClient:
    return ApiClient(deployment)


def active_user(client: ApiClient) -> str | None:
    active = session_data(client)["active_signin"]
    return None if active is None else str(active["user_id"])


# The password


@each("content_type", [JSON, FORM, MULTIPART])
@each(
    "name",
    [
        {"strategy": "plain_email", "email": "Ada@example.com"},
        {"strategy": "plain_email", "email": "aDA@EXAMPLE.com"},
        {"strategy": "plain_username", "username": "Ada"},
        {"strategy": "plain_username", "username": "ADA"},
    ],
)
def test_a_user_signs_in_by_either_name_in_any_case_and_encoding(
    browser: ApiClient, ada: User, name: dict[str, str], content_type: str
) -> None:
    response = browser.post(SIGN_IN, name | {"password": PASSWORD}, content_type=content_type)
    assert data_of(response)["active_signin"]["user_id"] == str(ada.pk)
    assert data_of(browser.get("/me"))["id"] == str(ada.pk)


def test_the_answer_to_a_password_alone_shows_the_completed_attempt(browser: ApiClient, ada: User) -> None:
    """The public form looks at nothing else."""
    data = data_of(sign_in(browser, ada))
    row = SignInAttempt.objects.get()
    assert row.completed_at is not None
    assert data["signin_attempts"] == [
        {
            "id": str(row.pk),
            "email": "Ada@example.com",
            "session_id": data["id"],
            "method": "plain_email",
            "sso_provider": "",
            "expires_at": row.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "first_method_authenticated": True,
            "second_method_authenticated": False,
            "second_method_authentication_required": False,
            "available_2fa_methods": [],
            "user_id": str(ada.pk),
            "current_step": "",
            "completed": True,
        }
    ]
    assert session_data(browser)["signin_attempts"] == []
    assert session_data(browser)["active_signin"]["user_id"] == str(ada.pk)


def test_the_completed_attempt_is_the_last_after_those_that_wait(browser: ApiClient, ada: User, grace: User) -> None:
    sign_in(browser, grace)
    steps = [attempt["current_step"] for attempt in data_of(sign_in(browser, ada))["signin_attempts"]]
    assert steps[-1] == ""


def test_the_sign_in_says_where_it_came_from(browser: ApiClient, ada: User) -> None:
    data = data_of(sign_in(browser, ada, REMOTE_ADDR="192.0.2.7", HTTP_USER_AGENT="Lynx/2.9 " + "x" * 400))
    assert data["active_signin"]["ipAddress"] == "192.0.2.7"
    assert data["active_signin"]["browser"] == "Lynx"
    assert SignIn.objects.get().user_agent == ("Lynx/2.9 " + "x" * 400)[:300]


def test_each_strategy_takes_its_own_name_only(browser: ApiClient, deployment: Deployment) -> None:
    user_with_password(deployment, email="ada@example.com", username="babbage@example.com")
    by_username = {"strategy": "plain_username", "username": "ada@example.com", "password": PASSWORD}
    by_address = {"strategy": "plain_email", "email": "babbage@example.com", "password": PASSWORD}
    assert error_code(browser.post(SIGN_IN, by_username)) == WRONG_CREDENTIALS
    assert error_code(browser.post(SIGN_IN, by_address)) == WRONG_CREDENTIALS


@pytest.mark.parametrize("order", [["mina", "mına"], ["mına", "mina"]])
def test_names_that_differ_are_not_mixed_up(browser: ApiClient, deployment: Deployment, order: list[str]) -> None:
    """In upper case both are MINA."""
    users = {name: user_with_password(deployment, username=name) for name in order}
    for name, user in users.items():
        body = {"strategy": "plain_username", "username": name, "password": PASSWORD}
        assert data_of(browser.post(SIGN_IN, body))["active_signin"]["user_id"] == str(user.pk)


@each("password", ["wrong", PASSWORD.upper(), PASSWORD + " ", " " + PASSWORD, PASSWORD[:-1], "!", "\u00e9" * 1000])
def test_a_wrong_password_is_refused(browser: ApiClient, ada: User, password: str) -> None:
    response = sign_in(browser, ada, password)
    assert error_code(response) == WRONG_CREDENTIALS
    assert error_code(browser.get("/me")) == NO_ACTIVE_SIGN_IN


def test_a_wrong_password_and_an_unknown_user_are_the_same_error(deployment: Deployment, ada: User) -> None:
    without = User.objects.create(deployment=deployment, email="without@example.com")
    disabled = user_with_password(deployment, disabled=True)
    unknown = User(email="nobody@example.com")
    answers = [sign_in(ApiClient(deployment), user, "wrong").content for user in (ada, without, disabled, unknown)]
    assert len(set(answers)) == 1


@each("password", [PASSWORD, "!", "nobody has this password"])
def test_a_user_without_password_cannot_sign_in_with_one(
    browser: ApiClient, deployment: Deployment, password: str
) -> None:
    without = User.objects.create(deployment=deployment, email="without@example.com")
    assert error_code(sign_in(browser, without, password)) == WRONG_CREDENTIALS


@pytest.mark.parametrize("name", ["email", "username"])
def test_an_empty_name_is_nobodys(browser: ApiClient, deployment: Deployment, name: str) -> None:
    """Although many users have no username, or no e-mail address."""
    user_with_password(deployment, email="", username="x")
    user_with_password(deployment, email="y@example.com", username="")
    body = {"strategy": f"plain_{name}", name: "", "password": PASSWORD}
    assert error_code(browser.post(SIGN_IN, body)) == INVALID_FIELD


def test_only_the_right_password_reveals_that_a_user_is_disabled(browser: ApiClient, deployment: Deployment) -> None:
    disabled = user_with_password(deployment, disabled=True)
    assert error_code(sign_in(browser, disabled)) == USER_DISABLED
    assert not Session.objects.exists()


def test_a_user_of_another_deployment_cannot_sign_in_here(browser: ApiClient) -> None:
    foreign = user_with_password(DeploymentFactory.create(), email="ada@example.com")
    assert error_code(sign_in(browser, foreign)) == WRONG_CREDENTIALS


def test_users_of_the_same_name_are_distinguished_by_deployment(ada: User) -> None:
    foreign = user_with_password(DeploymentFactory.create(), email=ada.email)
    assert active_user(signed_in(ada)) == str(ada.pk)
    assert active_user(signed_in(foreign)) == str(foreign.pk)


# The body


ODD_VALUES: list[Any] = [
    None,
    "",
    1,
    True,
    [],
    ["ada@example.com"],
    {},
    "\0",
    "ada\0@example.com",
    "\ud800",
    "x" * 1001,
]


@each("value", ODD_VALUES)
@each("field", ["strategy", "email", "password"])
def test_a_field_that_is_no_text_is_a_mistake(browser: ApiClient, ada: User, field: str, value: Any) -> None:
    response = browser.post(SIGN_IN, by_email(ada) | {field: value})
    assert error_code(response) == INVALID_FIELD
    assert field in response.json()["errors"][0]["message"]


@each("content_type", [JSON, FORM, MULTIPART])
@each("field", ["strategy", "email", "password"])
def test_a_field_that_is_missing_is_a_mistake(browser: ApiClient, ada: User, field: str, content_type: str) -> None:
    body = by_email(ada)
    del body[field]
    assert error_code(browser.post(SIGN_IN, body, content_type=content_type)) == INVALID_FIELD


@each("strategy", ["PLAIN_EMAIL", "phone_otp", "magic_link", "plain_email ", "__class__"])
def test_an_unknown_strategy_is_a_mistake(browser: ApiClient, ada: User, strategy: str) -> None:
    assert error_code(browser.post(SIGN_IN, by_email(ada) | {"strategy": strategy})) == INVALID_FIELD


def test_a_file_is_no_password(browser: ApiClient, ada: User) -> None:
    body = by_email(ada) | {"password": SimpleUploadedFile("password", PASSWORD.encode())}
    assert error_code(browser.post(SIGN_IN, body, content_type=MULTIPART)) == INVALID_FIELD


def test_the_query_is_no_place_for_a_password(browser: ApiClient, ada: User) -> None:
    query = f"strategy=plain_email&email={ada.email}&password={PASSWORD.replace(' ', '+')}"
    assert error_code(browser.post(SIGN_IN, None, query)) in (MALFORMED_REQUEST, INVALID_FIELD)


@each(
    "body",
    [
        b"[]",
        b'"plain_email"',
        b"null",
        b"7",
        b"{",
        b'{"strategy": "plain_email",}',
        b"\xff\xfe",
        b'{"strategy": "\xff"}',
        b'{"strategy": NaN}',
        b"[" * 30_000,
        b'{"a":' * 10_000,
    ],
)
def test_a_body_that_is_no_object_is_a_mistake(browser: ApiClient, body: bytes) -> None:
    assert error_code(browser.post(SIGN_IN, body)) == MALFORMED_REQUEST


@each("content_type", [JSON, FORM])
@each("charset", ["hex", "zlib", "rot13", "base64", "idna", "undefined", "nonsense", '"'])
def test_an_odd_charset_is_no_failure_of_ours(browser: ApiClient, ada: User, content_type: str, charset: str) -> None:
    body = encode(by_email(ada), content_type)
    response = browser.post(SIGN_IN, body, content_type=f"{content_type}; charset={charset}")
    assert response.status_code in (200, 400)


def test_a_malformed_multipart_form_is_a_mistake(browser: ApiClient) -> None:
    response = browser.post(SIGN_IN, b"no part at all", content_type="multipart/form-data")
    assert error_code(response) == MALFORMED_REQUEST


@each("content_type", ["text/plain", "application/xml", "application/octet-stream"])
def test_a_body_of_another_kind_is_not_read(browser: ApiClient, ada: User, content_type: str) -> None:
    body = json.dumps(by_email(ada)).encode()
    assert error_code(browser.post(SIGN_IN, body, content_type=content_type)) == UNSUPPORTED_MEDIA_TYPE


def test_a_body_of_more_than_64_kib_is_not_read(browser: ApiClient, ada: User) -> None:
    body = json.dumps(by_email(ada)).encode()
    assert error_code(browser.post(SIGN_IN, body.ljust(64 * 1024 + 1))) == BODY_TOO_LARGE
    assert browser.post(SIGN_IN, body.ljust(64 * 1024)).status_code == 200


# MFA


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


# The session


def test_the_session_after_is_not_the_visitors(browser: ApiClient, ada: User) -> None:
    """Else who plants a visitor's cookie would share the session that is signed in to (session fixation)."""
    visitor = session_data(browser)["id"]
    token = browser.token
    assert data_of(sign_in(browser, ada))["id"] != visitor
    thief = ApiClient(ada.deployment, token=token)
    assert session_data(thief)["id"] == visitor
    assert session_data(thief)["active_signin"] is None
    assert error_code(thief.get("/me")) == NO_ACTIVE_SIGN_IN


@pytest.mark.parametrize("age", ["young", "due for renewal"])
def test_a_token_from_before_a_sign_in_is_good_for_nothing(ada: User, settings: Any, age: str) -> None:
    """An attacker who planted a session on somebody must not share the later sign-in."""
    thief = signed_in(ada)
    victim = ApiClient(ada.deployment, token=thief.token)
    if age == "due for renewal":
        settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    other = user_with_password(ada.deployment)
    assert sign_in(victim, other).status_code == 200
    assert error_code(thief.get("/me")) == TOKEN_REPLACED
    assert session_data(thief)["active_signin"] is None
    assert active_user(victim) == str(other.pk)


def test_a_token_of_the_attempt_is_good_for_nothing_after_the_code(browser: ApiClient, grace: User) -> None:
    attempt = attempt_of(sign_in(browser, grace))
    before = browser.token
    assert verify(browser, attempt, totp()).status_code == 200
    assert error_code(ApiClient(grace.deployment, token=before).get("/me")) == TOKEN_REPLACED


def test_a_second_user_signs_in_beside_the_first(ada: User, deployment: Deployment) -> None:
    client = signed_in(ada)
    other = user_with_password(deployment)
    before = session_data(client)["id"]
    data = data_of(sign_in(client, other))
    assert data["id"] == before
    assert [item["user_id"] for item in data["signins"]] == [str(ada.pk), str(other.pk)]
    assert data["active_signin"] == data["signins"][1]


def test_a_second_user_who_is_asked_for_a_code_leaves_the_first_signed_in(ada: User, grace: User) -> None:
    client = signed_in(ada)
    attempt = attempt_of(sign_in(client, grace))
    assert active_user(client) == str(ada.pk)
    assert verify(client, attempt, totp()).status_code == 200
    assert active_user(client) == str(grace.pk)
    assert len(session_data(client)["signins"]) == 2


def test_the_same_user_again_replaces_their_earlier_sign_in(ada: User) -> None:
    client = signed_in(ada)
    first = session_data(client)["active_signin"]["id"]
    (item,) = data_of(sign_in(client, ada))["signins"]
    assert item["id"] != first
    assert SignIn.objects.get(pk=first).ended_at is not None


def test_one_more_user_than_a_session_holds_ends_the_first_sign_in(deployment: Deployment) -> None:
    users = [user_with_password(deployment) for _ in range(MAX_SIGN_INS + 1)]
    client = ApiClient(deployment)
    for user in users[:-1]:
        sign_in(client, user)
    assert [item["user_id"] for item in session_data(client)["signins"]] == [str(user.pk) for user in users[:-1]]
    sign_in(client, users[-1])
    assert [item["user_id"] for item in session_data(client)["signins"]] == [str(user.pk) for user in users[1:]]


def test_a_refused_sign_in_leaves_the_one_before(ada: User) -> None:
    client = signed_in(ada)
    assert error_code(sign_in(client, ada, "wrong")) == WRONG_CREDENTIALS
    assert active_user(client) == str(ada.pk)


@each("token", ["forged", "", "a.b.c"])
def test_a_bad_token_does_not_keep_anybody_from_signing_in(ada: User, token: str) -> None:
    client = ApiClient(ada.deployment, token=token)
    assert data_of(sign_in(client, ada))["active_signin"]["user_id"] == str(ada.pk)
    assert active_user(client) == str(ada.pk)


@pytest.mark.parametrize("ends", [{"ended_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_a_dead_session_is_not_brought_back_to_life(ada: User, ends: dict[str, Any]) -> None:
    client = signed_in(ada)
    dead = session_data(client)["id"]
    Session.objects.update(**ends)
    assert data_of(sign_in(client, ada))["id"] != dead


@pytest.mark.parametrize("mfa_too", [False, True])
@pytest.mark.parametrize("change", ["password", "deletion"])
def test_a_user_changed_while_the_password_is_checked_gets_no_further(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, change: str, mfa_too: bool
) -> None:
    """With MFA, too: else the former password and a code would sign in after a reset."""
    user = (user_with_mfa if mfa_too else user_with_password)(deployment, email="eve@example.com")
    has_password = signing_in._has_password

    def slowly(found: User | None, password: str) -> bool:
        is_right = has_password(found, password)
        if change == "deletion":
            User.objects.get(pk=user.pk).delete()
        else:
            User.objects.filter(pk=user.pk).update(password="another")
        return is_right

    monkeypatch.setattr(signing_in, "_has_password", slowly)
    monkeypatch.setattr(mfa, "available_methods", lambda _: ["authenticator"] if mfa_too else [])
    assert error_code(sign_in(ApiClient(deployment), user)) == WRONG_CREDENTIALS
    assert not SignInAttempt.objects.exists()
