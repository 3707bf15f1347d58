"""The overviews of organizations and workspaces: members, rules, and what else belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.http import HttpRequest

from memberships.models import OrganizationInvitation, OrganizationMembership, WorkspaceMembership
from organizations.models import (
    Organization,
    OrganizationDomain,
    OrganizationRole,
    OrganizationSegment,
    Workspace,
    WorkspaceRole,
    WorkspaceSegment,
)
from staff.toolkit.links import link, names
from staff.toolkit.overview import Cell, Facts, Part, WithOverview, day, opened, part

_SEGMENT = {"Segment": lambda each: link(each.segment)}
_ROLE: dict[str, Callable[[Any], Cell]] = {"Role": link, "Permissions": lambda role: ", ".join(role.permissions)}


def _members(request: HttpRequest, model: Any, owner: dict[str, Any]) -> Part:
    return part(
        request,
        model.objects.select_related("user"),
        owner,
        {
            "Member": lambda membership: link(membership.user),
            "Roles": lambda membership: names(membership.roles.all()),
            "Since": opened(day),
        },
        title=f"Members: {next(iter(owner.values())).member_count:,}",
        prefetch=("roles",),
    )


def _invitations(request: HttpRequest, owner: dict[str, Any]) -> Part:
    return part(
        request,
        OrganizationInvitation.objects.filter(accepted_at=None, discarded_at=None).select_related("workspace", "role"),
        owner,
        {
            "Address": link,
            "Workspace": lambda invitation: link(invitation.workspace),
            "Role": lambda invitation: link(invitation.role),
            "Expires": lambda invitation: f"{invitation.expires_at:%Y-%m-%d}",
        },
        title="Open invitations",
    )


def _rules(enforces_mfa: bool, mfa_counts: bool, row: Any, list_counts: bool) -> Facts:
    yield "MFA rule", _rule(enforces_mfa, mfa_counts)
    yield "IP rule", _rule(row.enable_ip_restriction, list_counts)
    yield "Whitelisted IPs", ", ".join(row.whitelisted_ips) or "none: every address may enter"


def _rule(is_on: bool, counts: bool) -> str:
    return ("on" if counts else "on, but switched off for the deployment") if is_on else "off"


class OrganizationOverview(WithOverview):
    """The part of an organization's pages that is its overview."""

    def get_overview_queryset(self, request: HttpRequest) -> Any:
        related = ("auto_assigned_workspace", "deployment__default_org_member_role")
        return super().get_overview_queryset(request).select_related(*related)

    def facts(self, request: HttpRequest, row: Organization) -> Facts:
        deployment = row.deployment
        yield "Id", str(row.pk)
        yield "Deployment", link(deployment)
        yield "Members", f"{row.member_count:,}"
        yield from _rules(
            row.enforce_mfa, deployment.enforce_mfa_per_org_enabled, row, deployment.ip_allowlist_per_org_enabled
        )
        yield "Default role", link(deployment.default_org_member_role) or "none"
        yield "Auto-assigned workspace", link(row.auto_assigned_workspace) or "none"
        yield "Created", day(row)

    def parts(self, request: HttpRequest, row: Organization) -> Iterator[Part]:
        owner = {"organization": row}
        yield _members(request, OrganizationMembership, owner)
        yield _invitations(request, owner)
        yield part(
            request,
            Workspace.objects.all(),
            owner,
            {"Workspace": link, "Members": lambda workspace: f"{workspace.member_count:,}", "Since": day},
        )
        yield part(
            request,
            OrganizationDomain.objects.all(),
            owner,
            {
                "Domain": link,
                "Verified": lambda domain: f"{domain.verified_at:%Y-%m-%d}" if domain.verified_at else "no",
            },
        )
        yield part(request, OrganizationRole.objects.all(), owner, _ROLE, title="Own roles")
        yield part(request, OrganizationSegment.objects.select_related("segment"), owner, _SEGMENT, title="Segments")


class WorkspaceOverview(WithOverview):
    """The part of a workspace's pages that is its overview."""

    def get_overview_queryset(self, request: HttpRequest) -> Any:
        related = "organization__deployment__default_workspace_member_role"
        return super().get_overview_queryset(request).select_related(related)

    def facts(self, request: HttpRequest, row: Workspace) -> Facts:
        deployment = row.organization.deployment
        yield "Id", str(row.pk)
        yield "Organization", link(row.organization)
        yield "Deployment", link(deployment)
        yield "Members", f"{row.member_count:,}"
        yield from _rules(
            row.enforce_2fa,
            deployment.enforce_mfa_per_workspace_enabled,
            row,
            deployment.ip_allowlist_per_workspace_enabled,
        )
        yield "Default role", link(deployment.default_workspace_member_role) or "none"
        yield "Created", day(row)

    def parts(self, request: HttpRequest, row: Workspace) -> Iterator[Part]:
        owner = {"workspace": row}
        yield _members(request, WorkspaceMembership, owner)
        yield _invitations(request, owner)
        yield part(request, WorkspaceRole.objects.all(), owner, _ROLE, title="Own roles")
        yield part(request, WorkspaceSegment.objects.select_related("segment"), owner, _SEGMENT, title="Segments")
