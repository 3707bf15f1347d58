"""Setting up an authenticator and backup codes: POST /me/authenticator, its attempt-verification, /me/backup-codes.

test_step_up.py tests the proof that a replacement takes.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from accounts.credentials import mfa
from accounts.models import Authenticator, BackupCode, Deployment, User
from accounts.values import encryption
from tests.support.api import FORM, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import UserFactory, confirmed_authenticator, member_of_new_workspace
from tests.support.sign_in import (
    attempt_of,
    sign_in,
    signed_in,
    totp,
    user_with_mfa,
    user_with_password,
    verify,
)

INVALID_FIELD = 40004
NO_SESSION = 40101
NO_ACTIVE_SIGN_IN = 40105
WRONG_CODE = 40109
AUTHENTICATOR_REQUIRED = 40306
NOT_FOUND = 40404

AUTHENTICATOR = "/me/authenticator"
CONFIRM = "/me/authenticator/attempt-verification"
BACKUP_CODES = "/me/backup-codes"


@pytest.fixture(scope="module")
def shared_browser(shared_deployment: Deployment) -> tuple[User, ApiClient]:
    """A user, and a browser in which they have just signed in."""
    user = user_with_password(shared_deployment, email="ada@example.com")
    return user, signed_in(user)


@pytest.fixture
def browser(shared_browser: tuple[User, ApiClient], db: None) -> tuple[User, ApiClient]:
    return deepcopy(shared_browser)


@pytest.fixture
def user(browser: tuple[User, ApiClient]) -> User:
    return browser[0]


@pytest.fixture
def client(browser: tuple[User, ApiClient]) -> ApiClient:
    return browser[1]


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still, so that no period ends within a test."""
    monkeypatch.setattr(mfa, "_step", lambda: 60_000_000)


def confirm(client: ApiClient, new: dict[str, Any], *steps: int, **fields: Any) -> Any:
    """The answer to the codes of these periods, counted from now."""
    codes = [totp(step, secret=new["totp_secret"]) for step in steps]
    return client.post(CONFIRM, {"authenticator_id": new["id"], "codes": codes} | fields)


def backup_code_in_clear(user: User) -> str:
    """A backup code of ``user``, written past all rules."""
    BackupCode.objects.create(user=user, code_hash=mfa._backup_hash(user, "k7mq2vxt9a"))
    return "k7mq2vxt9a"


def enrolled(client: ApiClient) -> dict[str, Any]:
    new: dict[str, Any] = data_of(client.post(AUTHENTICATOR))
    assert confirm(client, new, -1, 0).status_code == 200
    return new


# The authenticator


def test_a_new_authenticator_comes_with_its_secret(client: ApiClient, user: User) -> None:
    new = data_of(client.post(AUTHENTICATOR))
    url = urlsplit(new["otp_url"])
    assert (url.scheme, url.netloc) == ("otpauth", "totp")
    assert unquote(url.path) == f"/{user.deployment.name}:ada@example.com"
    assert parse_qs(url.query) == {"secret": [new["totp_secret"]], "issuer": [user.deployment.name]}
    row = Authenticator.objects.get(pk=new["id"])
    assert new["totp_secret"].encode() not in bytes(row.secret)
    assert encryption.decrypt(row.secret).decode() == new["totp_secret"]


def test_a_new_authenticator_does_not_count_yet(client: ApiClient) -> None:
    client.post(AUTHENTICATOR)
    assert data_of(client.get("/me"))["authenticators"] == []


@each("steps", [(-2, -1), (-1, 0), (0, 1), (1, 2)])
def test_two_successive_codes_confirm_it(client: ApiClient, steps: tuple[int, int]) -> None:
    new = data_of(client.post(AUTHENTICATOR))
    confirmed = data_of(confirm(client, new, *steps))
    assert confirmed == {"id": new["id"], "created_at": new["created_at"]}
    assert data_of(client.get("/me"))["authenticators"] == [confirmed]


@each("content_type", [FORM, MULTIPART])
@each("field", ["codes", "codes[]"])
def test_the_codes_may_come_in_a_form(client: ApiClient, content_type: str, field: str) -> None:
    new = data_of(client.post(AUTHENTICATOR))
    codes = [totp(step, secret=new["totp_secret"]) for step in (-1, 0)]
    body = {"authenticator_id": new["id"], field: codes}
    assert client.post(CONFIRM, body, content_type=content_type).status_code == 200


@each("steps", [(0, 0), (0, -1), (-1, 1), (-3, -2), (2, 3), (0, 2)])
def test_other_codes_do_not(client: ApiClient, steps: tuple[int, int]) -> None:
    new = data_of(client.post(AUTHENTICATOR))
    assert error_code(confirm(client, new, *steps)) == WRONG_CODE
    assert data_of(client.get("/me"))["authenticators"] == []
    assert confirm(client, new, -1, 0).status_code == 200


@each(
    "codes",
    [None, "123456", [], ["123456"], ["1", "2", "3"], [123456, 234567], ["123456", None], ["\0", "1"], ["\ud800", "1"]],
)
def test_the_codes_are_two_texts(client: ApiClient, codes: Any) -> None:
    new = data_of(client.post(AUTHENTICATOR))
    assert error_code(confirm(client, new, codes=codes)) == INVALID_FIELD


@each(
    "id_",
    ["0", "9223372036854775807", "9999999999999999999", "x", "-1", "1 ", "\u0661"],
)
def test_an_unknown_authenticator_is_not_found(client: ApiClient, id_: str) -> None:
    new = data_of(client.post(AUTHENTICATOR))
    assert error_code(confirm(client, new, -1, 0, authenticator_id=id_)) == NOT_FOUND


@each("id_", [None, "", 1, "1" * 20])
def test_an_authenticators_id_is_a_short_text(client: ApiClient, id_: Any) -> None:
    new = data_of(client.post(AUTHENTICATOR))
    assert error_code(confirm(client, new, -1, 0, authenticator_id=id_)) == INVALID_FIELD


def test_another_users_authenticator_is_not_found(client: ApiClient) -> None:
    other = signed_in(user_with_password(client.deployment))
    theirs = data_of(other.post(AUTHENTICATOR))
    unknown = confirm(client, theirs, -1, 0, authenticator_id="0").content
    assert confirm(client, theirs, -1, 0).content == unknown
    assert confirm(other, theirs, -1, 0).status_code == 200


def test_a_confirmed_authenticator_is_not_confirmed_again(client: ApiClient) -> None:
    new = enrolled(client)
    assert error_code(confirm(client, new, 0, 1)) == NOT_FOUND


def test_a_later_authenticator_voids_an_unconfirmed_one(client: ApiClient) -> None:
    first, second = data_of(client.post(AUTHENTICATOR)), data_of(client.post(AUTHENTICATOR))
    assert error_code(confirm(client, first, -1, 0)) == NOT_FOUND
    assert confirm(client, second, -1, 0).status_code == 200


def test_the_former_authenticator_counts_until_the_new_one_is_confirmed(client: ApiClient, user: User) -> None:
    former = enrolled(client)
    new = data_of(client.post(AUTHENTICATOR, {"verification_code": totp(1, secret=former["totp_secret"])}))
    assert [item["id"] for item in data_of(client.get("/me"))["authenticators"]] == [former["id"]]
    assert confirm(client, new, -1, 0).status_code == 200
    assert [item["id"] for item in data_of(client.get("/me"))["authenticators"]] == [new["id"]]
    assert not mfa.take_code(user, totp(1, secret=former["totp_secret"]))
    assert mfa.take_code(user, totp(1, secret=new["totp_secret"]))


def test_the_codes_of_the_enrolment_sign_nobody_in(client: ApiClient, user: User) -> None:
    new = enrolled(client)
    other = ApiClient(user.deployment)
    attempt = attempt_of(sign_in(other, user))
    for step in (-1, 0):
        assert error_code(verify(other, attempt, totp(step, secret=new["totp_secret"]))) == WRONG_CODE
    assert verify(other, attempt, totp(1, secret=new["totp_secret"])).status_code == 200


# Backup codes


def test_backup_codes_are_ten_that_differ(client: ApiClient) -> None:
    enrolled(client)
    codes = data_of(client.post(BACKUP_CODES))
    assert len(codes) == len(set(codes)) == 10
    assert all(code.isalnum() and len(code) == 10 for code in codes)


def test_backup_codes_are_shown_once_and_kept_as_hashes(client: ApiClient) -> None:
    enrolled(client)
    codes = data_of(client.post(BACKUP_CODES))
    me = client.get("/me")
    assert data_of(me)["backup_codes_generated"] is True
    stored = list(BackupCode.objects.values_list("code_hash", flat=True))
    assert len(stored) == 10
    assert not any(code in text for code in codes for text in [me.content.decode(), *stored])


def test_the_hash_of_a_code_is_another_for_another_user(user: User) -> None:
    """A reader of the table cannot see that two users have the same code."""
    other = UserFactory.create(deployment=user.deployment)
    assert mfa._backup_hash(user, "x") != mfa._backup_hash(other, "x")


def test_new_backup_codes_void_those_before(client: ApiClient, user: User) -> None:
    enrolled(client)
    before = data_of(client.post(BACKUP_CODES))
    after = data_of(client.post(BACKUP_CODES, {"verification_code": before[0]}))
    assert not any(mfa.take_code(user, code) for code in before)
    assert all(mfa.take_code(user, code) for code in after)


def test_new_backup_codes_of_one_user_leave_those_of_another(client: ApiClient) -> None:
    other = user_with_mfa(client.deployment)
    (code, *_) = mfa.new_backup_codes(other)
    enrolled(client)
    assert client.post(BACKUP_CODES).status_code == 200
    assert mfa.take_code(other, code)


# What they are for


def test_a_confirmed_authenticator_opens_what_requires_one_at_once(client: ApiClient, user: User) -> None:
    member_of_new_workspace(user, enforce_2fa=True)
    (before,) = data_of(client.get())
    assert before["eligibility_restriction"]["type"] == "mfa_required"
    new = data_of(client.post(AUTHENTICATOR))
    (unconfirmed,) = data_of(client.get())
    assert unconfirmed["eligibility_restriction"]["type"] == "mfa_required"
    confirm(client, new, -1, 0)
    (after,) = data_of(client.get())
    assert after["eligibility_restriction"] == {"type": "none", "message": ""}


def test_backup_codes_cannot_be_made_without_an_authenticator(client: ApiClient, user: User) -> None:
    assert error_code(client.post(BACKUP_CODES)) == AUTHENTICATOR_REQUIRED
    client.post(AUTHENTICATOR)
    assert error_code(client.post(BACKUP_CODES)) == AUTHENTICATOR_REQUIRED
    assert not user.backup_codes.exists()


def test_backup_codes_alone_count_for_nothing(client: ApiClient, user: User) -> None:
    """As they may lie in the database from before they needed an authenticator."""
    member_of_new_workspace(user, enforce_2fa=True)
    code = backup_code_in_clear(user)
    (item,) = data_of(client.get())
    assert item["eligibility_restriction"]["type"] == "mfa_required"
    assert data_of(client.get("/me"))["backup_codes_generated"] is False
    assert data_of(sign_in(ApiClient(user.deployment), user))["active_signin"] is not None
    assert not mfa.take_code(user, code)


def test_a_first_authenticator_brings_no_old_backup_codes_back(client: ApiClient, user: User) -> None:
    code = backup_code_in_clear(user)
    enrolled(client)
    assert data_of(client.get("/me"))["backup_codes_generated"] is False
    assert not mfa.take_code(user, code)


def test_backup_codes_pass_on_to_the_next_authenticator(client: ApiClient, user: User) -> None:
    enrolled(client)
    first, second, *_ = data_of(client.post(BACKUP_CODES))
    new = data_of(client.post(AUTHENTICATOR, {"verification_code": first}))
    assert confirm(client, new, -1, 0).status_code == 200
    assert mfa.take_code(user, second)


def test_the_backup_codes_go_with_the_last_confirmed_authenticator(client: ApiClient, user: User) -> None:
    new = enrolled(client)
    client.post(BACKUP_CODES)
    user.authenticators.create(secret=b"")
    user.authenticators.exclude(pk=new["id"]).delete()
    assert user.backup_codes.count() == 10
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_authenticator WHERE id = %s", [new["id"]])
    assert not user.backup_codes.exists()


def test_an_authenticator_can_be_confirmed_for_ten_minutes(client: ApiClient, user: User) -> None:
    new = data_of(client.post(AUTHENTICATOR))
    user.authenticators.update(created_at=timezone.now() - timedelta(minutes=10))
    assert error_code(confirm(client, new, -1, 0)) == NOT_FOUND
    user.authenticators.update(created_at=timezone.now() - timedelta(minutes=9))
    assert confirm(client, new, -1, 0).status_code == 200


@each("path", [AUTHENTICATOR, CONFIRM, BACKUP_CODES])
def test_only_a_signed_in_user_sets_one_up(user: User, path: str) -> None:
    visitor = ApiClient(user.deployment)
    assert error_code(visitor.post(path)) == NO_SESSION
    visitor.get("/session")
    assert error_code(visitor.post(path)) == NO_ACTIVE_SIGN_IN


def test_a_user_who_still_owes_a_code_cannot_set_up_an_authenticator(user: User) -> None:
    confirmed_authenticator(user)
    client = ApiClient(user.deployment)
    sign_in(client, user)
    for path in (AUTHENTICATOR, BACKUP_CODES):
        assert error_code(client.post(path)) == NO_ACTIVE_SIGN_IN
