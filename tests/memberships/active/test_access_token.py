"""The access token proves the user, the active place and its permissions to back-ends."""

from __future__ import annotations

import time

import jwt
import pytest

from accounts.models import User
from accounts.tokens.keys import load_public_key
from memberships.models import WorkspaceMembership
from tests.support.active import NOT_FOUND, access_claims, restrict, to_workspace
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import (
    OrganizationFactory,
    OrganizationRoleFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    join,
    join_organization,
)
from tests.support.sign_in import session_data


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
