"""POST /me/account/delete: the user goes with all that is theirs, and nothing else does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.credentials import mfa
from accounts.models import Deployment, EmailAddress, Mail, Session, SignIn, SignUpInvitation, User
from accounts.values.mail_texts import Template
from audit.models import AuditEntry
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import ORGANIZATION_ADMIN
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    join_organization,
    member_of_new_workspace,
)
from tests.support.sign_in import PASSWORD, session_data, sign_in, signed_in, totp, user_with_mfa, user_with_password

INVALID_FIELD = 40004
SESSION_ENDED = 40104
WRONG_CODE = 40109
WRONG_PASSWORD = 40113
CODE_REQUIRED = 40304
RECENT_SIGN_IN_REQUIRED = 40305
LAST_ADMINISTRATOR = 40901
TOO_MANY_REQUESTS = 42901

DELETE = "/me/account/delete"


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still, so that no period ends within a test."""
    monkeypatch.setattr(mfa, "_step", lambda: 60_000_000)


def late(user: User) -> ApiClient:
    """A browser in which the user signed in ten minutes ago."""
    client = ApiClient(user.deployment, user)
    SignIn.objects.filter(user=user).update(created_at=timezone.now() - timedelta(minutes=10))
    return client


def test_the_invitation_that_the_user_accepted_goes_with_them(ada: User) -> None:
    """It has their name and address. One that somebody else accepted, and an open one, stay."""
    for name, accepted_at in (("ADA", timezone.now()), ("bob", timezone.now()), ("ada", None)):
        SignUpInvitation.objects.create(
            deployment=ada.deployment,
            email=f"{name}@example.com",
            token_hash=name,
            expires_at=timezone.now(),
            accepted_at=accepted_at,
        )
    assert signed_in(ada).post(DELETE, {"password": PASSWORD}).status_code == 200
    left = SignUpInvitation.objects.values_list("token_hash", flat=True)
    assert sorted(left) == ["ada", "bob"]


@each("content_type", [JSON, FORM, MULTIPART], ids=["json", "form", "multipart"])
def test_the_user_goes_with_all_that_is_theirs(ada: User, content_type: str) -> None:
    member_of_new_workspace(ada)
    other, elsewhere = UserFactory.create(deployment=ada.deployment), signed_in(ada)
    client = signed_in(ada)
    before = client.token
    assert data_of(client.post(DELETE, {"password": PASSWORD}, content_type=content_type)) is None
    assert list(User.objects.all()) == [other]
    for model in (OrganizationMembership, WorkspaceMembership, SignIn):
        assert not model.objects.exists()
    assert EmailAddress.objects.get().user == other
    assert not Session.objects.filter(ended_at__isnull=True).exists()
    assert error_code(elsewhere.get("/me")) == SESSION_ENDED
    assert error_code(ApiClient(ada.deployment, token=before).get("/me")) == SESSION_ENDED
    assert client.token != before
    assert session_data(client)["active_signin"] is None
    assert error_code(sign_in(ApiClient(ada.deployment), ada)) == 40108
    mail = Mail.objects.get()
    assert (mail.template, mail.to) == (Template.ACCOUNT_DELETED, "ada@example.com")


def test_the_audit_log_says_that_the_user_did_it(ada: User) -> None:
    data_of(ApiClient(ada.deployment, ada).post(DELETE, {"password": PASSWORD}))
    entry = AuditEntry.objects.get(action="deleted", model="accounts.user")
    assert (entry.actor_kind, entry.actor_id, entry.name) == ("user", ada.pk, "ada@example.com")


def test_the_address_and_username_are_free_again(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(username="ada")
    data_of(ApiClient(ada.deployment, ada).post(DELETE, {"password": PASSWORD}))
    new = UserFactory.create(deployment=ada.deployment, email="ada@example.com", username="ada")
    assert list(User.objects.all()) == [new]


def test_somebody_else_in_the_session_stays_signed_in(ada: User) -> None:
    grace = user_with_password(ada.deployment)
    client = signed_in(grace)
    sign_in(client, ada)
    assert data_of(client.post(DELETE, {"password": PASSWORD})) is None
    assert data_of(client.get("/me"))["id"] == str(grace.pk)


@pytest.mark.parametrize(("body", "code"), [({}, INVALID_FIELD), ({"password": "wrong"}, WRONG_PASSWORD)], ids=str)
def test_a_session_alone_deletes_no_account(ada: User, body: Any, code: int) -> None:
    """However fresh the sign-in is."""
    assert error_code(signed_in(ada).post(DELETE, body)) == code
    assert (User.objects.count(), Mail.objects.count()) == (1, 0)


def test_a_user_with_mfa_gives_a_code_too(deployment: Deployment) -> None:
    grace = user_with_mfa(deployment)
    client = ApiClient(deployment, grace)
    assert error_code(client.post(DELETE, {"password": PASSWORD})) == CODE_REQUIRED
    assert error_code(client.post(DELETE, {"verification_code": totp()})) == INVALID_FIELD
    assert error_code(client.post(DELETE, {"password": "wrong", "verification_code": totp()})) == WRONG_PASSWORD
    assert error_code(client.post(DELETE, {"password": PASSWORD, "verification_code": "000000"})) == WRONG_CODE
    assert data_of(client.post(DELETE, {"password": PASSWORD, "verification_code": totp()})) is None
    assert not User.objects.exists()


def test_a_user_without_password_has_signed_in_recently(deployment: Deployment) -> None:
    user = UserFactory.create(deployment=deployment)
    assert error_code(late(user).post(DELETE)) == RECENT_SIGN_IN_REQUIRED
    assert data_of(ApiClient(deployment, user).post(DELETE)) is None
    assert not User.objects.exists()


def test_wrong_passwords_count_as_when_signing_in(ada: User, settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 2
    client = signed_in(ada)
    for _ in range(2):
        assert error_code(client.post(DELETE, {"password": "wrong"})) == WRONG_PASSWORD
    assert error_code(client.post(DELETE, {"password": PASSWORD})) == TOO_MANY_REQUESTS
    assert User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_last_administrator_of_an_organization_cannot_go() -> None:
    deployment = DeploymentFactory.create()
    ada = user_with_password(deployment)
    organization = OrganizationFactory.create(deployment=deployment)
    role = OrganizationRoleFactory.create(deployment=deployment, permissions=[ORGANIZATION_ADMIN])
    join_organization(ada, organization, role)
    client = ApiClient(deployment, ada)
    assert error_code(client.post(DELETE, {"password": PASSWORD})) == LAST_ADMINISTRATOR
    assert client.get("/me").status_code == 200
    assert not Mail.objects.exists()
    join_organization(UserFactory.create(deployment=deployment), organization, role)
    assert data_of(client.post(DELETE, {"password": PASSWORD})) is None
    assert OrganizationMembership.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_account_is_deleted_once_however_many_ask_at_once() -> None:
    deployment = DeploymentFactory.create()
    ada = user_with_password(deployment)
    token = ApiClient(deployment, ada).token
    gate = threading.Barrier(5)

    def delete(_: int) -> int:
        gate.wait()
        try:
            answer = ApiClient(deployment, token=token).post(DELETE, {"password": PASSWORD})
            return 200 if answer.status_code == 200 else error_code(answer)
        finally:
            connection.close()

    with ThreadPoolExecutor(5) as pool:
        outcomes = sorted(pool.map(delete, range(5)))
    assert (outcomes[0], set(outcomes[1:])) == (200, {SESSION_ENDED})
    assert Mail.objects.count() == 1
