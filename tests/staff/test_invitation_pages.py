"""The pages for staff of invitations to sign up."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Deployment, Mail, SignUpInvitation
from tests.support.admin import errors, go_on, saved, send, url
from tests.support.factories import DeploymentFactory, UserFactory, invitation


@pytest.fixture
def inviting(db: None) -> Deployment:
    return DeploymentFactory.create(sign_up_mode="invitation")


def invite(client: Client, deployment: Deployment, email: str = "ada@example.com") -> object:
    return send(client, url(SignUpInvitation, "add"), deployment=deployment.pk, email=email, first_name="Ada")


def test_an_invitation_is_sent_when_it_is_added(admin_client: Client, inviting: Deployment) -> None:
    assert saved(invite(admin_client, inviting))
    row = SignUpInvitation.objects.get()
    assert (row.email, row.first_name, row.accepted_at) == ("ada@example.com", "Ada", None)
    assert row.expires_at > timezone.now()
    assert list(Mail.objects.values_list("to", "template")) == [("ada@example.com", "sign_up_invitation")]
    assert row.token_hash not in admin_client.get(url(row, "change")).content.decode()


def test_an_address_that_has_an_account_or_invitation_is_refused(admin_client: Client, inviting: Deployment) -> None:
    UserFactory.create(deployment=inviting, email="bo@example.com")
    assert "A user of this deployment has this address." in errors(invite(admin_client, inviting, "BO@example.com"))
    invitation(inviting)
    assert "send that one again" in errors(invite(admin_client, inviting, "Ada@example.com"))
    assert Mail.objects.count() == 1


def test_a_deployment_where_nobody_can_sign_up_invites_nobody(admin_client: Client, inviting: Deployment) -> None:
    Deployment.objects.update(sign_up_mode="closed")
    assert "change its sign-up mode first" in errors(invite(admin_client, inviting))


def test_an_invitation_is_sent_again_from_the_list(admin_client: Client, inviting: Deployment) -> None:
    row = invitation(inviting)
    go_on(admin_client, "send_again", row)
    before, row = row.token_hash, SignUpInvitation.objects.get()
    assert row.token_hash != before
    assert Mail.objects.count() == 2


def test_an_accepted_invitation_is_not_sent_again(admin_client: Client, inviting: Deployment) -> None:
    row = invitation(inviting, accepted_at=timezone.now())
    go_on(admin_client, "send_again", row)
    assert Mail.objects.count() == 1
