"""Describes the endpoints of accounts for the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from accounts.answers import rendering
from accounts.answers.serializers import (
    DeploymentSerializer,
    InvitationSerializer,
    JwksSerializer,
)
from accounts.authentication.classes import SessionAuthentication, VisitorAuthentication
from accounts.authentication.sent_tokens import COOKIE, STAGING_PARAMETER
from accounts.models import Deployment
from accounts.sign_in.invitations import Refusal
from api.openapi import EXAMPLE_TIME, endpoint, envelope, enveloped


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

    target_class = VisitorAuthentication  # type: ignore[assignment]  # the parent's is inferred too narrowly

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{}, *super().get_security_requirement(auto_schema)]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """None: the other class defines the schemes, and each may be defined only once."""
        return []


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
