"""Codes that are sent by mail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.credentials import codes
from accounts.credentials.codes import MAX_TRIES, Purpose
from accounts.models import Deployment, MailedCode
from api.errors import ApiError, Problem
from tests.support.cases import each
from tests.support.database import everything_stored
from tests.support.factories import DeploymentFactory

ADDRESS = ip_address("192.0.2.7")


def new(deployment: Deployment, subject: str = "ada", purpose: Purpose = Purpose.SIGN_UP) -> str:
    return codes.new(deployment, purpose, subject, address=ADDRESS)


def take(deployment: Deployment, code: str, subject: str = "ada", purpose: Purpose = Purpose.SIGN_UP) -> bool:
    return codes.take(deployment, purpose, subject, code)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def test_a_code_is_six_digits_and_good_once(deployment: Deployment) -> None:
    code = new(deployment)
    assert len(code) == 6
    assert code.isdigit()
    assert [take(deployment, code), take(deployment, code)] == [True, False]


@each("spelling", ["{0} {1}", " {0}-{1}\n", "{0}\u200b{1}"])
def test_a_code_may_be_typed_in_groups(deployment: Deployment, spelling: str) -> None:
    code = new(deployment)
    assert take(deployment, spelling.format(code[:3], code[3:]))


def test_a_code_is_good_for_nothing_else(deployment: Deployment) -> None:
    code = new(deployment)
    assert not take(deployment, code, subject="bo")
    assert not take(deployment, code, purpose=Purpose.RESET_PASSWORD)
    assert not take(DeploymentFactory.create(), code)
    assert take(deployment, code)


def test_a_new_code_takes_the_place_of_the_one_before(deployment: Deployment) -> None:
    first, second = new(deployment), new(deployment)
    assert first == second or not take(deployment, first)
    assert take(deployment, second)


def test_a_code_is_void_after_five_wrong_ones(deployment: Deployment) -> None:
    code = new(deployment)
    for _ in range(MAX_TRIES):
        assert not take(deployment, wrong(code))
    assert not take(deployment, code)
    assert take(deployment, new(deployment)), "the next code has its own tries"


def test_the_last_try_counts(deployment: Deployment) -> None:
    code = new(deployment)
    for _ in range(MAX_TRIES - 1):
        assert not take(deployment, wrong(code))
    assert take(deployment, code)


def test_a_code_expires(deployment: Deployment) -> None:
    code = new(deployment)
    expires_at = MailedCode.objects.get().expires_at
    assert timedelta(minutes=9) < expires_at - timezone.now() <= codes.LIFETIME
    MailedCode.objects.update(expires_at=timezone.now())
    assert not take(deployment, code)
    assert codes.sweep() == 1


def test_neither_code_nor_subject_is_kept(deployment: Deployment) -> None:
    code = new(deployment, "ada@example.com")
    stored = everything_stored()
    assert f"({code}" not in stored
    assert f",{code}" not in stored
    assert "ada@example.com" not in stored


def test_codes_for_one_subject_are_limited(deployment: Deployment, settings: Any) -> None:
    settings.CODES_PER_ACCOUNT = 3
    for _ in range(3):
        code = new(deployment)
    with pytest.raises(ApiError) as caught:
        new(deployment)
    assert caught.value.problem is Problem.TOO_MANY_REQUESTS
    assert 0 < int(caught.value.headers["Retry-After"]) <= settings.SIGN_IN_FAILURE_WINDOW.total_seconds()
    assert take(deployment, code), "the refusal spoils the last code"
    assert new(deployment, "bo")
    assert new(DeploymentFactory.create())


def test_codes_on_behalf_of_one_address_are_limited(deployment: Deployment, settings: Any) -> None:
    settings.CODES_PER_ADDRESS = 3
    for number in range(3):
        new(deployment, f"user{number}")
    with pytest.raises(ApiError):
        new(deployment, "user3")
    assert codes.new(deployment, Purpose.SIGN_UP, "user3", address=ip_address("192.0.2.8"))


@pytest.mark.django_db(transaction=True)
def test_of_fifty_uses_at_once_one_succeeds() -> None:
    deployment = DeploymentFactory.create()
    code = new(deployment)
    assert sum(_at_once(50, lambda: take(deployment, code))) == 1


@pytest.mark.django_db(transaction=True)
def test_no_number_of_guesses_at_once_gets_more_than_five() -> None:
    deployment = DeploymentFactory.create()
    code = new(deployment)
    _at_once(50, lambda: take(deployment, wrong(code)))
    assert MailedCode.objects.get().tries == MAX_TRIES
    assert not take(deployment, code)


@pytest.mark.django_db(transaction=True)
def test_no_number_of_requests_at_once_gets_more_codes(settings: Any) -> None:
    settings.CODES_PER_ACCOUNT = 5
    deployment = DeploymentFactory.create()

    def ask() -> bool:
        try:
            return bool(new(deployment))
        except ApiError:
            return False

    assert sum(_at_once(50, ask)) == 5


def _at_once(number: int, action: Any) -> list[bool]:
    def run(_: int) -> bool:
        try:
            return bool(action())
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(run, range(number)))
