"""How the OpenAPI document describes GET /me/workspace-memberships."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from config.api.errors import Problem
from config.api.openapi import NEEDING_A_SESSION, error_responses
from memberships.serializers import WorkspaceMembershipsResponseSerializer

_JOINED = "2026-03-02T09:30:00.000000Z"

_MEMBERSHIP: dict[str, Any] = {
    "id": "7203",
    "workspace": {
        "id": "311",
        "name": "Field Operations",
        "image_url": "https://img.example.com/w/311.png",
        "description": "Crews, vehicles and shifts",
        "member_count": 14,
        "public_metadata": {"region": "eu-north"},
        "private_metadata": {},
        "enforce_2fa": True,
        "enable_ip_restriction": False,
        "whitelisted_ips": [],
        "created_at": "2025-11-17T08:00:00.000000Z",
        "updated_at": "2026-01-05T16:20:11.402113Z",
        "segments": [
            {
                "id": "18",
                "created_at": "2025-10-01T12:00:00.000000Z",
                "updated_at": "2025-10-01T12:00:00.000000Z",
                "deployment_id": "1",
                "name": "Pilot customers",
                "type": "workspace",
            }
        ],
    },
    "organization_id": "92",
    "user_id": "5104",
    "roles": [
        {
            "id": "2",
            "name": "Member",
            "permissions": ["workspace:member"],
            "created_at": "2025-10-01T12:00:00.000000Z",
            "updated_at": "2025-10-01T12:00:00.000000Z",
        }
    ],
    "organization": {
        "id": "92",
        "name": "Nordlys Logistikk",
        "image_url": "",
        "description": "",
        "member_count": 57,
        "public_metadata": {},
        "private_metadata": {},
        "enforce_mfa": False,
        "enable_ip_restriction": True,
        "whitelisted_ips": ["198.51.100.0/24", "2001:db8:40::/48"],
        "auto_assigned_workspace_id": "311",
        "created_at": "2025-11-17T07:58:40.000000Z",
        "updated_at": "2026-01-05T16:20:11.402113Z",
        "segments": [],
    },
    "public_metadata": {},
    "created_at": _JOINED,
    "updated_at": _JOINED,
    "eligibility_restriction": {
        "type": "mfa_required",
        "message": "Set up a second factor, which the workspace “Field Operations” requires.",
    },
}


def _example(name: str, data: list[Any]) -> OpenApiExample:
    session = {"id": "88121", "created_at": _JOINED, "updated_at": _JOINED}
    value = {"status": 200, "message": "Your workspace memberships.", "data": data, "session": session}
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200"])


documented = extend_schema(
    operation_id="GetUserWorkspaceMemberships",
    summary="List the signed-in user's workspace memberships",
    description=(
        "Every workspace of this deployment that the user is a member of, in the order of joining, with the roles held "
        "there and with `eligibility_restriction`: whether the user may enter now, from the address of the request."
    ),
    tags=["Me"],
    parameters=[
        OpenApiParameter(
            "org_id",
            str,
            description="Only memberships in this organization. Empty is the same as absent.",
            examples=[OpenApiExample("absent", value=""), OpenApiExample("one organization", value="92")],
        ),
        OpenApiParameter(
            "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of the answer that the client has."
        ),
        OpenApiParameter(
            "ETag", str, OpenApiParameter.HEADER, response=[200, 304], description="The version of the answer."
        ),
    ],
    responses={
        200: OpenApiResponse(
            WorkspaceMembershipsResponseSerializer,
            description="The memberships; an empty list for a user without any.",
            examples=[_example("one membership, entry restricted", [_MEMBERSHIP]), _example("no membership", [])],
        ),
        304: OpenApiResponse(description="The answer is still the one that If-None-Match names."),
        **error_responses(
            Problem.INVALID_ORG_ID,
            Problem.REPEATED_PARAMETER,
            *NEEDING_A_SESSION,
            Problem.NOT_A_MEMBER,
            Problem.PRECONDITION_FAILED,
        ),
    },
)
