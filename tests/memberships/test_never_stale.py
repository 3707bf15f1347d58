"""No answer is ever stale: what one commits, the next answer of every process shows, whoever wrote it and how."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jwt
import psycopg
import pytest

from config.urls import FAST_PATHS
from tests.support.api import MEMBERSHIPS
from tests.support.polled import DEPLOYMENT, ME, ORGANIZATIONS, SESSION, TOKEN
from tests.support.server import Connection, Reply, running_server
from tests.support.starting import Starts

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


@pytest.fixture(scope="module")
def service(starts: Starts, demo_server: str, demo_env: dict[str, str]) -> Iterator[Service]:
    cookie = f"__session={starts.run('manage.main()', 'issue_session', ADA, env=demo_env).stdout.strip()}"
    with running_server(demo_env) as other, Connection(demo_server) as one, Connection(other) as another:
        yield Service([one, another], demo_env["DATABASE_URL"], cookie)


@pytest.fixture(autouse=True)
def polling(service: Service) -> None:
    """Both processes have answered, and say so."""
    service.execute(ACT)
    service.etags.clear()
    for path in FAST_PATHS:
        service.lists(path)
        assert [answer.status for answer in service.answers(path)] == [200 if path == TOKEN else 304] * 2


def of_harbour(data: list[dict[str, Any]]) -> dict[str, Any]:
    (item,) = [item for item in data if item["workspace"]["name"] == WORKSPACE]
    return item


Look = Callable[[list[dict[str, Any]]], Any]


def test_new_mfa_is_seen_at_once(service: Service) -> None:
    service.execute(f"UPDATE organizations_workspace SET enforce_2fa = true WHERE name = '{WORKSPACE}'")
    kinds = [of_harbour(data)["eligibility_restriction"]["type"] for data in service.lists()]
    assert all(kind.endswith("mfa_required") for kind in kinds), kinds
    service.execute(
        f"""
        INSERT INTO accounts_authenticator (user_id, secret, confirmed_at)
        SELECT id, '', now() FROM accounts_user WHERE email = '{ADA}'
        """
    )
    kinds = [of_harbour(data)["eligibility_restriction"]["type"] for data in service.lists()]
    assert not any(kind.endswith("mfa_required") for kind in kinds), kinds


@pytest.mark.parametrize(
    ("statement", "look", "expected"),
    [
        pytest.param(
            "UPDATE organizations_workspacerole SET permissions = '{changed:read}' WHERE name = 'Member'",
            lambda data: of_harbour(data)["roles"][0]["permissions"],
            ["changed:read"],
            id="a role's permissions",
        ),
        pytest.param(
            "UPDATE organizations_segment SET name = 'Renamed' WHERE name = 'Pilot customers'",
            lambda data: of_harbour(data)["organization"]["segments"][0]["name"],
            "Renamed",
            id="a segment's name",
        ),
        pytest.param(
            f"DELETE FROM organizations_workspacesegment USING organizations_workspace workspace "
            f"WHERE workspace.id = workspace_id AND workspace.name = '{WORKSPACE}'",
            lambda data: of_harbour(data)["workspace"]["segments"],
            [],
            id="a workspace that leaves its segments",
        ),
        pytest.param(
            f"""UPDATE organizations_workspace SET public_metadata = '{{"n": 1}}' WHERE name = '{WORKSPACE}'""",
            lambda data: of_harbour(data)["workspace"]["public_metadata"],
            {"n": 1},
            id="a workspace's metadata",
        ),
        pytest.param(
            """UPDATE organizations_organization SET private_metadata = '{"n": 2}' WHERE name = 'Nordlys Logistikk'""",
            lambda data: of_harbour(data)["organization"]["private_metadata"],
            {"n": 2},
            id="an organization's private metadata",
        ),
        pytest.param(
            f"UPDATE memberships_workspacemembership SET public_metadata = '{{\"n\": 3}}' WHERE id IN ({MEMBERSHIP})",
            lambda data: of_harbour(data)["public_metadata"],
            {"n": 3},
            id="a membership's metadata",
        ),
        pytest.param(
            f"""
            UPDATE organizations_workspace SET enable_ip_restriction = true, whitelisted_ips = '{{192.0.2.0/24}}'
            WHERE name = '{WORKSPACE}'
            """,
            lambda data: of_harbour(data)["eligibility_restriction"]["type"],
            "ip_not_allowed",
            id="an allow-list",
        ),
        pytest.param(
            "UPDATE accounts_deployment SET ip_allowlist_per_workspace_enabled = false WHERE host = '127.0.0.1'",
            lambda data: of_harbour(data)["eligibility_restriction"]["type"],
            "none",
            id="a switch of the deployment",
        ),
        pytest.param(
            "UPDATE accounts_deployment SET private_metadata_audience = 'nobody' WHERE host = '127.0.0.1'",
            lambda data: of_harbour(data)["organization"]["private_metadata"],
            {},
            id="who sees private metadata",
        ),
        pytest.param(
            f"""
            INSERT INTO memberships_workspacemembershiprole (membership_id, role_id)
            SELECT ({MEMBERSHIP}), role.id FROM organizations_workspacerole role
            JOIN accounts_deployment deployment ON deployment.id = role.deployment_id AND host = '127.0.0.1'
            WHERE role.name = 'Admin' AND role.workspace_id IS NULL AND role.organization_id IS NULL
            """,
            lambda data: [role["name"] for role in of_harbour(data)["roles"]].count("Admin"),
            1,
            id="a role that is given",
        ),
        pytest.param(
            f"""
            DELETE FROM memberships_workspacemembershiprole USING organizations_workspacerole role
            WHERE role.id = role_id AND role.name = 'Admin' AND membership_id IN ({MEMBERSHIP})
            """,
            lambda data: [role["name"] for role in of_harbour(data)["roles"]].count("Admin"),
            0,
            id="a role that is taken",
        ),
        pytest.param(
            f"DELETE FROM memberships_workspacemembership WHERE id IN ({MEMBERSHIP})",
            lambda data: [item["workspace"]["name"] for item in data].count(WORKSPACE),
            0,
            id="a membership that ends",
        ),
        pytest.param(
            f"""
            INSERT INTO memberships_workspacemembership (organization_id, workspace_id, user_id)
            SELECT workspace.organization_id, workspace.id, member.id
            FROM organizations_workspace workspace, accounts_user member
            WHERE workspace.name = '{WORKSPACE}' AND member.email = '{ADA}'
            """,
            lambda data: [item["workspace"]["name"] for item in data].count(WORKSPACE),
            1,
            id="a membership that begins",
        ),
        pytest.param(
            """
            DELETE FROM memberships_workspacemembership USING accounts_user member
            WHERE member.id = user_id AND member.email = 'chioma@demo.example'
            """,
            lambda data: of_harbour(data)["workspace"]["member_count"],
            2,
            id="somebody else who leaves",
        ),
        pytest.param(
            "UPDATE organizations_organizationrole SET permissions = '{organization:admin}' WHERE name = 'Member'",
            lambda data: {item["eligibility_restriction"]["type"] for item in data},
            {"none"},
            id="what an organization's role may do",
        ),
        pytest.param(
            "TRUNCATE organizations_organizationsegment",
            lambda data: [item["organization"]["segments"] for item in data if item["organization"]["segments"]],
            [],
            id="a table that is emptied",
        ),
        pytest.param(
            "UPDATE organizations_workspace SET description = 'All at once'",
            lambda data: {item["workspace"]["description"] for item in data},
            {"All at once"},
            id="everything at once",
        ),
    ],
)
def test_the_next_answer_of_every_process_shows_a_change_of(
    service: Service, statement: str, look: Look, expected: Any
) -> None:
    service.execute(statement)
    assert [look(data) for data in service.lists()] == [expected, expected]


FOR_VISITORS = {SESSION, DEPLOYMENT}


@pytest.mark.parametrize(
    ("statement", "undo", "code"),
    [
        (
            f"UPDATE accounts_user SET disabled = true WHERE email = '{ADA}'",
            f"UPDATE accounts_user SET disabled = false WHERE email = '{ADA}'",
            40106,
        ),
        ("UPDATE accounts_signin SET ended_at = now()", "UPDATE accounts_signin SET ended_at = NULL", 40105),
        ("UPDATE accounts_session SET ended_at = now()", "UPDATE accounts_session SET ended_at = NULL", 40104),
        (
            "UPDATE accounts_signingkey SET revoked_at = now()",
            "UPDATE accounts_signingkey SET revoked_at = NULL",
            40102,
        ),
        (
            "UPDATE accounts_deployment SET host = 'elsewhere.example' WHERE host = '127.0.0.1'",
            "UPDATE accounts_deployment SET host = '127.0.0.1' WHERE host = 'elsewhere.example'",
            40402,
        ),
    ],
    ids=["a disabled user", "an ended sign-in", "an ended session", "a revoked key", "another host"],
)
def test_the_next_answer_of_every_process_is_refused_after(
    service: Service, statement: str, undo: str, code: int
) -> None:
    service.execute(statement)
    try:
        for path in FAST_PATHS.keys() - (FOR_VISITORS if code // 100 == 401 else set()):
            assert [json.loads(answer.body)["errors"][0]["code"] for answer in service.answers(path)] == [code, code]
        if code // 100 == 401:
            assert [data["active_signin"] for data in service.lists(SESSION)] == [None, None]
    finally:
        service.execute(undo)


def test_a_change_is_seen_when_it_is_committed_however_long_ago_it_was_made(service: Service) -> None:
    with psycopg.connect(service.database_url) as slow:
        slow.execute(f"UPDATE organizations_workspace SET description = 'Slow' WHERE name = '{WORKSPACE}'")
        # Others commit meanwhile, which the processes see: those rows of the invalidation log have higher ids.
        service.execute("UPDATE organizations_organization SET description = 'Quick'")
        for data in service.lists():
            assert of_harbour(data)["organization"]["description"] == "Quick"
            assert of_harbour(data)["workspace"]["description"] != "Slow"
        slow.commit()
    assert [of_harbour(data)["workspace"]["description"] for data in service.lists()] == ["Slow", "Slow"]


def test_a_change_that_is_rolled_back_is_never_seen(service: Service) -> None:
    with psycopg.connect(service.database_url) as other:
        other.execute("UPDATE organizations_workspace SET description = 'Never'")
        assert [answer.status for answer in service.answers()] == [304, 304]
        other.rollback()
    assert [answer.status for answer in service.answers()] == [304, 304]


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


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
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
    ],
)
def test_every_polled_endpoint_of_every_process_shows_at_once(
    service: Service, statement: str, shown: dict[str, tuple[Look, Any]]
) -> None:
    service.execute(statement)
    for path, (look, expected) in shown.items():
        assert [look(data) for data in service.lists(path)] == [expected, expected], path
    assert [answer.status for path in shown.keys() - {TOKEN} for answer in service.answers(path)] == (
        [304, 304] * len(shown.keys() - {TOKEN})
    )
