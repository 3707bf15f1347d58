"""The addresses of sign-in, and of one's own account, that Django alone answers."""

from __future__ import annotations

from django.urls import path, re_path

from accounts import pictures
from accounts.public.challenge_views import ChallengeViewSet, IdentifyViewSet
from accounts.public.picture_views import picture
from accounts.public.views import JwksViewSet
from accounts.self_service.account_views import AccountViewSet, OwnSignInsViewSet, PasswordViewSet
from accounts.self_service.address_views import EmailAddressViewSet
from accounts.self_service.mfa_views import MfaViewSet

urlpatterns = [
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
    path("auth/identify", IdentifyViewSet.as_view({"post": "identify"})),
    path("captcha/challenge", ChallengeViewSet.as_view({"post": "new"})),
    path("captcha/redeem", ChallengeViewSet.as_view({"post": "redeem"})),
    path(".well-known/jwks.json", JwksViewSet.as_view({"get": "retrieve"})),
]
