"""GET /me, GET /me/organization-memberships and GET /deployment: the names that clients read, and what is in them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.credentials import mfa
from accounts.models import Deployment, Session, User
from memberships.models import OrganizationMembership
from organizations.models import Segment, UserSegment
from tests.support.api import ApiClient, data_of
from tests.support.cases import each
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    confirmed_authenticator,
    join_organization,
    member_of_new_workspace,
)
from tests.support.sign_in import session_data, signed_in, user_with_password

ORGANIZATIONS = "/me/organization-memberships"

TIMES = {"created_at", "updated_at"}
PHONE_NUMBER = {"id", "phone_number", "country_code", "verified", "verified_at"}
EMAIL_ADDRESS = {"id", "email", "is_primary", "verified", "verified_at", "verification_strategy"}
PUBLIC_USER = {
    "id",
    "first_name",
    "last_name",
    "username",
    "availability",
    "has_profile_picture",
    "profile_picture_url",
    "primary_phone_number",
    "primary_email_address",
}
CURRENT_USER = PUBLIC_USER | {
    "primary_email_address_id",
    "primary_phone_number_id",
    "second_factor_policy",
    "user_email_addresses",
    "user_phone_numbers",
    "social_connections",
    "authenticators",
    "backup_codes_generated",
    "has_password",
    "has_passkeys",
    "public_metadata",
    "segments",
}
SEGMENT = {"id", "deployment_id", "name", "type"} | TIMES
SESSION = {"id", "active_signin", "signins", "signin_attempts", "signup_attempts"}
SIGN_IN = {
    "id",
    "user_id",
    "active_organization_membership_id",
    "active_workspace_membership_id",
    "user",
    "expiresAt",
    "lastActiveAt",
    "ipAddress",
    "browser",
    "device",
    "city",
    "region",
    "regionCode",
    "country",
    "countryCode",
}
ORGANIZATION_MEMBERSHIP = {
    "id",
    "organization",
    "user",
    "roles",
    "public_metadata",
    "eligibility_restriction",
} | TIMES
ORGANIZATION_ROLE = {"id", "organization_id", "name", "permissions"} | TIMES
ORGANIZATION = {
    "id",
    "name",
    "image_url",
    "description",
    "member_count",
    "public_metadata",
    "private_metadata",
    "enforce_mfa",
    "enable_ip_restriction",
    "whitelisted_ips",
    "auto_assigned_workspace_id",
    "segments",
} | TIMES
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


@pytest.fixture
def client(user: User) -> ApiClient:
    return ApiClient(user.deployment, user)


# The user


def test_a_user_has_all_names_that_clients_read(client: ApiClient, user: User) -> None:
    segment = SegmentFactory.create(deployment=user.deployment, type=Segment.Type.USER)
    UserSegment.objects.create(user=user, segment=segment)
    me = data_of(client.get("/me"))
    assert set(me) == CURRENT_USER
    assert set(me["primary_phone_number"]) == PHONE_NUMBER
    assert set(me["primary_email_address"]) == EMAIL_ADDRESS
    assert me["user_email_addresses"] == [me["primary_email_address"]]
    assert me["primary_email_address_id"] == me["primary_email_address"]["id"]
    (item,) = me["segments"]
    assert set(item) == SEGMENT
    assert (item["id"], item["type"]) == (str(segment.pk), "user")


def test_a_user_reads_the_metadata_that_staff_wrote(deployment: Deployment) -> None:
    user = user_with_password(
        deployment,
        email="ada@example.com",
        username="ada",
        first_name="Ada",
        last_name="Łovelace",
        public_metadata={"a": [1, None]},
        private_metadata={"secret": "hush"},
    )
    response = ApiClient(deployment, user).get("/me")
    me = data_of(response)
    assert me["id"] == str(user.pk)
    assert (me["first_name"], me["last_name"], me["username"]) == ("Ada", "Łovelace", "ada")
    assert me["primary_email_address"]["email"] == "ada@example.com"
    assert me["public_metadata"] == {"a": [1, None]}
    assert me["has_password"] is True
    assert "hush" not in response.content.decode()


def test_a_user_without_address_has_an_empty_one(deployment: Deployment) -> None:
    me = data_of(ApiClient(deployment, UserFactory.create(deployment=deployment, email="", username="x")).get("/me"))
    assert (
        me["primary_email_address_id"]
        == me["primary_email_address"]["id"]
        == me["primary_email_address"]["email"]
        == ""
    )
    assert me["user_email_addresses"] == []
    assert me["has_password"] is False


def test_a_user_reads_which_mfa_devices_they_have(client: ApiClient, user: User) -> None:
    before = data_of(client.get("/me"))
    assert (before["authenticators"], before["backup_codes_generated"]) == ([], False)
    row = confirmed_authenticator(user)
    mfa.new_backup_codes(user, keep=Session.objects.get())
    after = data_of(client.get("/me"))
    assert [set(item) for item in after["authenticators"]] == [{"id", "created_at"}]
    assert after["authenticators"][0]["id"] == str(row.pk)
    assert after["backup_codes_generated"] is True


def test_an_address_that_staff_typed_is_not_verified(client: ApiClient, user: User) -> None:
    """Nor is it to those who see the user among the members."""
    membership = join_organization(user, OrganizationFactory.create(deployment=user.deployment))
    me = data_of(client.get("/me"))
    (listed,) = data_of(client.get(ORGANIZATIONS))
    assert listed["id"] == str(membership.pk)
    for address in (me["primary_email_address"], *me["user_email_addresses"], listed["user"]["primary_email_address"]):
        assert (address["email"], address["verified"], address["verified_at"]) == (user.email, False, "")


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


def test_a_sign_in_has_all_names_that_clients_read(deployment: Deployment) -> None:
    client = signed_in(user_with_password(deployment))
    session = session_data(client)
    assert set(session) == SESSION
    assert set(session["active_signin"]) == SIGN_IN
    assert session["active_signin"]["user"] == data_of(client.get("/me"))


# Organizations


def test_an_organization_membership_has_all_names_that_clients_read(client: ApiClient, user: User) -> None:
    organization = OrganizationFactory.create(deployment=user.deployment)
    own = OrganizationRoleFactory.create(deployment=user.deployment, organization=organization)
    general = OrganizationRoleFactory.create(deployment=user.deployment)
    membership = join_organization(user, organization, own, general)
    (item,) = data_of(client.get(ORGANIZATIONS))
    assert set(item) == ORGANIZATION_MEMBERSHIP
    assert set(item["organization"]) == ORGANIZATION
    assert set(item["user"]) == PUBLIC_USER
    assert item["id"] == str(membership.pk)
    assert item["user"]["id"] == str(user.pk)
    assert all(set(role) == ORGANIZATION_ROLE for role in item["roles"])
    assert {role["id"]: role["organization_id"] for role in item["roles"]} == {
        str(own.pk): str(organization.pk),
        str(general.pk): "",
    }


def test_the_organization_is_the_one_of_the_workspace_memberships(client: ApiClient, user: User) -> None:
    membership = member_of_new_workspace(user)
    organization = membership.workspace.organization
    organization.public_metadata, organization.private_metadata = {"plan": "x"}, {"crm": 1}
    organization.auto_assigned_workspace = membership.workspace
    organization.save()
    (item,) = data_of(client.get(ORGANIZATIONS))
    (workspace_item,) = data_of(client.get())
    assert item["organization"] == workspace_item["organization"]
    assert item["organization"]["auto_assigned_workspace_id"] == str(membership.workspace_id)


def test_organizations_come_in_the_order_of_joining(client: ApiClient, user: User) -> None:
    organizations = [OrganizationFactory.create(deployment=user.deployment) for _ in range(4)]
    memberships = [join_organization(user, organizations[n]) for n in (2, 0, 3, 1)]
    OrganizationMembership.objects.filter(pk=memberships[0].pk).update(public_metadata={"touched": "last"})
    assert [item["id"] for item in data_of(client.get(ORGANIZATIONS))] == [str(row.pk) for row in memberships]


def test_only_the_users_own_memberships_are_listed(client: ApiClient, user: User) -> None:
    mine = join_organization(user, OrganizationFactory.create(deployment=user.deployment))
    join_organization(UserFactory.create(deployment=user.deployment), mine.organization)
    join_organization(
        UserFactory.create(deployment=user.deployment), OrganizationFactory.create(deployment=user.deployment)
    )
    join_organization((foreign := UserFactory.create()), OrganizationFactory.create(deployment=foreign.deployment))
    (item,) = data_of(client.get(ORGANIZATIONS))
    assert item["id"] == str(mine.pk)
    assert item["organization"]["member_count"] == 2


def test_a_user_without_organizations_gets_an_empty_list(client: ApiClient) -> None:
    assert data_of(client.get(ORGANIZATIONS)) == []


@each(
    ("rules", "switches", "permissions", "expected"),
    [
        ({}, {}, [], "none"),
        ({"enforce_mfa": True}, {}, [], "mfa_required"),
        ({"enforce_mfa": True}, {"enforce_mfa_per_org_enabled": False}, [], "none"),
        ({"enforce_mfa": True}, {"enforce_mfa_per_workspace_enabled": False}, [], "mfa_required"),
        ({"enforce_mfa": True}, {}, ["organization:admin"], "none"),
        ({"enforce_mfa": True}, {}, ["organization:member"], "mfa_required"),
        ({"enable_ip_restriction": True, "whitelisted_ips": ["198.51.100.0/24"]}, {}, [], "ip_not_allowed"),
        ({"enable_ip_restriction": True, "whitelisted_ips": ["127.0.0.1"]}, {}, [], "none"),
        ({"enable_ip_restriction": True, "whitelisted_ips": []}, {}, [], "none"),
        (
            {"enable_ip_restriction": True, "whitelisted_ips": ["198.51.100.0/24"]},
            {"ip_allowlist_per_org_enabled": False},
            [],
            "none",
        ),
        (
            {"enable_ip_restriction": True, "whitelisted_ips": ["198.51.100.0/24"], "enforce_mfa": True},
            {},
            [],
            "ip_and_mfa_required",
        ),
    ],
)
def test_the_restriction_is_the_organizations_own(
    rules: dict[str, Any], switches: dict[str, Any], permissions: list[str], expected: str, db: None
) -> None:
    user = UserFactory.create(deployment=DeploymentFactory.create(**switches))
    organization = OrganizationFactory.create(deployment=user.deployment, **rules)
    role = OrganizationRoleFactory.create(deployment=user.deployment, permissions=permissions)
    join_organization(user, organization, role)
    (item,) = data_of(ApiClient(user.deployment, user).get(ORGANIZATIONS))
    assert item["eligibility_restriction"]["type"] == expected
    assert (organization.name in item["eligibility_restriction"]["message"]) == (expected != "none")


def test_a_workspaces_rules_do_not_restrict_its_organization(client: ApiClient, user: User) -> None:
    member_of_new_workspace(user, enforce_2fa=True)
    (item,) = data_of(client.get(ORGANIZATIONS))
    assert item["eligibility_restriction"] == {"type": "none", "message": ""}


@each(
    ("audience", "permissions", "is_shown"),
    [
        ("members", [], True),
        ("admins", [], False),
        ("admins", ["organization:admin"], True),
        ("nobody", ["organization:admin"], False),
    ],
)
def test_private_metadata_is_shown_to_the_audience_of_the_deployment(
    db: None, audience: str, permissions: list[str], is_shown: bool
) -> None:
    user = UserFactory.create(deployment=DeploymentFactory.create(private_metadata_audience=audience))
    organization = OrganizationFactory.create(deployment=user.deployment, private_metadata={"crm": 1})
    role = OrganizationRoleFactory.create(deployment=user.deployment, permissions=permissions)
    join_organization(user, organization, role)
    (item,) = data_of(ApiClient(user.deployment, user).get(ORGANIZATIONS))
    assert item["organization"]["private_metadata"] == ({"crm": 1} if is_shown else {})


def test_more_organizations_cost_no_more_queries(client: ApiClient, user: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(ORGANIZATIONS).status_code == 200
        return len(captured)

    queries()  # the first one loads the deployment
    none = queries()
    for _ in range(3):
        role = OrganizationRoleFactory.create(deployment=user.deployment)
        join_organization(user, OrganizationFactory.create(deployment=user.deployment), role)
    queries()  # the next one reads what is not cached yet
    assert queries() == none == 1


# The deployment


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
