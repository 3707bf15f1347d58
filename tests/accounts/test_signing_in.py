"""A user signs in with a password: who gets in, what is told to those who do not, and the session after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.authentication.sessions import MAX_SIGN_INS
from accounts.credentials import mfa
from accounts.models import Deployment, Session, SignIn, SignInAttempt, User
from accounts.sign_in import signing_in
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory
from tests.support.sign_in import (
    PASSWORD,
    SIGN_IN,
    attempt_of,
    session_data,
    sign_in,
    signed_in,
    totp,
    user_with_mfa,
    user_with_password,
    verify,
)

INVALID_FIELD = 40004
NO_ACTIVE_SIGN_IN = 40105
USER_DISABLED = 40106
WRONG_CREDENTIALS = 40108
TOKEN_REPLACED = 40111


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return user_with_password(deployment, email="Ada@example.com", username="Ada")


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
