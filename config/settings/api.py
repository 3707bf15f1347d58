"""Django REST framework and the OpenAPI document."""

import tomllib

from config.environment import BASE_DIR

VERSION = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.classes.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "api.parsers.JsonParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "api.exceptions.to_response",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Rollcall",
    "VERSION": VERSION,
    "CONTACT": {"name": "The operators of this service"},
    "LICENSE": {"name": "BSD 3-Clause", "identifier": "BSD-3-Clause"},
    "OAS_VERSION": "3.1.0",
    "SERVERS": [
        {"url": "/", "description": "The host that serves this document"},
        {
            "url": "https://{deployment_host}",
            "description": "A deployment's own host",
            "variables": {"deployment_host": {"default": "127.0.0.1"}},
        },
    ],
    "TAGS": [
        {"name": "Me", "description": "The signed-in user: their data, memberships and MFA."},
        {
            "name": "Session",
            "description": "The users signed in to this browser, and the organization and workspace they act in.",
        },
        {
            "name": "Organizations",
            "description": "Organizations, their members and roles, run by their administrators.",
        },
        {"name": "Workspaces", "description": "Workspaces of organizations, their members and roles."},
        {"name": "Sign-in", "description": "From a password to a session."},
        {"name": "Sign-up", "description": "New users, and the invitations that let them in."},
        {"name": "Deployment", "description": "The public settings of a deployment."},
    ],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "api.openapi.describe"],
    "ENUM_NAME_OVERRIDES": {
        "SegmentType": "organizations.models.Segment.Type",
        "EligibilityRestrictionType": "memberships.eligibility.RESTRICTION_TYPES",
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}
