"""One's own names, password and MFA: POST /me, /me/update-password, /me/authenticator/{id}/delete and the like."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.credentials import mfa
from accounts.models import Deployment, Mail, SignIn, User
from accounts.values.mail_texts import Template
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory
from tests.support.sign_in import PASSWORD, sign_in, signed_in, totp, user_with_mfa, user_with_password

INVALID_FIELD = 40004
WEAK_PASSWORD = 40007
WRONG_CODE = 40109
WRONG_PASSWORD = 40113
CODE_REQUIRED = 40304
RECENT_SIGN_IN_REQUIRED = 40305
AUTHENTICATOR_REQUIRED = 40306
NOT_FOUND = 40404
TOO_MANY_REQUESTS = 42901

NEW_PASSWORD = "nine purple otters sing"
UPDATE_PASSWORD = "/me/update-password"
REGENERATE = "/me/backup-codes/regenerate"

each_kind_of_body = each("content_type", [JSON, FORM, MULTIPART], ids=["json", "form", "multipart"])


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still, so that no period ends within a test."""
    monkeypatch.setattr(mfa, "_step", lambda: 60_000_000)


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return user_with_password(deployment, email="ada@example.com", username="ada", first_name="Ada")


@pytest.fixture
def grace(deployment: Deployment) -> User:
    """She has an authenticator besides."""
    return user_with_mfa(deployment)


def in_a_session_of(user: User, *, age: timedelta = timedelta()) -> ApiClient:
    """A browser with a session in which ``user`` signed in so long ago."""
    client = ApiClient(user.deployment, user)
    SignIn.objects.filter(user=user).update(created_at=timezone.now() - age)
    return client


def mails() -> list[tuple[str, str]]:
    """The kind and recipient of each mail in the outbox."""
    return [(mail.template, mail.to) for mail in Mail.objects.order_by("pk")]


# Names


@each_kind_of_body
def test_users_change_their_names(ada: User, content_type: str) -> None:
    client = ApiClient(ada.deployment, ada)
    names = {"first_name": "Adele", "last_name": "Lindqvist", "username": "adele"}
    answered = data_of(client.post("/me", names, content_type=content_type))
    assert names.items() <= answered.items()
    assert answered == data_of(client.get("/me"))


def test_a_name_that_is_not_sent_stays(ada: User) -> None:
    data_of(ApiClient(ada.deployment, ada).post("/me", {"last_name": "Lindqvist"}))
    ada.refresh_from_db()
    assert (ada.first_name, ada.last_name, ada.username) == ("Ada", "Lindqvist", "ada")


def test_an_empty_name_clears_it(ada: User) -> None:
    data_of(ApiClient(ada.deployment, ada).post("/me", {"first_name": "", "username": ""}))
    ada.refresh_from_db()
    assert (ada.first_name, ada.username) == ("", "")


def test_a_change_of_nothing_changes_nothing(ada: User) -> None:
    before = User.objects.get().updated_at
    assert data_of(ApiClient(ada.deployment, ada).post("/me"))["username"] == "ada"
    assert User.objects.get().updated_at == before


@each(
    "body",
    [
        {"first_name": "x" * 151},
        {"first_name": None},
        {"first_name": ["Ada"]},
        {"last_name": "two\nlines"},
        {"username": "ada lovelace"},
        {"username": "someone@example.com"},
        {"username": "5104"},
        {"second_factor_policy": "none"},
        {"second_factor_policy": "enforced"},
    ],
)
def test_a_name_that_cannot_be_taken_is_refused(ada: User, body: Any) -> None:
    assert error_code(ApiClient(ada.deployment, ada).post("/me", body)) == INVALID_FIELD
    ada.refresh_from_db()
    assert (ada.first_name, ada.last_name, ada.username) == ("Ada", "", "ada")


def test_a_username_that_staff_gave_may_be_sent_back(deployment: Deployment) -> None:
    user = UserFactory.create(deployment=deployment, username="grace@example.com")
    body = {"first_name": "Grace", "username": "grace@example.com"}
    assert data_of(ApiClient(deployment, user).post("/me", body))["first_name"] == "Grace"


def test_a_user_without_address_keeps_a_username(deployment: Deployment) -> None:
    user = UserFactory.create(deployment=deployment, email="", username="grace")
    assert error_code(ApiClient(deployment, user).post("/me", {"username": ""})) == INVALID_FIELD


def test_a_username_of_somebody_else_is_refused(ada: User) -> None:
    other = UserFactory.create(deployment=ada.deployment, username="grace")
    response = ApiClient(ada.deployment, ada).post("/me", {"username": "GRACE"})
    assert error_code(response) == INVALID_FIELD
    assert response.json()["errors"][0]["message"] == "This username is taken; choose another."
    elsewhere = UserFactory.create()
    assert data_of(ApiClient(elsewhere.deployment, elsewhere).post("/me", {"username": other.username}))


def test_usernames_are_not_probed_without_end(ada: User, settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 3
    UserFactory.create(deployment=ada.deployment, username="grace")
    client = ApiClient(ada.deployment, ada)
    tries = [error_code(client.post("/me", {"username": "grace"})) for _ in range(4)]
    assert tries == [INVALID_FIELD] * 3 + [TOO_MANY_REQUESTS]
    assert error_code(client.post("/me", {"username": "free"})) == TOO_MANY_REQUESTS
    assert data_of(client.post("/me", {"first_name": "Ada", "username": "ada"}))["username"] == "ada"


def test_names_are_not_changed_without_end(ada: User, settings: Any) -> None:
    settings.CHANGES_PER_ACCOUNT = 2
    client = ApiClient(ada.deployment, ada)
    assert [client.post("/me", {"first_name": name}).status_code for name in "abc"] == [200, 200, 429]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_take_one_username_at_once_one_gets_it() -> None:
    deployment = DeploymentFactory.create()
    users = [UserFactory.create(deployment=deployment) for _ in range(6)]
    assert at_once([(user, "/me", {"username": "wanted"}) for user in users]) == [200] + [INVALID_FIELD] * 5


def at_once(requests: list[tuple[User, str, Any]]) -> list[int]:
    """The status or code of each request, all sent at the same moment, each in a session of its own."""
    tokens = [ApiClient(user.deployment, user).token for user, _, _ in requests]
    barrier = threading.Barrier(len(requests))

    def send(number: int) -> int:
        user, path, body = requests[number]
        try:
            barrier.wait()
            response = ApiClient(user.deployment, token=tokens[number]).post(path, body)
            return 200 if response.status_code == 200 else error_code(response)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(requests)) as pool:
        return sorted(pool.map(send, range(len(requests))))


def test_strangers_change_nothing(ada: User) -> None:
    for path in ("/me", UPDATE_PASSWORD, REGENERATE, "/me/authenticator/1/delete", "/me/signins/1/signout"):
        assert error_code(ApiClient(ada.deployment).post(path)) == 40101


def test_me_shows_the_authenticator_when_there_is_one(ada: User, grace: User) -> None:
    assert "user_authenticator" not in data_of(ApiClient(ada.deployment, ada).get("/me"))
    mfa.new_backup_codes(grace)
    shown = data_of(ApiClient(grace.deployment, grace).get("/me"))
    (authenticator,) = grace.authenticators.all()
    assert shown["user_authenticator"] == shown["authenticators"][0]
    assert shown["user_authenticator"]["id"] == str(authenticator.pk)
    assert isinstance(shown["user_authenticator"]["created_at"], str)
    assert shown["backup_codes_generated"] is True


# Password


@each_kind_of_body
def test_the_present_password_changes_it(ada: User, content_type: str) -> None:
    client = in_a_session_of(ada, age=timedelta(days=1))
    other = signed_in(ada)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert data_of(client.post(UPDATE_PASSWORD, body, content_type=content_type)) is None
    assert data_of(client.get("/me"))["has_password"] is True, "the session in which it was changed goes on"
    assert error_code(other.get("/me")) == 40104
    assert error_code(sign_in(ApiClient(ada.deployment), ada)) == 40108
    assert sign_in(ApiClient(ada.deployment), ada, NEW_PASSWORD).status_code == 200
    assert mails() == [(Template.PASSWORD_CHANGED, "ada@example.com")]


@each(
    ("body", "code"),
    [
        ({"new_password": NEW_PASSWORD}, INVALID_FIELD),
        ({"current_password": "", "new_password": NEW_PASSWORD}, INVALID_FIELD),
        ({"current_password": PASSWORD}, INVALID_FIELD),
        ({"current_password": "wrong", "new_password": NEW_PASSWORD}, WRONG_PASSWORD),
        ({"current_password": PASSWORD, "new_password": "short"}, WEAK_PASSWORD),
        ({"current_password": PASSWORD, "new_password": "1qaz2wsx3edc"}, WEAK_PASSWORD),
        ({"current_password": PASSWORD, "new_password": "ada@example.com"}, WEAK_PASSWORD),
        ({"current_password": "wrong", "new_password": "short"}, WRONG_PASSWORD),
    ],
)
def test_a_wrong_or_a_weak_password_changes_nothing(ada: User, body: Any, code: int) -> None:
    before = ada.password
    assert error_code(in_a_session_of(ada).post(UPDATE_PASSWORD, body)) == code
    ada.refresh_from_db()
    assert (ada.password, mails()) == (before, [])


def test_wrong_present_passwords_count_as_when_signing_in(ada: User, settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 3
    client = in_a_session_of(ada)
    body = {"current_password": "wrong", "new_password": NEW_PASSWORD}
    for _ in range(3):
        assert error_code(client.post(UPDATE_PASSWORD, body)) == WRONG_PASSWORD
    response = client.post(UPDATE_PASSWORD, body | {"current_password": PASSWORD})
    assert error_code(response) == TOO_MANY_REQUESTS
    assert response.headers["Retry-After"].isdigit()
    assert error_code(sign_in(ApiClient(ada.deployment), ada)) == TOO_MANY_REQUESTS


def test_a_first_password_takes_a_recent_sign_in(deployment: Deployment) -> None:
    user = UserFactory.create(deployment=deployment)
    body = {"new_password": NEW_PASSWORD}
    late = in_a_session_of(user, age=timedelta(minutes=10))
    assert error_code(late.post(UPDATE_PASSWORD, body)) == RECENT_SIGN_IN_REQUIRED
    assert data_of(in_a_session_of(user).post(UPDATE_PASSWORD, body)) is None
    assert sign_in(ApiClient(deployment), user, NEW_PASSWORD).status_code == 200


# MFA


def test_a_code_removes_the_authenticator_and_the_backup_codes(grace: User) -> None:
    mfa.new_backup_codes(grace)
    Mail.objects.all().delete()
    client, other = in_a_session_of(grace, age=timedelta(days=1)), in_a_session_of(grace)
    path = f"/me/authenticator/{grace.authenticators.get().pk}/delete"
    assert data_of(client.post(path, {"verification_code": totp()})) == ""
    assert not grace.authenticators.exists()
    assert not grace.backup_codes.exists()
    assert data_of(client.get("/me"))["authenticators"] == []
    assert error_code(other.get("/me")) == 40104
    assert mails() == [(Template.MFA_CHANGED, grace.email)]


@each(
    ("body", "code"),
    [({}, CODE_REQUIRED), ({"password": PASSWORD}, CODE_REQUIRED), ({"verification_code": "000000"}, WRONG_CODE)],
)
def test_a_session_alone_removes_no_authenticator(grace: User, body: Any, code: int) -> None:
    path = f"/me/authenticator/{grace.authenticators.get().pk}/delete"
    assert error_code(in_a_session_of(grace).post(path, body)) == code
    assert grace.authenticators.exists()


def test_nobody_removes_another_users_authenticator(grace: User, ada: User) -> None:
    path = f"/me/authenticator/{grace.authenticators.get().pk}/delete"
    assert error_code(in_a_session_of(ada).post(path)) == NOT_FOUND
    assert grace.authenticators.exists()


def test_an_unconfirmed_authenticator_goes_without_a_mail(ada: User) -> None:
    client = in_a_session_of(ada)
    new = data_of(client.post("/me/authenticator"))
    assert data_of(client.post(f"/me/authenticator/{new['id']}/delete")) == ""
    assert not ada.authenticators.exists()
    assert mails() == []


def test_backup_codes_are_made_anew_with_a_code(grace: User, ada: User) -> None:
    before = mfa.new_backup_codes(grace)
    client = in_a_session_of(grace)
    assert error_code(client.post(REGENERATE)) == CODE_REQUIRED
    codes = data_of(client.post(REGENERATE, {"verification_code": totp()}))
    assert len(codes) == 10
    assert {type(code) for code in codes} == {str}
    assert not set(codes) & set(before)
    assert not mfa.take_code(grace, before[0])
    assert mfa.take_code(grace, codes[0])
    assert error_code(in_a_session_of(ada).post(REGENERATE)) == AUTHENTICATOR_REQUIRED


def test_a_new_authenticator_and_new_codes_are_told_by_mail(ada: User) -> None:
    client = in_a_session_of(ada)
    new = data_of(client.post("/me/authenticator"))
    assert mails() == []
    codes = [totp(step, secret=new["totp_secret"]) for step in (-1, 0)]
    data_of(client.post("/me/authenticator/attempt-verification", {"authenticator_id": new["id"], "codes": codes}))
    data_of(client.post("/me/backup-codes"))
    assert mails() == [(Template.MFA_CHANGED, "ada@example.com")] * 2
