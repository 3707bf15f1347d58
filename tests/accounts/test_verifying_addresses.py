"""An address is verified by the code of a mail, and belongs to the user who does so first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.credentials import users
from accounts.models import EmailAddress, Mail, User
from accounts.values.mail_texts import Template
from tests.support.addresses import ADDRESSES, NEW, added, do, held, mailed_code, told, verified
from tests.support.api import ApiClient, data_of, error_code
from tests.support.factories import DeploymentFactory, UserFactory

INVALID_FIELD = 40004
ADDRESS_TAKEN = 40008
WRONG_CODE = 40109
NOT_FOUND = 40404
TOO_MANY_REQUESTS = 42901


# Somebody else's address


@pytest.mark.parametrize("is_theirs", ["primary, typed by staff", "verified"])
def test_adding_an_address_does_not_show_whether_somebody_has_it(client: ApiClient, ada: User, is_theirs: str) -> None:
    other = UserFactory.create(deployment=ada.deployment, email=NEW)
    if is_theirs == "verified":
        users.set_verified(other, NEW)
        User.objects.filter(pk=other.pk).update(username="other", email="elsewhere@example.com")
        EmailAddress.objects.create(deployment=ada.deployment, user=other, email=NEW, verified_at=timezone.now())
    answers = []
    for email in (NEW, "nobody@home.example"):
        first = data_of(client.post(ADDRESSES, {"email": email}))
        second = data_of(do(client, first["id"], "prepare-verification"))
        wrong = error_code(do(client, first["id"], "attempt-verification", query="code=wrong"))
        early = error_code(do(client, first["id"], "make-primary"))
        without = {name: value for name, value in first.items() if name not in ("id", "email")}
        answers.append((without, first == second, wrong, early))
    assert answers[0] == answers[1]
    assert list(Mail.objects.order_by("pk").values_list("template", flat=True)) == [Template.VERIFY_ADDRESS] * 2


def test_the_right_code_shows_that_an_address_is_taken(client: ApiClient, ada: User) -> None:
    UserFactory.create(deployment=ada.deployment, email=NEW.upper())
    id_ = added(client)
    response = do(client, id_, "attempt-verification", query=f"code={mailed_code(client, id_)}")
    assert error_code(response) == ADDRESS_TAKEN
    assert held(ada) == [("ada@example.com", True, False), (NEW, False, False)]
    assert told() == []


def test_an_address_of_another_deployment_is_free(client: ApiClient, ada: User) -> None:
    UserFactory.create(email=NEW)
    verified(client)
    assert (NEW, False, True) in held(ada)


def test_nobody_uses_the_address_of_another_user(client: ApiClient, ada: User) -> None:
    other = UserFactory.create(deployment=ada.deployment)
    theirs = str(other.email_addresses.get().pk)
    for step in ("prepare-verification", "attempt-verification", "make-primary", "delete"):
        assert error_code(do(client, theirs, step)) == NOT_FOUND
        assert error_code(do(client, str(2**62), step)) == NOT_FOUND
    assert other.email_addresses.count() == 1


# Codes


def test_a_code_is_good_once_and_for_its_own_address(client: ApiClient) -> None:
    first, second = added(client), added(client, "ada@work.example")
    code = mailed_code(client, first)
    assert error_code(do(client, second, "attempt-verification", query=f"code={code}")) == WRONG_CODE
    assert do(client, first, "attempt-verification", {"code": code}).status_code == 200
    assert error_code(do(client, first, "attempt-verification", query=f"code={code}")) == WRONG_CODE
    assert error_code(do(client, first, "prepare-verification")) == INVALID_FIELD


def test_a_code_is_void_after_five_tries(client: ApiClient) -> None:
    id_ = added(client)
    code = mailed_code(client, id_)
    for wrong in ("", "000000x", "wrong", "1", "2"):
        assert error_code(do(client, id_, "attempt-verification", {"code": wrong})) == WRONG_CODE
    assert error_code(do(client, id_, "attempt-verification", query=f"code={code}")) == WRONG_CODE


def test_a_code_of_a_removed_address_is_void(client: ApiClient) -> None:
    id_ = added(client)
    code = mailed_code(client, id_)
    do(client, id_, "delete")
    assert error_code(do(client, added(client), "attempt-verification", query=f"code={code}")) == WRONG_CODE


def test_a_mailbox_gets_five_codes_whoever_asks(client: ApiClient, ada: User, settings: Any) -> None:
    settings.CODES_PER_ACCOUNT = 3
    other = ApiClient(ada.deployment, UserFactory.create(deployment=ada.deployment))
    for browser in (client, other, client):
        mailed_code(browser, added(browser))
    for browser in (client, other):
        response = do(browser, added(browser), "prepare-verification")
        assert error_code(response) == TOO_MANY_REQUESTS
        assert response.headers["Retry-After"].isdigit()
    do(client, added(client), "delete")
    assert error_code(do(client, added(client), "prepare-verification")) == TOO_MANY_REQUESTS


@pytest.mark.django_db(transaction=True)
def test_of_fifty_uses_of_one_code_at_once_one_succeeds() -> None:
    user = UserFactory.create(deployment=DeploymentFactory.create(), email="ada@example.com")
    client = ApiClient(user.deployment, user)
    id_ = added(client)
    code = mailed_code(client, id_)
    gate = threading.Barrier(10)
    token = client.token

    def use(number: int) -> int:
        if number < 10:
            gate.wait()
        try:
            answer = do(ApiClient(user.deployment, token=token), id_, "attempt-verification", query=f"code={code}")
            return 200 if answer.status_code == 200 else error_code(answer)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        outcomes = sorted(pool.map(use, range(50)))
    assert outcomes == [200] + [WRONG_CODE] * 49
    assert told() == ["ada@example.com"], "one mail"


@pytest.mark.django_db(transaction=True)
def test_of_two_users_who_verify_an_address_at_once_one_gets_it() -> None:
    deployment = DeploymentFactory.create()
    waiting = []
    for _ in range(2):
        client = ApiClient(deployment, UserFactory.create(deployment=deployment))
        id_ = added(client)
        waiting.append((client.token, id_, mailed_code(client, id_)))
    gate = threading.Barrier(2)

    def use(one: tuple[str | None, str, str]) -> int:
        token, id_, code = one
        gate.wait()
        try:
            answer = do(ApiClient(deployment, token=token), id_, "attempt-verification", query=f"code={code}")
            return 200 if answer.status_code == 200 else error_code(answer)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(use, waiting)) == [200, ADDRESS_TAKEN]
