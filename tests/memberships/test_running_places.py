"""Administrators run their organizations and workspaces: each change is answered, and seen in the next list."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Deployment, User
from audit.models import AuditEntry
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, OrganizationRole, Workspace, WorkspaceRole
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code, memberships
from tests.support.cases import each
from tests.support.factories import (
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    join,
    join_organization,
)
from tests.support.self_service import Firm, admin_role, open_deployment, workspace_admin_role

pytestmark = pytest.mark.django_db
each_kind_of_body = each("content_type", [JSON, FORM, MULTIPART], ids=["json", "form", "multipart"])

ROLE = {"id", "name", "permissions", "created_at", "updated_at"}
MEMBER = {"id", "user", "roles", "organization", "public_metadata", "created_at", "updated_at"}


@pytest.fixture(scope="module")
def shared_firm(shared_rows: None) -> Firm:
    return Firm()


@pytest.fixture
def firm(shared_firm: Firm, db: None) -> Firm:
    return deepcopy(shared_firm)


@pytest.fixture
def admin(firm: Firm) -> ApiClient:
    return firm.client(firm.admin)


def message(response: Any) -> str:
    (error,) = response.json()["errors"]
    text: str = error["message"]
    return text


@each_kind_of_body
def test_a_user_creates_an_organization_and_administers_it(content_type: str) -> None:
    user = UserFactory.create(deployment=open_deployment())
    client = ApiClient(user.deployment, user)
    body = {"name": " Nord ", "description": "Freight"}
    data = data_of(client.post("/organizations", body, content_type=content_type))
    assert set(data) == {"organization", "membership"}
    assert (data["organization"]["name"], data["organization"]["description"]) == ("Nord", "Freight")
    assert data["organization"]["member_count"] == 1
    membership = data["membership"]
    assert set(membership) == MEMBER
    assert membership["organization"] == data["organization"]
    assert membership["user"]["id"] == str(user.pk)
    assert [role["name"] for role in membership["roles"]] == ["Admin"]
    assert set(membership["roles"][0]) == ROLE | {"organization_id"}
    (listed,) = data_of(client.get("/me/organization-memberships"))
    assert {name: listed[name] for name in MEMBER} == membership


def test_a_user_creates_as_many_organizations_as_they_may() -> None:
    user = UserFactory.create(deployment=open_deployment(org_creation_per_user_count=1))
    client = ApiClient(user.deployment, user)
    join_organization(user, OrganizationFactory.create(deployment=user.deployment))  # as a plain member
    assert client.post("/organizations", {"name": "First"}).status_code == 200
    assert error_code(client.post("/organizations", {"name": "Second"})) == 40903
    assert Organization.objects.filter(name="Second").count() == 0


def test_without_a_role_that_administers_nobody_can_create() -> None:
    user = UserFactory.create(deployment=open_deployment())
    Deployment.objects.update(default_org_creator_role=OrganizationRole.objects.get(name="Member"))
    assert error_code(ApiClient(user.deployment, user).post("/organizations", {"name": "New"})) == 40301
    assert not Organization.objects.exists()


@each(
    ("body", "names"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a" * 201}, "name"),
        ({"name": 5}, "name"),
        ({"name": "New", "description": "a" * 2001}, "description"),
        ({"name": "New", "image": "x"}, "image must be a file"),
    ],
)
def test_a_place_needs_a_name_that_can_be_stored(admin: ApiClient, firm: Firm, body: Any, names: str) -> None:
    for path, more in (("/organizations", {}), ("/workspaces", {"organization_id": str(firm.organization.pk)})):
        answer = admin.post(path, body | more)
        assert error_code(answer) == 40004
        assert names in message(answer)


@each_kind_of_body
def test_an_update_takes_only_the_fields_that_are_sent(admin: ApiClient, firm: Firm, content_type: str) -> None:
    path = f"/organizations/{firm.organization.pk}/update"
    Organization.objects.update(description="kept", enforce_mfa=True)
    body = {
        "enable_ip_restriction": "true",
        "whitelisted_ips": ["203.0.113.7", "2001:db8::/32"],
        "enforce_mfa": "false",
    }
    data = data_of(admin.post(path, body, content_type=content_type))
    assert (data["name"], data["description"]) == (firm.organization.name, "kept")
    assert data["whitelisted_ips"] == ["203.0.113.7", "2001:db8::/32"]
    assert (data["enable_ip_restriction"], data["enforce_mfa"]) == (True, False)
    assert data_of(admin.post(path, {"whitelisted_ips": ""}, content_type=FORM))["whitelisted_ips"] == []
    data = data_of(admin.post(path, {"auto_assigned_workspace_id": str(firm.workspace.pk), "name": "New"}))
    assert (data["name"], data["auto_assigned_workspace_id"]) == ("New", str(firm.workspace.pk))
    assert data_of(admin.post(path, {"auto_assigned_workspace_id": ""}))["auto_assigned_workspace_id"] == ""


def test_a_list_may_be_numbered(admin: ApiClient, firm: Firm) -> None:
    body = {"whitelisted_ips[1]": "203.0.113.8", "whitelisted_ips[0]": "203.0.113.7", "enforce_2fa": "true"}
    data = data_of(admin.post(f"/workspaces/{firm.workspace.pk}/update", body, content_type=FORM))
    assert (data["whitelisted_ips"], data["enforce_2fa"]) == (["203.0.113.7", "203.0.113.8"], True)


@each(
    "body",
    [
        {"whitelisted_ips": ["here"]},
        {"whitelisted_ips": "203.0.113.7"},
        {"whitelisted_ips": [5]},
        {"enforce_mfa": "perhaps"},
        {"enable_ip_restriction": 1},
        {"auto_assigned_workspace_id": "abc"},
        {"auto_assigned_workspace_id": str(10**12)},
        {"name": ""},
        {"image": "picture"},
    ],
)
def test_an_update_with_anything_else_changes_nothing(admin: ApiClient, firm: Firm, body: Any) -> None:
    before = Organization.objects.values().get(pk=firm.organization.pk)
    answer = admin.post(f"/organizations/{firm.organization.pk}/update", {"description": "new"} | body)
    assert error_code(answer) == 40004
    assert Organization.objects.values().get(pk=firm.organization.pk) == before


def test_a_workspace_of_others_is_not_auto_assigned(admin: ApiClient, firm: Firm) -> None:
    other = Firm(firm.deployment)
    path = f"/organizations/{firm.organization.pk}/update"
    answers = [admin.post(path, {"auto_assigned_workspace_id": str(pk)}) for pk in (other.workspace.pk, 10**12)]
    assert [error_code(answer) for answer in answers] == [40004, 40004]
    assert answers[0].content == answers[1].content


def test_an_administrator_creates_a_workspace_and_is_in_it(admin: ApiClient, firm: Firm) -> None:
    body = {"organization_id": firm.organization.pk, "name": "Field Operations"}
    data = data_of(admin.post("/workspaces", body))
    assert set(data) == {"workspace", "membership"}
    membership = data["membership"]
    assert set(membership) == MEMBER | {"workspace", "organization_id", "user_id"}
    assert (membership["user_id"], membership["organization_id"]) == (str(firm.admin.pk), str(firm.organization.pk))
    assert [set(role) for role in membership["roles"]] == [ROLE]
    (listed,) = memberships(firm.admin)
    assert {name: listed[name] for name in membership if name != "user"} == {
        name: value for name, value in membership.items() if name != "user"
    }


def test_an_organization_has_as_many_workspaces_as_it_may(admin: ApiClient, firm: Firm) -> None:
    Deployment.objects.update(workspaces_per_org_count=3)
    body = {"organization_id": str(firm.organization.pk), "name": "New"}
    assert [admin.post("/workspaces", body).status_code for _ in range(2)] == [200, 409]


def test_members_are_listed_by_pages_and_searched(admin: ApiClient, firm: Firm) -> None:
    path = f"/organizations/{firm.organization.pk}/members"
    User.objects.filter(pk=firm.member.pk).update(first_name="Åsa", username="asa")
    order = [firm.admin, firm.workspace_admin, firm.member, firm.outsider]
    page = data_of(admin.get(path))
    assert page["meta"] == {"total": 4, "page": 1, "limit": 10}
    assert [member["user"]["id"] for member in page["data"]] == [str(user.pk) for user in order]
    assert set(page["data"][0]) == MEMBER
    page = data_of(admin.get(path, "page=2&limit=3"))
    assert page["meta"] == {"total": 4, "page": 2, "limit": 3}
    assert [member["user"]["id"] for member in page["data"]] == [str(firm.outsider.pk)]
    page = data_of(admin.get(path, "search=åsa"))
    assert page["meta"]["total"] == 1
    assert [member["user"]["username"] for member in page["data"]] == ["asa"]
    assert data_of(admin.get(path, "search=nobody"))["data"] == []
    for query in ("page=0", "page=x", "limit=101", "limit=-1", "page=1&page=2", f"search={'a' * 101}", "search=%00"):
        assert admin.get(path, query).status_code == 400


def test_members_of_a_workspace_are_listed_with_their_user(firm: Firm) -> None:
    page = data_of(firm.client(firm.member).get(f"/workspaces/{firm.workspace.pk}/members"))
    assert page["meta"] == {"total": 2, "page": 1, "limit": 10}
    assert [member["user"]["id"] for member in page["data"]] == [str(firm.workspace_admin.pk), str(firm.member.pk)]
    assert set(page["data"][0]) == MEMBER | {"workspace", "organization_id", "user_id"}


def test_only_administrators_see_private_metadata_in_the_list(firm: Firm) -> None:
    Deployment.objects.update(private_metadata_audience="admins")
    Organization.objects.update(private_metadata={"account": "x"})
    path = f"/organizations/{firm.organization.pk}/members"
    for user, seen in ((firm.admin, {"account": "x"}), (firm.member, {})):
        assert data_of(firm.client(user).get(path))["data"][0]["organization"]["private_metadata"] == seen


def test_a_removed_member_is_out_of_the_organization_and_its_workspaces(admin: ApiClient, firm: Firm) -> None:
    membership = firm.membership(firm.member)
    path = f"/organizations/{firm.organization.pk}/members/{membership.pk}/remove"
    assert data_of(admin.post(path))["id"] == str(membership.pk)
    assert memberships(firm.member) == []
    assert error_code(admin.post(path)) == 40404


def test_a_member_removed_from_a_workspace_stays_in_the_organization(firm: Firm) -> None:
    client = firm.client(firm.workspace_admin)
    path = f"/workspaces/{firm.workspace.pk}/members/{firm.in_workspace(firm.member).pk}/remove"
    assert data_of(client.post(path)) == {"success": True, "message": "The member is removed."}
    assert memberships(firm.member) == []
    assert firm.membership(firm.member)


def test_a_member_is_promoted_and_demoted(admin: ApiClient, firm: Firm) -> None:
    role, membership = admin_role(firm.deployment), firm.membership(firm.member)
    path = f"/organizations/{firm.organization.pk}/members/{membership.pk}/roles/{role.pk}"
    settings = f"/organizations/{firm.organization.pk}/update"
    for _ in range(2):  # what is so already stays so
        assert [one["name"] for one in data_of(admin.post(f"{path}/add"))["roles"]] == ["Admin"]
    promoted = firm.client(firm.member)
    assert promoted.post(settings, {"name": "New"}).status_code == 200
    for _ in range(2):
        assert data_of(admin.post(f"{path}/remove"))["roles"] == []
    assert error_code(promoted.post(settings, {"name": "Newer"})) == 40301


def test_a_workspace_role_shows_in_the_next_list(admin: ApiClient, firm: Firm) -> None:
    role = workspace_admin_role(firm.deployment)
    path = f"/workspaces/{firm.workspace.pk}/members/{firm.in_workspace(firm.member).pk}/roles/{role.pk}"
    assert data_of(admin.post(f"{path}/add"))["success"]
    assert [one["name"] for one in memberships(firm.member)[0]["roles"]] == ["Admin"]
    assert data_of(admin.post(f"{path}/remove"))["success"]
    assert memberships(firm.member)[0]["roles"] == []


def test_a_role_beyond_ones_own_permissions_is_not_given(admin: ApiClient, firm: Firm) -> None:
    owner = OrganizationRoleFactory.create(
        deployment=firm.deployment, permissions=["organization:admin", "billing:pay"]
    )
    own = firm.membership(firm.admin)
    path = f"/organizations/{firm.organization.pk}/members/{own.pk}/roles/{owner.pk}/add"
    assert error_code(admin.post(path)) == 40301
    Deployment.objects.update(organization_permissions=["organization:admin", "billing:pay"])
    assert admin.post(path).status_code == 200


def test_a_workspace_admin_gives_no_role_of_organizations(firm: Firm) -> None:
    sneaky = WorkspaceRoleFactory.create(deployment=firm.deployment, permissions=["organization:admin"])
    client = firm.client(firm.workspace_admin)
    own = firm.in_workspace(firm.workspace_admin)
    base = f"/workspaces/{firm.workspace.pk}"
    assert error_code(client.post(f"{base}/members/{own.pk}/roles/{sneaky.pk}/add")) == 40301
    body = {"name": "Sneaky", "permissions": ["organization:admin"]}
    assert error_code(client.post(f"{base}/roles", body)) == 40301
    assert error_code(client.post(f"/workspaces/{firm.other_workspace.pk}/roles", body)) == 40404


def test_roles_are_made_listed_given_and_removed(admin: ApiClient, firm: Firm) -> None:
    base = f"/organizations/{firm.organization.pk}"
    body = {"name": "Owner", "permissions[0]": "organization:admin", "permissions[1]": "organization:member"}
    role = data_of(admin.post(f"{base}/roles", body, content_type=FORM))
    assert role["permissions"] == ["organization:admin", "organization:member"]
    assert role["organization_id"] == str(firm.organization.pk)
    listed = data_of(admin.get(f"{base}/roles"))
    assert [one["name"] for one in listed] == ["Admin", "Member", firm.role.name, "Owner"]
    assert role in listed
    assert error_code(admin.post(f"{base}/roles", {"name": "Owner"})) == 40004
    assert error_code(admin.post(f"{base}/roles", {"name": "Admin"})) == 40004
    own = firm.membership(firm.admin)
    assert admin.post(f"{base}/members/{own.pk}/roles/{role['id']}/add").status_code == 200
    assert error_code(admin.post(f"{base}/roles/{role['id']}/remove")) == 40902
    assert admin.post(f"{base}/members/{own.pk}/roles/{role['id']}/remove").status_code == 200
    assert data_of(admin.post(f"{base}/roles/{role['id']}/remove")) == role
    assert error_code(admin.post(f"{base}/roles/{role['id']}/remove")) == 40404


def test_shared_roles_are_not_removed_by_customers(admin: ApiClient, firm: Firm) -> None:
    of_organization = WorkspaceRoleFactory.create(deployment=firm.deployment, organization=firm.organization)
    assert error_code(
        admin.post(f"/organizations/{firm.organization.pk}/roles/{admin_role(firm.deployment).pk}/remove")
    ) == 40301  # fmt: skip
    for role in (workspace_admin_role(firm.deployment), of_organization):
        assert error_code(admin.post(f"/workspaces/{firm.workspace.pk}/roles/{role.pk}/delete")) == 40301
    answer = admin.post(f"/workspaces/{firm.workspace.pk}/roles/{firm.workspace_role.pk}/delete")
    assert data_of(answer)["id"] == str(firm.workspace_role.pk)
    assert not WorkspaceRole.objects.filter(pk=firm.workspace_role.pk).exists()


@each("way", ["leave", "remove", "demote"])
def test_the_last_administrator_stays_until_somebody_takes_over(admin: ApiClient, firm: Firm, way: str) -> None:
    base, role = f"/organizations/{firm.organization.pk}", admin_role(firm.deployment)
    own = firm.admin_membership.pk
    path = {
        "leave": f"{base}/leave",
        "remove": f"{base}/members/{own}/remove",
        "demote": f"{base}/members/{own}/roles/{role.pk}/remove",
    }[way]
    answer = admin.post(path)
    assert error_code(answer) == 40901
    assert message(answer).startswith("Make another member an administrator first")
    other = firm.membership(firm.member)
    assert admin.post(f"{base}/members/{other.pk}/roles/{role.pk}/add").status_code == 200
    assert admin.post(path).status_code == 200


def test_whoever_leaves_is_out_at_once(firm: Firm) -> None:
    client = firm.client(firm.member)
    assert data_of(client.post(f"/workspaces/{firm.workspace.pk}/leave"))["success"]
    assert data_of(client.get("/me/workspace-memberships")) == []
    assert data_of(client.post(f"/organizations/{firm.organization.pk}/leave"))["success"]
    assert data_of(client.get("/me/organization-memberships")) == []
    assert error_code(client.post(f"/organizations/{firm.organization.pk}/leave")) == 40403


def test_places_are_deleted_with_all_that_they_have(admin: ApiClient, firm: Firm) -> None:
    Organization.objects.update(auto_assigned_workspace=firm.workspace)
    assert data_of(admin.post(f"/workspaces/{firm.workspace.pk}/delete"))["success"]
    assert memberships(firm.member) == []
    join(firm.member, firm.other_workspace)
    assert data_of(admin.post(f"/organizations/{firm.organization.pk}/delete"))["success"]
    for model in (Organization, Workspace, OrganizationMembership, WorkspaceMembership):
        assert not model._base_manager.exists()
    assert data_of(admin.get("/me/organization-memberships")) == []
    assert error_code(admin.post(f"/organizations/{firm.organization.pk}/delete")) == 40403


def test_the_audit_log_names_the_administrator_and_their_address(admin: ApiClient, firm: Firm) -> None:
    since = timezone.now()
    admin.post(f"/workspaces/{firm.workspace.pk}/update", {"name": "New"}, REMOTE_ADDR="198.51.100.7")
    entry = AuditEntry.objects.filter(at__gte=since).get()
    assert (entry.actor_kind, entry.actor_id, entry.address) == ("user", firm.admin.pk, "198.51.100.7")
    assert entry.after == {"name": "New"}


def test_a_new_member_of_the_workspace_of_others_is_not_listed_elsewhere(firm: Firm) -> None:
    other = WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=firm.deployment))
    join(UserFactory.create(deployment=firm.deployment), other)
    total = data_of(firm.client(firm.admin).get(f"/workspaces/{firm.workspace.pk}/members"))["meta"]["total"]
    assert total == 2
