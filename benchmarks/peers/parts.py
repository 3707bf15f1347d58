"""The parts of several answers, as SQL: users, organizations and workspaces, segments, restrictions.

The SQL names the rows ``member`` (the user), ``organization``, ``workspace`` and ``caller``, which has the deployment's
rules and whether the user has MFA.
"""

from __future__ import annotations

from typing import Any

from benchmarks.peers.json_text import Json, Plain, array, boolean, json_text, string, time

IS_LIVE = """
    session.id = $1::bigint AND session.deployment_id = $2::bigint
    AND session.ended_at IS NULL AND session.expires_at > now()
"""
IS_SIGNED_IN = f"{IS_LIVE} AND sign_in.ended_at IS NULL AND sign_in.expires_at > now() AND NOT member.disabled"
SIGNED_IN = """
    accounts_session session
    JOIN accounts_deployment deployment ON deployment.id = session.deployment_id
    JOIN accounts_signin sign_in ON sign_in.id = session.active_sign_in_id
    JOIN accounts_user member ON member.id = sign_in.user_id
"""
HAS_MFA = """
    EXISTS (SELECT 1 FROM accounts_authenticator factor
            WHERE factor.user_id = member.id AND factor.confirmed_at IS NOT NULL)
"""
CALLER = f"""
    caller AS MATERIALIZED (
        SELECT
            session.id, session.created_at, session.updated_at, sign_in.id AS sign_in_id, member.id AS user_id,
            deployment.private_metadata_audience AS audience,
            deployment.ip_allowlist_per_org_enabled, deployment.ip_allowlist_per_workspace_enabled,
            deployment.enforce_mfa_per_org_enabled, deployment.enforce_mfa_per_workspace_enabled,
            {HAS_MFA} AS has_mfa
        FROM {SIGNED_IN} WHERE {IS_SIGNED_IN}
    )
"""


def envelope(message: str, data: Any, *, session: str) -> Json:
    """The whole body; ``session`` names the row."""
    times = {name: time(f"{session}.{name}") for name in ("created_at", "updated_at")}
    return json_text(
        {"status": 200, "message": message, "data": data, "session": {"id": Plain(f"{session}.id"), **times}}
    )


def times_of(row: str) -> dict[str, Plain]:
    return {"created_at": time(f"{row}.created_at"), "updated_at": time(f"{row}.updated_at")}


def segments(link_table: str, owner: str) -> Json:
    """The segments that the row ``owner`` is in."""
    name = "user" if owner == "member" else owner
    segment = {
        "id": Plain("segment.id"),
        **times_of("segment"),
        "deployment_id": Plain("segment.deployment_id"),
        "name": string("segment.name"),
        "type": Plain("segment.type"),
    }
    return array(f"""(
        SELECT string_agg({json_text(segment)}, ',' ORDER BY segment.id)
        FROM {link_table} link JOIN organizations_segment segment ON segment.id = link.segment_id
        WHERE link.{name}_id = {owner}.id
    )""")


def _place(place: str, mfa_rule: str, *, is_admin: str, **own: Any) -> Json:
    shows = f"caller.audience = 'members' OR caller.audience = 'admins' AND ({is_admin})"
    return json_text(
        {
            "id": Plain(f"{place}.id"),
            "name": string(f"{place}.name"),
            "image_url": string(f"{place}.image_url"),
            "description": string(f"{place}.description"),
            "member_count": Json(f"{place}.member_count"),
            "public_metadata": Json(f"{place}.public_metadata"),
            "private_metadata": Json(f"CASE WHEN {shows} THEN {place}.private_metadata ELSE '{{}}' END"),
            mfa_rule: boolean(f"{place}.{mfa_rule}"),
            "enable_ip_restriction": boolean(f"{place}.enable_ip_restriction"),
            "whitelisted_ips": string(f"{place}.whitelisted_ips"),
            **own,
            **times_of(place),
            "segments": segments(f"organizations_{place}segment", place),
        }
    )


def organization(*, is_admin: str) -> Json:
    auto_assigned = Plain("organization.auto_assigned_workspace_id")
    return _place("organization", "enforce_mfa", is_admin=is_admin, auto_assigned_workspace_id=auto_assigned)


def workspace(*, is_admin: str) -> Json:
    return _place("workspace", "enforce_2fa", is_admin=is_admin)


def role(**own: Any) -> Json:
    """The row ``role``."""
    return json_text(
        {
            "id": Plain("role.id"),
            "name": string("role.name"),
            "permissions": string("role.permissions"),
            **times_of("role"),
            **own,
        }
    )


def rules(place: str) -> str:
    """The columns ``ip_unmet`` and ``mfa_unmet``. An allow-list with an IPv4-mapped network would match nothing here;
    the data to measure with has none.
    """
    mfa_rule, switch = {"organization": ("enforce_mfa", "org"), "workspace": ("enforce_2fa", "workspace")}[place]
    return f"""
        caller.ip_allowlist_per_{switch}_enabled AND {place}.enable_ip_restriction AND {place}.whitelisted_ips <> '{{}}'
            AND NOT $3::inet <<= ANY ({place}.whitelisted_ips::inet[]) AS ip_unmet,
        caller.enforce_mfa_per_{switch}_enabled AND {place}.{mfa_rule} AND NOT caller.has_mfa AS mfa_unmet
    """


def is_free(*places: str, is_admin: str) -> str:
    """Whether nothing keeps the caller out of the ``places``, which have the columns of ``rules``."""
    return f"({is_admin} OR NOT ({_unmet('ip_unmet', places)} OR {_unmet('mfa_unmet', places)}))"


def restriction(*places: str, is_admin: str) -> Json:
    """The eligibility restriction of the innermost of ``places``, which have the columns of ``rules`` and a name."""
    network = f"'a network that ' || {_subjects('ip_unmet', 'allow', places)} || '.'"
    mfa = f"'Set up multi-factor authentication (MFA), which ' || {_subjects('mfa_unmet', 'require', places)}"

    def kept_out(type_: str, message: str) -> Json:
        return json_text({"type": type_, "message": string(message)})

    return Json(f"""
        CASE
            WHEN {is_free(*places, is_admin=is_admin)} THEN {json_text({"type": "none", "message": ""})}
            WHEN {_unmet("ip_unmet", places)} AND {_unmet("mfa_unmet", places)}
                THEN {kept_out("ip_and_mfa_required", f"{mfa} || ', and connect from ' || {network}")}
            WHEN {_unmet("ip_unmet", places)} THEN {kept_out("ip_not_allowed", f"'Connect from ' || {network}")}
            ELSE {kept_out("mfa_required", f"{mfa} || '.'")}
        END
    """)


def _unmet(rule: str, places: tuple[str, ...]) -> str:
    return "(" + " OR ".join(f"{place}.{rule}" for place in places) + ")"


def _subjects(rule: str, verb: str, places: tuple[str, ...]) -> str:
    labels = [f"CASE WHEN {place}.{rule} THEN 'the {place} “' || {place}.name || '”' END" for place in places]
    all_unmet = " AND ".join(f"{place}.{rule}" for place in places)
    ending = f"CASE WHEN {all_unmet} THEN ' {verb}' ELSE ' {verb}s' END" if len(places) > 1 else f"' {verb}s'"
    return f"concat_ws(' and ', {', '.join(labels)}) || {ending}"


_ADDRESS = json_text(
    {
        "id": Plain("address.id"),
        "email": string("address.email"),
        "is_primary": boolean("address.is_primary"),
        "verified": boolean("address.verified_at IS NOT NULL"),
        "verified_at": time("address.verified_at"),
        "verification_strategy": "otp",
    }
)
_NO_ADDRESS = json_text(
    {"id": "", "email": "", "is_primary": False, "verified": False, "verified_at": "", "verification_strategy": "otp"}
)
_ADDRESSES = "FROM accounts_emailaddress address WHERE address.user_id = member.id"
_PUBLIC_USER = {
    "id": Plain("member.id"),
    "first_name": string("member.first_name"),
    "last_name": string("member.last_name"),
    "username": string("member.username"),
    "availability": "available",
    "has_profile_picture": "",
    "profile_picture_url": "",
    "primary_phone_number": {"id": "", "phone_number": "", "country_code": "", "verified": False, "verified_at": ""},
    "primary_email_address": Json(f"coalesce((SELECT {_ADDRESS} {_ADDRESSES} AND address.is_primary), {_NO_ADDRESS})"),
}
PUBLIC_USER = json_text(_PUBLIC_USER)
CONFIRMED = f"""
    LEFT JOIN LATERAL (
        SELECT {json_text({"id": Plain("factor.id"), "created_at": time("factor.created_at")})} AS json
        FROM accounts_authenticator factor
        WHERE factor.user_id = member.id AND factor.confirmed_at IS NOT NULL ORDER BY factor.id LIMIT 1
    ) confirmed ON true
"""
HAS_BACKUP_CODES = """
    (confirmed.json IS NOT NULL AND EXISTS (
        SELECT 1 FROM accounts_backupcode code WHERE code.user_id = member.id AND code.used_at IS NULL
    ))
"""
CURRENT_USER = json_text(
    {
        **_PUBLIC_USER,
        "primary_email_address_id": Plain(f"(SELECT address.id {_ADDRESSES} AND address.is_primary)"),
        "primary_phone_number_id": "",
        "second_factor_policy": "optional",
        "user_email_addresses": array(
            f"(SELECT string_agg({_ADDRESS}, ',' ORDER BY NOT address.is_primary, address.id) {_ADDRESSES})"
        ),
        "user_phone_numbers": [],
        "social_connections": [],
        # With the field that there is only for users who have one: "||" of null is null, which "concat" leaves out.
        "authenticators": Json("""concat('[', confirmed.json, ']', ',"user_authenticator":' || confirmed.json)"""),
        "backup_codes_generated": boolean(HAS_BACKUP_CODES),
        "has_password": boolean("member.password <> ''"),
        "has_passkeys": False,
        "public_metadata": Json("member.public_metadata"),
        "segments": segments("organizations_usersegment", "member"),
    }
)
"""Takes ``member`` and ``CONFIRMED``."""
