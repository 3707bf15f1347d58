"""From rows to the JSON values of the contract, in which every field is always there."""

from __future__ import annotations

from typing import Any

import orjson

from accounts import rendering as accounts_rendering
from accounts.models import Deployment, User
from accounts.sessions import SignedIn
from config.api.answers import timestamp
from config.networks import Address
from memberships.eligibility import EligibilityRestriction, Level, restriction
from memberships.read import MembershipRow, OrganizationMembershipRow
from organizations.models import Segment

JsonObject = dict[str, Any]


def workspace_membership(row: MembershipRow, *, caller: SignedIn, address: Address | None) -> JsonObject:
    """A ``WorkspaceMembership`` as ``caller`` sees it from ``address``."""
    deployment = caller.deployment
    organization_id = str(row.organization_id)
    return {
        "id": str(row.id),
        "workspace": _workspace(row, shows_private_metadata=_shows_private_metadata(deployment, _is_admin(row))),
        "organization_id": organization_id,
        "user_id": str(row.user_id),
        "roles": orjson.Fragment(row.roles_json),
        "organization": _organization(
            row, shows_private_metadata=_shows_private_metadata(deployment, row.is_organization_admin)
        ),
        "public_metadata": orjson.Fragment(row.public_metadata_json),
        "created_at": timestamp(row.created_at),
        "updated_at": timestamp(row.updated_at),
        "eligibility_restriction": workspace_restriction(row, caller=caller, address=address),
    }


def organization_membership(row: OrganizationMembershipRow, *, caller: SignedIn, address: Address | None) -> JsonObject:
    """An ``OrganizationMembership`` as ``caller`` sees it from ``address``."""
    return {
        "id": str(row.id),
        "organization": _organization(
            row, shows_private_metadata=_shows_private_metadata(caller.deployment, row.is_organization_admin)
        ),
        "user": accounts_rendering.public_user(caller.user),
        "roles": orjson.Fragment(row.roles_json),
        "public_metadata": orjson.Fragment(row.public_metadata_json),
        "created_at": timestamp(row.created_at),
        "updated_at": timestamp(row.updated_at),
        "eligibility_restriction": organization_restriction(row, caller=caller, address=address),
    }


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


def _is_admin(row: MembershipRow) -> bool:
    return row.is_workspace_admin or row.is_organization_admin


def _shows_private_metadata(deployment: Deployment, is_admin: bool) -> bool:
    audience = deployment.private_metadata_audience
    return audience == Deployment.MetadataAudience.MEMBERS or (
        audience == Deployment.MetadataAudience.ADMINS and is_admin
    )


def _workspace(row: MembershipRow, *, shows_private_metadata: bool) -> JsonObject:
    return {
        "id": str(row.workspace_id),
        "name": row.workspace_name,
        "image_url": row.workspace_image_url,
        "description": row.workspace_description,
        "member_count": row.workspace_member_count,
        "public_metadata": orjson.Fragment(row.workspace_public_metadata_json),
        "private_metadata": orjson.Fragment(row.workspace_private_metadata_json) if shows_private_metadata else {},
        "enforce_2fa": row.workspace_enforce_2fa,
        "enable_ip_restriction": row.workspace_enable_ip_restriction,
        "whitelisted_ips": row.workspace_whitelisted_ips,
        "created_at": timestamp(row.workspace_created_at),
        "updated_at": timestamp(row.workspace_updated_at),
        "segments": orjson.Fragment(row.workspace_segments_json),
    }


def _organization(row: MembershipRow | OrganizationMembershipRow, *, shows_private_metadata: bool) -> JsonObject:
    auto_assigned = row.organization_auto_assigned_workspace_id
    return {
        "id": str(row.organization_id),
        "name": row.organization_name,
        "image_url": row.organization_image_url,
        "description": row.organization_description,
        "member_count": row.organization_member_count,
        "public_metadata": orjson.Fragment(row.organization_public_metadata_json),
        "private_metadata": orjson.Fragment(row.organization_private_metadata_json) if shows_private_metadata else {},
        "enforce_mfa": row.organization_enforce_mfa,
        "enable_ip_restriction": row.organization_enable_ip_restriction,
        "whitelisted_ips": row.organization_whitelisted_ips,
        "auto_assigned_workspace_id": "" if auto_assigned is None else str(auto_assigned),
        "created_at": timestamp(row.organization_created_at),
        "updated_at": timestamp(row.organization_updated_at),
        "segments": orjson.Fragment(row.organization_segments_json),
    }


def workspace_restriction(row: MembershipRow, *, caller: SignedIn, address: Address | None) -> EligibilityRestriction:
    """What keeps ``caller`` out of the workspace: its own rules and its organization's."""
    return restriction(
        workspace_levels(row, caller.deployment),
        is_admin=_is_admin(row),
        address=address,
        has_second_factor=caller.has_second_factor,
    )


def workspace_levels(row: MembershipRow, deployment: Deployment) -> tuple[Level, Level]:
    """The levels whose rules count for the workspace: its organization's, then its own."""
    workspace = Level(
        kind="workspace",
        name=row.workspace_name,
        enable_ip_restriction=row.workspace_enable_ip_restriction,
        whitelisted_ips=row.workspace_whitelisted_ips,
        enforce_mfa=row.workspace_enforce_2fa,
        ip_rule_allowed=deployment.ip_allowlist_per_workspace_enabled,
        mfa_rule_allowed=deployment.enforce_mfa_per_workspace_enabled,
    )
    return _organization_level(row, deployment), workspace


def organization_restriction(
    row: OrganizationMembershipRow, *, caller: SignedIn, address: Address | None
) -> EligibilityRestriction:
    """What keeps ``caller`` out of the organization as such."""
    return restriction(
        [_organization_level(row, caller.deployment)],
        is_admin=row.is_organization_admin,
        address=address,
        has_second_factor=caller.has_second_factor,
    )


def _organization_level(row: MembershipRow | OrganizationMembershipRow, deployment: Deployment) -> Level:
    return Level(
        kind="organization",
        name=row.organization_name,
        enable_ip_restriction=row.organization_enable_ip_restriction,
        whitelisted_ips=row.organization_whitelisted_ips,
        enforce_mfa=row.organization_enforce_mfa,
        ip_rule_allowed=deployment.ip_allowlist_per_org_enabled,
        mfa_rule_allowed=deployment.enforce_mfa_per_org_enabled,
    )
