"""GET /me/organization-memberships: the names that clients read, and what is in them."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from memberships.models import OrganizationMembership
from tests.support.api import ApiClient, data_of
from tests.support.cases import each
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    join_organization,
    member_of_new_workspace,
)
from tests.support.field_names import PUBLIC_USER, TIMES
from tests.support.polled import ORGANIZATIONS

ORGANIZATION_MEMBERSHIP = {
    "id",
    "organization",
    "user",
    "roles",
    "public_metadata",
    "eligibility_restriction",
} | TIMES
ORGANIZATION_ROLE = {"id", "organization_id", "name", "permissions"} | TIMES
ORGANIZATION = {
    "id",
    "name",
    "image_url",
    "description",
    "member_count",
    "public_metadata",
    "private_metadata",
    "enforce_mfa",
    "enable_ip_restriction",
    "whitelisted_ips",
    "auto_assigned_workspace_id",
    "segments",
} | TIMES


def test_an_organization_membership_has_all_names_that_clients_read(client: ApiClient, user: User) -> None:
    organization = OrganizationFactory.create(deployment=user.deployment)
    own = OrganizationRoleFactory.create(deployment=user.deployment, organization=organization)
    general = OrganizationRoleFactory.create(deployment=user.deployment)
    membership = join_organization(user, organization, own, general)
    (item,) = data_of(client.get(ORGANIZATIONS))
    assert set(item) == ORGANIZATION_MEMBERSHIP
    assert set(item["organization"]) == ORGANIZATION
    assert set(item["user"]) == PUBLIC_USER
    assert item["id"] == str(membership.pk)
    assert item["user"]["id"] == str(user.pk)
    assert all(set(role) == ORGANIZATION_ROLE for role in item["roles"])
    assert {role["id"]: role["organization_id"] for role in item["roles"]} == {
        str(own.pk): str(organization.pk),
        str(general.pk): "",
    }


def test_the_organization_is_the_one_of_the_workspace_memberships(client: ApiClient, user: User) -> None:
    membership = member_of_new_workspace(user)
    organization = membership.workspace.organization
    organization.public_metadata, organization.private_metadata = {"plan": "x"}, {"crm": 1}
    organization.auto_assigned_workspace = membership.workspace
    organization.save()
    (item,) = data_of(client.get(ORGANIZATIONS))
    (workspace_item,) = data_of(client.get())
    assert item["organization"] == workspace_item["organization"]
    assert item["organization"]["auto_assigned_workspace_id"] == str(membership.workspace_id)


def test_organizations_come_in_the_order_of_joining(client: ApiClient, user: User) -> None:
    organizations = [OrganizationFactory.create(deployment=user.deployment) for _ in range(4)]
    memberships = [join_organization(user, organizations[n]) for n in (2, 0, 3, 1)]
    OrganizationMembership.objects.filter(pk=memberships[0].pk).update(public_metadata={"touched": "last"})
    assert [item["id"] for item in data_of(client.get(ORGANIZATIONS))] == [str(row.pk) for row in memberships]


def test_only_the_users_own_memberships_are_listed(client: ApiClient, user: User) -> None:
    mine = join_organization(user, OrganizationFactory.create(deployment=user.deployment))
    join_organization(UserFactory.create(deployment=user.deployment), mine.organization)
    join_organization(
        UserFactory.create(deployment=user.deployment), OrganizationFactory.create(deployment=user.deployment)
    )
    join_organization((foreign := UserFactory.create()), OrganizationFactory.create(deployment=foreign.deployment))
    (item,) = data_of(client.get(ORGANIZATIONS))
    assert item["id"] == str(mine.pk)
    assert item["organization"]["member_count"] == 2


def test_a_user_without_organizations_gets_an_empty_list(client: ApiClient) -> None:
    assert data_of(client.get(ORGANIZATIONS)) == []


@each(
    ("rules", "switches", "permissions", "expected"),
    [
        ({}, {}, [], "none"),
        ({"enforce_mfa": True}, {}, [], "mfa_required"),
        ({"enforce_mfa": True}, {"enforce_mfa_per_org_enabled": False}, [], "none"),
        ({"enforce_mfa": True}, {"enforce_mfa_per_workspace_enabled": False}, [], "mfa_required"),
        ({"enforce_mfa": True}, {}, ["organization:admin"], "none"),
        ({"enforce_mfa": True}, {}, ["organization:member"], "mfa_required"),
        ({"enable_ip_restriction": True, "whitelisted_ips": ["198.51.100.0/24"]}, {}, [], "ip_not_allowed"),
        ({"enable_ip_restriction": True, "whitelisted_ips": ["127.0.0.1"]}, {}, [], "none"),
        ({"enable_ip_restriction": True, "whitelisted_ips": []}, {}, [], "none"),
        (
            {"enable_ip_restriction": True, "whitelisted_ips": ["198.51.100.0/24"]},
            {"ip_allowlist_per_org_enabled": False},
            [],
            "none",
        ),
        (
            {"enable_ip_restriction": True, "whitelisted_ips": ["198.51.100.0/24"], "enforce_mfa": True},
            {},
            [],
            "ip_and_mfa_required",
        ),
    ],
)
def test_the_restriction_is_the_organizations_own(
    rules: dict[str, Any], switches: dict[str, Any], permissions: list[str], expected: str, db: None
) -> None:
    user = UserFactory.create(deployment=DeploymentFactory.create(**switches))
    organization = OrganizationFactory.create(deployment=user.deployment, **rules)
    role = OrganizationRoleFactory.create(deployment=user.deployment, permissions=permissions)
    join_organization(user, organization, role)
    (item,) = data_of(ApiClient(user.deployment, user).get(ORGANIZATIONS))
    assert item["eligibility_restriction"]["type"] == expected
    assert (organization.name in item["eligibility_restriction"]["message"]) == (expected != "none")


def test_a_workspaces_rules_do_not_restrict_its_organization(client: ApiClient, user: User) -> None:
    member_of_new_workspace(user, enforce_2fa=True)
    (item,) = data_of(client.get(ORGANIZATIONS))
    assert item["eligibility_restriction"] == {"type": "none", "message": ""}


@each(
    ("audience", "permissions", "is_shown"),
    [
        ("members", [], True),
        ("admins", [], False),
        ("admins", ["organization:admin"], True),
        ("nobody", ["organization:admin"], False),
    ],
)
def test_private_metadata_is_shown_to_the_audience_of_the_deployment(
    db: None, audience: str, permissions: list[str], is_shown: bool
) -> None:
    user = UserFactory.create(deployment=DeploymentFactory.create(private_metadata_audience=audience))
    organization = OrganizationFactory.create(deployment=user.deployment, private_metadata={"crm": 1})
    role = OrganizationRoleFactory.create(deployment=user.deployment, permissions=permissions)
    join_organization(user, organization, role)
    (item,) = data_of(ApiClient(user.deployment, user).get(ORGANIZATIONS))
    assert item["organization"]["private_metadata"] == ({"crm": 1} if is_shown else {})


def test_more_organizations_cost_no_more_queries(client: ApiClient, user: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(ORGANIZATIONS).status_code == 200
        return len(captured)

    queries()  # the first one loads the deployment
    none = queries()
    for _ in range(3):
        role = OrganizationRoleFactory.create(deployment=user.deployment)
        join_organization(user, OrganizationFactory.create(deployment=user.deployment), role)
    queries()  # the next one reads what is not cached yet
    assert queries() == none == 1
