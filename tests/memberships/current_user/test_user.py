"""GET /me, and the sign-in of GET /session: the names that clients read, and what is in them."""

from __future__ import annotations

from accounts.credentials import mfa
from accounts.models import Deployment, Session, User
from organizations.models import Segment, UserSegment
from tests.support.api import ApiClient, data_of
from tests.support.factories import (
    OrganizationFactory,
    SegmentFactory,
    UserFactory,
    confirmed_authenticator,
    join_organization,
)
from tests.support.field_names import PUBLIC_USER, TIMES
from tests.support.polled import ORGANIZATIONS
from tests.support.sign_in import session_data, signed_in, user_with_password

PHONE_NUMBER = {"id", "phone_number", "country_code", "verified", "verified_at"}
EMAIL_ADDRESS = {"id", "email", "is_primary", "verified", "verified_at", "verification_strategy"}
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


def test_a_sign_in_has_all_names_that_clients_read(deployment: Deployment) -> None:
    client = signed_in(user_with_password(deployment))
    session = session_data(client)
    assert set(session) == SESSION
    assert set(session["active_signin"]) == SIGN_IN
    assert session["active_signin"]["user"] == data_of(client.get("/me"))
