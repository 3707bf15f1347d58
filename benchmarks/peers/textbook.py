"""Django REST framework by the book: nested ModelSerializers over select_related and prefetch_related."""

from __future__ import annotations

from typing import Any, cast

import jwt
from django.db.models import Prefetch, QuerySet
from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Authenticator, BackupCode, Deployment, Session, SigningKey, User
from api.networks import parse_address
from memberships.eligibility import EligibilityRestriction, Level, restriction
from memberships.models import OrganizationMembershipRole, WorkspaceMembership
from organizations.models import Organization, Segment, Workspace, WorkspaceRole


class SessionAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, Session]:
        token = request.COOKIES.get("__session", "")
        try:
            key = SigningKey.objects.select_related("deployment").get(
                kid=jwt.get_unverified_header(token).get("kid"),
                deployment__host=request.get_host().partition(":")[0],
                revoked_at__isnull=True,
            )
            claims = jwt.decode(
                token,
                key.public_key,
                algorithms=["ES256"],
                issuer=f"https://{key.deployment.host}",
                leeway=5,
                options={"require": ["iss", "iat", "nbf", "exp", "sess"]},
            )
            session = Session.objects.select_related("active_sign_in__user").get(
                pk=claims["sess"],
                deployment=key.deployment,
                ended_at__isnull=True,
                expires_at__gt=timezone.now(),
                active_sign_in__ended_at__isnull=True,
                active_sign_in__expires_at__gt=timezone.now(),
                active_sign_in__user__disabled=False,
            )
        except (jwt.PyJWTError, SigningKey.DoesNotExist, Session.DoesNotExist) as error:
            raise AuthenticationFailed from error
        session.deployment = key.deployment
        return cast(Any, session.active_sign_in).user, session

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class SegmentSerializer(serializers.ModelSerializer):
    id = serializers.CharField()
    deployment_id = serializers.CharField()

    class Meta:
        model = Segment
        fields = ["id", "created_at", "updated_at", "deployment_id", "name", "type"]


class WorkspaceRoleSerializer(serializers.ModelSerializer):
    id = serializers.CharField()

    class Meta:
        model = WorkspaceRole
        fields = ["id", "name", "permissions", "created_at", "updated_at"]


class PlaceSerializer(serializers.ModelSerializer):
    id = serializers.CharField()
    private_metadata = serializers.SerializerMethodField()
    segments = SegmentSerializer(many=True)

    def get_private_metadata(self, place: Any) -> Any:
        audience = self.context["deployment"].private_metadata_audience
        shows = audience == Deployment.MetadataAudience.MEMBERS or (
            audience == Deployment.MetadataAudience.ADMINS and place.is_administered
        )
        return place.private_metadata if shows else {}


_PLACE_FIELDS = [
    *("id", "name", "image_url", "description", "member_count", "public_metadata", "private_metadata"),
    *("enable_ip_restriction", "whitelisted_ips", "created_at", "updated_at", "segments"),
]


class WorkspaceSerializer(PlaceSerializer):
    class Meta:
        model = Workspace
        fields = [*_PLACE_FIELDS, "enforce_2fa"]


class OrganizationSerializer(PlaceSerializer):
    auto_assigned_workspace_id = serializers.SerializerMethodField()

    class Meta:
        model = Organization
        fields = [*_PLACE_FIELDS, "enforce_mfa", "auto_assigned_workspace_id"]

    def get_auto_assigned_workspace_id(self, organization: Organization) -> str:
        return str(organization.auto_assigned_workspace_id or "")


class WorkspaceMembershipSerializer(serializers.ModelSerializer):
    id = serializers.CharField()
    workspace = WorkspaceSerializer()
    organization_id = serializers.CharField()
    user_id = serializers.CharField()
    roles = WorkspaceRoleSerializer(many=True)
    organization = OrganizationSerializer()
    eligibility_restriction = serializers.SerializerMethodField()

    class Meta:
        model = WorkspaceMembership
        fields = [
            *("id", "workspace", "organization_id", "user_id", "roles", "organization", "public_metadata"),
            *("created_at", "updated_at", "eligibility_restriction"),
        ]

    def get_eligibility_restriction(self, membership: Any) -> EligibilityRestriction:
        deployment = self.context["deployment"]
        organization, workspace = membership.organization, membership.workspace
        return restriction(
            [
                Level(
                    kind="organization",
                    name=organization.name,
                    enable_ip_restriction=organization.enable_ip_restriction,
                    whitelisted_ips=organization.whitelisted_ips,
                    enforce_mfa=organization.enforce_mfa,
                    ip_rule_allowed=deployment.ip_allowlist_per_org_enabled,
                    mfa_rule_allowed=deployment.enforce_mfa_per_org_enabled,
                ),
                Level(
                    kind="workspace",
                    name=workspace.name,
                    enable_ip_restriction=workspace.enable_ip_restriction,
                    whitelisted_ips=workspace.whitelisted_ips,
                    enforce_mfa=workspace.enforce_2fa,
                    ip_rule_allowed=deployment.ip_allowlist_per_workspace_enabled,
                    mfa_rule_allowed=deployment.enforce_mfa_per_workspace_enabled,
                ),
            ],
            is_admin=workspace.is_administered,
            address=self.context["address"],
            has_mfa=self.context["has_mfa"],
        )


class WorkspaceMembershipsView(ListAPIView):
    authentication_classes = [SessionAuthentication]
    serializer_class = WorkspaceMembershipSerializer

    def get_queryset(self) -> QuerySet[WorkspaceMembership]:
        by_id = Segment.objects.order_by("id")
        return (
            WorkspaceMembership.objects.filter(user=cast(User, self.request.user))
            .select_related("workspace", "organization")
            .prefetch_related(
                Prefetch("roles", WorkspaceRole.objects.order_by("id")),
                Prefetch("workspace__segments", by_id),
                Prefetch("organization__segments", by_id),
            )
            .order_by("created_at", "id")
        )

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        user, session = cast(User, request.user), cast(Session, request.auth)
        administered = set(
            OrganizationMembershipRole.objects.filter(
                membership__user=user, role__permissions__contains=["organization:admin"]
            ).values_list("membership__organization_id", flat=True)
        )
        memberships: list[Any] = list(self.get_queryset())
        for membership in memberships:
            membership.organization.is_administered = membership.organization_id in administered
            membership.workspace.is_administered = membership.organization.is_administered or any(
                "workspace:admin" in role.permissions for role in membership.roles.all()
            )
        context = {
            **self.get_serializer_context(),
            "deployment": session.deployment,
            "address": parse_address(request.META["REMOTE_ADDR"]),
            "has_mfa": Authenticator.objects.filter(user=user, confirmed_at__isnull=False).exists()
            or BackupCode.objects.filter(user=user, used_at__isnull=True).exists(),
        }
        return Response(
            {
                "status": 200,
                "message": "Your workspace memberships.",
                "data": self.serializer_class(memberships, many=True, context=context).data,
                "session": SessionSerializer(session).data,
            }
        )


class SessionSerializer(serializers.ModelSerializer):
    id = serializers.CharField()

    class Meta:
        model = Session
        fields = ["id", "created_at", "updated_at"]


urlpatterns = [path("me/workspace-memberships", WorkspaceMembershipsView.as_view())]
