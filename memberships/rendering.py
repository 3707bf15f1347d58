"""From rows to the JSON values of the contract, in which every field is always there."""

from __future__ import annotations

from typing import Any

import orjson

from accounts import rendering as accounts_rendering
from accounts.models import User
from config.api.answers import timestamp
from memberships.eligibility import EligibilityRestriction
from memberships.read import (
    MembershipRow,
    OrganizationMembershipRow,
    OrganizationRow,
    WorkspaceRoleRow,
    WorkspaceRow,
)
from organizations.models import Segment

JsonObject = dict[str, Any]


def workspace_membership(
    row: MembershipRow, *, user_id: bytes, roles: bytes, restriction: bytes
) -> tuple[bytes, bytes, bytes]:
    """A ``WorkspaceMembership`` in three: what stands before its workspace, before its organization, and after it."""
    return (
        b'{"id":"%b","workspace":' % row.id,
        b',"organization_id":"%b","user_id":"%b","roles":[%b],"organization":' % (row.organization_id, user_id, roles),
        b',"public_metadata":%b,"created_at":"%b","updated_at":"%b","eligibility_restriction":%b}'
        % (row.public_metadata_json, row.created_at, row.updated_at, restriction),
    )


def organization_membership(
    row: OrganizationMembershipRow, *, user: JsonObject, organization: bytes, restriction: EligibilityRestriction
) -> JsonObject:
    """An ``OrganizationMembership`` of ``user``, around the JSON text of the organization."""
    return {
        "id": str(row.id),
        "organization": orjson.Fragment(organization),
        "user": user,
        "roles": orjson.Fragment(row.roles_json),
        "public_metadata": orjson.Fragment(row.public_metadata_json),
        "created_at": timestamp(row.created_at),
        "updated_at": timestamp(row.updated_at),
        "eligibility_restriction": restriction,
    }


def workspace(row: WorkspaceRow, *, shows_private_metadata: bool) -> bytes:
    """A ``Workspace``."""
    return orjson.dumps(
        {
            "id": str(row.id),
            "name": row.name,
            "image_url": row.image_url,
            "description": row.description,
            "member_count": row.member_count,
            "public_metadata": orjson.Fragment(row.public_metadata_json),
            "private_metadata": orjson.Fragment(row.private_metadata_json) if shows_private_metadata else {},
            "enforce_2fa": row.enforce_2fa,
            "enable_ip_restriction": row.enable_ip_restriction,
            "whitelisted_ips": row.whitelisted_ips,
            "created_at": timestamp(row.created_at),
            "updated_at": timestamp(row.updated_at),
            "segments": orjson.Fragment(row.segments_json),
        }
    )


def organization(row: OrganizationRow, *, shows_private_metadata: bool) -> bytes:
    """An ``Organization``."""
    auto_assigned = row.auto_assigned_workspace_id
    return orjson.dumps(
        {
            "id": str(row.id),
            "name": row.name,
            "image_url": row.image_url,
            "description": row.description,
            "member_count": row.member_count,
            "public_metadata": orjson.Fragment(row.public_metadata_json),
            "private_metadata": orjson.Fragment(row.private_metadata_json) if shows_private_metadata else {},
            "enforce_mfa": row.enforce_mfa,
            "enable_ip_restriction": row.enable_ip_restriction,
            "whitelisted_ips": row.whitelisted_ips,
            "auto_assigned_workspace_id": "" if auto_assigned is None else str(auto_assigned),
            "created_at": timestamp(row.created_at),
            "updated_at": timestamp(row.updated_at),
            "segments": orjson.Fragment(row.segments_json),
        }
    )


def workspace_role(row: WorkspaceRoleRow) -> bytes:
    """A ``WorkspaceRole``."""
    return orjson.dumps(
        {
            "id": str(row.id),
            "name": row.name,
            "permissions": row.permissions,
            "created_at": timestamp(row.created_at),
            "updated_at": timestamp(row.updated_at),
        }
    )


def current_user(user: User) -> JsonObject:
    """A ``CurrentUser``, with the segments that the user is in."""
    rows = Segment.objects.filter(user_segments__user=user).order_by("id")
    return accounts_rendering.current_user(user, segments=[_segment(row) for row in rows])


def _segment(row: Segment) -> JsonObject:
    return {
        "id": str(row.pk),
        "created_at": timestamp(row.created_at),
        "updated_at": timestamp(row.updated_at),
        "deployment_id": str(row.deployment_id),
        "name": row.name,
        "type": row.type,
    }
