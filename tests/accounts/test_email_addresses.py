"""One's own e-mail addresses: several, each verified by a code, one of them the primary one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.credentials import users
from accounts.mail import outbox
from accounts.models import Deployment, EmailAddress, Mail, SignIn, User
from accounts.self_service import addresses
from accounts.values.mail_texts import Template
from audit.models import AuditEntry
from tests.support.api import FORM, JSON, MULTIPART, RFC3339_UTC, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    UserFactory,
    join_organization,
)
from tests.support.sign_in import PASSWORD, attempt_of, totp, user_with_mfa, user_with_password, verify

INVALID_FIELD = 40004
ADDRESS_TAKEN = 40008
WRONG_CREDENTIALS = 40108
WRONG_CODE = 40109
WRONG_PASSWORD = 40113
RECENT_SIGN_IN_REQUIRED = 40305
NOT_FOUND = 40404
TOO_MANY_REQUESTS = 42901

ADDRESSES = "/me/email-addresses"
NEW = "ada@home.example"


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return user_with_password(deployment, email="ada@example.com")


@pytest.fixture
def client(ada: User) -> ApiClient:
    """A browser in which she signed in a moment ago."""
    return ApiClient(ada.deployment, ada)


def added(client: ApiClient, email: str = NEW) -> str:
    """The id of a new address."""
    id_: str = data_of(client.post(ADDRESSES, {"email": email}))["id"]
    return id_


def do(client: ApiClient, id_: str, step: str, body: Any = None, query: str = "") -> Any:
    return client.post(f"{ADDRESSES}/{id_}/{step}", body, query)


def mailed_code(client: ApiClient, id_: str) -> str:
    """The code that is sent to the address."""
    assert do(client, id_, "prepare-verification").status_code == 200
    _, values = outbox.rendered(Mail.objects.filter(template=Template.VERIFY_ADDRESS).latest("pk"))
    return values["code"]


def verified(client: ApiClient, email: str = NEW) -> str:
    """The id of a new address that is verified."""
    id_ = added(client, email)
    assert do(client, id_, "attempt-verification", query=f"code={mailed_code(client, id_)}").status_code == 200
    return id_


def held(user: User) -> list[tuple[str, bool, bool]]:
    """Each address, and whether it is the primary one and verified."""
    rows = addresses.addresses_of(user)
    return [(row.email, row.is_primary, row.verified_at is not None) for row in rows]


def told() -> list[str]:
    """The recipients of mails about changed addresses."""
    return list(Mail.objects.filter(template=Template.ADDRESS_CHANGED).order_by("pk").values_list("to", flat=True))


# The way of a new address


@each("content_type", [JSON, FORM, MULTIPART], ids=["json", "form", "multipart"])
def test_a_new_address_is_verified_by_a_code_and_made_primary(client: ApiClient, ada: User, content_type: str) -> None:
    new = data_of(client.post(ADDRESSES, {"email": " Ada@HOME.example "}, content_type=content_type))
    address = EmailAddress.objects.get(email="Ada@home.example")
    assert new == {
        "id": str(address.pk),
        "email": "Ada@home.example",
        "is_primary": False,
        "verified": False,
        "verified_at": "",
        "verification_strategy": "otp",
    }
    code = mailed_code(client, new["id"])
    outbox.deliver_due()
    assert (django_mail.outbox[-1].to, code in django_mail.outbox[-1].body) == (["Ada@home.example"], True)
    answered = data_of(do(client, new["id"], "attempt-verification", query=f"code={code}"))
    assert RFC3339_UTC.fullmatch(answered["verified_at"])
    assert answered == new | {"verified": True, "verified_at": answered["verified_at"]}
    assert data_of(do(client, new["id"], "make-primary")) == answered | {"is_primary": True}
    assert held(ada) == [("Ada@home.example", True, True), ("ada@example.com", False, False)]
    ada.refresh_from_db()
    assert ada.email == "Ada@home.example"
    assert told() == ["ada@example.com", "ada@example.com"], "the address that was the primary one"


def test_the_list_has_the_primary_address_first(client: ApiClient, ada: User) -> None:
    added(client)
    listed = data_of(client.get(ADDRESSES))
    assert [(one["email"], one["is_primary"], one["verified"]) for one in listed] == [
        ("ada@example.com", True, False),
        (NEW, False, False),
    ]
    assert {name: type(value) for name, value in listed[0].items()} == {
        "id": str,
        "email": str,
        "is_primary": bool,
        "verified": bool,
        "verified_at": str,
        "verification_strategy": str,
    }


def test_the_polled_answers_show_a_change_at_once(client: ApiClient, ada: User) -> None:
    join_organization(ada, OrganizationFactory.create(deployment=ada.deployment))
    paths = ["/me", "/session", "/me/organization-memberships"]
    etags = {path: client.get(path).headers["ETag"] for path in paths}
    (primary,) = ada.email_addresses.all()
    do(client, str(primary.pk), "attempt-verification", query=f"code={mailed_code(client, str(primary.pk))}")
    answers = {path: client.get(path, HTTP_IF_NONE_MATCH=etags[path]) for path in paths}
    me = data_of(answers["/me"])
    assert me["primary_email_address"]["verified"] is True
    assert me["user_email_addresses"] == [me["primary_email_address"]]
    assert me["primary_email_address_id"] == str(primary.pk)
    assert data_of(answers["/session"])["active_signin"]["user"] == me
    (membership,) = data_of(answers["/me/organization-memberships"])
    assert membership["user"]["primary_email_address"] == me["primary_email_address"]


def test_others_do_not_see_the_addresses_that_are_not_primary(client: ApiClient, ada: User) -> None:
    join_organization(ada, OrganizationFactory.create(deployment=ada.deployment))
    verified(client)
    assert NEW not in client.get("/me/organization-memberships").content.decode()


def test_an_own_address_is_not_added_twice(client: ApiClient, ada: User) -> None:
    id_ = added(client)
    assert added(client, NEW.upper()) == id_
    assert added(client, "ADA@example.com") == str(ada.email_addresses.get(is_primary=True).pk)
    assert ada.email_addresses.count() == 2


@each("email", ["", "ada", "ada@", "a b@example.com", "x" * 250 + "@example.com", None, 7])
def test_text_that_is_no_address_is_refused(client: ApiClient, ada: User, email: Any) -> None:
    assert error_code(client.post(ADDRESSES, {"email": email})) == INVALID_FIELD
    assert ada.email_addresses.count() == 1


def test_a_user_has_ten_addresses_at_most(client: ApiClient, ada: User) -> None:
    for number in range(9):
        added(client, f"ada{number}@example.com")
    assert error_code(client.post(ADDRESSES, {"email": NEW})) == INVALID_FIELD
    assert ada.email_addresses.count() == addresses.MAX_ADDRESSES


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


# Primary and removed ones


def test_only_a_verified_address_becomes_the_primary_one(client: ApiClient, ada: User) -> None:
    assert error_code(do(client, added(client), "make-primary")) == INVALID_FIELD
    assert held(ada)[0] == ("ada@example.com", True, False)


def test_the_primary_address_stays(client: ApiClient, ada: User) -> None:
    assert error_code(do(client, str(ada.email_addresses.get().pk), "delete")) == INVALID_FIELD
    assert ada.email_addresses.count() == 1


def test_an_address_that_is_not_primary_can_be_removed(client: ApiClient, ada: User) -> None:
    assert data_of(do(client, verified(client), "delete")) is None
    assert held(ada) == [("ada@example.com", True, False)]
    assert told() == ["ada@example.com"] * 2
    assert data_of(do(client, added(client), "delete")) is None
    assert told() == ["ada@example.com"] * 2, "nothing to tell of an address that was never verified"


# Proof


def late(user: User) -> ApiClient:
    """A browser in which the user signed in ten minutes ago."""
    client = ApiClient(user.deployment, user)
    SignIn.objects.filter(user=user).update(created_at=timezone.now() - timedelta(minutes=10))
    return client


def test_an_older_sign_in_changes_addresses_with_the_password_alone(ada: User) -> None:
    id_ = verified(ApiClient(ada.deployment, ada))
    client = late(ada)
    calls = [(ADDRESSES, {"email": "thief@example.com"})] + [
        (f"{ADDRESSES}/{id_}/{step}", {}) for step in ("make-primary", "delete")
    ]
    before = held(ada)
    for path, body in calls:
        assert error_code(client.post(path, body)) == RECENT_SIGN_IN_REQUIRED
        assert error_code(client.post(path, body | {"password": "wrong"})) == WRONG_PASSWORD
    assert held(ada) == before
    for path, body in [calls[0], calls[1]]:
        assert client.post(path, body | {"password": PASSWORD}).status_code == 200


def test_an_older_sign_in_with_mfa_takes_a_code(deployment: Deployment) -> None:
    grace = user_with_mfa(deployment)
    client = late(grace)
    assert error_code(client.post(ADDRESSES, {"email": NEW})) == RECENT_SIGN_IN_REQUIRED
    assert error_code(client.post(ADDRESSES, {"email": NEW, "password": PASSWORD})) == RECENT_SIGN_IN_REQUIRED
    assert error_code(client.post(ADDRESSES, {"email": NEW, "verification_code": "000000"})) == WRONG_CODE
    assert client.post(ADDRESSES, {"email": NEW, "verification_code": totp()}).status_code == 200


def test_a_recent_sign_in_with_mfa_is_proof_enough(deployment: Deployment) -> None:
    grace = user_with_mfa(deployment)
    assert added(ApiClient(deployment, grace))


# The rows, whoever writes them


def test_a_new_user_has_the_address_unverified(deployment: Deployment) -> None:
    assert held(UserFactory.create(deployment=deployment, email="x@example.com")) == [("x@example.com", True, False)]
    assert held(UserFactory.create(deployment=deployment, email="", username="x")) == []


def test_an_address_that_staff_type_replaces_the_primary_one(client: ApiClient, ada: User) -> None:
    verified(client)
    users.set_verified(ada, "ada@example.com")
    User.objects.filter(pk=ada.pk).update(email="new@example.com")
    assert held(ada) == [("new@example.com", True, False), (NEW, False, True)]
    User.objects.filter(pk=ada.pk).update(email=NEW)
    assert held(ada) == [(NEW, True, True), ("new@example.com", False, False)]
    User.objects.filter(pk=ada.pk).update(email="", username="ada")
    assert held(ada) == [("new@example.com", False, False)]


def test_another_case_of_letters_is_the_same_address(ada: User) -> None:
    users.set_verified(ada, "ADA@example.com")
    User.objects.filter(pk=ada.pk).update(email="Ada@example.com")
    assert held(ada) == [("Ada@example.com", True, True)]


def test_a_verified_address_is_nobody_elses_primary_one(client: ApiClient, ada: User) -> None:
    verified(client)
    other = UserFactory.create(deployment=ada.deployment)
    with pytest.raises(IntegrityError, match="accounts_emailaddress_is_one_users"), transaction.atomic():
        User.objects.filter(pk=other.pk).update(email=NEW)
    with pytest.raises(IntegrityError, match="accounts_emailaddress_is_one_users"), transaction.atomic():
        UserFactory.create(deployment=ada.deployment, email=NEW.upper())


def test_nobody_but_the_database_says_which_address_is_primary(client: ApiClient, ada: User) -> None:
    verified(client)
    before = held(ada)
    EmailAddress.objects.filter(user=ada).update(is_primary=True)
    assert held(ada) == before
    EmailAddress.objects.create(deployment=DeploymentFactory.create(), user=ada, email="x@example.com")
    assert set(ada.email_addresses.values_list("deployment", flat=True)) == {ada.deployment_id}


@pytest.mark.django_db(transaction=True)
def test_the_row_of_the_primary_address_cannot_be_deleted() -> None:
    user = UserFactory.create()
    with pytest.raises(IntegrityError, match="primary e-mail address cannot be deleted"):
        EmailAddress.objects.filter(user=user).delete()
    assert user.email_addresses.count() == 1
    user.delete()
    assert not EmailAddress.objects.exists()


def test_the_audit_log_has_what_users_do_with_addresses(client: ApiClient, ada: User) -> None:
    rows = AuditEntry.objects.filter(model="accounts.emailaddress").order_by("pk")
    (primary,) = rows
    assert (primary.action, primary.name) == ("added", ada.email), "it came with the user"
    id_ = verified(client)
    do(client, id_, "delete")
    later = [(row.action, row.name, row.actor_kind) for row in rows.filter(pk__gt=primary.pk)]
    assert later == [("added", NEW, "user"), ("changed", NEW, "user"), ("deleted", NEW, "user")]


# Signing in


def by_address(user: User, email: str) -> Any:
    body = {"strategy": "plain_email", "email": email, "password": PASSWORD}
    return ApiClient(user.deployment).post("/auth/signin", body)


def test_users_sign_in_by_any_of_their_verified_addresses(client: ApiClient, ada: User) -> None:
    id_ = added(client)
    assert error_code(by_address(ada, NEW)) == WRONG_CREDENTIALS
    do(client, id_, "attempt-verification", query=f"code={mailed_code(client, id_)}")
    for email in (NEW.upper(), "ada@example.com"):
        assert data_of(by_address(ada, email))["active_signin"]["user_id"] == str(ada.pk)
    do(client, id_, "delete")
    assert error_code(by_address(ada, NEW)) == WRONG_CREDENTIALS


def test_an_address_that_somebody_only_added_signs_in_its_owner(client: ApiClient, ada: User) -> None:
    owner = user_with_password(ada.deployment, email=NEW)
    added(client)
    assert data_of(by_address(ada, NEW))["active_signin"]["user_id"] == str(owner.pk)


def test_a_code_that_signs_in_verifies_its_address(ada: User) -> None:
    Deployment.objects.update(sign_in_by_code=True)
    browser = ApiClient(ada.deployment)
    attempt = attempt_of(browser.post("/auth/signin", {"strategy": "email_otp", "email": ada.email}))
    browser.post("/auth/prepare-verification", None, f"attempt_identifier={attempt}&strategy=email_otp")
    _, values = outbox.rendered(Mail.objects.get(template=Template.SIGN_IN_CODE))
    assert error_code(verify(browser, attempt, "wrong")) == WRONG_CODE
    assert held(ada) == [("ada@example.com", True, False)]
    assert verify(browser, attempt, values["code"]).status_code == 200
    assert held(ada) == [("ada@example.com", True, True)]
