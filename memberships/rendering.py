"""From rows to the JSON values of the contract, in which every field is always there."""

from __future__ import annotations

from typing import Any

import orjson

from api.answers import json_text, timestamp
from memberships.rows import (
    OrganizationRow,
    WorkspaceRoleRow,
    WorkspaceRow,
)
from organizations.models import Segment

JsonObject = dict[str, Any]


def workspace_membership(
    id_: bytes,
    workspace: bytes,
    organization_id: bytes,
    member: bytes,
    organization: bytes,
    own_json: bytes,
    restriction: bytes,
) -> tuple[bytes, ...]:
    """A ``WorkspaceMembership`` with a comma before it, in texts that are yet to be joined.

    ``member`` is a text of ``between``.
    """
    return (
        b',{"id":"',
        id_,
        b'","workspace":',
        workspace,
        b',"organization_id":"',
        organization_id,
        member,
        organization,
        b",",
        own_json,
        b',"eligibility_restriction":',
        restriction,
        b"}",
    )


def between(user_id: int, roles: list[bytes]) -> bytes:
    """The text between the organization's id and the organization, which many a ``WorkspaceMembership`` shares."""
    return b'","user_id":"%d","roles":[%b],"organization":' % (user_id, b",".join(roles))


def workspace(row: WorkspaceRow, *, shows_private_metadata: bool) -> bytes:
    """A ``Workspace``."""
    return _place(row, {"enforce_2fa": row.enforce_2fa}, shows_private_metadata)


def organization(row: OrganizationRow, *, shows_private_metadata: bool) -> bytes:
    """An ``Organization``."""
    auto_assigned = row.auto_assigned_workspace_id
    own = {
        "enforce_mfa": row.enforce_mfa,
        "auto_assigned_workspace_id": "" if auto_assigned is None else str(auto_assigned),
    }
    return _place(row, own, shows_private_metadata)


def _place(row: WorkspaceRow | OrganizationRow, own: JsonObject, shows_private_metadata: bool) -> bytes:
    """An organization or a workspace, with the fields that are its ``own``."""
    return json_text(
        {
            "id": str(row.id),
            "name": row.name,
            "image_url": row.image_url,
            "description": row.description,
            "member_count": row.member_count,
            "public_metadata": orjson.Fragment(row.public_metadata_json),
            "private_metadata": orjson.Fragment(row.private_metadata_json) if shows_private_metadata else {},
            **own,
            "enable_ip_restriction": row.enable_ip_restriction,
            "whitelisted_ips": row.whitelisted_ips,
            "created_at": timestamp(row.created_at),
            "updated_at": timestamp(row.updated_at),
            "segments": orjson.Fragment(row.segments_json),
        }
    )


def workspace_role(row: WorkspaceRoleRow) -> bytes:
    """A ``WorkspaceRole``."""
    return json_text(
        {
            "id": str(row.id),
            "name": row.name,
            "permissions": row.permissions,
            "created_at": timestamp(row.created_at),
            "updated_at": timestamp(row.updated_at),
        }
    )


def segment(row: Segment) -> JsonObject:
    """A ``Segment``."""
    return {
        "id": str(row.pk),
        "created_at": timestamp(row.created_at),
        "updated_at": timestamp(row.updated_at),
        "deployment_id": str(row.deployment_id),
        "name": row.name,
        "type": row.type,
    }
