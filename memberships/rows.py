"""Workspaces, organizations, roles and organization memberships as rows, and the statements that read them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from database.prepared import Statement, number, read, time_text
from organizations.models import ORGANIZATION_ADMIN


class WorkspaceRow(NamedTuple):
    """A workspace. Columns named ``*_json`` are JSON text, ready to be sent."""

    id: int
    deployment_id: int
    name: str
    image_url: str
    description: str
    member_count: int
    public_metadata_json: str
    private_metadata_json: str
    enforce_2fa: bool
    enable_ip_restriction: bool
    whitelisted_ips: list[str]
    created_at: datetime
    updated_at: datetime
    segments_json: str


class OrganizationRow(NamedTuple):
    """An organization."""

    id: int
    deployment_id: int
    name: str
    image_url: str
    description: str
    member_count: int
    public_metadata_json: str
    private_metadata_json: str
    enforce_mfa: bool
    enable_ip_restriction: bool
    whitelisted_ips: list[str]
    auto_assigned_workspace_id: int | None
    created_at: datetime
    updated_at: datetime
    segments_json: str


class WorkspaceRoleRow(NamedTuple):
    """A role in workspaces."""

    id: int
    deployment_id: int
    name: str
    permissions: list[str]
    created_at: datetime
    updated_at: datetime


class OrganizationMembershipRow(NamedTuple):
    """A user's membership of an organization."""

    id: int
    public_metadata_json: str
    created_at: datetime
    updated_at: datetime
    roles_json: str
    is_organization_admin: bool
    organization: OrganizationRow


def segments(link_table: str, owner: str, owner_id: str) -> str:
    """The SQL of the segments that a thing is in, as JSON text."""
    return f"""
        coalesce((
            SELECT json_agg(json_build_object(
                'id', segment.id::text,
                'created_at', {time_text("segment.created_at")},
                'updated_at', {time_text("segment.updated_at")},
                'deployment_id', segment.deployment_id::text,
                'name', segment.name,
                'type', segment.type
            ) ORDER BY segment.id)::text
            FROM {link_table} link JOIN organizations_segment segment ON segment.id = link.segment_id
            WHERE link.{owner} = {owner_id}
        ), '[]')
    """


_WORKSPACE = f"""
    workspace.id, organization.deployment_id, workspace.name, workspace.image_url, workspace.description,
    workspace.member_count, workspace.public_metadata::text, workspace.private_metadata::text, workspace.enforce_2fa,
    workspace.enable_ip_restriction, workspace.whitelisted_ips, workspace.created_at, workspace.updated_at,
    {segments("organizations_workspacesegment", "workspace_id", "workspace.id")}
"""

_ORGANIZATION = f"""
    organization.id, organization.deployment_id, organization.name, organization.image_url, organization.description,
    organization.member_count, organization.public_metadata::text, organization.private_metadata::text,
    organization.enforce_mfa, organization.enable_ip_restriction, organization.whitelisted_ips,
    organization.auto_assigned_workspace_id, organization.created_at, organization.updated_at,
    {segments("organizations_organizationsegment", "organization_id", "organization.id")}
"""


def workspaces(ids: str) -> Statement:
    """Gives ``WorkspaceRow``s; ``ids`` is SQL for an array of ids."""
    return Statement(
        f"""
        SELECT {_WORKSPACE} FROM organizations_workspace workspace
        JOIN organizations_organization organization ON organization.id = workspace.organization_id
        WHERE workspace.id = ANY (({ids})::bigint[])
        """
    )


def organizations(ids: str) -> Statement:
    """Gives ``OrganizationRow``s; ``ids`` is SQL for an array of ids."""
    return Statement(
        f"""
        SELECT {_ORGANIZATION} FROM organizations_organization organization
        WHERE organization.id = ANY (({ids})::bigint[])
        """
    )


def workspace_roles(ids: str) -> Statement:
    """Gives ``WorkspaceRoleRow``s; ``ids`` is SQL for an array of ids."""
    return Statement(
        f"""
        SELECT role.id, role.deployment_id, role.name, role.permissions, role.created_at, role.updated_at
        FROM organizations_workspacerole role WHERE role.id = ANY (({ids})::bigint[])
        """
    )


ORGANIZATION_ROLES = f"""
    SELECT
        json_agg(json_build_object(
            'id', role.id::text,
            'organization_id', coalesce(role.organization_id::text, ''),
            'name', role.name,
            'permissions', role.permissions,
            'created_at', {time_text("role.created_at")},
            'updated_at', {time_text("role.updated_at")}
        ) ORDER BY role.id)::text AS roles,
        bool_or('{ORGANIZATION_ADMIN}' = ANY (role.permissions)) AS is_admin
    FROM memberships_organizationmembershiprole given
    JOIN organizations_organizationrole role ON role.id = given.role_id
    WHERE given.membership_id = membership.id
"""
"""The roles of the organization ``membership`` as JSON text, and whether one of them administers it; null for none."""

WORKSPACE_ROLES = f"""
    SELECT
        json_agg(json_build_object(
            'id', role.id::text,
            'name', role.name,
            'permissions', role.permissions,
            'created_at', {time_text("role.created_at")},
            'updated_at', {time_text("role.updated_at")}
        ) ORDER BY role.id)::text AS roles
    FROM memberships_workspacemembershiprole given
    JOIN organizations_workspacerole role ON role.id = given.role_id
    WHERE given.membership_id = membership.id
"""
"""The roles of the workspace ``membership`` as JSON text, null for none."""

_ORGANIZATION_MEMBERSHIPS = Statement(f"""
    SELECT
        membership.id, membership.public_metadata::text, membership.created_at, membership.updated_at,
        coalesce(role.roles, '[]'), coalesce(role.is_admin, false),
        {_ORGANIZATION}
    FROM memberships_organizationmembership membership
    JOIN organizations_organization organization ON organization.id = membership.organization_id
    LEFT JOIN LATERAL ({ORGANIZATION_ROLES}) role ON true
    WHERE membership.user_id = %(user)s::bigint AND membership.deployment_id = %(deployment)s::bigint
        AND (%(organization)s::bigint IS NULL OR membership.organization_id = %(organization)s)
    ORDER BY membership.created_at, membership.id
""")


def organization_membership_rows(
    *, user_id: int, deployment_id: int, organization_id: int | None = None
) -> list[OrganizationMembershipRow]:
    """The user's memberships of organizations in the deployment, in the order of joining; of one if given."""
    values = {
        "user": number(user_id),
        "deployment": number(deployment_id),
        "organization": number(organization_id),
    }
    own = len(OrganizationMembershipRow._fields) - 1
    return [
        OrganizationMembershipRow._make([*row[:own], OrganizationRow._make(row[own:])])
        for row in read(_ORGANIZATION_MEMBERSHIPS, values).rows()
    ]
