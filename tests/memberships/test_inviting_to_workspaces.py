"""Invitations by administrators of workspaces, who give no more than they could give themselves; and those swept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from accounts.models import Deployment, User
from memberships.models import OrganizationInvitation, WorkspaceMembership
from organizations.models import OrganizationDomain, OrganizationRole, WorkspaceRole
from tests.support.api import data_of, error_code
from tests.support.cases import each
from tests.support.factories import UserFactory, WorkspaceRoleFactory
from tests.support.factories import invitation as sign_up_invitation
from tests.support.invitations import (
    ADDRESS,
    FORBIDDEN,
    accept,
    in_organization,
    invitations_of,
    invite,
    mailed_token,
    role_names,
)
from tests.support.self_service import Firm, admin_role, workspace_admin_role


@pytest.fixture
def firm(db: None) -> Firm:
    return Firm()


def in_the_workspace(firm: Firm) -> WorkspaceMembership:
    return firm.in_workspace(firm.workspace_admin)


FALLS: dict[str, Any] = {
    "removed from the organization": lambda firm: firm.membership(firm.workspace_admin).delete(),
    "removed from the workspace": lambda firm: in_the_workspace(firm).delete(),
    "disabled": lambda firm: User.objects.filter(pk=firm.workspace_admin.pk).update(disabled=True),
    "demoted": lambda firm: in_the_workspace(firm).given_roles.all().delete(),
    "their role is reduced": lambda firm: WorkspaceRole.objects.filter(
        pk=workspace_admin_role(firm.deployment).pk
    ).update(permissions=["workspace:member"]),
    "the given role allows more": lambda firm: WorkspaceRole.objects.filter(pk=firm.workspace_role.pk).update(
        permissions=["crane:drive"]
    ),
    "members administer the organization": lambda firm: OrganizationRole.objects.filter(
        deployment=firm.deployment, name="Member"
    ).update(permissions=["organization:admin"]),
}


@each("fall", FALLS)
def test_a_workspace_administrator_gives_what_they_could_give_at_the_acceptance(firm: Firm, fall: str) -> None:
    user = UserFactory.create(deployment=firm.deployment, email=ADDRESS)
    client = firm.client(firm.workspace_admin)
    place = {"workspace_id": firm.workspace.pk, "workspace_role_id": firm.workspace_role.pk}
    row = data_of(invite(firm, client, **place))
    assert row["initial_organization_role"]["name"] == "Member"
    assert row["inviter"]["user"]["id"] == str(firm.workspace_admin.pk)
    token = mailed_token()
    with transaction.atomic():
        FALLS[fall](firm)
        assert accept(firm.client(user), token)["error_code"] == "INVITATION_VOID"
        transaction.set_rollback(True)
    assert in_organization(firm, user) is None
    assert accept(firm.client(user), token)["already_member"] is False
    assert role_names(firm.membership(user)) == ["Member"]
    assert role_names(firm.in_workspace(user)) == [firm.workspace_role.name]


def test_a_workspace_administrator_gives_nothing_beyond_their_own(firm: Firm) -> None:
    client = firm.client(firm.workspace_admin)
    place = {"workspace_id": firm.workspace.pk}
    crane = WorkspaceRoleFactory.create(deployment=firm.deployment, permissions=["crane:drive"])
    assert error_code(invite(firm, client, **place, workspace_role_id=crane.pk)) == FORBIDDEN
    for role in (admin_role(firm.deployment), firm.role):
        assert error_code(invite(firm, client, **place, role_id=role.pk)) == FORBIDDEN
    # Nor do they take over, or discard, an invitation that gives more.
    row = firm.invite(ADDRESS, workspace=firm.workspace, role=admin_role(firm.deployment))
    for action in ("resend", "discard"):
        assert error_code(client.post(f"{invitations_of(firm)}/{row.pk}/{action}")) == FORBIDDEN
    data = data_of(client.get(invitations_of(firm), f"workspace_id={firm.workspace.pk}"))
    assert [one["email"] for one in data] == [ADDRESS]
    data_of(firm.client(firm.admin).post(f"{invitations_of(firm)}/{row.pk}/discard"))
    own = data_of(invite(firm, client, **place))
    OrganizationInvitation.objects.filter(pk=own["id"]).update(role=firm.role)
    data_of(client.post(f"{invitations_of(firm)}/{own['id']}/discard"))  # their own goes whatever it gives
    Deployment.objects.update(default_org_member_role=admin_role(firm.deployment))
    assert error_code(invite(firm, client, "other@example.com", **place)) == FORBIDDEN


def test_old_invitations_and_unverified_domains_are_swept(firm: Firm) -> None:
    long_ago = timezone.now() - timedelta(days=100)
    kept = {"open": firm.invitation, "expired lately": firm.invite("b@example.com")}
    old = [firm.invite(f"{name}@example.com") for name in ("expired", "accepted", "discarded")]
    OrganizationInvitation.objects.filter(pk=kept["expired lately"].pk).update(expires_at=timezone.now())
    OrganizationInvitation.objects.filter(pk__in=[row.pk for row in old]).update(expires_at=long_ago)
    OrganizationInvitation.objects.filter(pk=old[1].pk).update(accepted_at=long_ago)
    OrganizationInvitation.objects.filter(pk=old[2].pk).update(discarded_at=long_ago)
    to_sign_up = sign_up_invitation(firm.deployment, email="c@example.com")
    type(to_sign_up).objects.update(expires_at=long_ago)
    for fqdn, values in {
        "new.example": {},
        "old.example": {"updated_at": long_ago},
        "old-verified.example": {"updated_at": long_ago, "verified_at": long_ago},
    }.items():
        OrganizationDomain.objects.create(organization=firm.organization, fqdn=fqdn, **values)
    call_command("sweep_sessions", verbosity=0)
    assert set(OrganizationInvitation.objects.all()) == set(kept.values())
    assert not type(to_sign_up).objects.exists()
    fqdns = OrganizationDomain.objects.order_by("pk").values_list("fqdn", flat=True)
    assert list(fqdns) == [firm.domain.fqdn, "new.example", "old-verified.example"]
