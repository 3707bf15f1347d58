"""The shapes of requests and answers about organizations and workspaces, as the OpenAPI document states them."""

from __future__ import annotations

from rest_framework import serializers

from accounts.answers.serializers import PublicUserDataSerializer, TextField, UploadField
from memberships.self_service.places import MAX_DESCRIPTION, MAX_NAME
from memberships.serializers import (
    MembershipSerializer,
    OrganizationRoleSerializer,
    OrganizationSerializer,
    WorkspaceRoleSerializer,
    WorkspaceSerializer,
)


class SuccessSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()


class MemberSerializer(MembershipSerializer):
    eligibility_restriction = None  # type: ignore[assignment]  # how the framework drops a field
    user = PublicUserDataSerializer()


class OrganizationMemberSerializer(MemberSerializer):
    """A member of an organization."""

    roles = OrganizationRoleSerializer(many=True)


class WorkspaceMemberSerializer(MemberSerializer):
    """A member of a workspace."""

    workspace = WorkspaceSerializer()
    organization_id = serializers.CharField()
    user_id = serializers.CharField()
    roles = WorkspaceRoleSerializer(many=True)


class PageSerializer(serializers.Serializer):
    """Where in a list a page is."""

    total = serializers.IntegerField(help_text="Of the whole list, or of all that the search finds.")
    page = serializers.IntegerField()
    limit = serializers.IntegerField()


class OrganizationMembersSerializer(serializers.Serializer):
    """A page of members."""

    data = OrganizationMemberSerializer(many=True)  # type: ignore[assignment]  # a field named like a property of serializers
    meta = PageSerializer()


class WorkspaceMembersSerializer(serializers.Serializer):
    """A page of members."""

    data = WorkspaceMemberSerializer(many=True)  # type: ignore[assignment]  # a field named like a property of serializers
    meta = PageSerializer()


class CreatedOrganizationSerializer(serializers.Serializer):
    organization = OrganizationSerializer()
    membership = OrganizationMemberSerializer()


class CreatedWorkspaceSerializer(serializers.Serializer):
    workspace = WorkspaceSerializer()
    membership = WorkspaceMemberSerializer()


class NewOrganizationSerializer(serializers.Serializer):
    name = TextField(max_length=MAX_NAME)
    description = serializers.CharField(required=False, allow_blank=True, max_length=MAX_DESCRIPTION)


class NewWorkspaceSerializer(NewOrganizationSerializer):
    organization_id = serializers.CharField()


class UpdatedPlaceSerializer(serializers.Serializer):
    name = TextField(required=False, max_length=MAX_NAME)
    description = serializers.CharField(required=False, allow_blank=True, max_length=MAX_DESCRIPTION)
    enable_ip_restriction = serializers.BooleanField(required=False)
    whitelisted_ips = serializers.ListField(
        required=False,
        child=serializers.CharField(),
        help_text="Addresses or networks; in a form repeated, or a single empty one for none.",
    )


class UpdatedOrganizationSerializer(UpdatedPlaceSerializer):
    enforce_mfa = serializers.BooleanField(required=False)
    auto_assigned_workspace_id = serializers.CharField(required=False, allow_blank=True, help_text='"" for none.')


class UpdatedWorkspaceSerializer(UpdatedPlaceSerializer):
    enforce_2fa = serializers.BooleanField(required=False)


class WithPictureSerializer(serializers.Serializer):
    image = UploadField(
        required=False,
        allow_empty_file=True,
        help_text="A JPEG of 25 million pixels, or a PNG, WebP or GIF of 9, and 5 MB at most; an empty one for none.",
    )


class NewOrganizationFormSerializer(WithPictureSerializer, NewOrganizationSerializer):
    pass


class NewWorkspaceFormSerializer(WithPictureSerializer, NewWorkspaceSerializer):
    pass


class UpdatedOrganizationFormSerializer(WithPictureSerializer, UpdatedOrganizationSerializer):
    pass


class UpdatedWorkspaceFormSerializer(WithPictureSerializer, UpdatedWorkspaceSerializer):
    pass


class NewRoleSerializer(serializers.Serializer):
    name = TextField(max_length=MAX_NAME)
    permissions = serializers.ListField(
        required=False,
        child=serializers.CharField(),
        help_text="In a form repeated, or as `permissions[0]`, `permissions[1]` ...",
    )
