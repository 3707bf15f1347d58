"""Ada of the demo, who polls every process of a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
import psycopg
import pytest

from tests.support.api import MEMBERSHIPS
from tests.support.polled import DEPLOYMENT, ME, ORGANIZATIONS, SESSION, TOKEN
from tests.support.server import Connection, Reply

ADA = "ada@demo.example"
WORKSPACE = "Havn · Harbour"
MEMBERSHIP = f"""
    SELECT membership.id FROM memberships_workspacemembership membership
    JOIN accounts_user member ON member.id = membership.user_id AND member.email = '{ADA}'
    JOIN organizations_workspace workspace ON workspace.id = membership.workspace_id AND workspace.name = '{WORKSPACE}'
"""
ACT = f"""
    INSERT INTO memberships_activemembership (sign_in_id, user_id, organization_membership_id, workspace_membership_id)
    SELECT sign_in.id, own.user_id, membership.id, own.id
    FROM memberships_workspacemembership own
    JOIN memberships_organizationmembership membership
        ON membership.user_id = own.user_id AND membership.organization_id = own.organization_id
    JOIN accounts_signin sign_in ON sign_in.user_id = own.user_id AND sign_in.ended_at IS NULL
    WHERE own.id IN ({MEMBERSHIP})
    ON CONFLICT (sign_in_id) DO UPDATE
    SET organization_membership_id = excluded.organization_membership_id,
        workspace_membership_id = excluded.workspace_membership_id
"""
"""Ada acts in Havn."""


@dataclass
class Service:
    """Two server processes on one database, each with a connection that is kept, and a session of Ada's."""

    connections: list[Connection]
    database_url: str
    cookie: str
    etags: dict[tuple[Connection, str], str] = field(default_factory=dict)

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def answers(self, path: str = MEMBERSHIPS) -> list[Reply]:
        """The answer of each process to a client that polls: it names the ETag of its last one."""
        answers = []
        for connection in self.connections:
            answer = connection.request(
                path, Cookie=self.cookie, If_None_Match=self.etags.get((connection, path), '"none"')
            )
            if answer.status == 200:
                self.etags[connection, path] = answer.headers["ETag"]
            answers.append(answer)
        return answers

    def lists(self, path: str = MEMBERSHIPS) -> list[Any]:
        """``data`` of each process's answer, which must be a new one; of a token its claims."""
        answers = self.answers(path)
        assert [answer.status for answer in answers] == [200] * len(answers)
        found = [json.loads(answer.body)["data"] for answer in answers]
        if path == TOKEN:
            return [jwt.decode(data["token"], options={"verify_signature": False}) for data in found]
        return found


def of_harbour(data: list[dict[str, Any]]) -> dict[str, Any]:
    (item,) = [item for item in data if item["workspace"]["name"] == WORKSPACE]
    return item


Look = Callable[[list[dict[str, Any]]], Any]


def of_ada(data: dict[str, Any]) -> dict[str, Any]:
    """The active sign-in's user in a session."""
    user: dict[str, Any] = data["active_signin"]["user"]
    return user


def of_nordlys(data: list[dict[str, Any]]) -> dict[str, Any]:
    (item,) = [item for item in data if item["organization"]["name"] == "Nordlys Logistikk"]
    return item


NORDLYS = f"""
    SELECT membership.id FROM memberships_organizationmembership membership
    JOIN accounts_user member ON member.id = membership.user_id AND member.email = '{ADA}'
    JOIN organizations_organization organization
        ON organization.id = membership.organization_id AND organization.name = 'Nordlys Logistikk'
"""
OF_ADA = f"(SELECT id FROM accounts_user WHERE email = '{ADA}')"

CHANGES = [
    pytest.param(
        f"UPDATE accounts_user SET first_name = 'Augusta' WHERE email = '{ADA}'",
        {
            ME: (lambda data: data["first_name"], "Augusta"),
            SESSION: (lambda data: of_ada(data)["first_name"], "Augusta"),
            ORGANIZATIONS: (lambda data: of_nordlys(data)["user"]["first_name"], "Augusta"),
        },
        id="a user's name",
    ),
    pytest.param(
        f"""UPDATE accounts_user SET public_metadata = '{{"n": 4}}' WHERE email = '{ADA}'""",
        {
            ME: (lambda data: data["public_metadata"], {"n": 4}),
            SESSION: (lambda data: of_ada(data)["public_metadata"], {"n": 4}),
        },
        id="a user's metadata",
    ),
    pytest.param(
        f"UPDATE accounts_user SET password = '' WHERE email = '{ADA}'",
        {
            ME: (lambda data: data["has_password"], False),
            SESSION: (lambda data: of_ada(data)["has_password"], False),
        },
        id="a password that is removed",
    ),
    pytest.param(
        "UPDATE organizations_segment SET name = 'Later access' WHERE name = 'Early access'",
        {
            ME: (lambda data: data["segments"][0]["name"], "Later access"),
            SESSION: (lambda data: of_ada(data)["segments"][0]["name"], "Later access"),
        },
        id="a user's segment",
    ),
    pytest.param(
        f"UPDATE accounts_emailaddress SET verified_at = now() WHERE user_id = {OF_ADA}",
        {
            ME: (lambda data: data["user_email_addresses"][0]["verified"], True),
            SESSION: (lambda data: of_ada(data)["user_email_addresses"][0]["verified"], True),
        },
        id="an address that is verified",
    ),
    pytest.param(
        f"INSERT INTO accounts_backupcode (user_id, code_hash) VALUES ({OF_ADA}, 'never')",
        {
            ME: (lambda data: data["backup_codes_generated"], True),
            SESSION: (lambda data: of_ada(data)["backup_codes_generated"], True),
        },
        id="backup codes",
    ),
    pytest.param(
        "TRUNCATE accounts_backupcode",
        {
            ME: (lambda data: data["backup_codes_generated"], False),
            SESSION: (lambda data: of_ada(data)["backup_codes_generated"], False),
        },
        id="backup codes of everybody that are deleted",
    ),
    pytest.param(
        f"DELETE FROM organizations_usersegment WHERE user_id = {OF_ADA}",
        {ME: (lambda data: data["segments"], []), SESSION: (lambda data: of_ada(data)["segments"], [])},
        id="a user who leaves a segment",
    ),
    pytest.param(
        f"""UPDATE memberships_organizationmembership SET public_metadata = '{{"n": 5}}' WHERE id IN ({NORDLYS})""",
        {ORGANIZATIONS: (lambda data: of_nordlys(data)["public_metadata"], {"n": 5})},
        id="an organization membership's metadata",
    ),
    pytest.param(
        "UPDATE organizations_organization SET image_url = 'https://x.example/' WHERE name = 'Nordlys Logistikk'",
        {ORGANIZATIONS: (lambda data: of_nordlys(data)["organization"]["image_url"], "https://x.example/")},
        id="an organization's picture",
    ),
    pytest.param(
        "UPDATE organizations_organizationrole SET permissions = '{audit:write}' WHERE name = 'Auditor'",
        {
            ORGANIZATIONS: (
                lambda data: of_nordlys(data)["roles"][-1]["permissions"],
                ["audit:write"],
            ),
            TOKEN: (lambda claims: claims["organization_permissions"][-1], "audit:write"),
        },
        id="an organization role's permissions",
    ),
    pytest.param(
        f"""
        INSERT INTO memberships_workspacemembershiprole (membership_id, role_id)
        SELECT ({MEMBERSHIP}), id FROM organizations_workspacerole WHERE name = 'Dispatcher'
        """,
        {TOKEN: (lambda claims: claims["workspace_permissions"], ["shift:read", "shift:write"])},
        id="a workspace role that is given",
    ),
    pytest.param(
        "UPDATE organizations_workspacerole SET permissions = '{token:read}' WHERE name = 'Dispatcher'",
        {TOKEN: (lambda claims: claims["workspace_permissions"], ["token:read"])},
        id="a workspace role's permissions",
    ),
    pytest.param(
        "UPDATE accounts_signin SET ip_address = '192.0.2.9'",
        {SESSION: (lambda data: data["active_signin"]["ipAddress"], "192.0.2.9")},
        id="a sign-in's address",
    ),
    pytest.param(
        "UPDATE accounts_deployment SET name = 'Renamed' WHERE host = '127.0.0.1'",
        {DEPLOYMENT: (lambda data: data["ui_settings"]["app_name"], "Renamed")},
        id="a deployment's name",
    ),
    pytest.param(
        f"""
        DELETE FROM memberships_organizationmembershiprole USING organizations_organizationrole role
        WHERE role.id = role_id AND role.name = 'Member' AND membership_id IN ({NORDLYS})
        """,
        {
            ORGANIZATIONS: (lambda data: [role["name"] for role in of_nordlys(data)["roles"]], ["Auditor"]),
            TOKEN: (lambda claims: claims["organization_permissions"], ["audit:write"]),
        },
        id="an organization role that is taken",
    ),
    pytest.param(
        "UPDATE organizations_workspace SET enable_ip_restriction = true, whitelisted_ips = '{192.0.2.0/24}'"
        f" WHERE name = '{WORKSPACE}'; "
        "UPDATE accounts_deployment SET ip_allowlist_per_workspace_enabled = true WHERE host = '127.0.0.1'",
        {
            DEPLOYMENT: (lambda data: data["b2b_settings"]["ip_allowlist_per_workspace_enabled"], True),
            TOKEN: (lambda claims: claims["workspace"], ""),
        },
        id="an allow-list that keeps Ada out",
    ),
    pytest.param(
        "UPDATE memberships_activemembership SET workspace_membership_id = NULL",
        {SESSION: (lambda data: data["active_signin"]["active_workspace_membership_id"], "")},
        id="a workspace that is left in the session",
    ),
    pytest.param(
        f"DELETE FROM memberships_organizationmembership WHERE id IN ({NORDLYS})",
        {
            ORGANIZATIONS: (
                lambda data: [item["organization"]["name"] for item in data].count("Nordlys Logistikk"),
                0,
            ),
            SESSION: (lambda data: data["active_signin"]["active_organization_membership_id"], ""),
            TOKEN: (lambda claims: claims["organization"], ""),
        },
        id="an organization membership that ends",
    ),
]
"""Changes of the account, by SQL, and how each polled endpoint that shows it does so."""
