"""No answer is ever stale: what one commits, the next answer of every process shows, whoever wrote it and how."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from config.urls import FAST_PATHS
from tests.support.polled import DEPLOYMENT, SESSION, TOKEN
from tests.support.polling import (
    ACT,
    ADA,
    CHANGES,
    MEMBERSHIP,
    WORKSPACE,
    Look,
    Service,
    of_harbour,
)
from tests.support.server import Connection, running_server
from tests.support.starting import Starts


@pytest.fixture(scope="module")
def service(starts: Starts, demo_server: str, demo_env: dict[str, str]) -> Iterator[Service]:
    issued = starts.run("manage.main()", "issue_session", ADA, env=demo_env)
    assert issued.returncode == 0, issued.stderr
    cookie = f"__session={issued.stdout.strip()}"
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


@pytest.mark.parametrize(("statement", "shown"), CHANGES)
def test_every_polled_endpoint_of_every_process_shows_at_once(
    service: Service, statement: str, shown: dict[str, tuple[Look, Any]]
) -> None:
    service.execute(statement)
    for path, (look, expected) in shown.items():
        assert [look(data) for data in service.lists(path)] == [expected, expected], path
    assert [answer.status for path in shown.keys() - {TOKEN} for answer in service.answers(path)] == (
        [304, 304] * len(shown.keys() - {TOKEN})
    )
