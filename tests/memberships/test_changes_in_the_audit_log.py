"""Every change under /organizations and /workspaces is in the audit log, with its user and the client's address.

The table is held against the list of addresses: a new endpoint without a row fails.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from audit.models import AuditEntry
from memberships.models import (
    OrganizationMembershipRole,
    WorkspaceMembershipRole,
)
from memberships.self_service import domains
from organizations.models import Organization, OrganizationDomain
from tests.support.api import ApiClient
from tests.support.factories import UserFactory
from tests.support.invitations import ACCEPT, mailed_token
from tests.support.self_service import Firm, ask, endpoints, workspace_admin_role

ADDRESS = "198.51.100.77"

MEMBERSHIP, ROLE_GIVEN = "memberships.organizationmembership", "memberships.organizationmembershiprole"
IN_WORKSPACE, WORKSPACE_ROLE_GIVEN = "memberships.workspacemembership", "memberships.workspacemembershiprole"
ORGANIZATION, WORKSPACE = "organizations.organization", "organizations.workspace"
ROLE, WORKSPACE_ROLE = "organizations.organizationrole", "organizations.workspacerole"
DOMAIN, INVITATION = "organizations.organizationdomain", "memberships.organizationinvitation"

TABLE: dict[str, set[tuple[str, str]]] = {
    "POST organizations": {("added", ORGANIZATION), ("added", MEMBERSHIP), ("added", ROLE_GIVEN)},
    "POST organizations/{id}/update": {("changed", ORGANIZATION)},
    "POST organizations/{id}/delete": {
        ("deleted", ORGANIZATION),
        ("deleted", WORKSPACE),
        ("deleted", MEMBERSHIP),
        ("deleted", IN_WORKSPACE),
        ("deleted", ROLE_GIVEN),
        ("deleted", WORKSPACE_ROLE_GIVEN),
        ("deleted", ROLE),
        ("deleted", WORKSPACE_ROLE),
        ("deleted", DOMAIN),
        ("deleted", INVITATION),
    },
    "POST organizations/{id}/leave": {("deleted", MEMBERSHIP), ("deleted", IN_WORKSPACE)},
    "POST organizations/{id}/members/{member_id}/remove": {("deleted", MEMBERSHIP), ("deleted", IN_WORKSPACE)},
    "POST organizations/{id}/members/{member_id}/roles/{role_id}/add": {("added", ROLE_GIVEN)},
    "POST organizations/{id}/members/{member_id}/roles/{role_id}/remove": {("deleted", ROLE_GIVEN)},
    "POST organizations/{id}/roles": {("added", ROLE)},
    "POST organizations/{id}/roles/{role_id}/remove": {("deleted", ROLE)},
    "POST organizations/{id}/domains": {("added", DOMAIN)},
    # With those whom the domain brings into the organization, and into its auto-assigned workspace.
    "POST organizations/{id}/domains/{domain_id}/verify": {
        ("changed", DOMAIN),
        ("added", MEMBERSHIP),
        ("added", ROLE_GIVEN),
        ("added", IN_WORKSPACE),
        ("added", WORKSPACE_ROLE_GIVEN),
    },
    "POST organizations/{id}/domains/{domain_id}/delete": {("deleted", DOMAIN)},
    "POST organizations/{id}/invitations": {("added", INVITATION)},
    "POST organizations/{id}/invitations/{invitation_id}/discard": {("changed", INVITATION)},
    "POST organizations/{id}/invitations/{invitation_id}/resend": {("changed", INVITATION)},
    "POST organizations/invitations/accept": {
        ("changed", INVITATION),
        ("added", MEMBERSHIP),
        ("added", IN_WORKSPACE),
        ("added", WORKSPACE_ROLE_GIVEN),
    },
    "POST workspaces": {("added", WORKSPACE), ("added", IN_WORKSPACE), ("added", WORKSPACE_ROLE_GIVEN)},
    "POST workspaces/{id}/update": {("changed", WORKSPACE)},
    "POST workspaces/{id}/delete": {
        ("deleted", WORKSPACE),
        ("deleted", IN_WORKSPACE),
        ("deleted", WORKSPACE_ROLE_GIVEN),
        ("deleted", WORKSPACE_ROLE),
        ("deleted", INVITATION),
    },
    "POST workspaces/{id}/leave": {("deleted", IN_WORKSPACE)},
    "POST workspaces/{id}/members/{member_id}/remove": {("deleted", IN_WORKSPACE)},
    "POST workspaces/{id}/members/{member_id}/roles/{role_id}/add": {("added", WORKSPACE_ROLE_GIVEN)},
    "POST workspaces/{id}/members/{member_id}/roles/{role_id}/remove": {("deleted", WORKSPACE_ROLE_GIVEN)},
    "POST workspaces/{id}/roles": {("added", WORKSPACE_ROLE)},
    "POST workspaces/{id}/roles/{role_id}/delete": {("deleted", WORKSPACE_ROLE)},
}


class FromElsewhere(ApiClient):
    """A client at ADDRESS."""

    def request(self, method: str, path: str = "", query: str = "", **headers: Any) -> Any:
        return super().request(method, path, query, REMOTE_ADDR=ADDRESS, **headers)


def test_every_changing_endpoint_has_its_row() -> None:
    assert {endpoint for endpoint in endpoints() if endpoint.startswith("POST")} == set(TABLE)


def test_changes_are_logged_with_their_user_and_address(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    firm = Firm()
    invited = UserFactory.create(deployment=firm.deployment, email="ada@example.com")
    firm.invite(invited.email, workspace=firm.workspace, workspace_role=workspace_admin_role(firm.deployment))
    token = mailed_token()
    newcomer = UserFactory.create(deployment=firm.deployment, email=f"newcomer@{firm.domain.fqdn}")
    OrganizationDomain.objects.filter(pk=firm.domain.pk).update(verified_at=None)
    newcomer.email_addresses.update(verified_at=firm.domain.verified_at)
    monkeypatch.setattr(domains, "require_text", lambda *_: None)
    actors = {
        "POST organizations/{id}/leave": firm.member,
        "POST workspaces/{id}/leave": firm.member,
        "POST organizations/invitations/accept": invited,
    }
    clients = {user.pk: FromElsewhere(firm.deployment, user) for user in (firm.admin, firm.member, invited)}
    for endpoint, expected in TABLE.items():
        actor = actors.get(endpoint, firm.admin)
        client = clients[actor.pk]
        with transaction.atomic():
            prepare(firm, endpoint)
            before = AuditEntry.objects.latest("pk").pk
            if endpoint.endswith("accept"):
                answer = client.post(ACCEPT, {"token": token})
            else:
                answer = ask(firm, client, endpoint)
            assert answer.status_code == 200, endpoint
            entries = AuditEntry.objects.filter(pk__gt=before)
            assert {(entry.action, entry.model) for entry in entries} == expected, endpoint
            assert {(entry.actor_kind, entry.actor_id, entry.address) for entry in entries} == {
                ("user", actor.pk, ADDRESS)
            }, endpoint
            assert {entry.deployment_id for entry in entries} == {firm.deployment.pk}, endpoint
            transaction.set_rollback(True)


def prepare(firm: Firm, endpoint: str) -> None:
    """Let there be something to take or to join."""
    if "/roles/{role_id}/remove" in endpoint and "members" in endpoint:
        if endpoint.startswith("POST workspaces"):
            WorkspaceMembershipRole.objects.create(membership=firm.in_workspace(firm.member), role=firm.workspace_role)
        else:
            OrganizationMembershipRole.objects.create(membership=firm.membership(firm.member), role=firm.role)
    if endpoint.endswith("verify"):
        Organization.objects.filter(pk=firm.organization.pk).update(auto_assigned_workspace=firm.workspace)
