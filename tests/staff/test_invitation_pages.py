"""The pages for staff of invitations to sign up, and to organizations."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Deployment, Mail, SignUpInvitation
from memberships.models import OrganizationInvitation
from tests.support.admin import errors, go_on, saved, send, url
from tests.support.factories import DeploymentFactory, OrganizationRoleFactory, UserFactory, invitation
from tests.support.self_service import Firm


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


@pytest.fixture
def firm(inviting: Deployment) -> Firm:
    return Firm(inviting)


def test_staff_invite_to_an_organization_with_any_role(admin_client: Client, firm: Firm) -> None:
    role = OrganizationRoleFactory.create(deployment=firm.deployment, permissions=["billing:pay"])
    add = url(OrganizationInvitation, "add")
    values = {"organization": firm.organization.pk, "role": role.pk, "workspace": firm.workspace.pk}
    assert "A member with this address is there" in errors(
        send(admin_client, add, **values, email=firm.member.email, workspace_role="")
    )
    foreign = {"workspace": "", "workspace_role": firm.workspace_role.pk}
    assert "takes a workspace" in errors(send(admin_client, add, **values | foreign, email="ada@example.com"))
    assert saved(send(admin_client, add, **values, email="ada@example.com", workspace_role=firm.workspace_role.pk))
    row = OrganizationInvitation.objects.get(email="ada@example.com")
    assert (row.is_by_staff, row.inviter, row.deployment_id) == (True, None, firm.deployment.pk)
    assert (row.role, row.workspace, row.workspace_role) == (role, firm.workspace, firm.workspace_role)
    assert Mail.objects.filter(to="ada@example.com", template="invitation").exists()
    page = admin_client.get(url(row, "change")).content.decode()
    assert row.token_hash not in page
    assert admin_client.get(url(OrganizationInvitation, "changelist")).content.decode().count("staff") > 0


def test_staff_see_who_invited_whom_and_as_what(admin_client: Client, firm: Firm) -> None:
    firm.invite("ada@example.com", role=firm.role, workspace=firm.workspace, workspace_role=firm.workspace_role)
    page = admin_client.get(url(OrganizationInvitation, "changelist")).content.decode()
    for shown in ("ada@example.com", firm.admin, firm.organization, firm.role, firm.workspace, firm.workspace_role):
        assert str(shown) in page


def test_staff_discard_open_invitations_and_send_them_again(admin_client: Client, firm: Firm) -> None:
    row = firm.invitation
    before = row.token_hash
    go_on(admin_client, "send_again", row)
    row.refresh_from_db()
    assert row.token_hash != before
    assert row.inviter == firm.admin_membership
    go_on(admin_client, "discard", row)
    row.refresh_from_db()
    assert row.discarded_at is not None
    token = row.token_hash
    go_on(admin_client, "send_again", row)
    row.refresh_from_db()
    assert row.token_hash == token
    assert "discarded" in admin_client.get(url(OrganizationInvitation, "changelist")).content.decode()
