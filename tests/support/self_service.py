"""A deployment whose customers run themselves, with users of every standing and a row for each endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, get_resolver
from django.utils import timezone

from accounts.models import Deployment, User
from memberships.models import OrganizationInvitation, OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, OrganizationDomain, OrganizationRole, Workspace, WorkspaceRole
from tests.support.api import FORM, ApiClient
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    join,
    join_organization,
    organization_invitation,
)


def open_deployment(**values: Any) -> Deployment:
    """A deployment that lets customers do everything themselves."""
    return DeploymentFactory.create(
        **{
            "allow_users_to_create_orgs": True,
            "workspaces_per_org_count": None,
            "allow_org_deletion": True,
            "allow_workspace_deletion": True,
            "custom_org_role_enabled": True,
            "custom_workspace_role_enabled": True,
        }
        | values
    )


def admin_role(deployment: Deployment) -> OrganizationRole:
    return OrganizationRole.objects.get(deployment=deployment, organization=None, name="Admin")


def workspace_admin_role(deployment: Deployment) -> WorkspaceRole:
    return WorkspaceRole.objects.get(deployment=deployment, organization=None, name="Admin")


@dataclass
class Firm:
    """An organization with a workspace, a member of every standing, and own roles that nobody holds."""

    deployment: Deployment = field(default_factory=open_deployment)

    def __post_init__(self) -> None:
        deployment = self.deployment
        self.organization: Organization = OrganizationFactory.create(deployment=deployment)
        self.workspace: Workspace = WorkspaceFactory.create(organization=self.organization)
        self.other_workspace: Workspace = WorkspaceFactory.create(organization=self.organization)
        self.admin, self.workspace_admin, self.member, self.outsider = UserFactory.create_batch(
            4, deployment=deployment
        )
        self.admin_membership = join_organization(self.admin, self.organization, admin_role(deployment))
        join(self.workspace_admin, self.workspace, workspace_admin_role(deployment))
        join(self.member, self.workspace)
        join_organization(self.outsider, self.organization)  # of the workspace
        self.role = OrganizationRoleFactory.create(deployment=deployment, organization=self.organization)
        self.workspace_role = WorkspaceRoleFactory.create(
            deployment=deployment, organization=self.organization, workspace=self.workspace
        )
        self.domain = OrganizationDomain.objects.create(
            organization=self.organization,
            fqdn=f"firm{self.organization.pk}.example.com",
            verified_at=timezone.now(),
        )
        self.invitation = self.invite("invited@example.com")

    def invite(self, email: str, **values: Any) -> OrganizationInvitation:
        """An invitation by the administrator, which is on its way by mail."""
        sender = {"inviter": self.admin_membership, "is_by_staff": False}
        return organization_invitation(self.organization, **{"email": email, **sender} | values)

    def membership(self, user: User) -> OrganizationMembership:
        return OrganizationMembership.objects.get(organization=self.organization, user=user)

    def in_workspace(self, user: User) -> WorkspaceMembership:
        return WorkspaceMembership.objects.get(workspace=self.workspace, user=user)

    def client(self, user: User | None) -> ApiClient:
        return ApiClient(self.deployment, user)


def endpoints() -> set[str]:
    """Every endpoint under /organizations and /workspaces, as the service has them."""
    found = set()
    for pattern in get_resolver().url_patterns:
        route = str(pattern.pattern).replace("<id:", "{").replace(">", "}")
        if isinstance(pattern, URLPattern) and route.split("/")[0] in ("organizations", "workspaces"):
            actions = pattern.callback.actions  # type: ignore[attr-defined]  # as_view sets it
            found |= {f"{method.upper()} {route}" for method in actions if method in ("get", "post")}
    return found


BODIES: dict[str, Callable[[Firm], dict[str, Any]]] = {
    "POST organizations": lambda _: {"name": "New"},
    "POST organizations/{id}/update": lambda _: {"name": "New"},
    "POST organizations/{id}/roles": lambda _: {"name": "New", "permissions[0]": "organization:admin"},
    "POST organizations/{id}/domains": lambda _: {"domain": "new.example"},
    "POST organizations/{id}/invitations": lambda firm: {"email": "new@example.com", "role_id": firm.role.pk},
    "POST organizations/invitations/accept": lambda _: {"token": "forged"},
    "POST workspaces": lambda firm: {"name": "New", "organization_id": firm.organization.pk},
    "POST workspaces/{id}/update": lambda _: {"name": "New"},
    "POST workspaces/{id}/roles": lambda _: {"name": "New", "permissions": ["workspace:admin"]},
}


def question(firm: Firm, endpoint: str, **ids: int) -> tuple[str, str, dict[str, Any]]:
    """The method, path and body of a request about ``firm``, or about those of its parts that ``ids`` replaces."""
    method, route = endpoint.split(" ")
    in_workspace = route.startswith("workspaces")
    path = "/" + route.format(
        **{
            "id": (firm.workspace if in_workspace else firm.organization).pk,
            "member_id": (firm.in_workspace if in_workspace else firm.membership)(firm.member).pk,
            "role_id": (firm.workspace_role if in_workspace else firm.role).pk,
            "domain_id": firm.domain.pk,
            "invitation_id": firm.invitation.pk,
        }
        | ids
    )
    return method, path, BODIES.get(endpoint, lambda _: {})(firm)


def ask(firm: Firm, client: ApiClient, endpoint: str, **ids: int) -> Any:
    """The answer to the ``question``."""
    method, path, body = question(firm, endpoint, **ids)
    return client.get(path) if method == "GET" else client.post(path, body, content_type=FORM)
