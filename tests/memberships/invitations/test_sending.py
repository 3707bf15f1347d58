"""Invitations to an organization: rights and roles, the mail, and the row that is kept."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail as django_mail
from django.db import IntegrityError, connection, transaction

from accounts.models import Deployment, User
from audit.models import AuditEntry
from memberships.models import OrganizationInvitation, OrganizationMembershipRole
from organizations.models import Organization
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import OrganizationRoleFactory, UserFactory, WorkspaceRoleFactory, join
from tests.support.invitations import (
    ADDRESS,
    FORBIDDEN,
    INVALID_FIELD,
    NOT_FOUND,
    invitations_of,
    invite,
    mailed_link,
    mailed_token,
)
from tests.support.self_service import Firm, admin_role, open_deployment

TOO_MANY_REQUESTS = 42901


def test_an_invitation_has_the_shape_that_client_libraries_read(firm: Firm, admin: ApiClient) -> None:
    role = admin_role(firm.deployment)
    data = data_of(
        invite(
            firm,
            admin,
            "Ada@EXAMPLE.com",
            role_id=role.pk,
            workspace_id=firm.workspace.pk,
            workspace_role_id=firm.workspace_role.pk,
        )
    )
    assert {name: type(value) for name, value in data.items()} == {
        "id": str,
        "created_at": str,
        "updated_at": str,
        "organization_id": str,
        "email": str,
        "initial_organization_role": dict,
        "inviter": dict,
        "workspace": dict,
        "initial_workspace_role": dict,
        "expired": bool,
    }
    assert data["organization_id"] == str(firm.organization.pk)
    assert (data["email"], data["expired"]) == ("Ada@example.com", False)
    assert (data["initial_organization_role"]["id"], data["initial_workspace_role"]["id"]) == (
        str(role.pk),
        str(firm.workspace_role.pk),
    )
    assert data["inviter"]["id"] == str(firm.admin_membership.pk)
    assert data["inviter"]["user"]["id"] == str(firm.admin.pk)
    assert data["workspace"]["id"] == str(firm.workspace.pk)
    listed = data_of(admin.get(invitations_of(firm)))
    assert [row["email"] for row in listed] == ["invited@example.com", "Ada@example.com"]
    assert listed[1] == data
    assert data_of(admin.get(invitations_of(firm), f"workspace_id={firm.workspace.pk}")) == [data]
    assert data_of(admin.get(invitations_of(firm), f"workspace_id={Firm().workspace.pk}")) == []


def test_without_roles_an_invitation_gives_the_default_ones(firm: Firm, admin: ApiClient) -> None:
    """The client library names no role of the organization when it invites to a workspace."""
    data = data_of(invite(firm, admin, workspace_id=firm.workspace.pk))
    assert data["initial_organization_role"]["name"] == data["initial_workspace_role"]["name"] == "Member"
    data = data_of(invite(firm, admin))
    assert (data["workspace"], data["initial_workspace_role"]) == (None, None)
    Deployment.objects.update(default_org_member_role=None)
    assert data_of(invite(firm, admin, "other@example.com"))["initial_organization_role"] is None


def test_the_mail_leads_to_the_page_of_the_front_end(firm: Firm, admin: ApiClient) -> None:
    Organization.objects.update(name="Evil https://evil.example/x")
    User.objects.filter(pk=firm.admin.pk).update(first_name="https://evil.example/")
    invite(firm, admin, workspace_id=firm.workspace.pk)
    assert re.fullmatch(r"https://app\.example\.com/accept-invitation\?invite_token=[\w-]{43}", mailed_link())
    message = django_mail.outbox[-1]
    assert message.to == [ADDRESS]
    assert message.subject == f"{firm.admin.email} invites you to {firm.workspace.name} at Evil https evil example x"
    assert "evil.example" not in str(message.body)
    assert "7 days" in str(message.body)
    Deployment.objects.update(ui_settings={"accept_invitation_url": "https://app.example.com/join?a=b"})
    invite(firm, admin, "other@example.com")
    assert mailed_link().startswith("https://app.example.com/join?a=b&invite_token=")


def test_an_address_of_a_stranger_shows_no_account(firm: Firm, admin: ApiClient) -> None:
    UserFactory.create(deployment=firm.deployment, email="stranger@example.com")
    known, unknown = (data_of(invite(firm, admin, f"{name}@example.com")) for name in ("stranger", "nobody"))
    for data in (known, unknown):
        for name in ("id", "email", "created_at", "updated_at"):
            del data[name]
    assert known == unknown
    assert error_code(invite(firm, admin, firm.member.email)) == INVALID_FIELD


def test_an_address_has_one_open_invitation_to_a_place(firm: Firm, admin: ApiClient) -> None:
    data_of(invite(firm, admin))
    response = invite(firm, admin, "ADA@example.com")
    assert error_code(response) == INVALID_FIELD
    assert "open invitation already" in response.json()["errors"][0]["message"]
    data_of(invite(firm, admin, workspace_id=firm.workspace.pk))


def test_what_is_no_address_or_place_is_refused(firm: Firm, admin: ApiClient) -> None:
    other = Firm(firm.deployment)
    assert error_code(invite(firm, admin, "ada")) == INVALID_FIELD
    assert error_code(invite(firm, admin, workspace_role_id=firm.workspace_role.pk)) == INVALID_FIELD
    assert error_code(invite(firm, admin, workspace_id=other.workspace.pk)) == NOT_FOUND
    assert error_code(invite(firm, admin, role_id=other.role.pk)) == NOT_FOUND
    place = {"workspace_id": firm.other_workspace.pk}
    assert error_code(invite(firm, admin, **place, workspace_role_id=firm.workspace_role.pk)) == NOT_FOUND
    assert OrganizationInvitation.objects.filter(organization=firm.organization).count() == 1


def test_nobody_invites_with_a_role_beyond_their_own(firm: Firm, admin: ApiClient) -> None:
    role = OrganizationRoleFactory.create(deployment=firm.deployment, permissions=["billing:pay"])
    workspace_role = WorkspaceRoleFactory.create(deployment=firm.deployment, permissions=["crane:drive"])
    place = {"workspace_id": firm.workspace.pk, "workspace_role_id": workspace_role.pk}
    assert error_code(invite(firm, admin, role_id=role.pk)) == FORBIDDEN
    assert error_code(invite(firm, admin, **place)) == FORBIDDEN
    OrganizationMembershipRole.objects.create(membership=firm.admin_membership, role=role)
    join(firm.admin, firm.workspace, workspace_role)
    data_of(invite(firm, admin, **place, role_id=role.pk))


def test_a_mailbox_gets_no_more_invitations_than_codes(firm: Firm, admin: ApiClient, settings: Any) -> None:
    settings.CODES_PER_ACCOUNT = 3
    path = f"{invitations_of(firm)}/{data_of(invite(firm, admin))['id']}/resend"
    assert [admin.post(path).status_code for _ in range(2)] == [200, 200]
    assert error_code(admin.post(path)) == TOO_MANY_REQUESTS
    other = Firm(firm.deployment)
    assert error_code(invite(other, other.client(other.admin), "ADA@example.com")) == TOO_MANY_REQUESTS


def test_the_token_is_kept_as_a_hash_and_stays_out_of_the_audit_log(firm: Firm, admin: ApiClient) -> None:
    invite(firm, admin)
    row = OrganizationInvitation.objects.latest("pk")
    assert mailed_token() not in row.token_hash
    entry = AuditEntry.objects.filter(model="memberships.organizationinvitation", action="added").latest("pk")
    assert entry.after is not None
    assert (entry.name, entry.after["token_hash"]) == (ADDRESS, "(secret)")
    assert (entry.actor_kind, entry.actor_id) == ("user", firm.admin.pk)


@each("what", ["role", "workspace_role", "inviter", "workspace", "foreign role"])
def test_the_database_refuses_parts_of_other_organizations(firm: Firm, what: str) -> None:
    other = Firm(firm.deployment)
    rows: dict[str, dict[str, Any]] = {
        "role": {"role": other.role},
        "workspace_role": {"workspace": firm.workspace, "workspace_role": other.workspace_role},
        "inviter": {"inviter": other.admin_membership},
        "workspace": {"workspace": other.workspace},
        "foreign role": {"role": admin_role(open_deployment())},
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        firm.invite(ADDRESS, **rows[what])


def test_a_role_or_workspace_that_goes_takes_only_what_was_its_own(firm: Firm) -> None:
    """By raw SQL too."""
    row = firm.invite(ADDRESS, role=firm.role, workspace=firm.workspace, workspace_role=firm.workspace_role)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM organizations_organizationrole WHERE id = %s", [firm.role.pk])
        cursor.execute("DELETE FROM organizations_workspacerole WHERE id = %s", [firm.workspace_role.pk])
        row.refresh_from_db()
        assert (row.role_id, row.workspace_role_id, row.inviter_id) == (None, None, firm.admin_membership.pk)
        cursor.execute("DELETE FROM memberships_workspacemembership WHERE workspace_id = %s", [firm.workspace.pk])
        cursor.execute("DELETE FROM organizations_workspace WHERE id = %s", [firm.workspace.pk])
    assert not OrganizationInvitation.objects.filter(pk=row.pk).exists()
