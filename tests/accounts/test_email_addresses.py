"""One's own e-mail addresses: added, made the primary one and removed; and who may do so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.credentials import users
from accounts.mail import outbox
from accounts.models import Deployment, EmailAddress, Mail, SignIn, User
from accounts.self_service import addresses
from accounts.values.mail_texts import Template
from audit.models import AuditEntry
from tests.support.addresses import ADDRESSES, NEW, added, do, held, mailed_code, told, verified
from tests.support.api import FORM, JSON, MULTIPART, RFC3339_UTC, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, OrganizationFactory, UserFactory, join_organization
from tests.support.sign_in import PASSWORD, attempt_of, totp, user_with_mfa, user_with_password, verify

INVALID_FIELD = 40004
WRONG_CREDENTIALS = 40108
WRONG_CODE = 40109
WRONG_PASSWORD = 40113
RECENT_SIGN_IN_REQUIRED = 40305


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
