"""A user with the invited address becomes a member by the link, once; anybody else is told what to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Deployment
from audit.models import AuditEntry
from memberships.models import OrganizationInvitation, OrganizationMembership, WorkspaceMembership
from organizations.models import Organization
from tests.support.api import ApiClient, data_of, error_code, memberships
from tests.support.factories import OrganizationRoleFactory, UserFactory, join_organization, session_of
from tests.support.invitations import (
    ACCEPT,
    ADDRESS,
    INVALID_FIELD,
    accept,
    in_organization,
    invitations_of,
    invite,
    mailed_token,
    role_names,
)
from tests.support.self_service import Firm, admin_role, workspace_admin_role
from tests.support.sign_in import sign_in, user_with_password


def test_a_signed_in_user_with_the_address_becomes_a_member(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email="ADA@example.com")
    row = {"role_id": admin_role(firm.deployment).pk, "workspace_id": firm.workspace.pk}
    invite(firm, admin, **row, workspace_role_id=workspace_admin_role(firm.deployment).pk)
    session = session_of(user)
    client = firm.client(user)
    data = accept(client, mailed_token())
    assert data.pop("signin_id") in {str(pk) for pk in user.sign_ins.values_list("pk", flat=True)}
    assert session.pk
    assert data == {
        "organization": {"id": str(firm.organization.pk), "name": firm.organization.name},
        "workspace": {"id": str(firm.workspace.pk), "name": firm.workspace.name},
        "already_member": False,
        "message": f"You are a member of {firm.workspace.name} now.",
    }
    assert role_names(firm.membership(user)) == role_names(firm.in_workspace(user)) == ["Admin"]
    (place,) = memberships(user)
    assert (place["workspace"]["id"], place["roles"][0]["name"]) == (str(firm.workspace.pk), "Admin")
    entry = AuditEntry.objects.get(model="memberships.organizationinvitation", action="changed")
    assert (entry.actor_kind, entry.actor_id) == ("user", user.pk)
    assert data_of(admin.get(invitations_of(firm)))[0]["email"] == "invited@example.com"


def test_the_token_may_come_in_the_query_too(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin)
    data = data_of(firm.client(user).post(ACCEPT, {}, f"token={mailed_token()}"))
    assert "workspace" not in data
    assert role_names(firm.membership(user)) == ["Member"]
    assert data_of(firm.client(user).post(ACCEPT, {}))["error_code"] == "INVITATION_UNKNOWN"


def test_any_verified_address_of_the_user_counts_and_no_other(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment)
    address = user.email_addresses.create(email=ADDRESS)
    invite(firm, admin)
    token = mailed_token()
    assert accept(firm.client(user), token)["error_code"] == "INVITATION_REQUIRES_SIGNUP"
    assert in_organization(firm, user) is None
    type(address).objects.filter(pk=address.pk).update(verified_at=timezone.now())
    assert accept(firm.client(user), token)["already_member"] is False
    assert in_organization(firm, user) is not None


def test_a_visitor_whose_address_has_an_account_is_to_sign_in(firm: Firm, admin: ApiClient) -> None:
    user = user_with_password(firm.deployment, email=ADDRESS)
    invite(firm, admin)
    token = mailed_token()
    browser = ApiClient(firm.deployment)
    assert accept(browser, token) == {
        "requires_signin": True,
        "error_code": "INVITATION_REQUIRES_SIGNIN",
        "message": f"This invitation is for {ADDRESS}; sign in with that address.",
        "invited_email": ADDRESS,
    }
    sign_in(browser, user)
    assert accept(browser, token)["organization"]["id"] == str(firm.organization.pk)


def test_a_differently_signed_in_user_is_told_the_invited_address(firm: Firm, admin: ApiClient) -> None:
    UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin, workspace_id=firm.workspace.pk)
    stranger = UserFactory.create(deployment=firm.deployment)
    token = mailed_token()
    assert accept(firm.client(stranger), token) == {
        "requires_signin": True,
        "error_code": "INVITATION_EMAIL_MISMATCH",
        "message": f"This invitation is for {ADDRESS}; sign in with that address.",
        "invited_email": ADDRESS,
    }
    assert in_organization(firm, stranger) is None
    assert not OrganizationInvitation.objects.filter(accepted_at__isnull=False).exists()


def test_another_sign_in_of_the_session_may_be_the_invited_user(firm: Firm, admin: ApiClient) -> None:
    invited, other = (user_with_password(firm.deployment, email=email) for email in (ADDRESS, "bo@example.com"))
    browser = ApiClient(firm.deployment)
    first = data_of(sign_in(browser, invited))["active_signin"]["id"]
    sign_in(browser, other)
    invite(firm, admin)
    data = accept(browser, mailed_token())
    assert (data["signin_id"], data["organization"]["id"]) == (first, str(firm.organization.pk))
    assert in_organization(firm, invited) is not None
    assert in_organization(firm, other) is None


def test_where_nobody_can_sign_up_the_invited_need_an_account(firm: Firm, admin: ApiClient) -> None:
    Deployment.objects.update(sign_up_mode="closed")
    invite(firm, admin)
    data = accept(ApiClient(firm.deployment), mailed_token())
    assert (data["error_code"], data["invited_email"]) == ("INVITATION_REQUIRES_ACCOUNT", ADDRESS)
    assert "requires_signin" not in data


def test_a_member_keeps_the_roles_that_they_have(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin, role_id=admin_role(firm.deployment).pk)
    join_organization(user, firm.organization)
    data = accept(firm.client(user), mailed_token())
    assert (data["already_member"], data["organization"]["name"]) == (True, firm.organization.name)
    assert role_names(firm.membership(user)) == []


def test_a_member_of_the_organization_can_be_invited_to_a_workspace(firm: Firm, admin: ApiClient) -> None:
    assert error_code(invite(firm, admin, firm.outsider.email)) == INVALID_FIELD
    assert error_code(invite(firm, admin, firm.member.email, workspace_id=firm.workspace.pk)) == INVALID_FIELD
    data_of(invite(firm, admin, firm.outsider.email, workspace_id=firm.workspace.pk))
    assert accept(firm.client(firm.outsider), mailed_token())["already_member"] is False
    assert role_names(firm.in_workspace(firm.outsider)) == ["Member"]


def test_the_auto_assigned_workspace_and_the_named_one_may_be_the_same(firm: Firm, admin: ApiClient) -> None:
    Organization.objects.update(auto_assigned_workspace=firm.workspace)
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin, workspace_id=firm.workspace.pk, workspace_role_id=firm.workspace_role.pk)
    assert accept(firm.client(user), mailed_token())["already_member"] is False
    assert role_names(firm.in_workspace(user)) == sorted(["Member", firm.workspace_role.name])


def test_an_invitation_of_staff_has_no_inviter(firm: Firm) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    role = OrganizationRoleFactory.create(deployment=firm.deployment, permissions=["billing:pay"])
    firm.invite(ADDRESS, inviter=None, is_by_staff=True, role=role)
    accept(firm.client(user), mailed_token())
    assert role_names(firm.membership(user)) == [role.name]


def test_a_used_invitation_is_nobody_elses(firm: Firm, admin: ApiClient) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin)
    token = mailed_token()
    accept(firm.client(user), token)
    assert accept(firm.client(firm.member), token)["error_code"] == "INVITATION_ACCEPTED"
    assert accept(ApiClient(firm.deployment), token)["error_code"] == "INVITATION_ACCEPTED"
    assert accept(firm.client(user), token)["already_member"] is True
    firm.membership(user).delete()
    assert accept(firm.client(user), token)["error_code"] == "INVITATION_ACCEPTED"
    assert in_organization(firm, user) is None


def test_tries_to_accept_are_throttled(firm: Firm, settings: Any) -> None:
    settings.CHANGES_PER_ADDRESS = 2
    browser = ApiClient(firm.deployment)
    assert [browser.post(ACCEPT, {"token": "forged"}).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.django_db(transaction=True)
def test_fifty_acceptances_at_once_make_one_membership() -> None:
    firm = Firm()
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    firm.invite(ADDRESS, workspace=firm.workspace, workspace_role=firm.workspace_role)
    token = mailed_token()
    clients = [firm.client(user) for _ in range(50)]

    def follow(client: ApiClient) -> bool:
        try:
            # 503 after two seconds at a lock, as on a busy machine: try again, as its message says.
            answers = (client.post(ACCEPT, {"token": token}) for _ in range(20))
            return bool(data_of(next(one for one in answers if one.status_code != 503))["already_member"])
        finally:
            connection.close()

    with ThreadPoolExecutor(50) as pool:
        answers = sorted(pool.map(follow, clients))
    assert answers == [False] + [True] * 49
    assert OrganizationMembership.objects.filter(user=user).count() == 1
    assert role_names(WorkspaceMembership.objects.get(user=user)) == [firm.workspace_role.name]
    assert Organization.objects.get(pk=firm.organization.pk).member_count == 5
