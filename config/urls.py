"""Every address of the service but the probes' (``server.health``)."""

from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path, re_path, register_converter

from accounts import pictures
from accounts.account_views import AccountViewSet, OwnSignInsViewSet, PasswordViewSet
from accounts.address_views import EmailAddressViewSet
from accounts.challenge_views import ChallengeViewSet, IdentifyViewSet
from accounts.picture_views import picture
from accounts.polled import Endpoint
from accounts.views import DeploymentViewSet, InvitationViewSet, JwksViewSet, MfaViewSet
from accounts.viewsets import PolledViewSet
from api.document import OpenApiView, docs
from api.paths import IdConverter
from demo.mails import mails
from demo.playground import playground
from memberships.self_service.views import (
    OrganizationMemberViewSet,
    OrganizationRoleViewSet,
    OrganizationViewSet,
    WorkspaceMemberViewSet,
    WorkspaceRoleViewSet,
    WorkspaceViewSet,
)
from memberships.session_views import (
    AccessTokenViewSet,
    CurrentUserViewSet,
    SessionStateViewSet,
    SignInViewSet,
    SignOutViewSet,
    SwitchViewSet,
)
from memberships.sign_up_views import ForgottenPasswordViewSet, SignUpViewSet
from memberships.views import OrganizationMembershipViewSet, WorkspaceMembershipViewSet
from staff.access.mfa_page import mfa_page, moved_mfa_page

register_converter(IdConverter, "id")

FAST_PATHS: dict[str, Endpoint[Any]] = {}
"""The polled endpoints by path."""


def polled(view: type[PolledViewSet], action: str, **actions: str) -> URLPattern:
    """The address of an endpoint whose plain GETs the fast path answers, before Django and past ``view``.

    ``actions`` are those of other methods, which Django alone answers.
    """
    source = view.source
    methods = {"get", "head", "options", *actions}
    allowed = ", ".join(method.upper() for method in view.http_method_names if method in methods)
    FAST_PATHS[f"/{source.route}"] = source.endpoint._replace(allowed=allowed)
    return path(source.route, view.as_view({"get": action, **actions}))


urlpatterns = [
    path("", playground),
    path("playground/mails", mails),
    polled(WorkspaceMembershipViewSet, "list"),
    polled(OrganizationMembershipViewSet, "list"),
    polled(CurrentUserViewSet, "retrieve", post="update"),
    path("me/profile-picture", CurrentUserViewSet.as_view({"post": "update_picture"})),
    re_path(rf"^media/(?P<name>{pictures.NAME})$", picture),
    path("me/authenticator", MfaViewSet.as_view({"post": "new_authenticator"})),
    path("me/authenticator/attempt-verification", MfaViewSet.as_view({"post": "confirm_authenticator"})),
    path("me/authenticator/<id:id>/delete", MfaViewSet.as_view({"post": "delete_authenticator"})),
    path("me/backup-codes", MfaViewSet.as_view({"post": "new_backup_codes"})),
    path("me/backup-codes/regenerate", MfaViewSet.as_view({"post": "regenerate_backup_codes"})),
    path("me/update-password", PasswordViewSet.as_view({"post": "update"})),
    path("me/email-addresses", EmailAddressViewSet.as_view({"get": "list", "post": "add"})),
    *(
        path(f"me/email-addresses/<id:id>/{step}", EmailAddressViewSet.as_view({"post": action}))
        for step, action in {
            "prepare-verification": "prepare_verification",
            "attempt-verification": "attempt_verification",
            "make-primary": "make_primary",
            "delete": "remove",
        }.items()
    ),
    path("me/account/delete", AccountViewSet.as_view({"post": "delete"})),
    path("me/signins", OwnSignInsViewSet.as_view({"get": "list"})),
    path("me/signins/<id:id>/signout", OwnSignInsViewSet.as_view({"post": "sign_out"})),
    polled(DeploymentViewSet, "retrieve"),
    path("deployment/invitations/validate", InvitationViewSet.as_view({"get": "validate"})),
    path("auth/signin", SignInViewSet.as_view({"post": "sign_in"})),
    path("auth/signup", SignUpViewSet.as_view({"post": "sign_up"})),
    path("auth/forgot-password", ForgottenPasswordViewSet.as_view({"post": "forgot"})),
    path("auth/reset-password", ForgottenPasswordViewSet.as_view({"post": "reset"})),
    path("auth/identify", IdentifyViewSet.as_view({"post": "identify"})),
    path("auth/prepare-verification", SignInViewSet.as_view({"post": "prepare_verification"})),
    path("auth/attempt-verification", SignInViewSet.as_view({"post": "attempt_verification"})),
    polled(SessionStateViewSet, "retrieve"),
    path("captcha/challenge", ChallengeViewSet.as_view({"post": "new"})),
    path("captcha/redeem", ChallengeViewSet.as_view({"post": "redeem"})),
    path("session/sign-out", SignOutViewSet.as_view({"post": "sign_out"})),
    path("session/switch-sign-in", SignOutViewSet.as_view({"post": "switch_sign_in"})),
    path("session/switch-organization", SwitchViewSet.as_view({"post": "switch_organization"})),
    path("session/switch-workspace", SwitchViewSet.as_view({"post": "switch_workspace"})),
    polled(AccessTokenViewSet, "retrieve"),
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
    path("workspaces/<id:id>/roles/<id:role_id>/delete", WorkspaceRoleViewSet.as_view({"post": "delete"})),
    path(".well-known/jwks.json", JwksViewSet.as_view({"get": "retrieve"})),
    path("openapi.json", OpenApiView.as_view()),
    path("docs/", docs),
    path("admin/mfa/", mfa_page, name="staff-mfa"),
    path("admin/second-factor/", moved_mfa_page),
    path("admin/", admin.site.urls),
]

handler400 = "api.exceptions.bad_request"
handler403 = "api.exceptions.permission_denied"
handler404 = "api.exceptions.page_not_found"
handler500 = "api.exceptions.server_error"
