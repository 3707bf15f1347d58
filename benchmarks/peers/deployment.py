"""A ``Deployment`` in SQL: mostly constants, as a front-end reads them."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.json_text import Json, Plain, boolean, string, time

_TIMES = {
    "created_at": time("deployment.created_at"),
    "updated_at": time("deployment.updated_at"),
    "deleted_at": None,
}
_PART = {"id": Plain("deployment.id"), "deployment_id": Plain("deployment.id"), **_TIMES}
_SWITCHES = [
    *("organizations_enabled", "workspaces_enabled", "ip_allowlist_per_org_enabled"),
    *("ip_allowlist_per_workspace_enabled", "enforce_mfa_per_org_enabled", "enforce_mfa_per_workspace_enabled"),
]
_SWITCHES += [
    *("allow_users_to_create_orgs", "allow_org_deletion", "allow_workspace_deletion"),
    *("custom_org_role_enabled", "custom_workspace_role_enabled"),
]
_LIMITS = {
    "limit_org_creation_per_user": "org_creation_per_user_count",
    "limit_workspace_creation_per_org": "workspaces_per_org_count",
}
_COUNTS = [*_LIMITS.values(), "max_allowed_org_members", "max_allowed_workspace_members"]
_ROLES = [
    *("default_workspace_creator_role_id", "default_workspace_member_role_id"),
    *("default_org_creator_role_id", "default_org_member_role_id"),
]
_ON = {"enabled": True, "required": False}
_OFF = {"enabled": False, "required": False}
_DEMANDED = {"enabled": True, "required": True}
_PAGES = {
    "sign_in_page_url": "/sign-in",
    "sign_up_page_url": "/sign-up",
    "accept_invitation_url": "/accept-invitation",
    "waitlist_page_url": "/sign-in",
    "user_profile_url": "/profile",
    "organization_profile_url": "/organization",
    "create_organization_url": "/organization/new",
    **dict.fromkeys(["after_signin_redirect_url", "after_signup_redirect_url", "after_logo_click_url"], "/"),
    **dict.fromkeys(["after_sign_out_one_page_url", "after_sign_out_all_page_url", "support_page_url"], "/"),
    "after_create_organization_redirect_url": "/",
}
_OPTIONAL = [
    *("privacy_policy_url", "tos_page_url", "logo_image_url", "favicon_image_url", "signup_terms_statement"),
    *("default_user_profile_image_url", "default_organization_profile_image_url"),
    "default_workspace_profile_image_url",
]
_ISSUER = "'https://' || deployment.host"
_ORIGIN = f"coalesce(deployment.allowed_origins[1], {_ISSUER})"


def _own(name: str, default: str) -> Json:
    """The text that staff have entered, else ``default``."""
    return string(f"coalesce(nullif(deployment.ui_settings->>'{name}', ''), {default})")


_BASE64 = f"translate(encode(convert_to({_ISSUER}, 'UTF8'), 'base64'), E'\\n', '')"

DEPLOYMENT_DATA: dict[str, Any] = {
    "id": Plain("deployment.id"),
    **_TIMES,
    "maintenance_mode": False,
    "backend_host": string("deployment.host"),
    "frontend_host": string("coalesce(split_part(deployment.allowed_origins[1], '://', 2), deployment.host)"),
    "mail_from_host": "",
    "publishable_key": Plain(f"CASE deployment.mode WHEN 'staging' THEN 'pk_test_' ELSE 'pk_live_' END || {_BASE64}"),
    "project_id": "",
    "mode": Plain("deployment.mode"),
    "social_connections": [],
    "b2b_settings": {
        **_PART,
        **{name: boolean(f"deployment.{name}") for name in _SWITCHES},
        "enterprise_sso_enabled": False,
        **{name: boolean(f"deployment.{count} IS NOT NULL") for name, count in _LIMITS.items()},
        **{count: Json(f"coalesce(deployment.{count}, 0)::text") for count in _COUNTS},
        "max_orgs_per_user": 0,
        **{name: Plain(f"deployment.{name}") for name in _ROLES},
        "workspace_permissions": string("deployment.workspace_permissions"),
        "organization_permissions": string("deployment.organization_permissions"),
    },
    "auth_settings": {
        **_PART,
        **dict.fromkeys(["email_address", "username", "first_name", "last_name", "backup_code"], _ON),
        **dict.fromkeys(["phone_number", "web3_wallet", "magic_link"], _OFF),
        **dict.fromkeys(["password", "password_policy"], _DEMANDED),
        "passkey": {"enabled": False, "prompt_registration_on_auth": False, "allow_autofill": False},
        "auth_factors_enabled": {
            **dict.fromkeys(["email_password", "username_password", "backup_code", "authenticator"], True),
            **dict.fromkeys(["email_magic_link", "email_otp", "phone_otp", "web3_wallet"], False),
        },
        "verification_policy": {"phone_number": False, "email": False},
        "second_factor_policy": "optional",
        "first_factor": "email_password",
        "second_factor": "authenticator",
        "alternate_first_factors": ["username_password"],
        "alternate_second_factors": ["backup_code"],
        "multi_session_support": {"enabled": True, "max_accounts_per_session": 10, "max_sessions_per_account": 0},
    },
    "restrictions": {
        **_PART,
        **dict.fromkeys(["allowlist_enabled", "blocklist_enabled", "block_subaddresses"], False),
        **dict.fromkeys(["block_disposable_emails", "block_voip_numbers"], False),
        "country_restrictions": {"enabled": False, "country_codes": []},
        **{name: [] for name in ("banned_keywords", "allowlisted_resources", "blocklisted_resources")},
        "sign_up_mode": "restricted",
    },
    "ui_settings": {
        "deployment_id": Plain("deployment.id"),
        "app_name": string("deployment.name"),
        **{name: _own(name, f"{_ORIGIN} || '{path}'") for name, path in _PAGES.items()},
        **{name: _own(name, "''") for name in _OPTIONAL},
        "use_initials_for_user_profile_image": True,
        "use_initials_for_organization_profile_image": True,
        "signup_terms_statement_shown": False,
    },
}
