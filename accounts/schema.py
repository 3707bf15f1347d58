"""Describes the endpoints of accounts for the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from accounts import rendering
from accounts.authentication import SessionAuthentication, VisitorAuthentication
from accounts.invitations import Refusal
from accounts.models import Deployment
from accounts.sent_tokens import COOKIE, STAGING_PARAMETER
from accounts.serializers import (
    DeploymentSerializer,
    InvitationSerializer,
    JwksSerializer,
    StepUpSerializer,
    UserAuthenticatorSerializer,
    VerifyAuthenticatorSerializer,
)
from api.errors import Problem
from api.openapi import EXAMPLE_TIME, NEEDING_A_SESSION, endpoint, envelope, enveloped, id_in_path


class SessionAuthenticationScheme(OpenApiAuthenticationExtension):
    """Describes the ways to send a token for the OpenAPI document."""

    target_class = SessionAuthentication
    name = ["sessionCookie", "devSessionQuery", "sessionBearer"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """One of them is enough."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return [
            {
                "type": "apiKey",
                "in": "cookie",
                "name": COOKIE,
                "description": "The session JWT, set as a cookie at sign-in.",
            },
            {
                "type": "apiKey",
                "in": "query",
                "name": STAGING_PARAMETER,
                "description": "The session JWT in staging deployments only, where cookies may not be available.",
            },
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The session JWT of a client that is no browser. Such a request needs no Origin.",
            },
        ]


class VisitorAuthenticationScheme(SessionAuthenticationScheme):
    """The same tokens, but none is needed."""

    target_class = VisitorAuthentication  # type: ignore[assignment]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{}, *super().get_security_requirement(auto_schema)]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """None: the other class defines the schemes, and each may be defined only once."""
        return []


_AUTHENTICATOR_ANSWER = envelope("AuthenticatorResponse", UserAuthenticatorSerializer())
_AUTHENTICATOR = {"id": "61", "created_at": EXAMPLE_TIME}
_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105
_STEPPING_UP = {
    "a first authenticator, just after signing in": {},
    "a first authenticator, later": {"password": "correct horse battery staple"},
    "with an authenticator": {"verification_code": "492039"},
}
_STEP_UP = (
    "A session alone is not enough: a user with an authenticator gives one of its codes, or a backup code; a user "
    "without one gives their password, unless they signed in within the last ten minutes."
)
_STEP_UP_FAILS_WITH = (
    *NEEDING_A_SESSION,
    Problem.INVALID_FIELD,
    Problem.WRONG_CODE,
    Problem.WRONG_PASSWORD,
    Problem.CODE_REQUIRED,
    Problem.RECENT_SIGN_IN_REQUIRED,
    Problem.TOO_MANY_REQUESTS,
)

deployment = endpoint(
    "GetDeployment",
    "The settings of this deployment that a front-end needs",
    tag="Deployment",
    description="Asked first, by anybody. A visitor without a session gets one.",
    answers=envelope("DeploymentResponse", DeploymentSerializer()),
    examples={
        "a deployment": enveloped(
            rendering.deployment(
                Deployment(
                    id=1,
                    name="Nordlys",
                    host="accounts.example.com",
                    mode=Deployment.Mode.PRODUCTION,
                    allowed_origins=["https://app.example.com"],
                    created_at=datetime.fromisoformat(EXAMPLE_TIME),
                    updated_at=datetime.fromisoformat(EXAMPLE_TIME),
                )
            ),
            "This deployment.",
        )
    },
)

invitation = endpoint(
    "ValidateDeploymentInvitation",
    "Whether an invitation to sign up is good",
    tag="Sign-up",
    description=(
        "For the form to which the link of the mail leads. The token goes on to `/auth/signup`. An invitation to an "
        "organization is one to sign up, too."
    ),
    parameters=[OpenApiParameter("token", str, description="The `invite_token` of the link.")],
    answers=envelope("InvitationResponse", InvitationSerializer()),
    examples={
        "good": enveloped(
            {"valid": True, "first_name": "Ada", "last_name": "Lindqvist", "email": "ada@example.com"},
            "Your invitation.",
        ),
        "not good any more": enveloped(rendering.invitation(Refusal.EXPIRED), "Your invitation."),
    },
)

jwks = endpoint(
    "GetJwks",
    "The public keys that verify this deployment's tokens",
    tag="Deployment",
    description="A JWK set (RFC 7517). A key that signs no more stays until its last token has expired.",
    answers=JwksSerializer,
    examples={
        "one key": {
            "keys": [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                    "kid": "q3mPzJ0tR8yXw2Lk",
                    "use": "sig",
                    "alg": "ES256",
                }
            ]
        }
    },
)

new_authenticator = endpoint(
    "GenerateAuthenticator",
    "Begin to set up an authenticator",
    tag="Me",
    method="POST",
    description=(f"It counts once it is confirmed, within ten minutes. Earlier unconfirmed ones are void. {_STEP_UP}"),
    request=StepUpSerializer,
    requests=_STEPPING_UP,
    answers=_AUTHENTICATOR_ANSWER,
    examples={
        "to be confirmed": enveloped(
            _AUTHENTICATOR
            | {"totp_secret": _SECRET, "otp_url": f"otpauth://totp/Nordlys:ada%40example.com?secret={_SECRET}"},
            "Scan the code, then confirm with two successive codes.",
        )
    },
    fails_with=_STEP_UP_FAILS_WITH,
)

confirm_authenticator = endpoint(
    "VerifyAuthenticator",
    "Confirm an authenticator with two successive codes",
    tag="Me",
    method="POST",
    description="From now on signing in takes a code. It replaces an earlier authenticator.",
    request=VerifyAuthenticatorSerializer,
    requests={"two codes": {"authenticator_id": "61", "codes": ["492039", "773125"]}},
    answers=_AUTHENTICATOR_ANSWER,
    examples={"confirmed": enveloped(_AUTHENTICATOR, "Your authenticator is set up.")},
    fails_with=[
        *NEEDING_A_SESSION,
        Problem.INVALID_FIELD,
        Problem.WRONG_CODE,
        Problem.NOT_FOUND,
    ],
)

_BACKUP_CODES: dict[str, Any] = {
    "tag": "Me",
    "method": "POST",
    "request": StepUpSerializer,
    "answers": envelope("BackupCodesResponse", serializers.ListField(child=serializers.CharField())),
    "examples": {
        "ten codes": enveloped(
            [f"{code}7kq2mzrt" for code in ("ab", "cd", "ef", "gh", "jk", "mn", "pq", "rs", "tv", "wx")],
            "Keep these codes; they are not shown again, and those before them are void.",
        )
    },
    "fails_with": [*_STEP_UP_FAILS_WITH, Problem.AUTHENTICATOR_REQUIRED],
}

new_backup_codes = endpoint(
    "GenerateBackupCodes",
    "Make backup codes",
    description=(
        "Each replaces one code of the authenticator, which must be confirmed. Earlier codes are void. "
        f"{_STEP_UP} The first codes need nothing more if the authenticator was confirmed in this sign-in within the "
        "last ten minutes."
    ),
    requests={
        "just after confirming the authenticator": {},
        "at any time": {"verification_code": "492039"},
    },
    **_BACKUP_CODES,
)

regenerate_backup_codes = endpoint(
    "RegenerateBackupCodes",
    "Make backup codes anew",
    description=f"The same as `/me/backup-codes`. {_STEP_UP}",
    requests={"with a code": {"verification_code": "492039"}},
    **_BACKUP_CODES,
)

delete_authenticator = endpoint(
    "DeleteAuthenticator",
    "Remove an authenticator",
    tag="Me",
    method="POST",
    description=(
        "Signing in takes no code from then on, and the backup codes are gone. Other sessions of the user end, and the "
        f"user is informed by mail. {_STEP_UP}"
    ),
    parameters=[id_in_path("The id of the authenticator.")],
    request=StepUpSerializer,
    requests={"with a code": {"verification_code": "492039"}},
    answers=envelope("DeleteAuthenticatorResponse", serializers.CharField()),
    examples={"removed": enveloped("", "Your authenticator is removed.")},
    fails_with=[*_STEP_UP_FAILS_WITH, Problem.NOT_FOUND],
)
