"""The single SQL statement of each endpoint, for FastAPI; that of the list runs alone in pgbench as well.

Each builds the whole body in PostgreSQL, but for the access token, which PostgreSQL cannot sign. The parameters are the
ids of the session and the deployment, and the client's address where rules are checked; no row comes if nobody is
signed in.
"""

from __future__ import annotations

from benchmarks.peers import parts
from benchmarks.peers.deployment import DEPLOYMENT_DATA
from benchmarks.peers.json_text import Json, Plain, array, json_text, string, time

_OWN_ORGANIZATION = parts.organization(is_admin="own.is_admin")
_WORKSPACE = parts.workspace(is_admin="organization.is_admin OR role.is_admin")
_RESTRICTION = parts.restriction("organization", "workspace", is_admin="organization.is_admin OR role.is_admin")
_WORKSPACE_MEMBERSHIP = json_text(
    {
        "id": Plain("membership.id"),
        "workspace": Json("workspace.json"),
        "organization_id": Plain("membership.organization_id"),
        "user_id": Plain("membership.user_id"),
        "roles": array("role.json"),
        "organization": Json("organization.json"),
        "public_metadata": Json("membership.public_metadata"),
        **parts.times_of("membership"),
        "eligibility_restriction": _RESTRICTION,
    }
)


def _roles(level: str, *, admin: str, role: Json) -> str:
    """The row ``role``: the JSON texts of the roles given to ``membership``, and whether one has ``admin``."""
    return f"""
        SELECT
            string_agg({role}, ',' ORDER BY role.id) AS json,
            coalesce(bool_or('{admin}' = ANY (role.permissions)), false) AS is_admin
        FROM memberships_{level}membershiprole given
        JOIN organizations_{level}role role ON role.id = given.role_id
        WHERE given.membership_id = membership.id
    """


# An organization is rendered once, however many of its workspaces are in the answer.
_LIST = f"""(
    SELECT string_agg({_WORKSPACE_MEMBERSHIP}, ',' ORDER BY membership.created_at, membership.id)
    FROM memberships_workspacemembership membership
    JOIN organization ON organization.id = membership.organization_id
    CROSS JOIN LATERAL ({_roles("workspace", admin="workspace:admin", role=parts.role())}) role
    CROSS JOIN LATERAL (
        SELECT workspace.name, {parts.rules("workspace")}, {_WORKSPACE} AS json
        FROM organizations_workspace workspace WHERE workspace.id = membership.workspace_id
    ) workspace
    WHERE membership.user_id = caller.user_id
)"""
WORKSPACE_MEMBERSHIPS = f"""
WITH {parts.CALLER},
administered AS MATERIALIZED (
    SELECT ARRAY (
        SELECT membership.organization_id
        FROM caller
        JOIN memberships_organizationmembership membership ON membership.user_id = caller.user_id
        JOIN memberships_organizationmembershiprole given ON given.membership_id = membership.id
        JOIN organizations_organizationrole role ON role.id = given.role_id
        WHERE 'organization:admin' = ANY (role.permissions)
    ) AS organizations
),
organization AS MATERIALIZED (
    SELECT
        organization.id, organization.name, own.is_admin, {parts.rules("organization")}, {_OWN_ORGANIZATION} AS json
    FROM caller CROSS JOIN administered
    JOIN organizations_organization organization ON organization.id = ANY (ARRAY (
        SELECT DISTINCT organization_id FROM memberships_workspacemembership own WHERE own.user_id = caller.user_id
    ))
    CROSS JOIN LATERAL (SELECT organization.id = ANY (administered.organizations) AS is_admin) own
)
SELECT {parts.envelope("Your workspace memberships.", array(_LIST), session="caller")} AS body FROM caller
"""

_ORGANIZATION_MEMBERSHIP = json_text(
    {
        "id": Plain("membership.id"),
        "organization": Json("organization.json"),
        "user": parts.PUBLIC_USER,
        "roles": array("role.json"),
        "public_metadata": Json("membership.public_metadata"),
        **parts.times_of("membership"),
        "eligibility_restriction": parts.restriction("organization", is_admin="role.is_admin"),
    }
)
_ORGANIZATION_ROLE = parts.role(organization_id=Plain("role.organization_id"))
_ORGANIZATIONS = f"""(
    SELECT string_agg({_ORGANIZATION_MEMBERSHIP}, ',' ORDER BY membership.created_at, membership.id)
    FROM memberships_organizationmembership membership
    JOIN accounts_user member ON member.id = membership.user_id
    CROSS JOIN LATERAL ({_roles("organization", admin="organization:admin", role=_ORGANIZATION_ROLE)}) role
    CROSS JOIN LATERAL (
        SELECT
            organization.name, {parts.rules("organization")},
            {parts.organization(is_admin="role.is_admin")} AS json
        FROM organizations_organization organization WHERE organization.id = membership.organization_id
    ) organization
    WHERE membership.user_id = caller.user_id
)"""
ORGANIZATION_MEMBERSHIPS = f"""
WITH {parts.CALLER}
SELECT {parts.envelope("Your organization memberships.", array(_ORGANIZATIONS), session="caller")} AS body FROM caller
"""

ME = f"""
SELECT {parts.envelope("You.", parts.CURRENT_USER, session="session")} AS body
FROM {parts.SIGNED_IN} {parts.CONFIRMED} WHERE {parts.IS_SIGNED_IN}
"""

_SIGN_IN = json_text(
    {
        "id": Plain("sign_in.id"),
        "user_id": Plain("sign_in.user_id"),
        "active_organization_membership_id": Plain("active.organization_membership_id"),
        "active_workspace_membership_id": Plain("active.workspace_membership_id"),
        "user": parts.CURRENT_USER,
        "expiresAt": time("sign_in.expires_at"),
        "lastActiveAt": time("coalesce(sign_in.last_active_at, sign_in.created_at)"),
        "ipAddress": Plain("host(sign_in.ip_address)"),
        "browser": string("sign_in.user_agent"),
        **dict.fromkeys(["device", "city", "region", "regionCode", "country", "countryCode"], ""),
    }
)
_ATTEMPT = json_text(
    {
        "id": Plain("attempt.id"),
        "email": string("member.email"),
        "session_id": Plain("attempt.session_id"),
        "method": Plain("attempt.method"),
        "sso_provider": "",
        "expires_at": time("attempt.expires_at"),
        "first_method_authenticated": True,
        "second_method_authenticated": False,
        "second_method_authentication_required": True,
        "available_2fa_methods": Json(f"""
            CASE WHEN {parts.HAS_BACKUP_CODES} THEN '["authenticator","backup_code"]'
            WHEN confirmed.json IS NOT NULL THEN '["authenticator"]' ELSE '[]' END
        """),
        "user_id": Plain("attempt.user_id"),
        "current_step": "verify_second_factor",
        "completed": False,
    }
)
_SIGN_UP_ATTEMPT = json_text(
    {
        "id": Plain("attempt.id"),
        "session_id": Plain("attempt.session_id"),
        **{name: string(f"attempt.{name}") for name in ("first_name", "last_name", "email", "username")},
        "phone_number": "",
        "password": "",
        "required_fields": ["email", "password"],
        "missing_fields": [],
        "current_step": "verify_email",
        "remaining_steps": ["verify_email"],
        "completed": False,
    }
)
_SESSION_DATA = json_text(
    {
        "id": Plain("session.id"),
        "active_signin": Json("coalesce(own.active, 'null')"),
        "signins": array("own.sign_ins"),
        "signin_attempts": array(f"""(
            SELECT string_agg({_ATTEMPT}, ',' ORDER BY attempt.id)
            FROM accounts_signinattempt attempt JOIN accounts_user member ON member.id = attempt.user_id
            {parts.CONFIRMED}
            WHERE attempt.session_id = session.id AND attempt.completed_at IS NULL AND attempt.expires_at > now()
                AND attempt.failures < 5 AND NOT member.disabled
        )"""),
        "signup_attempts": array(f"""(
            SELECT string_agg({_SIGN_UP_ATTEMPT}, ',' ORDER BY attempt.id) FROM accounts_signupattempt attempt
            WHERE attempt.session_id = session.id AND attempt.completed_at IS NULL AND attempt.expires_at > now()
        )"""),
    }
)
SESSION = f"""
SELECT {parts.envelope("Your session.", _SESSION_DATA, session="session")} AS body
FROM accounts_session session
CROSS JOIN LATERAL (
    SELECT
        string_agg(one.json, ',' ORDER BY one.created_at, one.id) AS sign_ins,
        max(one.json) FILTER (WHERE one.id = session.active_sign_in_id) AS active
    FROM (
        SELECT sign_in.id, sign_in.created_at, {_SIGN_IN} AS json
        FROM accounts_signin sign_in JOIN accounts_user member ON member.id = sign_in.user_id
        LEFT JOIN memberships_activemembership active ON active.sign_in_id = sign_in.id
        {parts.CONFIRMED}
        WHERE sign_in.session_id = session.id AND sign_in.ended_at IS NULL AND sign_in.expires_at > now()
            AND NOT member.disabled
        OFFSET 0
    ) one
) own
WHERE {parts.IS_LIVE}
"""

DEPLOYMENT = f"""
SELECT {parts.envelope("This deployment.", DEPLOYMENT_DATA, session="session")} AS body
FROM accounts_session session JOIN accounts_deployment deployment ON deployment.id = session.deployment_id
WHERE {parts.IS_LIVE}
"""


def _given(level: str, membership: str, *, admin: str) -> str:
    """The permissions of all roles of an active membership, in their order, and whether that is ``admin``."""
    return f"""
        SELECT
            coalesce(array_agg(allowed.permission ORDER BY role.id, allowed.place), '{{}}') AS permissions,
            coalesce(bool_or(allowed.permission = '{admin}'), false) AS is_admin
        FROM memberships_{level}membershiprole given
        JOIN organizations_{level}role role ON role.id = given.role_id
        CROSS JOIN LATERAL unnest(role.permissions) WITH ORDINALITY allowed (permission, place)
        WHERE given.membership_id = {membership}.id
    """


_IN_ORGANIZATION = parts.is_free("organization", is_admin="organization_role.is_admin")
_IN_WORKSPACE = parts.is_free(
    "organization", "workspace", is_admin="(workspace_role.is_admin OR organization_role.is_admin)"
)
ACTING = f"""
WITH {parts.CALLER}
SELECT
    caller.user_id, envelope.session,
    organization.id AS organization, organization_role.permissions AS organization_permissions,
    {_IN_ORGANIZATION} AS may_enter_organization,
    workspace.id AS workspace, workspace_role.permissions AS workspace_permissions,
    {_IN_WORKSPACE} AS may_enter_workspace
FROM caller
CROSS JOIN LATERAL (
    SELECT {json_text({"id": Plain("caller.id"), **parts.times_of("caller")})} AS session
) envelope
LEFT JOIN memberships_activemembership active ON active.sign_in_id = caller.sign_in_id
LEFT JOIN memberships_organizationmembership own ON own.id = active.organization_membership_id
LEFT JOIN LATERAL (
    SELECT organization.id, organization.name, {parts.rules("organization")}
    FROM organizations_organization organization WHERE organization.id = own.organization_id
) organization ON true
LEFT JOIN LATERAL ({_given("organization", "own", admin="organization:admin")}) organization_role ON true
LEFT JOIN memberships_workspacemembership there ON there.id = active.workspace_membership_id
LEFT JOIN LATERAL (
    SELECT workspace.id, workspace.name, {parts.rules("workspace")}
    FROM organizations_workspace workspace WHERE workspace.id = there.workspace_id
) workspace ON true
LEFT JOIN LATERAL ({_given("workspace", "there", admin="workspace:admin")}) workspace_role ON true
"""
"""Gives the user, the session as JSON text, and the organization and workspace that are active, with permissions.

Whoever acts in a workspace acts in its organization.
"""
