"""Failed sign-ins are limited, per account and per address, whoever counts and wherever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.credentials import mfa, throttling
from accounts.models import Deployment, FailureCount, User
from tests.support.api import ApiClient, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, confirmed_authenticator
from tests.support.sign_in import (
    SIGN_IN,
    attempt_of,
    sign_in,
    totp,
    user_with_mfa,
    user_with_password,
    verify,
)

WRONG_CREDENTIALS = 40108
WRONG_CODE = 40109
TOO_MANY_REQUESTS = 42901


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 3
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 5


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return user_with_password(deployment, email="ada@example.com", username="ada")


def fail(user: User, times: int, **headers: Any) -> None:
    """Try ``user``'s e-mail address with a wrong password; each time it must be looked at."""
    for _ in range(times):
        assert error_code(sign_in(ApiClient(user.deployment), user, "wrong", **headers)) == WRONG_CREDENTIALS


def fail_with_somebody(deployment: Deployment, times: int, **headers: Any) -> None:
    """Fail once with each of so many names that nobody has."""
    for n in range(times):
        fail(User(deployment=deployment, email=f"nobody{n}@example.com"), 1, **headers)


def is_throttled(user: User, **headers: Any) -> bool:
    """Whether even the right password is not looked at."""
    response = sign_in(ApiClient(user.deployment), user, **headers)
    assert response.status_code == 200 or error_code(response) == TOO_MANY_REQUESTS
    return bool(response.status_code == 429)


def test_an_account_is_locked_at_its_limit(ada: User) -> None:
    fail(ada, 2)
    assert not is_throttled(ada)
    fail(ada, 1)
    assert is_throttled(ada)


def test_the_answer_says_when_to_come_back(ada: User) -> None:
    fail(ada, 3)
    FailureCount.objects.update(window_ends_at=timezone.now() + timedelta(seconds=100))
    response = sign_in(ApiClient(ada.deployment), ada)
    assert error_code(response) == TOO_MANY_REQUESTS
    assert response.headers["Retry-After"] in ("99", "100")
    assert response.cookies.get("__session") is not None  # a visitor's


@pytest.mark.parametrize("left", [timedelta(milliseconds=300), timedelta(seconds=1)])
def test_the_time_to_wait_is_never_zero(ada: User, left: timedelta) -> None:
    limits = throttling.limits(ada.deployment, account=ada, address=None)
    for limit in limits:
        FailureCount.objects.create(key=limit.key, failures=99, window_ends_at=timezone.now() + left)
    response = sign_in(ApiClient(ada.deployment), ada)
    assert response.headers["Retry-After"] == "1"


def test_the_answer_gives_the_longest_wait(ada: User) -> None:
    fail(ada, 3)
    fail_with_somebody(ada.deployment, 2)
    FailureCount.objects.update(window_ends_at=timezone.now() + timedelta(seconds=10))
    FailureCount.objects.filter(failures=5).update(window_ends_at=timezone.now() + timedelta(seconds=100))
    assert int(sign_in(ApiClient(ada.deployment), ada).headers["Retry-After"]) > 10


def test_an_unknown_name_is_locked_as_a_known_one_is(ada: User) -> None:
    """Else the limit would tell who has an account."""
    nobody = User(deployment=ada.deployment, email="nobody@example.com")
    fail(ada, 3, REMOTE_ADDR="192.0.2.1")
    fail(nobody, 3, REMOTE_ADDR="192.0.2.2")
    FailureCount.objects.update(window_ends_at=timezone.now() + timedelta(seconds=100, milliseconds=-1))
    known, unknown = (sign_in(ApiClient(ada.deployment), user, REMOTE_ADDR="192.0.2.3") for user in (ada, nobody))
    assert known.status_code == 429
    assert unknown.content == known.content
    assert unknown.headers["Retry-After"] == known.headers["Retry-After"]


@pytest.mark.parametrize("spelling", ["ADA@EXAMPLE.COM", "Ada@example.com"])
def test_all_spellings_of_a_name_count_together(ada: User, spelling: str) -> None:
    fail(User(deployment=ada.deployment, email=spelling), 3)
    assert is_throttled(ada)


def by_username(deployment: Deployment, username: str) -> int:
    """The code of the answer to ``username`` with a wrong password."""
    body = {"strategy": "plain_username", "username": username, "password": "wrong"}
    return error_code(ApiClient(deployment).post(SIGN_IN, body))


def test_failures_by_address_and_by_username_count_together(ada: User) -> None:
    fail(ada, 2)
    assert by_username(ada.deployment, "ada") == WRONG_CREDENTIALS
    assert by_username(ada.deployment, "ada") == TOO_MANY_REQUESTS
    assert is_throttled(ada)
    assert set(FailureCount.objects.values_list("failures", flat=True)) == {3}


def test_a_failure_leaves_as_many_counts_for_an_unknown_name(ada: User) -> None:
    fail(ada, 1)
    known = FailureCount.objects.count()
    FailureCount.objects.all().delete()
    fail_with_somebody(ada.deployment, 1)
    assert FailureCount.objects.count() == known


def test_no_typed_name_is_taken_for_the_id_of_a_user(ada: User) -> None:
    for _ in range(3):
        assert by_username(ada.deployment, f"user {ada.pk}") == WRONG_CREDENTIALS
    assert by_username(ada.deployment, f"user {ada.pk}") == TOO_MANY_REQUESTS
    assert not is_throttled(ada)


@each("spelling", ["mina", "MINA", "MİNA", "mİna"])
def test_no_spelling_that_the_database_takes_for_the_name_has_tries_of_its_own(
    deployment: Deployment, spelling: str
) -> None:
    user_with_password(deployment, username="mina")
    client = ApiClient(deployment)
    for _ in range(3):
        client.post(SIGN_IN, {"strategy": "plain_username", "username": "mina", "password": "wrong"})
    response = client.post(SIGN_IN, {"strategy": "plain_username", "username": spelling, "password": "wrong"})
    assert error_code(response) == TOO_MANY_REQUESTS


def test_another_account_is_not_locked(ada: User) -> None:
    other = user_with_password(ada.deployment)
    fail(ada, 3)
    assert not is_throttled(other)


def test_the_same_name_in_another_deployment_is_not_locked(ada: User) -> None:
    other = user_with_password(DeploymentFactory.create(), email=ada.email)
    fail(ada, 3)
    assert not is_throttled(other)


def test_an_address_is_locked_at_its_limit(ada: User) -> None:
    fail_with_somebody(ada.deployment, 4, REMOTE_ADDR="192.0.2.1")
    assert not is_throttled(ada, REMOTE_ADDR="192.0.2.1")
    fail_with_somebody(ada.deployment, 1, REMOTE_ADDR="192.0.2.1")
    assert is_throttled(ada, REMOTE_ADDR="192.0.2.1")
    assert not is_throttled(ada, REMOTE_ADDR="192.0.2.2")


@each(
    ("address", "is_same"),
    [
        ("2001:db8:0:1::1", True),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:2::1", False),
        ("2001:db8::1", False),
    ],
)
def test_an_ipv6_network_counts_as_one_address(ada: User, address: str, is_same: bool) -> None:
    """A customer of a provider has all 2^64 addresses of a /64."""
    fail_with_somebody(ada.deployment, 5, REMOTE_ADDR="2001:db8:0:1::1")
    assert is_throttled(ada, REMOTE_ADDR=address) == is_same


def test_an_ipv4_address_counts_the_same_when_written_as_ipv6(ada: User) -> None:
    fail_with_somebody(ada.deployment, 5, REMOTE_ADDR="192.0.2.1")
    assert is_throttled(ada, REMOTE_ADDR="::ffff:192.0.2.1")
    assert not is_throttled(ada, REMOTE_ADDR="::ffff:192.0.2.2")


def test_a_success_is_not_counted(ada: User) -> None:
    for _ in range(7):
        assert not is_throttled(ada)
    assert not FailureCount.objects.exists()


def test_the_end_of_the_window_frees(ada: User) -> None:
    fail(ada, 3)
    FailureCount.objects.update(window_ends_at=timezone.now())
    assert not is_throttled(ada)


def test_after_the_window_the_count_begins_anew(ada: User) -> None:
    fail(ada, 3)
    FailureCount.objects.update(window_ends_at=timezone.now())
    fail(ada, 2)
    assert not is_throttled(ada)
    fail(ada, 1)
    assert is_throttled(ada)


def test_the_window_begins_with_the_first_failure(ada: User, settings: Any) -> None:
    before = timezone.now()
    fail(ada, 1)
    ends = {count.key: count.window_ends_at for count in FailureCount.objects.all()}
    assert all(before <= end - settings.SIGN_IN_FAILURE_WINDOW <= timezone.now() for end in ends.values())
    fail(ada, 2)
    assert is_throttled(ada)
    assert {count.key: count.window_ends_at for count in FailureCount.objects.all()} == ends


def test_a_refusal_is_not_counted(ada: User) -> None:
    """Else a patient attacker could keep an account locked for ever at no cost."""
    fail(ada, 3)
    for _ in range(3):
        assert is_throttled(ada)
    assert set(FailureCount.objects.values_list("failures", flat=True)) == {3}


def test_wrong_codes_are_limited_over_all_attempts(ada: User, settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 100
    confirmed_authenticator(ada)
    code, *_ = mfa.new_backup_codes(ada)
    for _ in range(3):
        client = ApiClient(ada.deployment)
        assert error_code(verify(client, attempt_of(sign_in(client, ada)), "wrong")) == WRONG_CODE
    client = ApiClient(ada.deployment)
    response = verify(client, attempt_of(sign_in(client, ada)), code)
    assert error_code(response) == TOO_MANY_REQUESTS
    assert response.headers["Retry-After"].isdigit()


def test_wrong_codes_count_against_the_address(deployment: Deployment, ada: User) -> None:
    for n in range(5):
        client = ApiClient(deployment)
        attempt = attempt_of(sign_in(client, user_with_mfa(deployment, email=f"user{n}@other.example")))
        assert error_code(verify(client, attempt, "wrong")) == WRONG_CODE
    assert is_throttled(ada)


def test_a_throttled_code_is_not_spent(deployment: Deployment) -> None:
    grace = user_with_mfa(deployment)
    client = ApiClient(deployment)
    attempt = attempt_of(sign_in(client, grace))
    for _ in range(3):
        verify(client, attempt, "wrong")
    code = totp()
    assert error_code(verify(client, attempt, code)) == TOO_MANY_REQUESTS
    FailureCount.objects.update(window_ends_at=timezone.now())
    assert verify(client, attempt, code).status_code == 200


def test_a_name_cannot_lock_somebodys_mfa(deployment: Deployment) -> None:
    grace = user_with_mfa(deployment)
    for name in (str(grace.pk), f"mfa of {grace.pk}", f"mfa:{grace.pk}"):
        body = {"strategy": "plain_username", "username": name, "password": "wrong"}
        for n in range(3):
            response = ApiClient(deployment).post(SIGN_IN, body, REMOTE_ADDR=f"192.0.2.{n}")
            assert error_code(response) == WRONG_CREDENTIALS
    client = ApiClient(deployment)
    assert verify(client, attempt_of(sign_in(client, grace)), totp()).status_code == 200


def test_neither_names_nor_addresses_are_kept(ada: User) -> None:
    fail(ada, 1, REMOTE_ADDR="192.0.2.1")
    kept = " ".join(FailureCount.objects.values_list("key", flat=True))
    assert ada.email not in kept  # a digest may well have "ada" in it
    assert "192.0.2.1" not in kept


def _at_once(number: int, action: Callable[[], int]) -> list[int]:
    """The results of as many calls, in threads with connections of their own."""

    def in_a_thread(_: int) -> int:
        try:
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(in_a_thread, range(number)))


@pytest.mark.django_db(transaction=True)
def test_no_number_of_passwords_at_once_gets_more_of_them_checked() -> None:
    ada = user_with_password(DeploymentFactory.create())
    codes = _at_once(12, lambda: error_code(sign_in(ApiClient(ada.deployment), ada, "wrong")))
    assert sorted(codes) == [WRONG_CREDENTIALS] * 3 + [TOO_MANY_REQUESTS] * 9
    assert set(FailureCount.objects.values_list("failures", flat=True)) == {3}


@pytest.mark.django_db(transaction=True)
def test_attempts_and_successes_at_once_leave_the_count_of_the_failures(settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = settings.SIGN_IN_FAILURES_PER_ADDRESS = 50
    limits = throttling.limits(DeploymentFactory.create(), account="somebody", address=None)
    results = iter([0, 1] * 20)

    def attempt() -> int:
        for _ in range(2):
            with suppress(ZeroDivisionError), throttling.attempt(limits):
                1 // next(results)
        return 0

    _at_once(20, attempt)
    assert set(FailureCount.objects.values_list("failures", flat=True)) == {20}


@pytest.mark.django_db(transaction=True)
def test_the_counts_hold_over_all_connections() -> None:
    """They are committed although the answer is an error."""
    ada = user_with_password(DeploymentFactory.create())
    fail(ada, 3)

    assert _at_once(1, lambda: is_throttled(ada)) == [True]
