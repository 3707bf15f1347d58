"""The token that sets a new password is good once, for a short time, and for the user as they were."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.credentials import mfa
from accounts.models import User
from accounts.sign_in import forgotten_passwords
from tests.support.api import ApiClient, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, token_of
from tests.support.forgotten_passwords import reset, token_by_mail
from tests.support.sign_in import user_with_password

WEAK_PASSWORD = 40007
RESET_OVER = 40117


def test_a_token_is_good_once(browser: ApiClient, ada: User) -> None:
    token = token_by_mail(browser)
    assert reset(browser, token).status_code == 200
    assert error_code(reset(browser, token, "ten loud geese honk")) == RESET_OVER


def test_a_password_changed_meanwhile_ends_the_token(browser: ApiClient, ada: User) -> None:
    token = token_by_mail(browser)
    ada.set_password("ten loud geese honk")
    ada.save()
    assert error_code(reset(browser, token)) == RESET_OVER


@pytest.mark.parametrize("change", [{"email": "new@example.com"}, {"disabled": True}])
def test_a_changed_address_or_disabled_user_ends_the_token(
    browser: ApiClient, ada: User, change: dict[str, Any]
) -> None:
    token = token_by_mail(browser)
    User.objects.update(**change)
    assert error_code(reset(browser, token)) == RESET_OVER


def test_a_token_is_short_lived(browser: ApiClient, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    token = token_by_mail(browser)
    monkeypatch.setattr(forgotten_passwords, "LIFETIME", timedelta(0))
    assert error_code(reset(browser, token)) == RESET_OVER


def test_a_token_of_another_deployment_or_user_that_is_gone_is_refused(browser: ApiClient, ada: User) -> None:
    token = token_by_mail(browser)
    assert error_code(reset(ApiClient(DeploymentFactory.create()), token)) == RESET_OVER
    assert error_code(reset(browser, "forged")) == RESET_OVER
    assert error_code(reset(browser, token[:-1] + ("A" if token[-1] != "A" else "B"))) == RESET_OVER
    ada.delete()
    assert error_code(reset(browser, token)) == RESET_OVER


@each("password", ["short", "ada@example.com", "1q2w3e4r5t6y7u8i9o0p"])
def test_a_poor_password_is_refused_and_the_token_stays_good(browser: ApiClient, ada: User, password: str) -> None:
    other = ApiClient(ada.deployment, token=token_of(ada))
    token = token_by_mail(browser)
    assert error_code(reset(browser, token, password)) == WEAK_PASSWORD
    assert other.get("/me").status_code == 200
    assert reset(browser, token).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("gone", ["user", "address"])
def test_a_user_or_address_deleted_while_a_reset_waits_ends_the_token(gone: str) -> None:
    deployment = DeploymentFactory.create()
    ada = user_with_password(deployment, email="ada@example.com")
    ada.email_addresses.create(deployment=deployment, email="other@example.com", verified_at=timezone.now())
    browser = ApiClient(deployment)
    token = token_by_mail(browser, "other@example.com")
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            mfa.lock(ada)
            waiting = pool.submit(reset_and_close, browser, token)
            wait_for_a_lock()
            if gone == "user":
                ada.delete()
            else:
                ada.email_addresses.filter(email="other@example.com").delete()
        assert error_code(waiting.result()) == RESET_OVER


def reset_and_close(client: ApiClient, token: str) -> Any:
    try:
        return reset(client, token)
    finally:
        connection.close()


def wait_for_a_lock() -> None:
    """Until another connection waits for a row that this one holds."""
    for _ in range(100):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone():
                return
        time.sleep(0.05)
    raise AssertionError("nobody waits")
