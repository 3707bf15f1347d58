"""The active organization and workspace of a sign-in: switching, reading them back, and proving them to back-ends."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from typing import Any, NamedTuple

import jwt
import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Deployment, SignIn, User
from accounts.tokens.keys import load_public_key
from memberships.models import ActiveMembership, OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import (
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    confirmed_authenticator,
    join,
    join_organization,
    member_of_new_workspace,
)
from tests.support.sign_in import attempt_of, session_data, sign_in, signed_in, totp, user_with_password, verify

REPEATED_PARAMETER = 40002
INVALID_PARAMETER = 40003
NO_ACTIVE_SIGN_IN = 40105
ENTRY_RESTRICTED = 40303
NOT_A_MEMBER = 40403
NOT_FOUND = 40404

ORGANIZATION = "/session/switch-organization"
WORKSPACE = "/session/switch-workspace"


class World(NamedTuple):
    user: User
    membership: WorkspaceMembership
    client: ApiClient


@pytest.fixture(scope="module")
def shared_world(shared_deployment: Deployment) -> World:
    """A member of a workspace, who has just signed in."""
    user = user_with_password(shared_deployment)
    return World(user, member_of_new_workspace(user), signed_in(user))


@pytest.fixture
def world(shared_world: World, db: None) -> World:
    return deepcopy(shared_world)


@pytest.fixture
def user(world: World) -> User:
    return world.user


@pytest.fixture
def membership(world: World) -> WorkspaceMembership:
    return world.membership


@pytest.fixture
def client(world: World) -> ApiClient:
    return world.client


def to_organization(client: ApiClient, organization_id: object, **headers: Any) -> Any:
    return client.post(ORGANIZATION, None, f"organization_id={organization_id}", **headers)


def to_workspace(client: ApiClient, workspace_id: object, **headers: Any) -> Any:
    return client.post(WORKSPACE, None, f"workspace_id={workspace_id}", **headers)


def organization_membership(membership: WorkspaceMembership) -> OrganizationMembership:
    return OrganizationMembership.objects.get(organization=membership.organization_id, user=membership.user_id)


def active(data: dict[str, Any]) -> tuple[str, str]:
    """The ids of the active memberships, of the organization and of the workspace."""
    item = data["active_signin"]
    return item["active_organization_membership_id"], item["active_workspace_membership_id"]


def both_of(membership: WorkspaceMembership) -> tuple[str, str]:
    return str(organization_membership(membership).pk), str(membership.pk)


NONE = ("", "")


# Switching


def test_switching_to_a_workspace_switches_to_its_organization(
    client: ApiClient, membership: WorkspaceMembership
) -> None:
    data = data_of(to_workspace(client, membership.workspace_id))
    assert active(data) == both_of(membership)
    assert data["signins"] == [data["active_signin"]]
    assert active(session_data(client)) == both_of(membership)


def test_switching_to_an_organization_makes_no_workspace_active(
    client: ApiClient, membership: WorkspaceMembership
) -> None:
    expected = both_of(membership)[0], ""
    assert active(data_of(to_organization(client, membership.organization_id))) == expected
    assert active(session_data(client)) == expected


def test_switching_to_another_organization_leaves_the_workspace(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    other = join_organization(user, OrganizationFactory.create(deployment=user.deployment))
    to_workspace(client, membership.workspace_id)
    assert active(data_of(to_organization(client, other.organization_id))) == (str(other.pk), "")


def test_switching_to_the_same_organization_keeps_the_workspace(
    client: ApiClient, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    assert active(data_of(to_organization(client, membership.organization_id))) == both_of(membership)


def test_switching_to_a_workspace_of_another_organization_leaves_the_first(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    other = member_of_new_workspace(user)
    to_workspace(client, membership.workspace_id)
    assert active(data_of(to_workspace(client, other.workspace_id))) == both_of(other)


@pytest.mark.parametrize("query", ["organization_id=", ""])
def test_no_organization_is_no_workspace_either(client: ApiClient, membership: WorkspaceMembership, query: str) -> None:
    to_workspace(client, membership.workspace_id)
    assert active(data_of(client.post(ORGANIZATION, None, query))) == NONE
    assert active(session_data(client)) == NONE


@pytest.mark.parametrize("query", ["workspace_id=", ""])
def test_no_workspace_is_still_the_organization(client: ApiClient, membership: WorkspaceMembership, query: str) -> None:
    to_workspace(client, membership.workspace_id)
    assert active(data_of(client.post(WORKSPACE, None, query))) == (both_of(membership)[0], "")


@pytest.mark.parametrize("path", [ORGANIZATION, WORKSPACE])
def test_nothing_can_be_cleared_that_is_not_set(client: ApiClient, path: str) -> None:
    assert active(data_of(client.post(path))) == NONE


def test_an_error_reveals_to_no_non_member_that_a_place_exists(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    sibling = WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=user.deployment))
    foreign = WorkspaceFactory.create(organization=OrganizationFactory.create())
    # A member of the organization is no member of its other workspaces.
    beside = WorkspaceFactory.create(organization=membership.workspace.organization)
    workspaces = [sibling.pk, foreign.pk, beside.pk, 0, 2**63 - 1]
    organizations = [sibling.organization_id, foreign.organization_id, 0, 2**63 - 1]
    (workspace_answer,) = {to_workspace(client, id_).content for id_ in workspaces}
    (organization_answer,) = {to_organization(client, id_).content for id_ in organizations}
    assert json.loads(workspace_answer)["errors"][0]["code"] == NOT_FOUND
    assert json.loads(organization_answer)["errors"][0]["code"] == NOT_A_MEMBER
    assert active(session_data(client)) == both_of(membership)


@each(("path", "name"), [(ORGANIZATION, "organization_id"), (WORKSPACE, "workspace_id")])
@each(
    ("query", "code"),
    [
        ("{}=x", INVALID_PARAMETER),
        ("{}=-1", INVALID_PARAMETER),
        ("{}=%00", INVALID_PARAMETER),
        ("{}=9223372036854775808", INVALID_PARAMETER),
        ("{0}=1&{0}=1", REPEATED_PARAMETER),
    ],
)
def test_an_id_is_one_number(client: ApiClient, path: str, name: str, query: str, code: int) -> None:
    assert error_code(client.post(path, None, query.format(name))) == code


@pytest.mark.parametrize("path", [ORGANIZATION, WORKSPACE])
def test_a_visitor_cannot_switch(user: User, path: str) -> None:
    visitor = ApiClient(user.deployment)
    visitor.get("/session")
    assert error_code(visitor.post(path)) == NO_ACTIVE_SIGN_IN


# Restrictions


def restrict(row: Organization | Workspace, kind: str) -> None:
    if kind in ("ip", "both"):
        row.enable_ip_restriction, row.whitelisted_ips = True, ["198.51.100.0/24"]
    if kind in ("mfa", "both"):
        setattr(row, "enforce_mfa" if isinstance(row, Organization) else "enforce_2fa", True)
    row.save()


@each("kind", ["ip", "mfa", "both"])
@each("level", ["organization", "workspace"])
def test_a_restricted_workspace_cannot_be_entered(
    client: ApiClient, user: User, membership: WorkspaceMembership, level: str, kind: str
) -> None:
    before = member_of_new_workspace(user)
    to_workspace(client, before.workspace_id)
    restrict(membership.workspace if level == "workspace" else membership.workspace.organization, kind)
    listed = data_of(client.get())[0]["eligibility_restriction"]
    response = to_workspace(client, membership.workspace_id)
    assert error_code(response) == ENTRY_RESTRICTED
    assert response.json()["errors"][0]["message"] == listed["message"] != ""
    assert active(session_data(client)) == both_of(before)


@each("kind", ["ip", "mfa", "both"])
def test_a_restricted_organization_cannot_be_entered(
    client: ApiClient, membership: WorkspaceMembership, kind: str
) -> None:
    restrict(membership.workspace.organization, kind)
    (listed,) = data_of(client.get("/me/organization-memberships"))
    response = to_organization(client, membership.organization_id)
    assert error_code(response) == ENTRY_RESTRICTED
    assert response.json()["errors"][0]["message"] == listed["eligibility_restriction"]["message"] != ""
    assert active(session_data(client)) == NONE


def test_a_workspaces_own_restriction_leaves_the_organization_open(
    client: ApiClient, membership: WorkspaceMembership
) -> None:
    restrict(membership.workspace, "both")
    assert to_organization(client, membership.organization_id).status_code == 200


def test_the_right_network_and_mfa_open_it(client: ApiClient, user: User, membership: WorkspaceMembership) -> None:
    restrict(membership.workspace, "both")
    confirmed_authenticator(user)
    assert error_code(to_workspace(client, membership.workspace_id)) == ENTRY_RESTRICTED
    response = to_workspace(client, membership.workspace_id, REMOTE_ADDR="198.51.100.7")
    assert active(data_of(response)) == both_of(membership)


def test_a_restriction_does_not_keep_anybody_from_leaving(client: ApiClient, membership: WorkspaceMembership) -> None:
    to_workspace(client, membership.workspace_id)
    restrict(membership.workspace.organization, "both")
    assert active(data_of(client.post(ORGANIZATION))) == NONE


# What is gone


@pytest.mark.parametrize(
    ("sql", "leaves_organization"),
    [
        ("DELETE FROM memberships_workspacemembership", True),
        ("DELETE FROM memberships_organizationmembership", False),
    ],
)
def test_a_place_that_the_user_has_left_is_active_no_longer(
    client: ApiClient, membership: WorkspaceMembership, sql: str, leaves_organization: bool
) -> None:
    """The removal of a membership, by any means, shows in the very next answer."""
    to_workspace(client, membership.workspace_id)
    organization, _ = both_of(membership)
    with connection.cursor() as cursor:
        cursor.execute(sql)
    assert active(session_data(client)) == ((organization if leaves_organization else ""), "")
    claims = access_claims(client)
    assert claims["workspace"] == ""
    assert (claims["organization"] != "") == leaves_organization


def test_a_user_who_joins_again_must_enter_again(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    membership.delete()
    join(user, membership.workspace)
    assert active(session_data(client))[1] == ""


# Each sign-in by itself


def test_a_new_sign_in_begins_where_the_last_one_was(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    assert active(session_data(signed_in(user))) == both_of(membership)


def test_the_active_place_is_restored_after_a_sign_out(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    client.post("/session/sign-out")
    assert active(session_data(signed_in(user))) == both_of(membership)


def test_a_sign_in_with_mfa_begins_there_too(client: ApiClient, user: User, membership: WorkspaceMembership) -> None:
    to_workspace(client, membership.workspace_id)
    confirmed_authenticator(user)
    other = ApiClient(user.deployment)
    assert active(data_of(verify(other, attempt_of(sign_in(other, user)), totp()))) == both_of(membership)


@pytest.mark.parametrize("end", ["workspace", "organization"])
def test_a_place_is_not_restored_once_the_membership_is_gone(
    client: ApiClient, user: User, membership: WorkspaceMembership, end: str
) -> None:
    to_workspace(client, membership.workspace_id)
    organization, _ = both_of(membership)
    (membership if end == "workspace" else organization_membership(membership)).delete()
    assert active(session_data(signed_in(user))) == ((organization, "") if end == "workspace" else NONE)


def test_the_place_of_the_latest_of_several_sign_ins_is_restored(user: User, membership: WorkspaceMembership) -> None:
    other = member_of_new_workspace(user)
    first, second = signed_in(user), signed_in(user)
    to_workspace(second, other.workspace_id)
    to_workspace(first, membership.workspace_id)
    assert active(session_data(signed_in(user))) == both_of(membership)


def test_later_sign_ins_of_other_users_do_not_matter(
    client: ApiClient, membership: WorkspaceMembership, user: User
) -> None:
    to_workspace(client, membership.workspace_id)
    other = user_with_password(user.deployment)
    to_workspace(signed_in(other), member_of_new_workspace(other).workspace_id)
    assert active(session_data(signed_in(user))) == both_of(membership)


def test_another_users_place_is_not_taken_over(client: ApiClient, membership: WorkspaceMembership) -> None:
    to_workspace(client, membership.workspace_id)
    other = user_with_password(client.deployment)
    join(other, membership.workspace)
    assert active(session_data(signed_in(other))) == NONE
    assert active(data_of(sign_in(client, other))) == NONE


def test_two_browsers_are_in_two_places(user: User, membership: WorkspaceMembership) -> None:
    here, there = signed_in(user), signed_in(user)
    other = member_of_new_workspace(user)
    to_workspace(here, membership.workspace_id)
    to_workspace(there, other.workspace_id)
    assert active(session_data(here)) == both_of(membership)
    assert active(session_data(there)) == both_of(other)


def test_two_users_in_one_browser_are_in_two_places(client: ApiClient, membership: WorkspaceMembership) -> None:
    to_workspace(client, membership.workspace_id)
    other = user_with_password(client.deployment)
    other_membership = member_of_new_workspace(other)
    sign_in(client, other)
    data = data_of(to_workspace(client, other_membership.workspace_id))
    assert [
        (item["active_organization_membership_id"], item["active_workspace_membership_id"]) for item in data["signins"]
    ] == [both_of(membership), both_of(other_membership)]
    assert active(data) == both_of(other_membership)


@each(
    ("field", "constraint"),
    [
        ("organization_membership", "memberships_active_organization_is_the_users"),
        ("workspace_membership", "memberships_active_workspace_is_the_users"),
        ("user", "memberships_active_sign_in_is_the_users"),
    ],
)
def test_the_database_keeps_users_out_of_each_others_places(
    client: ApiClient, user: User, membership: WorkspaceMembership, field: str, constraint: str
) -> None:
    stranger = UserFactory.create(deployment=user.deployment)
    theirs = join(stranger, membership.workspace)
    wrong = {
        "organization_membership": organization_membership(theirs),
        "workspace_membership": theirs,
        "user": stranger,
    }
    row = {"sign_in": SignIn.objects.get(), "user": user} | {field: wrong[field]}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ActiveMembership.objects.create(**row)


# The access token


def access_claims(client: ApiClient, query: str = "", **headers: Any) -> dict[str, Any]:
    """The claims of the access token, verified with the deployment's keys and name only."""
    token = data_of(client.get("/session/token", query, **headers))["token"]
    (jwk,) = (
        ApiClient(client.deployment)
        .client.get("/.well-known/jwks.json", headers={"Host": client.deployment.host})
        .json()["keys"]
    )
    claims: dict[str, Any] = jwt.decode(
        token,
        jwt.PyJWK(jwk),
        algorithms=["ES256"],
        issuer=f"https://{client.deployment.host}",
        audience=f"https://{client.deployment.host}",
    )
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"], header["kid"]) == ("at+jwt", "ES256", jwk["kid"])
    return claims


def test_the_access_token_names_the_user_and_the_active_place(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    claims = access_claims(client)
    for name in ("iat", "nbf", "exp"):
        assert isinstance(claims.pop(name), int)
    assert claims.pop("jti") != access_claims(client)["jti"]
    assert claims == {
        "iss": f"https://{user.deployment.host}",
        "aud": f"https://{user.deployment.host}",
        "client_id": f"https://{user.deployment.host}",
        "sub": str(user.pk),
        "sid": session_data(client)["id"],
        "organization": str(membership.organization_id),
        "organization_permissions": [],
        "workspace": str(membership.workspace_id),
        "workspace_permissions": [],
    }


def test_the_access_token_lasts_for_half_a_minute(client: ApiClient) -> None:
    before = int(time.time())
    data = data_of(client.get("/session/token"))
    claims = jwt.decode(data["token"], options={"verify_signature": False})
    assert before + 30 <= claims["exp"] <= time.time() + 30
    assert claims["iat"] == claims["nbf"]
    assert before <= claims["iat"] <= time.time()
    assert data["expires"] == claims["exp"] * 1000


def test_the_token_of_a_user_without_an_active_place_says_so(
    client: ApiClient, membership: WorkspaceMembership
) -> None:
    claims = access_claims(client)
    assert claims["organization"] == claims["workspace"] == ""
    assert claims["organization_permissions"] == claims["workspace_permissions"] == []


def test_permissions_are_those_of_all_roles_each_once(client: ApiClient, user: User) -> None:
    organization = OrganizationFactory.create(deployment=user.deployment)
    join_organization(
        user,
        organization,
        OrganizationRoleFactory.create(deployment=user.deployment, permissions=["b", "a"]),
        OrganizationRoleFactory.create(deployment=user.deployment, permissions=["a", "c"]),
    )
    role = WorkspaceRoleFactory.create(deployment=user.deployment, permissions=["w"])
    membership = join(user, WorkspaceFactory.create(organization=organization), role)
    to_workspace(client, membership.workspace_id)
    claims = access_claims(client)
    assert claims["organization_permissions"] == ["b", "a", "c"]
    assert claims["workspace_permissions"] == ["w"]
    role.permissions = ["w", "x"]
    role.save()
    assert access_claims(client)["workspace_permissions"] == ["w", "x"]
    membership.given_roles.all().delete()
    assert access_claims(client)["workspace_permissions"] == []


@each(
    ("level", "kind", "expected"),
    [
        ("organization", "ip", (False, False)),
        ("organization", "mfa", (False, False)),
        ("workspace", "ip", (True, False)),
        ("workspace", "mfa", (True, False)),
    ],
)
def test_a_place_that_is_restricted_since_is_left_out(
    client: ApiClient, membership: WorkspaceMembership, level: str, kind: str, expected: tuple[bool, bool]
) -> None:
    to_workspace(client, membership.workspace_id)
    restrict(membership.workspace if level == "workspace" else membership.workspace.organization, kind)
    claims = access_claims(client)
    assert (claims["organization"] != "", claims["workspace"] != "") == expected
    assert claims["workspace_permissions"] == []


def test_a_place_is_left_out_only_where_it_is_restricted(client: ApiClient, membership: WorkspaceMembership) -> None:
    to_workspace(client, membership.workspace_id)
    restrict(membership.workspace, "ip")
    assert access_claims(client, REMOTE_ADDR="192.0.2.1")["workspace"] == ""
    assert access_claims(client, REMOTE_ADDR="198.51.100.1")["workspace"] == str(membership.workspace_id)


@each("query", ["", "template=", "template=default"])
def test_the_template_may_be_left_out(client: ApiClient, query: str) -> None:
    assert access_claims(client, query)["sub"]


@each(("query", "code"), [("template=x", NOT_FOUND), ("template=DEFAULT", NOT_FOUND), ("template=&template=", 40002)])
def test_there_is_no_other_template(client: ApiClient, query: str, code: int) -> None:
    assert error_code(client.get("/session/token", query)) == code


def test_an_access_token_is_no_session_token(client: ApiClient) -> None:
    token = data_of(client.get("/session/token"))["token"]
    assert error_code(ApiClient(client.deployment, token=token).get("/me")) == 40102


@pytest.mark.parametrize("whose", ["the user's", "a visitor's"])
def test_no_session_token_passes_for_an_access_token(client: ApiClient, whose: str) -> None:
    """Neither to a back-end that asks for the type nor to one that asks for the audience (RFC 9068, 4)."""
    if whose == "a visitor's":
        client = ApiClient(client.deployment)
        client.get("/session")
    token = str(client.token)
    assert jwt.get_unverified_header(token)["typ"] == "JWT"
    with pytest.raises(jwt.MissingRequiredClaimError, match="aud"):
        jwt.decode(
            token,
            load_public_key(client.deployment.signing_keys.get().public_key),
            algorithms=["ES256"],
            audience=client.deployment.issuer,
        )


def test_the_token_of_an_alias_names_the_deployments_own_host(client: ApiClient) -> None:
    client.deployment.aliases.create(host="alias.example.com")
    token = data_of(client.get("/session/token", HTTP_HOST="alias.example.com"))["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["iss"] == f"https://{client.deployment.host}"
