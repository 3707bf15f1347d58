"""The shapes of the contract, as the OpenAPI document states them.

They describe; ``rendering`` writes. The tests hold every answer against the document made from these.
"""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from config.api.openapi import EnvelopeSerializer
from memberships.eligibility import RESTRICTION_TYPES
from organizations.models import Segment


@extend_schema_field({"type": "object", "additionalProperties": {}})
class MetadataField(serializers.JSONField):
    """A JSON object with free keys."""


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


class WorkspaceSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    image_url = serializers.CharField()
    description = serializers.CharField()
    member_count = serializers.IntegerField()
    public_metadata = MetadataField()
    private_metadata = MetadataField(help_text="{} for those whom the deployment does not let see it.")
    enforce_2fa = serializers.BooleanField()
    enable_ip_restriction = serializers.BooleanField()
    whitelisted_ips = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    segments = SegmentSerializer(many=True)


class OrganizationSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    image_url = serializers.CharField()
    description = serializers.CharField()
    member_count = serializers.IntegerField()
    public_metadata = MetadataField()
    private_metadata = MetadataField(help_text="{} for those whom the deployment does not let see it.")
    enforce_mfa = serializers.BooleanField()
    enable_ip_restriction = serializers.BooleanField()
    whitelisted_ips = serializers.ListField(child=serializers.CharField())
    auto_assigned_workspace_id = serializers.CharField(help_text='"" if there is none.')
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    segments = SegmentSerializer(many=True)


class EligibilityRestrictionSerializer(serializers.Serializer):
    """Whether the user may enter the workspace now, from the address of the request."""

    type = serializers.ChoiceField(choices=RESTRICTION_TYPES)
    message = serializers.CharField(help_text='What to do about it; "" for none.')


class WorkspaceMembershipSerializer(serializers.Serializer):
    id = serializers.CharField()
    workspace = WorkspaceSerializer()
    organization_id = serializers.CharField()
    user_id = serializers.CharField()
    roles = WorkspaceRoleSerializer(many=True)
    organization = OrganizationSerializer()
    public_metadata = MetadataField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    eligibility_restriction = EligibilityRestrictionSerializer(required=False)


@extend_schema_serializer(component_name="WorkspaceMembershipsResponse", many=False)
class WorkspaceMembershipsResponseSerializer(EnvelopeSerializer):
    """The memberships, in the order of joining."""

    data = WorkspaceMembershipSerializer(many=True)  # type: ignore[assignment]
