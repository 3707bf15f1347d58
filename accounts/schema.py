"""How the OpenAPI document describes what accounts owns."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from accounts.authentication import COOKIE, STAGING_PARAMETER, SessionAuthentication


class SessionAuthenticationScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document describes the two ways to send a token."""

    target_class = SessionAuthentication
    name = ["sessionCookie", "devSessionQuery"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        """One of the two is enough."""
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
        ]
