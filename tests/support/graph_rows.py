"""Writing a drawn deployment to the database, in bulk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Authenticator, BackupCode, Deployment, User
from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import (
    Organization,
    OrganizationRole,
    OrganizationSegment,
    Segment,
    UserSegment,
    Workspace,
    WorkspaceRole,
    WorkspaceSegment,
)
from tests.support.factories import DeploymentFactory, token_of
from tests.support.graphs import DrawnDeployment, Place

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Rows:
    """The rows of a deployment that a request refers to, and the tokens of its users who have sent one, by index."""

    deployment: Deployment
    users: list[User]
    organizations: list[Organization]
    tokens: dict[int, str] = field(default_factory=dict)

    def token_of(self, person: int) -> str:
        if person not in self.tokens:
            self.tokens[person] = token_of(self.users[person])
        return self.tokens[person]


def write(number: int, drawn: DrawnDeployment) -> Rows:
    deployment = DeploymentFactory.create(
        mode="staging" if drawn.staging else "production",
        private_metadata_audience=drawn.audience,
        ip_allowlist_per_org_enabled=drawn.address_rule_per_organization,
        ip_allowlist_per_workspace_enabled=drawn.address_rule_per_workspace,
        enforce_mfa_per_org_enabled=drawn.mfa_rule_per_organization,
        enforce_mfa_per_workspace_enabled=drawn.mfa_rule_per_workspace,
    )
    users = User.objects.bulk_create(
        User(deployment=deployment, email=person.email, disabled=person.disabled) for person in drawn.people
    )
    write_mfa(drawn, users)
    organizations = Organization.objects.bulk_create(
        Organization(deployment=deployment, enforce_mfa=place.requires_mfa, **columns(place))
        for place in drawn.organizations
    )
    workspaces = Workspace.objects.bulk_create(
        Workspace(organization=organizations[place.parent], enforce_2fa=place.requires_mfa, **columns(place))
        for place in drawn.workspaces
    )
    write_segments(number, drawn, deployment, users, organizations, workspaces)
    organization_roles = OrganizationRole.objects.bulk_create(
        OrganizationRole(
            deployment=deployment,
            organization=None if role.organization is None else organizations[role.organization],
            name=role.name,
            permissions=list(role.permissions),
        )
        for role in drawn.organization_roles
    )
    workspace_roles = WorkspaceRole.objects.bulk_create(
        WorkspaceRole(
            deployment=deployment,
            organization=None if role.organization is None else organizations[role.organization],
            workspace=None if role.workspace is None else workspaces[role.workspace],
            name=role.name,
            permissions=list(role.permissions),
        )
        for role in drawn.workspace_roles
    )
    organization_memberships = OrganizationMembership.objects.bulk_create(
        OrganizationMembership(
            deployment=deployment, organization=organizations[membership.place], user=users[membership.person]
        )
        for membership in drawn.organization_memberships
    )
    workspace_memberships = WorkspaceMembership.objects.bulk_create(
        WorkspaceMembership(
            organization=workspaces[membership.place].organization,
            workspace=workspaces[membership.place],
            user=users[membership.person],
            public_metadata={"name": membership.name},
            created_at=FIRST_DAY + timedelta(days=membership.day),
        )
        for membership in drawn.workspace_memberships
    )
    OrganizationMembershipRole.objects.bulk_create(
        OrganizationMembershipRole(membership=row, role=organization_roles[role])
        for row, membership in zip(organization_memberships, drawn.organization_memberships, strict=True)
        for role in membership.roles
    )
    WorkspaceMembershipRole.objects.bulk_create(
        WorkspaceMembershipRole(membership=row, role=workspace_roles[role])
        for row, membership in zip(workspace_memberships, drawn.workspace_memberships, strict=True)
        for role in membership.roles
    )
    return Rows(deployment, users, organizations)


def columns(place: Place) -> dict[str, Any]:
    """The columns that organizations and workspaces share."""
    return {
        "name": place.name,
        "private_metadata": {"of": place.name},
        "enable_ip_restriction": place.restricts_address,
        "whitelisted_ips": list(place.entries),
    }


def write_mfa(drawn: DrawnDeployment, users: list[User]) -> None:
    now = timezone.now()
    people = list(zip(drawn.people, users, strict=True))
    Authenticator.objects.bulk_create(
        Authenticator(user=user, secret=b"", confirmed_at=now if person.mfa == "confirmed" else None)
        for person, user in people
        if person.mfa in ("confirmed", "unconfirmed")
    )
    BackupCode.objects.bulk_create(
        BackupCode(user=user, code_hash="", used_at=now if person.mfa == "used code" else None)
        for person, user in people
        if person.mfa in ("backup code", "used code")
    )


def write_segments(
    number: int,
    drawn: DrawnDeployment,
    deployment: Deployment,
    users: list[User],
    organizations: list[Organization],
    workspaces: list[Workspace],
) -> None:
    """Two segments of each type; every user is in both of theirs, which no place may list."""
    segments = Segment.objects.bulk_create(
        Segment(deployment=deployment, name=f"{type_} segment {number}.{index}", type=type_)
        for type_ in ("user", "organization", "workspace")
        for index in range(2)
    )
    UserSegment.objects.bulk_create(
        UserSegment(user=user, segment=segment) for user in users for segment in segments[:2]
    )
    OrganizationSegment.objects.bulk_create(
        OrganizationSegment(organization=row, segment=segments[2 + index])
        for row, place in zip(organizations, drawn.organizations, strict=True)
        for index in place.segments
    )
    WorkspaceSegment.objects.bulk_create(
        WorkspaceSegment(workspace=row, segment=segments[4 + index])
        for row, place in zip(workspaces, drawn.workspaces, strict=True)
        for index in place.segments
    )
