"""Describes the endpoints of memberships and the session for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest

from accounts.answers import rendering as accounts_rendering
from accounts.answers.rows import SignInAttemptRow, SignInRow, UserRow
from accounts.answers.serializers import PictureSerializer, UpdateUserSerializer
from accounts.models import Deployment
from api.answers import timestamp
from api.errors import Problem
from api.openapi import EXAMPLE_TIME, NEEDING_A_SESSION, UNSETTLED, endpoint, envelope, enveloped
from api.requests import ID_PATTERN
from memberships import rendering
from memberships.eligibility import UNRESTRICTED, Level, restriction
from memberships.rows import OrganizationRow, WorkspaceRoleRow, WorkspaceRow
from memberships.serializers import (
    AccessTokenSerializer,
    CurrentUserSerializer,
    OrganizationMembershipSerializer,
    SessionSerializer,
    WorkspaceMembershipSerializer,
)
from organizations.models import ORGANIZATION_ADMIN, ORGANIZATION_MEMBER, WORKSPACE_MEMBER, Segment

_SINCE = datetime(2025, 11, 17, 8, tzinfo=UTC)
_PILOTS = Segment(
    id=18, deployment_id=1, name="Pilot customers", type=Segment.Type.WORKSPACE, created_at=_SINCE, updated_at=_SINCE
)
_WORKSPACE = rendering.workspace(
    WorkspaceRow(
        id=311,
        deployment_id=1,
        name="Field Operations",
        image_url="https://img.example.com/w/311.png",
        description="Crews, vehicles and shifts",
        member_count=14,
        public_metadata_json='{"region":"eu-north"}',
        private_metadata_json="{}",
        enforce_2fa=True,
        enable_ip_restriction=False,
        whitelisted_ips=[],
        created_at=_SINCE,
        updated_at=_SINCE,
        segments_json=orjson.dumps([rendering.segment(_PILOTS)]).decode(),
    ),
    shows_private_metadata=False,
)
_ORGANIZATION = rendering.organization(
    OrganizationRow(
        id=92,
        deployment_id=1,
        name="Nordlys Logistikk",
        image_url="",
        description="",
        member_count=57,
        public_metadata_json="{}",
        private_metadata_json="{}",
        enforce_mfa=False,
        enable_ip_restriction=True,
        whitelisted_ips=["198.51.100.0/24", "2001:db8:40::/48"],
        auto_assigned_workspace_id=311,
        created_at=_SINCE,
        updated_at=_SINCE,
        segments_json="[]",
    ),
    shows_private_metadata=False,
)
_FIELD_OPERATIONS = Level("workspace", "Field Operations", False, [], True, True, True)
_WORKSPACE_MEMBERSHIP = rendering.workspace_membership(
    b"7203",
    _WORKSPACE,
    b"92",
    rendering.between(
        5104, [rendering.workspace_role(WorkspaceRoleRow(2, 1, "Member", [WORKSPACE_MEMBER], _SINCE, _SINCE))]
    ),
    _ORGANIZATION,
    b'"public_metadata":{},"created_at":"%(time)b","updated_at":"%(time)b"' % {b"time": EXAMPLE_TIME.encode()},
    orjson.dumps(restriction([_FIELD_OPERATIONS], is_admin=False, address=None, has_mfa=False)),
)
WORKSPACE_EXAMPLE = orjson.loads(_WORKSPACE)
ORGANIZATION_EXAMPLE = orjson.loads(_ORGANIZATION)
WORKSPACE_MEMBERSHIP_EXAMPLE = orjson.loads(b"".join(_WORKSPACE_MEMBERSHIP).removeprefix(b","))

_ADA = UserRow(
    id="5104",
    username="ada",
    first_name="Ada",
    last_name="Lindqvist",
    picture="",
    addresses=[["7214", "ada@example.com", True, EXAMPLE_TIME]],
    has_password=True,
    public_metadata_json="{}",
    authenticator=None,
    has_backup_codes=False,
    segments_json="[]",
)
_NORDLYS = Deployment(host="accounts.example.com")
_PUBLIC_USER = accounts_rendering.public_user(_ADA, _NORDLYS)
_USER = orjson.loads(orjson.dumps(accounts_rendering.current_user(_ADA, _NORDLYS)))
_ADMIN = {
    "id": "1",
    "organization_id": "",
    "name": "Admin",
    "permissions": [ORGANIZATION_ADMIN, ORGANIZATION_MEMBER],
    "created_at": timestamp(_SINCE),
    "updated_at": timestamp(_SINCE),
}
ORGANIZATION_MEMBERSHIP_EXAMPLE = {
    "id": "6118",
    "organization": orjson.loads(_ORGANIZATION),
    "user": _PUBLIC_USER,
    "roles": [_ADMIN],
    "public_metadata": {},
    "created_at": EXAMPLE_TIME,
    "updated_at": EXAMPLE_TIME,
    "eligibility_restriction": UNRESTRICTED,
}
_SIGN_IN = accounts_rendering.sign_in(
    SignInRow(
        id="90411",
        user_id=_ADA.id,
        expires_at="2026-04-01T09:30:00.000000Z",
        last_active_at=EXAMPLE_TIME,
        ip_address="198.51.100.7",
        user_agent="Mozilla/5.0",
    ),
    organization_membership_id="6118",
    workspace_membership_id="7203",
    user=_USER,
)
AWAITING = SignInAttemptRow(
    id="412",
    email="ada@example.com",
    session_id="88121",
    method="plain_email",
    expires_at="2026-03-02T09:40:00.000000Z",
    has_authenticator=True,
    has_backup_codes=True,
    user_id=_ADA.id,
)
_ATTEMPT = accounts_rendering.sign_in_attempt(AWAITING)
NOBODY: dict[str, Any] = {
    "id": "88121",
    "active_signin": None,
    "signins": [],
    "signin_attempts": [],
    "signup_attempts": [],
}
SIGNED_IN = NOBODY | {"active_signin": _SIGN_IN, "signins": [_SIGN_IN]}
AWAITING_CODE = NOBODY | {"signin_attempts": [_ATTEMPT]}

SESSION = envelope("SessionResponse", SessionSerializer())
_VISITOR_EXAMPLES = {
    "signed in": enveloped(SIGNED_IN, "Your session."),
    "nobody signed in": enveloped(NOBODY, "Your session."),
}
_SIGNED_IN_EXAMPLE = {"signed in": enveloped(SIGNED_IN, "Your session.")}


def id_query(name: str, description: str, *, required: bool = False, **options: Any) -> OpenApiParameter:
    """The query parameter ``name``; unless it is ``required``, empty is the same as absent."""
    schema = {"type": "string", "pattern": f"^{ID_PATTERN}$" if required else f"^({ID_PATTERN})?$"}
    return OpenApiParameter(name, schema, required=required, description=description, **options)


def one_of(name: str, *values: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, enum=values, description=description)


workspace_memberships = endpoint(
    "GetUserWorkspaceMemberships",
    "List the signed-in user's workspace memberships",
    tag="Me",
    description=(
        "Every workspace of this deployment that the user is a member of, in the order of joining, with the roles held "
        "there and with `eligibility_restriction`: whether the user may enter now, from the address of the request."
    ),
    parameters=[
        id_query(
            "org_id",
            "Only memberships in this organization. Empty is the same as absent.",
            examples=[OpenApiExample("absent", value=""), OpenApiExample("one organization", value="92")],
        ),
    ],
    answers=envelope("WorkspaceMembershipsResponse", WorkspaceMembershipSerializer(many=True)),
    examples={
        "one membership, entry restricted": enveloped([WORKSPACE_MEMBERSHIP_EXAMPLE], "Your workspace memberships."),
        "no membership": enveloped([], "Your workspace memberships."),
    },
    fails_with=[*NEEDING_A_SESSION, Problem.INVALID_ORG_ID, Problem.NOT_A_MEMBER],
)

organization_memberships = endpoint(
    "GetUserOrganizationMemberships",
    "List the signed-in user's organization memberships",
    tag="Me",
    description="In the order of joining. `eligibility_restriction` is that of the organization as such.",
    answers=envelope("OrganizationMembershipsResponse", OrganizationMembershipSerializer(many=True)),
    examples={"one membership": enveloped([ORGANIZATION_MEMBERSHIP_EXAMPLE], "Your organization memberships.")},
    fails_with=NEEDING_A_SESSION,
)

_CURRENT_USER = envelope("CurrentUserResponse", CurrentUserSerializer())

current_user = endpoint(
    "GetUser",
    "The signed-in user",
    tag="Me",
    description="The part of their own data that users may see.",
    answers=_CURRENT_USER,
    examples={"a user": enveloped(_USER, "You.")},
    fails_with=NEEDING_A_SESSION,
)

update_current_user = endpoint(
    "UpdateUser",
    "Change one's own names",
    tag="Me",
    method="POST",
    description=(
        "Those of the names that are sent change; an empty text clears one. Other fields are ignored, but "
        "`second_factor_policy` is always `optional`."
    ),
    request=UpdateUserSerializer,
    requests={
        "all": {"first_name": "Ada", "last_name": "Lindqvist", "username": "ada"},
        "the username alone": {"username": "ada"},
    },
    answers=_CURRENT_USER,
    examples={"a user": enveloped(_USER, "You.")},
    fails_with=[*NEEDING_A_SESSION, Problem.INVALID_FIELD, Problem.TOO_MANY_REQUESTS],
)

_PICTURE = "https://accounts.example.com/media/pictures/0f8ba885c9e684d15f5c5fafbd307928.webp"

update_picture = endpoint(
    "UpdateProfilePicture",
    "Change one's own picture",
    tag="Me",
    method="POST",
    description=(
        "A JPEG of 25 million pixels at most, or a PNG, WebP or GIF of 9 million, in a file of 5 MB at most of a "
        "multipart form. It is kept as a WebP of 512 pixels at most, without what the file says of place and camera. "
        "An empty file removes it."
    ),
    request={
        "multipart/form-data": OpenApiRequest(
            PictureSerializer, examples=[OpenApiExample("a picture", value={"file": "the bytes of a picture"})]
        )
    },
    answers=_CURRENT_USER,
    examples={"a user": enveloped(_USER | {"has_profile_picture": "true", "profile_picture_url": _PICTURE}, "You.")},
    fails_with=[*NEEDING_A_SESSION, Problem.INVALID_FIELD, Problem.TOO_MANY_REQUESTS],
)

current_session = endpoint(
    "GetCurrentSession",
    "The session of this browser",
    tag="Session",
    description="For everybody: a visitor without a session, or with one that is over, gets a new one. Never a 401.",
    answers=SESSION,
    examples=_VISITOR_EXAMPLES | {"MFA code awaited": enveloped(AWAITING_CODE, "Your session.")},
)

sign_out = endpoint(
    "SignOut",
    "Sign out",
    tag="Session",
    method="POST",
    description="Ends one sign-in, or the session with all of them. After the last, the token is good for nothing.",
    parameters=[id_query("sign_in_id", "The sign-in to end. Empty is all.")],
    answers=SESSION,
    examples={"nobody signed in": enveloped(NOBODY, "Your session.")},
    fails_with=[*UNSETTLED, Problem.INVALID_PARAMETER, Problem.NOT_FOUND],
)

switch_sign_in = endpoint(
    "SwitchActiveSignIn",
    "Act as another user who is signed in to this session",
    tag="Session",
    method="POST",
    description="The sign-in becomes the active one.",
    parameters=[id_query("sign_in_id", "The sign-in to make active. Empty is none.")],
    answers=SESSION,
    examples=_VISITOR_EXAMPLES,
    fails_with=[
        *UNSETTLED,
        Problem.INVALID_PARAMETER,
        Problem.NO_ACTIVE_SIGN_IN,
        Problem.NOT_FOUND,
    ],
)


def _switch(place: str, becomes: str, strange: Problem) -> Callable[..., Any]:
    return endpoint(
        f"Switch{place.capitalize()}",
        f"Act in another {place}",
        tag="Session",
        method="POST",
        description=becomes,
        parameters=[id_query(f"{place}_id", f"The {place} to act in. Empty is none.")],
        answers=SESSION,
        examples=_SIGNED_IN_EXAMPLE,
        fails_with=[*NEEDING_A_SESSION, Problem.INVALID_PARAMETER, Problem.ENTRY_RESTRICTED, strange],
    )


switch_organization = _switch(
    "organization",
    "It becomes the active one of this sign-in, and of the user's next. A workspace of another is left.",
    Problem.NOT_A_MEMBER,
)
switch_workspace = _switch(
    "workspace",
    "It and its organization become the active ones of this sign-in, and of the user's next.",
    Problem.NOT_FOUND,
)

access_token = endpoint(
    "GetSessionToken",
    "A short-lived token for the product's own back-ends",
    tag="Session",
    description=(
        "Says who acts, where, and with which permissions, for some seconds (RFC 9068). Verify it with "
        "`/.well-known/jwks.json`, and check its `typ`, `at+jwt`, and its `aud`, which is its `iss`. "
        "An organization or workspace that the user has left, or may not enter from here now, is left out."
    ),
    parameters=[one_of("template", "", "default", description="Empty, or `default`.")],
    answers=envelope("AccessTokenResponse", AccessTokenSerializer()),
    examples={
        "a token": enveloped(
            {"token": "eyJ0eXAiOiJhdCtqd3Qi...", "expires": 1772443830000}, "An access token for your back-ends."
        )
    },
    fails_with=[*NEEDING_A_SESSION, Problem.NOT_FOUND],
)
