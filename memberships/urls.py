"""The addresses of sessions and of places that their members run, which Django alone answers."""

from __future__ import annotations

from django.urls import path

from memberships.self_service.domain_views import OrganizationDomainViewSet
from memberships.self_service.invitation_views import AcceptanceViewSet, OrganizationInvitationViewSet
from memberships.self_service.views import (
    OrganizationMemberViewSet,
    OrganizationRoleViewSet,
    OrganizationViewSet,
    WorkspaceMemberViewSet,
    WorkspaceRoleViewSet,
    WorkspaceViewSet,
)
from memberships.session.session_views import CurrentUserViewSet, SignInViewSet, SignOutViewSet, SwitchViewSet
from memberships.session.sign_up_views import ForgottenPasswordViewSet, InvitationViewSet, SignUpViewSet

urlpatterns = [
    path("me/profile-picture", CurrentUserViewSet.as_view({"post": "update_picture"})),
    path("auth/signin", SignInViewSet.as_view({"post": "sign_in"})),
    path("auth/signup", SignUpViewSet.as_view({"post": "sign_up"})),
    path("deployment/invitations/validate", InvitationViewSet.as_view({"get": "validate"})),
    path("auth/forgot-password", ForgottenPasswordViewSet.as_view({"post": "forgot"})),
    path("auth/reset-password", ForgottenPasswordViewSet.as_view({"post": "reset"})),
    path("auth/prepare-verification", SignInViewSet.as_view({"post": "prepare_verification"})),
    path("auth/attempt-verification", SignInViewSet.as_view({"post": "attempt_verification"})),
    path("session/sign-out", SignOutViewSet.as_view({"post": "sign_out"})),
    path("session/switch-sign-in", SignOutViewSet.as_view({"post": "switch_sign_in"})),
    path("session/switch-organization", SwitchViewSet.as_view({"post": "switch_organization"})),
    path("session/switch-workspace", SwitchViewSet.as_view({"post": "switch_workspace"})),
    path("organizations", OrganizationViewSet.as_view({"post": "create"})),
    path("organizations/<id:id>/update", OrganizationViewSet.as_view({"post": "update"})),
    path("organizations/<id:id>/delete", OrganizationViewSet.as_view({"post": "delete"})),
    path("organizations/<id:id>/leave", OrganizationViewSet.as_view({"post": "leave"})),
    path("organizations/<id:id>/members", OrganizationMemberViewSet.as_view({"get": "list"})),
    path("organizations/<id:id>/members/<id:member_id>/remove", OrganizationMemberViewSet.as_view({"post": "remove"})),
    path(
        "organizations/<id:id>/members/<id:member_id>/roles/<id:role_id>/add",
        OrganizationMemberViewSet.as_view({"post": "add_role"}),
    ),
    path(
        "organizations/<id:id>/members/<id:member_id>/roles/<id:role_id>/remove",
        OrganizationMemberViewSet.as_view({"post": "remove_role"}),
    ),
    path("organizations/<id:id>/roles", OrganizationRoleViewSet.as_view({"get": "list", "post": "create"})),
    path("organizations/<id:id>/roles/<id:role_id>/remove", OrganizationRoleViewSet.as_view({"post": "remove"})),
    path("organizations/<id:id>/domains", OrganizationDomainViewSet.as_view({"get": "list", "post": "create"})),
    *(
        path(f"organizations/<id:id>/domains/<id:domain_id>/{step}", OrganizationDomainViewSet.as_view({"post": step}))
        for step in ("verify", "delete")
    ),
    path("organizations/<id:id>/invitations", OrganizationInvitationViewSet.as_view({"get": "list", "post": "create"})),
    *(
        path(
            f"organizations/<id:id>/invitations/<id:invitation_id>/{action}",
            OrganizationInvitationViewSet.as_view({"post": action}),
        )
        for action in ("discard", "resend")
    ),
    path("organizations/invitations/accept", AcceptanceViewSet.as_view({"post": "accept"})),
    path("workspaces", WorkspaceViewSet.as_view({"post": "create"})),
    path("workspaces/<id:id>/update", WorkspaceViewSet.as_view({"post": "update"})),
    path("workspaces/<id:id>/delete", WorkspaceViewSet.as_view({"post": "delete"})),
    path("workspaces/<id:id>/leave", WorkspaceViewSet.as_view({"post": "leave"})),
    path("workspaces/<id:id>/members", WorkspaceMemberViewSet.as_view({"get": "list"})),
    path("workspaces/<id:id>/members/<id:member_id>/remove", WorkspaceMemberViewSet.as_view({"post": "remove"})),
    path(
        "workspaces/<id:id>/members/<id:member_id>/roles/<id:role_id>/add",
        WorkspaceMemberViewSet.as_view({"post": "add_role"}),
    ),
    path(
        "workspaces/<id:id>/members/<id:member_id>/roles/<id:role_id>/remove",
        WorkspaceMemberViewSet.as_view({"post": "remove_role"}),
    ),
    path("workspaces/<id:id>/roles", WorkspaceRoleViewSet.as_view({"get": "list", "post": "create"})),
    path("workspaces/<id:id>/roles/<id:role_id>/delete", WorkspaceRoleViewSet.as_view({"post": "remove"})),
]
