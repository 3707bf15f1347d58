"""The most members that a deployment lets organizations and workspaces have: for all who join, but for staff."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Deployment
from memberships.models import OrganizationInvitation, OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, OrganizationDomain, Workspace
from tests.support.api import MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.database import execute, refused
from tests.support.factories import UserFactory, join, join_organization
from tests.support.invitations import (
    ACCEPT,
    ADDRESS,
    VALIDATE,
    accept,
    begin_sign_up,
    in_organization,
    invitations_of,
    invite,
    mailed_token,
    sign_up,
)
from tests.support.self_service import Firm, open_deployment

FULL, INVITATION_REQUIRED = 40903, 40309
MEMBERS = 4
"""Of the firm's organization."""
IN_WORKSPACE = 2


@pytest.fixture
def firm(db: None) -> Firm:
    return Firm(open_deployment(sign_up_mode="invitation"))


@pytest.fixture
def admin(firm: Firm) -> ApiClient:
    return firm.client(firm.admin)


def limit(*, organization: int | None = None, workspace: int | None = None) -> None:
    Deployment.objects.update(max_allowed_org_members=organization, max_allowed_workspace_members=workspace)


def test_nobody_is_invited_to_a_full_place(firm: Firm, admin: ApiClient) -> None:
    id_ = data_of(invite(firm, admin))["id"]
    limit(organization=MEMBERS)
    answer = invite(firm, admin, "grace@example.com")
    assert error_code(answer) == FULL
    assert answer.json()["errors"][0]["message"] == f"{firm.organization.name} has as many members as it may have."
    assert error_code(admin.post(f"{invitations_of(firm)}/{id_}/resend")) == FULL
    # A member of the organization takes no room but in the workspace.
    data_of(invite(firm, admin, firm.outsider.email, workspace_id=firm.workspace.pk))
    limit(workspace=IN_WORKSPACE)
    answer = invite(firm, admin, "grace@example.com", workspace_id=firm.workspace.pk)
    assert error_code(answer) == FULL
    assert firm.workspace.name in answer.json()["errors"][0]["message"]
    data_of(invite(firm, admin, "grace@example.com"))
    limit(organization=MEMBERS + 1, workspace=IN_WORKSPACE + 1)
    data_of(invite(firm, admin, "grace@example.com", workspace_id=firm.workspace.pk))


@pytest.mark.parametrize("full", ["organization", "workspace"])
def test_an_invitation_to_a_full_place_waits_for_room(firm: Firm, admin: ApiClient, full: str) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    invite(firm, admin, workspace_id=firm.workspace.pk)
    token = mailed_token()
    limit(**{full: MEMBERS if full == "organization" else IN_WORKSPACE})
    client = firm.client(user)
    assert error_code(client.post(ACCEPT, {"token": token}, content_type=MULTIPART)) == FULL
    assert in_organization(firm, user) is None
    assert not WorkspaceMembership.objects.filter(user=user).exists()
    assert OrganizationInvitation.objects.get(email=ADDRESS).accepted_at is None
    firm.membership(firm.member).delete()
    assert accept(client, token)["already_member"] is False


def test_nobody_signs_up_into_a_full_place(firm: Firm, admin: ApiClient) -> None:
    invite(firm, admin)
    token = mailed_token()
    limit(organization=MEMBERS)
    browser = ApiClient(firm.deployment)
    found = data_of(browser.get(VALIDATE, f"token={token}"))
    assert (found["valid"], found["error_code"]) == (False, "invitation_full")
    assert error_code(begin_sign_up(browser, token)) == INVITATION_REQUIRED
    limit(organization=MEMBERS + 1)
    data_of(sign_up(browser, token))
    assert Organization.objects.get(pk=firm.organization.pk).member_count == MEMBERS + 1


def test_the_last_room_may_be_taken_during_a_sign_up(firm: Firm, admin: ApiClient) -> None:
    Deployment.objects.update(sign_up_mode="open")
    invite(firm, admin)
    limit(organization=MEMBERS)
    token = mailed_token()
    begin_sign_up(ApiClient(firm.deployment), token)
    data = data_of(sign_up(ApiClient(firm.deployment), token))
    assert data["active_signin"]
    assert Organization.objects.get(pk=firm.organization.pk).member_count == MEMBERS


@each("last", ["domain", "addresses", "one address after another"])
def test_users_of_a_domain_join_until_the_organization_is_full(firm: Firm, last: str) -> None:
    limit(organization=MEMBERS + 2)
    domain = OrganizationDomain.objects.create(organization=firm.organization, fqdn="nord.example")
    users = [UserFactory.create(deployment=firm.deployment, email=f"u{number}@nord.example") for number in range(4)]
    member = UserFactory.create(deployment=firm.deployment, email="member@nord.example")
    join_organization(member, firm.organization)  # who takes no further room
    verify_domain = "UPDATE organizations_organizationdomain SET verified_at = now() WHERE fqdn = 'nord.example'"
    verify_addresses = "UPDATE accounts_emailaddress SET verified_at = now() WHERE email LIKE '%%@nord.example'"
    statements = {
        "domain": [verify_addresses, verify_domain],
        "addresses": [verify_domain, verify_addresses],
        "one address after another": [
            verify_domain,
            *(f"{verify_addresses} AND user_id = {user.pk}" for user in (member, *users)),
        ],
    }
    for statement in statements[last]:
        execute(statement)
    joined = OrganizationMembership.objects.filter(user__in=users)
    assert [membership.user_id for membership in joined] == [users[0].pk]
    domain.organization.refresh_from_db()
    assert domain.organization.member_count == MEMBERS + 2


def test_a_full_auto_assigned_workspace_takes_nobody(firm: Firm) -> None:
    Organization.objects.filter(pk=firm.organization.pk).update(auto_assigned_workspace=firm.workspace)
    limit(workspace=IN_WORKSPACE + 1)
    users = UserFactory.create_batch(3, deployment=firm.deployment)
    OrganizationMembership.objects.bulk_create(
        OrganizationMembership(deployment=firm.deployment, organization=firm.organization, user=user) for user in users
    )
    assert Organization.objects.get(pk=firm.organization.pk).member_count == MEMBERS + 3
    assert Workspace.objects.get(pk=firm.workspace.pk).member_count == IN_WORKSPACE + 1


def test_staff_may_go_beyond_a_limit(firm: Firm) -> None:
    limit(organization=1, workspace=1)
    join(UserFactory.create(deployment=firm.deployment), firm.workspace)
    assert Workspace.objects.get(pk=firm.workspace.pk).member_count == IN_WORKSPACE + 1


def test_a_limit_lets_one_create_places(firm: Firm, admin: ApiClient) -> None:
    limit(organization=1, workspace=1)
    new = data_of(admin.post("/organizations", {"name": "New"}))["organization"]
    data_of(admin.post("/workspaces", {"name": "New", "organization_id": new["id"]}))
    shown = data_of(admin.get("/deployment"))["b2b_settings"]
    assert (shown["max_allowed_org_members"], shown["max_allowed_workspace_members"]) == (1, 1)
    with refused("accounts_deployment_members_are_some"):
        limit(organization=0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("level", ["organization", "workspace", "domain"])
def test_of_twenty_who_join_at_once_one_gets_the_last_room(level: str) -> None:
    firm = Firm(open_deployment(max_allowed_org_members=MEMBERS + 1, max_allowed_workspace_members=IN_WORKSPACE + 1))
    users = [UserFactory.create(deployment=firm.deployment, email=f"u{number}@nord.example") for number in range(20)]
    if level == "domain":
        OrganizationDomain.objects.create(
            organization=firm.organization, fqdn="nord.example", verified_at=timezone.now()
        )
    else:
        limits = {f"max_allowed_{name}_members": None for name in ("org", "workspace") if not level.startswith(name)}
        Deployment.objects.filter(pk=firm.deployment.pk).update(**limits)
    tokens = []
    for user in users if level != "domain" else []:
        firm.invite(user.email, workspace=firm.workspace)
        tokens.append(mailed_token())
    clients = [firm.client(user) for user in users]

    def join_by(number: int) -> int:
        try:
            if level == "domain":
                sql = "UPDATE accounts_emailaddress SET verified_at = now() WHERE user_id = %s"
                return execute(sql, [users[number].pk])
            body: dict[str, Any] = {"token": tokens[number]}
            # 503 after two seconds at a lock, as on a busy machine: try again, as its message says.
            answers = (clients[number].post(ACCEPT, body).status_code for _ in range(20))
            return int(next(status for status in answers if status != 503))
        finally:
            connection.close()

    with ThreadPoolExecutor(10 if level == "domain" else 20) as pool:
        statuses = sorted(pool.map(join_by, range(20)))
    assert statuses == ([1] * 20 if level == "domain" else [200] + [409] * 19)
    assert OrganizationMembership.objects.filter(user__in=users).count() == 1
    assert WorkspaceMembership.objects.filter(user__in=users).count() == (0 if level == "domain" else 1)
