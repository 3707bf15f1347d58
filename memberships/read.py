"""The reads behind the endpoints: a user's memberships with all that is nested in them, in one query each."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db import connection

from memberships.models import OrganizationMembership
from organizations.models import ORGANIZATION_ADMIN, WORKSPACE_ADMIN


class MembershipRow(NamedTuple):
    """One membership, as the query below selects it. Columns named ``*_json`` are JSON text, ready to be sent."""

    id: int
    user_id: int
    public_metadata_json: str
    created_at: datetime
    updated_at: datetime
    roles_json: str
    is_workspace_admin: bool
    is_organization_admin: bool

    workspace_id: int
    workspace_name: str
    workspace_image_url: str
    workspace_description: str
    workspace_member_count: int
    workspace_public_metadata_json: str
    workspace_private_metadata_json: str
    workspace_enforce_2fa: bool
    workspace_enable_ip_restriction: bool
    workspace_whitelisted_ips: list[str]
    workspace_created_at: datetime
    workspace_updated_at: datetime
    workspace_segments_json: str

    organization_id: int
    organization_name: str
    organization_image_url: str
    organization_description: str
    organization_member_count: int
    organization_public_metadata_json: str
    organization_private_metadata_json: str
    organization_enforce_mfa: bool
    organization_enable_ip_restriction: bool
    organization_whitelisted_ips: list[str]
    organization_auto_assigned_workspace_id: int | None
    organization_created_at: datetime
    organization_updated_at: datetime
    organization_segments_json: str


class OrganizationMembershipRow(NamedTuple):
    """One membership of an organization, with the same names as in ``MembershipRow`` for the same things."""

    id: int
    user_id: int
    public_metadata_json: str
    created_at: datetime
    updated_at: datetime
    roles_json: str
    is_organization_admin: bool

    organization_id: int
    organization_name: str
    organization_image_url: str
    organization_description: str
    organization_member_count: int
    organization_public_metadata_json: str
    organization_private_metadata_json: str
    organization_enforce_mfa: bool
    organization_enable_ip_restriction: bool
    organization_whitelisted_ips: list[str]
    organization_auto_assigned_workspace_id: int | None
    organization_created_at: datetime
    organization_updated_at: datetime
    organization_segments_json: str


def _time(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _segments(link_table: str, owner: str, owner_id: str) -> str:
    return f"""
        coalesce((
            SELECT json_agg(json_build_object(
                'id', segment.id::text,
                'created_at', {_time("segment.created_at")},
                'updated_at', {_time("segment.updated_at")},
                'deployment_id', segment.deployment_id::text,
                'name', segment.name,
                'type', segment.type
            ) ORDER BY segment.id)::text
            FROM {link_table} link JOIN organizations_segment segment ON segment.id = link.segment_id
            WHERE link.{owner} = {owner_id}
        ), '[]')
    """


_ORGANIZATION = f"""
        organization.id, organization.name, organization.image_url, organization.description,
        organization.member_count, organization.public_metadata, organization.private_metadata,
        organization.enforce_mfa, organization.enable_ip_restriction, organization.whitelisted_ips,
        organization.auto_assigned_workspace_id, organization.created_at, organization.updated_at,
        {_segments("organizations_organizationsegment", "organization_id", "organization.id")}
"""

_WORKSPACE_MEMBERSHIPS = f"""
    SELECT
        membership.id, membership.user_id, membership.public_metadata, membership.created_at, membership.updated_at,
        coalesce(role.roles, '[]'), coalesce(role.is_admin, false),
        EXISTS (
            SELECT 1
            FROM memberships_organizationmembership organization_membership
            JOIN memberships_organizationmembershiprole given ON given.membership_id = organization_membership.id
            JOIN organizations_organizationrole role ON role.id = given.role_id
            WHERE organization_membership.organization_id = membership.organization_id
                AND organization_membership.user_id = membership.user_id
                AND %(organization_admin)s = ANY (role.permissions)
        ),
        workspace.id, workspace.name, workspace.image_url, workspace.description, workspace.member_count,
        workspace.public_metadata, workspace.private_metadata, workspace.enforce_2fa,
        workspace.enable_ip_restriction, workspace.whitelisted_ips, workspace.created_at, workspace.updated_at,
        {_segments("organizations_workspacesegment", "workspace_id", "workspace.id")},
        {_ORGANIZATION}
    FROM memberships_workspacemembership membership
    JOIN organizations_workspace workspace ON workspace.id = membership.workspace_id
    JOIN organizations_organization organization ON organization.id = membership.organization_id
    LEFT JOIN LATERAL (
        SELECT
            json_agg(json_build_object(
                'id', role.id::text,
                'name', role.name,
                'permissions', role.permissions,
                'created_at', {_time("role.created_at")},
                'updated_at', {_time("role.updated_at")}
            ) ORDER BY role.id)::text AS roles,
            bool_or(%(workspace_admin)s = ANY (role.permissions)) AS is_admin
        FROM memberships_workspacemembershiprole given
        JOIN organizations_workspacerole role ON role.id = given.role_id
        WHERE given.membership_id = membership.id
    ) role ON true
    WHERE membership.user_id = %(user)s AND organization.deployment_id = %(deployment)s
        AND (%(organization)s::bigint IS NULL OR membership.organization_id = %(organization)s)
        AND (%(workspace)s::bigint IS NULL OR membership.workspace_id = %(workspace)s)
    ORDER BY membership.created_at, membership.id
"""

_ORGANIZATION_MEMBERSHIPS = f"""
    SELECT
        membership.id, membership.user_id, membership.public_metadata, membership.created_at, membership.updated_at,
        coalesce(role.roles, '[]'), coalesce(role.is_admin, false),
        {_ORGANIZATION}
    FROM memberships_organizationmembership membership
    JOIN organizations_organization organization ON organization.id = membership.organization_id
    LEFT JOIN LATERAL (
        SELECT
            json_agg(json_build_object(
                'id', role.id::text,
                'organization_id', coalesce(role.organization_id::text, ''),
                'name', role.name,
                'permissions', role.permissions,
                'created_at', {_time("role.created_at")},
                'updated_at', {_time("role.updated_at")}
            ) ORDER BY role.id)::text AS roles,
            bool_or(%(organization_admin)s = ANY (role.permissions)) AS is_admin
        FROM memberships_organizationmembershiprole given
        JOIN organizations_organizationrole role ON role.id = given.role_id
        WHERE given.membership_id = membership.id
    ) role ON true
    WHERE membership.user_id = %(user)s AND membership.deployment_id = %(deployment)s
        AND (%(organization)s::bigint IS NULL OR membership.organization_id = %(organization)s)
    ORDER BY membership.created_at, membership.id
"""


def workspace_membership_rows(
    *, user_id: int, deployment_id: int, organization_id: int | None = None, workspace_id: int | None = None
) -> list[MembershipRow]:
    """The user's memberships in the deployment, in the order of joining; of one organization or workspace if given."""
    parameters = {
        "user": user_id,
        "deployment": deployment_id,
        "organization": organization_id,
        "workspace": workspace_id,
        "organization_admin": ORGANIZATION_ADMIN,
        "workspace_admin": WORKSPACE_ADMIN,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WORKSPACE_MEMBERSHIPS, parameters)
        return [MembershipRow(*row) for row in cursor]


def organization_membership_rows(
    *, user_id: int, deployment_id: int, organization_id: int | None = None
) -> list[OrganizationMembershipRow]:
    """The user's memberships of organizations in the deployment, in the order of joining; of one if given."""
    parameters = {
        "user": user_id,
        "deployment": deployment_id,
        "organization": organization_id,
        "organization_admin": ORGANIZATION_ADMIN,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ORGANIZATION_MEMBERSHIPS, parameters)
        return [OrganizationMembershipRow(*row) for row in cursor]


def is_organization_member(*, user_id: int, deployment_id: int, organization_id: int) -> bool:
    return OrganizationMembership.objects.filter(
        user_id=user_id, deployment_id=deployment_id, organization_id=organization_id
    ).exists()
