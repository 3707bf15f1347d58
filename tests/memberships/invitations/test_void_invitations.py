"""An invitation gives nothing once its inviter could not give it, or if its link is old, withdrawn or of elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from memberships import invitations
from memberships.models import OrganizationInvitation, OrganizationMembership, OrganizationMembershipRole
from organizations.models import OrganizationRole
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import OrganizationRoleFactory, UserFactory, join_organization
from tests.support.invitations import (
    ADDRESS,
    INVITATION_REQUIRED,
    NOT_FOUND,
    VALIDATE,
    accept,
    begin_sign_up,
    in_organization,
    invitations_of,
    invite,
    mailed_token,
)
from tests.support.self_service import Firm, admin_role, open_deployment


def leave(firm: Firm) -> None:
    successor = join_organization(UserFactory.create(deployment=firm.deployment), firm.organization)
    OrganizationMembershipRole.objects.create(membership=successor, role=admin_role(firm.deployment))
    firm.admin_membership.delete()


def be_disabled(firm: Firm) -> None:
    successor = join_organization(UserFactory.create(deployment=firm.deployment), firm.organization)
    OrganizationMembershipRole.objects.create(membership=successor, role=admin_role(firm.deployment))
    User.objects.filter(pk=firm.admin.pk).update(disabled=True)


def be_demoted(firm: Firm) -> None:
    successor = join_organization(UserFactory.create(deployment=firm.deployment), firm.organization)
    OrganizationMembershipRole.objects.create(membership=successor, role=admin_role(firm.deployment))
    firm.admin_membership.given_roles.all().delete()


def lose_the_permission(firm: Firm) -> None:
    """The role with which they administer the organization is to do so no more."""
    successor = join_organization(UserFactory.create(deployment=firm.deployment), firm.organization)
    own = OrganizationRoleFactory.create(deployment=firm.deployment, permissions=["organization:admin"])
    OrganizationMembershipRole.objects.create(membership=successor, role=own)
    OrganizationRole.objects.filter(pk=admin_role(firm.deployment).pk).update(permissions=["organization:member"])


def have_the_role_changed(firm: Firm) -> None:
    """It allows more now than whoever invited may do."""
    OrganizationRole.objects.filter(pk=firm.role.pk).update(permissions=["billing:pay"])


@each("fall", [leave, be_disabled, be_demoted, lose_the_permission, have_the_role_changed])
def test_an_inviter_who_could_not_give_the_role_any_more_gives_nothing(firm: Firm, admin: ApiClient, fall: Any) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    data_of(invite(firm, admin, role_id=firm.role.pk, workspace_id=firm.workspace.pk))
    token = mailed_token()
    browser = ApiClient(firm.deployment)
    assert data_of(browser.get(VALIDATE, f"token={token}"))["valid"] is True
    fall(firm)
    data = accept(firm.client(user), token)
    assert (data["error_code"], "organization" in data) == ("INVITATION_VOID", False)
    assert in_organization(firm, user) is None
    assert data_of(browser.get(VALIDATE, f"token={token}"))["error_code"] == "invitation_void"
    assert error_code(begin_sign_up(browser, token)) == INVITATION_REQUIRED


def test_another_administrator_takes_an_invitation_over_by_sending_it_again(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    id_ = data_of(invite(firm, admin))["id"]
    leave(firm)
    successor = OrganizationMembership.objects.latest("pk")
    client = firm.client(successor.user)
    assert next(row for row in data_of(client.get(invitations_of(firm))) if row["id"] == id_)["inviter"] is None
    data = data_of(client.post(f"{invitations_of(firm)}/{id_}/resend"))
    assert data["inviter"]["id"] == str(successor.pk)
    assert accept(firm.client(user), mailed_token())["already_member"] is False


def test_only_the_newest_link_of_an_invitation_is_good(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    data = data_of(invite(firm, admin))
    first = mailed_token()
    OrganizationInvitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert all(row["expired"] for row in data_of(admin.get(invitations_of(firm))))
    expired = accept(firm.client(user), first)
    assert (expired["error_code"], expired["invited_email"]) == ("INVITATION_EXPIRED", ADDRESS)
    assert data_of(admin.post(f"{invitations_of(firm)}/{data['id']}/resend"))["expired"] is False
    assert accept(firm.client(user), first)["error_code"] == "INVITATION_UNKNOWN"
    assert accept(firm.client(user), mailed_token())["already_member"] is False


def test_a_discarded_invitation_is_gone(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    data = data_of(invite(firm, admin))
    token = mailed_token()
    assert data_of(admin.post(f"{invitations_of(firm)}/{data['id']}/discard"))["id"] == data["id"]
    assert accept(firm.client(user), token) == {
        "error_code": "INVITATION_DISCARDED",
        "message": "This invitation was withdrawn; ask for a new one.",
    }
    for action in ("discard", "resend"):
        assert error_code(admin.post(f"{invitations_of(firm)}/{data['id']}/{action}")) == NOT_FOUND
    data_of(invite(firm, admin))


def test_a_token_is_good_at_its_own_deployment_alone(firm: Firm, admin: ApiClient) -> None:
    invite(firm, admin)
    token = mailed_token()
    other = open_deployment(sign_up_mode="invitation")
    user = UserFactory.create(deployment=other, email=ADDRESS)
    assert accept(ApiClient(other, user), token)["error_code"] == "INVITATION_UNKNOWN"
    assert error_code(begin_sign_up(ApiClient(other), token)) == INVITATION_REQUIRED
    assert accept(ApiClient(firm.deployment), "forged")["error_code"] == "INVITATION_UNKNOWN"


@each("change", ["accepted_at", "discarded_at", "token_hash"])
def test_an_invitation_that_changes_at_the_last_moment_gives_nothing(firm: Firm, change: str) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    row = firm.invite(ADDRESS)
    value = "another" if change == "token_hash" else timezone.now()
    OrganizationInvitation.objects.filter(pk=row.pk).update(**{change: value})
    assert invitations.accept(row, user) is None
    assert in_organization(firm, user) is None
