"""Helpers that switch the active organization and workspace of a sign-in, and read them back."""

from __future__ import annotations

from typing import Any, NamedTuple

import jwt

from accounts.models import User
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace
from tests.support.api import ApiClient, data_of

NOT_FOUND = 40404

ORGANIZATION = "/session/switch-organization"
WORKSPACE = "/session/switch-workspace"


class World(NamedTuple):
    user: User
    membership: WorkspaceMembership
    client: ApiClient


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


def restrict(row: Organization | Workspace, kind: str) -> None:
    if kind in ("ip", "both"):
        row.enable_ip_restriction, row.whitelisted_ips = True, ["198.51.100.0/24"]
    if kind in ("mfa", "both"):
        setattr(row, "enforce_mfa" if isinstance(row, Organization) else "enforce_2fa", True)
    row.save()


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
