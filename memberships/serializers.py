"""The shapes of the contract, as the OpenAPI document states them.

They describe; ``rendering`` writes. The tests check every answer against the document made from these.
"""

from __future__ import annotations

from rest_framework import serializers

from accounts.answers.serializers import (
    CurrentUserBaseSerializer,
    MetadataField,
    PublicUserDataSerializer,
    SigninAttemptSerializer,
    SignupAttemptSerializer,
)
from memberships.eligibility import RESTRICTION_TYPES
from organizations.models import Segment


class SegmentSerializer(serializers.Serializer):
    """A named group of users, organizations or workspaces."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deployment_id = serializers.CharField()
    name = serializers.CharField()
    type = serializers.ChoiceField(choices=Segment.Type.choices)


class WorkspaceRoleSerializer(serializers.Serializer):
    """A role that the user holds in the workspace."""

    id = serializers.CharField()
    name = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class OrganizationRoleSerializer(WorkspaceRoleSerializer):
    """A role that the user holds in the organization."""

    organization_id = serializers.CharField(help_text='"" for a role of the whole deployment.')


# A docstring of the two bases below would become the description of the shapes made from them.
class PlaceSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    image_url = serializers.CharField()
    description = serializers.CharField()
    member_count = serializers.IntegerField()
    public_metadata = MetadataField()
    private_metadata = MetadataField(help_text="{} for those whom the deployment does not let see it.")
    enable_ip_restriction = serializers.BooleanField()
    whitelisted_ips = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    segments = SegmentSerializer(many=True)


class WorkspaceSerializer(PlaceSerializer):
    enforce_2fa = serializers.BooleanField()


class OrganizationSerializer(PlaceSerializer):
    enforce_mfa = serializers.BooleanField()
    auto_assigned_workspace_id = serializers.CharField(help_text='"" if there is none.')


class EligibilityRestrictionSerializer(serializers.Serializer):
    """Whether the user may enter the workspace now, from the address of the request."""

    type = serializers.ChoiceField(choices=RESTRICTION_TYPES)
    message = serializers.CharField(help_text='What to do about it; "" for none.')


class MembershipSerializer(serializers.Serializer):
    id = serializers.CharField()
    organization = OrganizationSerializer()
    public_metadata = MetadataField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    eligibility_restriction = EligibilityRestrictionSerializer()


class WorkspaceMembershipSerializer(MembershipSerializer):
    workspace = WorkspaceSerializer()
    organization_id = serializers.CharField()
    user_id = serializers.CharField()
    roles = WorkspaceRoleSerializer(many=True)


class OrganizationMembershipSerializer(MembershipSerializer):
    user = PublicUserDataSerializer()
    roles = OrganizationRoleSerializer(many=True)


class CurrentUserSerializer(CurrentUserBaseSerializer):
    """The part of their own data that users may see."""

    segments = SegmentSerializer(many=True)


class SignInSerializer(serializers.Serializer):
    """A user signed in to the session. The names in camel case are those of client libraries."""

    id = serializers.CharField()
    user_id = serializers.CharField()
    active_organization_membership_id = serializers.CharField(help_text='"" if none is active.')
    active_workspace_membership_id = serializers.CharField(help_text='"" if none is active.')
    user = CurrentUserSerializer()
    expiresAt = serializers.DateTimeField()
    lastActiveAt = serializers.DateTimeField(
        help_text="The last renewal of the session's token while this was the active sign-in, else the sign-in itself."
    )
    ipAddress = serializers.CharField()
    browser = serializers.CharField()
    device = serializers.CharField()
    city = serializers.CharField()
    region = serializers.CharField()
    regionCode = serializers.CharField()
    country = serializers.CharField()
    countryCode = serializers.CharField()


class SessionSerializer(serializers.Serializer):
    """The session of a browser."""

    id = serializers.CharField()
    active_signin = SignInSerializer(allow_null=True, help_text="null as long as nobody is signed in.")
    signins = SignInSerializer(many=True)
    signin_attempts = SigninAttemptSerializer(many=True)
    signup_attempts = SignupAttemptSerializer(many=True)


class AccessTokenSerializer(serializers.Serializer):
    token = serializers.CharField(
        help_text="A JWT with sub, sid, organization, organization_permissions, workspace, workspace_permissions."
    )
    expires = serializers.IntegerField(help_text="Milliseconds since 1970.")
