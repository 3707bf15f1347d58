"""GET /deployment: the names that clients read, and what is in them."""

from __future__ import annotations

import pytest

from accounts.models import Deployment
from tests.support.api import ApiClient, data_of
from tests.support.cases import each
from tests.support.factories import DeploymentFactory
from tests.support.field_names import TIMES

PART_OF_DEPLOYMENT = {"id", "deployment_id", "deleted_at"} | TIMES
DEPLOYMENT = {
    "id",
    "deleted_at",
    "maintenance_mode",
    "backend_host",
    "frontend_host",
    "mail_from_host",
    "publishable_key",
    "project_id",
    "mode",
    "social_connections",
    "b2b_settings",
    "auth_settings",
    "restrictions",
    "ui_settings",
} | TIMES
B2B_SETTINGS = PART_OF_DEPLOYMENT | {
    "organizations_enabled",
    "workspaces_enabled",
    "ip_allowlist_per_org_enabled",
    "ip_allowlist_per_workspace_enabled",
    "enforce_mfa_per_org_enabled",
    "enforce_mfa_per_workspace_enabled",
    "enterprise_sso_enabled",
    "allow_users_to_create_orgs",
    "allow_org_deletion",
    "allow_workspace_deletion",
    "custom_org_role_enabled",
    "custom_workspace_role_enabled",
    "limit_org_creation_per_user",
    "limit_workspace_creation_per_org",
    "org_creation_per_user_count",
    "workspaces_per_org_count",
    "max_orgs_per_user",
    "max_allowed_org_members",
    "max_allowed_workspace_members",
    "default_workspace_creator_role_id",
    "default_workspace_member_role_id",
    "default_org_creator_role_id",
    "default_org_member_role_id",
    "workspace_permissions",
    "organization_permissions",
}
AUTH_SETTINGS = PART_OF_DEPLOYMENT | {
    "email_address",
    "phone_number",
    "username",
    "first_name",
    "last_name",
    "password",
    "backup_code",
    "web3_wallet",
    "password_policy",
    "magic_link",
    "passkey",
    "auth_factors_enabled",
    "verification_policy",
    "second_factor_policy",
    "first_factor",
    "second_factor",
    "alternate_first_factors",
    "alternate_second_factors",
    "multi_session_support",
}
AUTH_FACTORS = {
    "email_password",
    "username_password",
    "email_magic_link",
    "email_otp",
    "phone_otp",
    "web3_wallet",
    "backup_code",
    "authenticator",
}
RESTRICTIONS = PART_OF_DEPLOYMENT | {
    "allowlist_enabled",
    "blocklist_enabled",
    "block_subaddresses",
    "block_disposable_emails",
    "block_voip_numbers",
    "country_restrictions",
    "banned_keywords",
    "allowlisted_resources",
    "blocklisted_resources",
    "sign_up_mode",
}
UI_SETTINGS = {
    "deployment_id",
    "app_name",
    "privacy_policy_url",
    "tos_page_url",
    "sign_in_page_url",
    "sign_up_page_url",
    "waitlist_page_url",
    "support_page_url",
    "after_logo_click_url",
    "user_profile_url",
    "organization_profile_url",
    "create_organization_url",
    "after_sign_out_one_page_url",
    "after_sign_out_all_page_url",
    "after_signup_redirect_url",
    "after_signin_redirect_url",
    "after_create_organization_redirect_url",
    "default_user_profile_image_url",
    "default_organization_profile_image_url",
    "default_workspace_profile_image_url",
    "use_initials_for_user_profile_image",
    "use_initials_for_organization_profile_image",
    "logo_image_url",
    "favicon_image_url",
    "signup_terms_statement",
    "signup_terms_statement_shown",
}


def test_the_deployment_says_what_front_ends_may_make(deployment: Deployment) -> None:
    """Nothing, unless staff let them."""
    settings = data_of(ApiClient(deployment).get("/deployment"))["b2b_settings"]
    assert not settings["custom_org_role_enabled"]
    assert not settings["custom_workspace_role_enabled"]
    assert (settings["limit_org_creation_per_user"], settings["org_creation_per_user_count"]) == (False, 0)
    assert (settings["limit_workspace_creation_per_org"], settings["workspaces_per_org_count"]) == (True, 0)
    member = deployment.workspace_roles.get(name="Member")
    assert settings["default_workspace_member_role_id"] == str(member.pk)
    Deployment.objects.update(
        custom_org_role_enabled=True, workspaces_per_org_count=None, default_workspace_member_role=None
    )
    settings = data_of(ApiClient(deployment).get("/deployment"))["b2b_settings"]
    assert settings["custom_org_role_enabled"]
    assert not settings["limit_workspace_creation_per_org"]
    assert settings["default_workspace_member_role_id"] == ""


def test_a_deployment_has_all_names_that_clients_read(deployment: Deployment) -> None:
    data = data_of(ApiClient(deployment).get("/deployment"))
    assert set(data) == DEPLOYMENT
    assert set(data["b2b_settings"]) == B2B_SETTINGS
    assert set(data["auth_settings"]) == AUTH_SETTINGS
    assert set(data["auth_settings"]["auth_factors_enabled"]) == AUTH_FACTORS
    assert set(data["restrictions"]) == RESTRICTIONS
    assert set(data["ui_settings"]) == UI_SETTINGS | {"accept_invitation_url"}, "the one name of our own"


SWITCHES = [
    "organizations_enabled",
    "workspaces_enabled",
    "ip_allowlist_per_org_enabled",
    "ip_allowlist_per_workspace_enabled",
    "enforce_mfa_per_org_enabled",
    "enforce_mfa_per_workspace_enabled",
]


@each("off", SWITCHES)
def test_each_switch_of_the_deployment_is_shown(db: None, off: str) -> None:
    data = data_of(ApiClient(DeploymentFactory.create(**{off: False})).get("/deployment"))
    assert [name for name in SWITCHES if not data["b2b_settings"][name]] == [off]


@pytest.mark.parametrize(("mode", "prefix"), [("production", "pk_live_"), ("staging", "pk_test_")])
def test_a_deployment_shows_its_mode_and_hosts(db: None, mode: str, prefix: str) -> None:
    deployment = DeploymentFactory.create(
        mode=mode, host="api.example.com", allowed_origins=["https://app.example.com:8443"]
    )
    data = data_of(ApiClient(deployment).get("/deployment"))
    assert data["mode"] == mode
    assert data["backend_host"] == "api.example.com"
    assert data["frontend_host"] == "app.example.com:8443"
    assert data["publishable_key"].startswith(prefix)
    assert data["ui_settings"]["app_name"] == deployment.name


def test_signed_in_users_and_visitors_get_the_same_deployment(client: ApiClient) -> None:
    assert data_of(client.get("/deployment")) == data_of(ApiClient(client.deployment).get("/deployment"))
