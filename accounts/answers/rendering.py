"""From accounts' rows to the JSON values of the API. An unset text is "", a list [], an object {}."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

import orjson

from accounts import pictures
from accounts.answers.browsers import browser_of, device_of
from accounts.answers.rows import AddressRow, PublicUserRow, SignInAttemptRow, SignInRow, SignUpAttemptRow, UserRow
from accounts.authentication.sessions import MAX_SIGN_INS
from accounts.credentials import mfa
from accounts.credentials.mfa import SECOND_FACTOR_POLICY
from accounts.models import (
    Authenticator,
    Deployment,
    EmailAddress,
    Invitation,
    SignIn,
    SignInAttempt,
    SignUpAttempt,
    User,
)
from accounts.sign_in.invitations import Refusal
from accounts.values import front_ends
from api.answers import timestamp

JsonObject = dict[str, Any]

_NO_ADDRESS = AddressRow(id="", email="", is_primary=False, verified_at="")
_NO_PHONE_NUMBER = {"id": "", "phone_number": "", "country_code": "", "verified": False, "verified_at": ""}


def public_user(row: PublicUserRow | UserRow, deployment: Deployment) -> JsonObject:
    """A ``PublicUserData``: the part of a user of ``deployment`` that other members may see."""
    addresses = _addresses(row)
    return {
        "id": row.id,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "username": row.username,
        "availability": "available",
        "has_profile_picture": "true" if row.picture else "",
        "profile_picture_url": pictures.url_of(deployment, row.picture),
        "primary_phone_number": _NO_PHONE_NUMBER,
        "primary_email_address": email_address(addresses[0] if addresses and addresses[0].is_primary else _NO_ADDRESS),
    }


def current_user(row: UserRow, deployment: Deployment) -> JsonObject:
    """A ``CurrentUser``: the part of their own data that users may see."""
    own = None if row.authenticator is None else dict(zip(("id", "created_at"), row.authenticator, strict=True))
    public = public_user(row, deployment)
    return public | {
        "primary_email_address_id": public["primary_email_address"]["id"],
        "primary_phone_number_id": "",
        "second_factor_policy": SECOND_FACTOR_POLICY,
        "user_email_addresses": [email_address(address) for address in _addresses(row)],
        "user_phone_numbers": [],
        "social_connections": [],
        "authenticators": [own] if own else [],
        **({"user_authenticator": own} if own else {}),
        "backup_codes_generated": row.authenticator is not None and row.has_backup_codes,
        "has_password": row.has_password,
        "has_passkeys": False,
        "public_metadata": orjson.Fragment(row.public_metadata_json),
        "segments": orjson.Fragment(row.segments_json),
    }


def new_authenticator(row: Authenticator, *, secret: str, otp_url: str) -> JsonObject:
    """A ``UserAuthenticator`` with its secret, which is shown this once."""
    return authenticator(row) | {"totp_secret": secret, "otp_url": otp_url}


def sign_in(
    row: SignInRow,
    *,
    organization_membership_id: str | None,
    workspace_membership_id: str | None,
    user: Any,
) -> JsonObject:
    """A ``SignIn``. Where the address is on the map is not looked up."""
    return {
        "id": row.id,
        "user_id": row.user_id,
        "active_organization_membership_id": organization_membership_id or "",
        "active_workspace_membership_id": workspace_membership_id or "",
        "user": user,
        "expiresAt": row.expires_at,
        "lastActiveAt": row.last_active_at,
        "ipAddress": row.ip_address,
        "browser": browser_of(row.user_agent),
        "device": device_of(row.user_agent),
        "city": "",
        "region": "",
        "regionCode": "",
        "country": "",
        "countryCode": "",
    }


def own_sign_in(row: SignIn) -> JsonObject:
    """A ``Signin``, as users see those of all their browsers."""
    return {
        "id": str(row.pk),
        "session_id": str(row.session_id),
        "user_id": str(row.user_id),
        "browser": browser_of(row.user_agent),
        "device": device_of(row.user_agent),
        "ip_address": row.ip_address or "",
        "last_active_at": timestamp(row.last_active_at or row.created_at),
        "expires_at": timestamp(row.expires_at),
        "city": "",
        "region": "",
        "region_code": "",
        "country": "",
        "country_code": "",
        "created_at": timestamp(row.created_at),
    }


def sign_in_attempt(row: SignInAttemptRow) -> JsonObject:
    """A ``SigninAttempt``: the code of a mail or an MFA code is missing, or nothing is any more."""
    step = "verify_email_otp" if row.awaits_mailed_code else "verify_second_factor"
    return {
        "id": row.id,
        "email": row.email,
        "session_id": row.session_id,
        "method": row.method,
        "sso_provider": "",
        "expires_at": row.expires_at,
        "first_method_authenticated": not row.awaits_mailed_code,
        "second_method_authenticated": row.is_completed and row.has_authenticator,
        "second_method_authentication_required": row.has_authenticator
        or not (row.is_completed or row.awaits_mailed_code),
        "available_2fa_methods": mfa.method_names(
            has_authenticator=row.has_authenticator, has_backup_codes=row.has_backup_codes
        ),
        "user_id": row.user_id,
        "current_step": "" if row.is_completed else step,
        "completed": row.is_completed,
    }


def completed_attempt(attempt: SignInAttempt, user: User) -> JsonObject:
    """The ``SigninAttempt`` of ``user`` that the request completed."""
    methods = mfa.available_methods(user)
    row = SignInAttemptRow(
        id=str(attempt.pk),
        email=attempt.email or user.email,
        session_id=str(attempt.session_id),
        method=attempt.method,
        expires_at=timestamp(attempt.expires_at),
        has_authenticator="authenticator" in methods,
        has_backup_codes="backup_code" in methods,
        user_id=str(user.pk),
        is_completed=True,
    )
    return sign_in_attempt(row)


def sign_up_attempt(row: SignUpAttemptRow) -> JsonObject:
    """A ``SignupAttempt``. The password is never shown, and phone numbers are not kept."""
    return {
        "id": row.id,
        "session_id": row.session_id,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "email": row.email,
        "username": row.username,
        "phone_number": "",
        "password": "",
        "required_fields": ["email", "password"],
        "missing_fields": list(row.missing),
        "current_step": "" if row.is_completed else "verify_email",
        "remaining_steps": [] if row.is_completed else ["verify_email"],
        "completed": row.is_completed,
    }


def completed_sign_up(attempt: SignUpAttempt, *, missing: tuple[str, ...]) -> JsonObject:
    """The ``SignupAttempt`` that the request completed."""
    row = SignUpAttemptRow(
        id=str(attempt.pk),
        session_id=str(attempt.session_id),
        first_name=attempt.first_name,
        last_name=attempt.last_name,
        email=attempt.email,
        username=attempt.username,
        is_completed=True,
        missing=missing,
    )
    return sign_up_attempt(row)


def sent_code(attempt: SignInAttempt | SignUpAttempt) -> JsonObject:
    """The answer about a code by mail: the same whether or not anybody has the address."""
    local, _, domain = attempt.email.rpartition("@")
    return {"otp_sent": True, "masked_email": f"{local[:1]}***@{domain}", "verification_method": "email_otp"}


def invitation(found: Invitation | Refusal) -> JsonObject:
    """An invitation with which somebody may sign up, or the reason why it is not good."""
    if isinstance(found, Refusal):
        return {"valid": False, "message": found.value, "error_code": f"invitation_{found.name.lower()}"}
    names = {name: getattr(found, name, "") for name in ("first_name", "last_name")}
    return {"valid": True, **names, "email": found.email}


def publishable_key(base_url: str, mode: str) -> str:
    """The key that client libraries take: whether cookies carry the session, and the API's base URL."""
    kind = "pk_test" if mode == Deployment.Mode.STAGING else "pk_live"
    return f"{kind}_{base64.b64encode(base_url.encode()).decode()}"


def deployment(row: Deployment) -> JsonObject:
    """A ``Deployment``: the settings that a front-end needs before it draws anything."""
    times = {"created_at": timestamp(row.created_at), "updated_at": timestamp(row.updated_at), "deleted_at": None}
    part = {"id": str(row.pk), "deployment_id": str(row.pk)} | times
    return {
        "id": str(row.pk),
        **times,
        "maintenance_mode": False,
        "backend_host": row.host,
        "frontend_host": urlsplit(front_ends.front_end(row)).netloc,
        "mail_from_host": "",
        "publishable_key": publishable_key(row.issuer, row.mode),
        "project_id": "",
        "mode": row.mode,
        "social_connections": [],
        "b2b_settings": part | _b2b_settings(row),
        "auth_settings": part | _auth_settings(row),
        "restrictions": part | _RESTRICTIONS | {"sign_up_mode": _SIGN_UP_MODES[row.sign_up_mode]},
        "ui_settings": {"deployment_id": str(row.pk), "app_name": row.name} | _ui_settings(row),
    }


def _addresses(row: PublicUserRow | UserRow) -> list[AddressRow]:
    return [AddressRow(*address) for address in row.addresses]


def email_address(row: AddressRow) -> JsonObject:
    """A ``UserEmailAddress``."""
    return {
        "id": row.id,
        "email": row.email,
        "is_primary": row.is_primary,
        "verified": bool(row.verified_at),
        "verified_at": row.verified_at,
        "verification_strategy": "otp",
    }


def own_email_address(row: EmailAddress) -> JsonObject:
    """The same of a row of the model."""
    verified_at = timestamp(row.verified_at) if row.verified_at else ""
    return email_address(AddressRow(str(row.pk), row.email, row.is_primary, verified_at))


def _ui_settings(row: Deployment) -> JsonObject:
    shown = front_ends.ui_settings(row)
    return shown | {
        "use_initials_for_user_profile_image": True,
        "use_initials_for_organization_profile_image": True,
        "signup_terms_statement_shown": bool(shown[front_ends.TERMS]),
    }


def authenticator(row: Authenticator) -> JsonObject:
    """A ``UserAuthenticator`` without its secret."""
    return {"id": str(row.pk), "created_at": timestamp(row.created_at)}


def _b2b_settings(row: Deployment) -> JsonObject:
    """Where a limit is switched off, its number is 0."""
    return {
        "organizations_enabled": row.organizations_enabled,
        "workspaces_enabled": row.workspaces_enabled,
        "ip_allowlist_per_org_enabled": row.ip_allowlist_per_org_enabled,
        "ip_allowlist_per_workspace_enabled": row.ip_allowlist_per_workspace_enabled,
        "enforce_mfa_per_org_enabled": row.enforce_mfa_per_org_enabled,
        "enforce_mfa_per_workspace_enabled": row.enforce_mfa_per_workspace_enabled,
        "enterprise_sso_enabled": False,
        "allow_users_to_create_orgs": row.allow_users_to_create_orgs,
        "allow_org_deletion": row.allow_org_deletion,
        "allow_workspace_deletion": row.allow_workspace_deletion,
        "custom_org_role_enabled": row.custom_org_role_enabled,
        "custom_workspace_role_enabled": row.custom_workspace_role_enabled,
        "limit_org_creation_per_user": row.org_creation_per_user_count is not None,
        "limit_workspace_creation_per_org": row.workspaces_per_org_count is not None,
        "org_creation_per_user_count": row.org_creation_per_user_count or 0,
        "workspaces_per_org_count": row.workspaces_per_org_count or 0,
        "max_orgs_per_user": 0,
        "max_allowed_org_members": row.max_allowed_org_members or 0,
        "max_allowed_workspace_members": row.max_allowed_workspace_members or 0,
        "default_workspace_creator_role_id": _id(row.default_workspace_creator_role_id),
        "default_workspace_member_role_id": _id(row.default_workspace_member_role_id),
        "default_org_creator_role_id": _id(row.default_org_creator_role_id),
        "default_org_member_role_id": _id(row.default_org_member_role_id),
        "workspace_permissions": row.workspace_permissions,
        "organization_permissions": row.organization_permissions,
    }


def _id(pk: int | None) -> str:
    return "" if pk is None else str(pk)


_OFF = {"enabled": False, "required": False}
_ON = {"enabled": True, "required": False}

_AUTH_SETTINGS: JsonObject = {
    "phone_number": _OFF,
    "username": _ON,
    "first_name": _ON,
    "last_name": _ON,
    "password": {"enabled": True, "required": True},
    "backup_code": _ON,
    "web3_wallet": _OFF,
    "password_policy": {"enabled": True, "required": True},
    "magic_link": _OFF,
    "passkey": {"enabled": False, "prompt_registration_on_auth": False, "allow_autofill": False},
    "auth_factors_enabled": {
        "email_password": True,
        "username_password": True,
        "email_magic_link": False,
        "email_otp": False,
        "phone_otp": False,
        "web3_wallet": False,
        "backup_code": True,
        "authenticator": True,
    },
    "second_factor_policy": "optional",
    "first_factor": "email_password",
    "second_factor": "authenticator",
    "alternate_first_factors": ["username_password"],
    "alternate_second_factors": ["backup_code"],
    "multi_session_support": {
        "enabled": True,
        "max_accounts_per_session": MAX_SIGN_INS,
        "max_sessions_per_account": 0,
    },
}


def _auth_settings(row: Deployment) -> JsonObject:
    signs_up = row.sign_up_mode != Deployment.SignUpMode.CLOSED
    settings = _AUTH_SETTINGS | {
        "email_address": {"enabled": True, "required": signs_up},
        "verification_policy": {"phone_number": False, "email": signs_up},
    }
    if not row.sign_in_by_code:
        return settings
    return settings | {
        "auth_factors_enabled": settings["auth_factors_enabled"] | {"email_otp": True},
        "alternate_first_factors": [*settings["alternate_first_factors"], "email_otp"],
    }


_RESTRICTIONS: JsonObject = {
    "allowlist_enabled": False,
    "blocklist_enabled": False,
    "block_subaddresses": False,
    "block_disposable_emails": False,
    "block_voip_numbers": False,
    "country_restrictions": {"enabled": False, "country_codes": []},
    "banned_keywords": [],
    "allowlisted_resources": [],
    "blocklisted_resources": [],
}

_SIGN_UP_MODES: dict[str, str] = {
    Deployment.SignUpMode.CLOSED: "restricted",
    # With "restricted" the clients' form takes no invitation either. It sends people without one to waitlist_page_url.
    Deployment.SignUpMode.INVITATION: "waitlist",
    Deployment.SignUpMode.OPEN: "public",
}
