"""Users are told by mail of changes that staff make to their password, address and MFA."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.mail import outbox
from accounts.models import Mail, User
from accounts.values.mail_texts import Template
from tests.support.admin import saved, send, url
from tests.support.factories import DeploymentFactory, UserFactory, backup_code, confirmed_authenticator

PASSWORD = "nine purple otters sing"


@pytest.fixture
def ada(db: None) -> User:
    return UserFactory.create(deployment=DeploymentFactory.create(), email="ada@example.com", username="ada")


def told() -> list[tuple[str, str, str]]:
    """The kind and recipient of each mail, and who it says made the change or the change itself."""
    return [
        (row.template, row.to, values.get("change", values["address"]))
        for row in Mail.objects.order_by("pk")
        for _, values in [outbox.rendered(row)]
    ]


def test_a_password_that_staff_set_is_told(admin_client: Client, ada: User) -> None:
    assert saved(send(admin_client, url(ada, "change"), new_password=PASSWORD))
    assert told() == [(Template.PASSWORD_CHANGED, "ada@example.com", "our support team")]


def test_an_address_that_staff_change_is_told_to_the_one_before(admin_client: Client, ada: User) -> None:
    assert saved(send(admin_client, url(ada, "change"), email="new@example.com"))
    assert saved(send(admin_client, url(ada, "change"), email=""))
    assert saved(send(admin_client, url(ada, "change"), email="newest@example.com"))
    assert told() == [
        (Template.ADDRESS_CHANGED, "ada@example.com", "Your main address is new@example.com now."),
        (Template.ADDRESS_CHANGED, "new@example.com", "The address new@example.com was removed."),
    ]


def test_mfa_that_staff_reset_is_told(admin_client: Client, ada: User) -> None:
    for device in (backup_code(ada), confirmed_authenticator(ada)):
        assert saved(admin_client.post(url(device, "delete"), {"post": "yes"}))
    (authenticator,) = [confirmed_authenticator(ada)]
    data = {"action": "delete_selected", "_selected_action": [authenticator.pk], "post": "yes"}
    assert admin_client.post(url(type(authenticator), "changelist"), data).status_code == 302
    removed = "Your authenticator was removed. Signing in takes no code any more."
    assert told() == [
        (Template.MFA_CHANGED, "ada@example.com", text) for text in ("Backup codes were removed.", removed, removed)
    ]


def test_other_changes_and_new_users_are_told_nothing(admin_client: Client, ada: User) -> None:
    assert saved(send(admin_client, url(ada, "change"), first_name="Ada"))
    fields = {"deployment": ada.deployment_id, "email": "new@example.com", "new_password": PASSWORD}
    assert saved(send(admin_client, url(User, "add"), **fields))
    assert told() == []
