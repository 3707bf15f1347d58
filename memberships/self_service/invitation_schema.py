"""Describes the endpoints of invitations to organizations for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from accounts.answers.serializers import OptionalTextField, TextField
from accounts.sign_in.invitations import DAYS, MAX_TOKEN, Refusal
from accounts.values.person_fields import MAX_EMAIL
from api.errors import Problem
from api.openapi import EXAMPLE_TIME, UNSETTLED, endpoint, envelope, enveloped, id_in_path
from memberships.schema import (
    ORGANIZATION_MEMBERSHIP_EXAMPLE,
    WORKSPACE_EXAMPLE,
    WORKSPACE_MEMBERSHIP_EXAMPLE,
    id_query,
)
from memberships.self_service.schema import (
    ORGANIZATION_ID,
    ORGANIZATION_MEMBER_EXAMPLE,
    in_organization,
)
from memberships.self_service.serializers import OrganizationMemberSerializer
from memberships.serializers import OrganizationRoleSerializer, WorkspaceRoleSerializer, WorkspaceSerializer


class OrganizationInvitationSerializer(serializers.Serializer):
    """An invitation to an organization."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    organization_id = serializers.CharField()
    email = serializers.CharField()
    initial_organization_role = OrganizationRoleSerializer(allow_null=True)
    inviter = OrganizationMemberSerializer(
        allow_null=True, help_text="null if staff sent it, or the inviter is a member no more."
    )
    workspace = WorkspaceSerializer(allow_null=True)
    initial_workspace_role = WorkspaceRoleSerializer(allow_null=True)
    expired = serializers.BooleanField()


class NewInvitationSerializer(serializers.Serializer):
    email = TextField(max_length=MAX_EMAIL)
    role_id = serializers.CharField(required=False, allow_blank=True, help_text="Else the default role of members.")
    workspace_id = serializers.CharField(required=False, allow_blank=True)
    workspace_role_id = serializers.CharField(
        required=False, allow_blank=True, help_text="Else the default role of the workspace's members."
    )


class NamedPlaceSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()


class AcceptanceSerializer(serializers.Serializer):
    """The place that was joined, or the reason why none was, with the next step."""

    organization = NamedPlaceSerializer(required=False)
    workspace = NamedPlaceSerializer(required=False)
    signin_id = serializers.CharField(
        required=False, help_text="The sign-in of the session that is a member now; it need not be the active one."
    )
    already_member = serializers.BooleanField(required=False)
    message = serializers.CharField(required=False)
    requires_signin = serializers.BooleanField(required=False)
    invited_email = serializers.CharField(required=False)
    error_code = serializers.ChoiceField(
        required=False,
        choices=[
            *(f"INVITATION_{refusal.name}" for refusal in Refusal),
            *("INVITATION_REQUIRES_SIGNIN", "INVITATION_REQUIRES_SIGNUP"),
            *("INVITATION_EMAIL_MISMATCH", "INVITATION_REQUIRES_ACCOUNT"),
        ],
    )


class AcceptInvitationSerializer(serializers.Serializer):
    token = OptionalTextField(max_length=MAX_TOKEN, help_text="The `invite_token` of the link.")


_INVITATION_ID = id_in_path("The id of the invitation.", "invitation_id")
_TO_ADMINISTRATORS = "To administrators of the organization; those of a workspace have the invitations to it."
_INVITATION = envelope("OrganizationInvitationResponse", OrganizationInvitationSerializer())
_EXAMPLE: dict[str, Any] = {
    "id": "5120",
    "created_at": EXAMPLE_TIME,
    "updated_at": EXAMPLE_TIME,
    "organization_id": "92",
    "email": "grace@example.com",
    "initial_organization_role": ORGANIZATION_MEMBERSHIP_EXAMPLE["roles"][0],
    "inviter": ORGANIZATION_MEMBER_EXAMPLE,
    "workspace": WORKSPACE_EXAMPLE,
    "initial_workspace_role": WORKSPACE_MEMBERSHIP_EXAMPLE["roles"][0],
    "expired": False,
}

invitations = in_organization(
    "GetOrganizationInvitations",
    "List the open invitations of an organization",
    description=f"Those that are neither accepted nor discarded, expired ones too. {_TO_ADMINISTRATORS}",
    parameters=[ORGANIZATION_ID, id_query("workspace_id", "Only invitations to this workspace.")],
    answers=envelope("OrganizationInvitationsResponse", OrganizationInvitationSerializer(many=True)),
    message="The open invitations.",
    data=[_EXAMPLE],
    fails_with=[Problem.INVALID_PARAMETER],
)
invite = in_organization(
    "CreateOrganizationInvitation",
    "Invite somebody to an organization",
    description=(
        f"By mail, with a link that is good for {DAYS} days, once, and for that address. Whoever accepts gets the "
        "roles, which must allow no more than the administrator may do, now and at the time of the acceptance. "
        f"{_TO_ADMINISTRATORS}"
    ),
    method="POST",
    parameters=[ORGANIZATION_ID],
    request=NewInvitationSerializer,
    requests={
        "to the organization": {"email": "grace@example.com", "role_id": "1"},
        "to a workspace": {
            "email": "grace@example.com",
            "role_id": "1",
            "workspace_id": "311",
            "workspace_role_id": "2",
        },
    },
    answers=_INVITATION,
    message="The invitation is on its way.",
    data=_EXAMPLE,
    fails_with=[Problem.INVALID_FIELD, Problem.NOT_FOUND, Problem.LIMIT_REACHED],
)
discard_invitation = in_organization(
    "DiscardOrganizationInvitation",
    "Withdraw an open invitation",
    description=f"Its link is void with that. {_TO_ADMINISTRATORS}",
    method="POST",
    parameters=[ORGANIZATION_ID, _INVITATION_ID],
    answers=_INVITATION,
    message="The invitation is withdrawn.",
    data=_EXAMPLE,
    fails_with=[Problem.NOT_FOUND],
)
resend_invitation = in_organization(
    "ResendOrganizationInvitation",
    "Send an open invitation again",
    description=(
        "With a new link; the one before is void. The administrator is its inviter from then on, so they must be able "
        f"to give its roles. {_TO_ADMINISTRATORS}"
    ),
    method="POST",
    parameters=[ORGANIZATION_ID, _INVITATION_ID],
    answers=_INVITATION,
    message="The invitation is on its way again.",
    data=_EXAMPLE,
    fails_with=[Problem.NOT_FOUND, Problem.LIMIT_REACHED],
)

_JOINED = "You are a member of Field Operations now."
_NEXT = "This invitation is for grace@example.com; sign up with that address."
accept_invitation = endpoint(
    "AcceptOrganizationInvitation",
    "Accept an invitation to an organization",
    tag="Organizations",
    method="POST",
    description=(
        "For the page to which the link of the mail leads, with the token in the form or in the query. If somebody of "
        "the session has the invited address, they are a member then, be their sign-in the active one or not "
        "(`signin_id`). Otherwise `error_code` says why not; with `requires_signin`, signing in or up with "
        "`invited_email` comes next. To sign up with the token as `invite_token` is to accept the invitation."
    ),
    parameters=[OpenApiParameter("token", str, description="In the place of the field.")],
    request=AcceptInvitationSerializer,
    requests={"a token": {"token": "q3m8ZK5rIu0pTn1vY7cXwD2bLs9eGhJfA4oWk6uRiVE"}},
    answers=envelope("AcceptInvitationResponse", AcceptanceSerializer()),
    examples={
        "joined": enveloped(
            {
                "organization": {"id": "92", "name": "Nordlys Logistikk"},
                "signin_id": "90233",
                "already_member": False,
                "message": _JOINED,
                "workspace": {"id": "311", "name": "Field Operations"},
            },
            _JOINED,
        ),
        "sign-up comes first": enveloped(
            {
                "requires_signin": True,
                "error_code": "INVITATION_REQUIRES_SIGNUP",
                "message": _NEXT,
                "invited_email": "grace@example.com",
            },
            _NEXT,
        ),
        "expired": enveloped(
            {
                "error_code": "INVITATION_EXPIRED",
                "message": Refusal.EXPIRED.value,
                "invited_email": "grace@example.com",
            },
            Refusal.EXPIRED.value,
        ),
    },
    fails_with=[*UNSETTLED, Problem.INVALID_FIELD, Problem.LIMIT_REACHED, Problem.TOO_MANY_REQUESTS],
)
