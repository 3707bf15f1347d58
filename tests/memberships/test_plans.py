"""The plans of polled statements use an index in every table that grows, however many rows there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from benchmarks.plan import hot_statement
from config.urls import FAST_PATHS
from demo import scale
from organizations.models import Segment
from tests.support.api import ApiClient
from tests.support.database import execute
from tests.support.plans import nodes_of

pytestmark = pytest.mark.django_db(transaction=True)

GROWING = {
    "accounts_authenticator",
    "accounts_backupcode",
    "accounts_emailaddress",
    "accounts_session",
    "accounts_signin",
    "accounts_signinattempt",
    "accounts_signupattempt",
    "accounts_user",
    "database_invalidation",
    "memberships_activemembership",
    "memberships_organizationmembership",
    "memberships_organizationmembershiprole",
    "memberships_workspacemembership",
    "memberships_workspacemembershiprole",
    "organizations_organization",
    "organizations_organizationsegment",
    "organizations_usersegment",
    "organizations_workspace",
    "organizations_workspacesegment",
}
"""The tables that the statements read, but for roles and segments, of which a deployment has some dozens."""


def load() -> tuple[User, User]:
    """So many rows that a plan matters, each user in a session, rows of the invalidation log; gives two users."""
    deployment = scale.load(users=4_000, seed=1, host="scale.test", report=_unreported)
    execute(
        "INSERT INTO accounts_session (deployment_id, expires_at) "
        "SELECT deployment_id, now() + interval '1 hour' FROM accounts_user"
    )
    execute(
        "INSERT INTO accounts_signin (deployment_id, session_id, user_id, expires_at) "
        "SELECT deployment_id, id, (SELECT min(id) FROM accounts_user), expires_at FROM accounts_session"
    )
    execute("INSERT INTO memberships_activemembership (sign_in_id, user_id) SELECT id, user_id FROM accounts_signin")
    execute(
        "INSERT INTO accounts_authenticator (user_id, secret, confirmed_at) SELECT id, '', now() FROM accounts_user"
    )
    execute("INSERT INTO accounts_backupcode (user_id, code_hash) SELECT id, '' FROM accounts_user")
    execute(
        "INSERT INTO accounts_signinattempt (deployment_id, session_id, user_id, method, expires_at) "
        "SELECT deployment_id, session_id, user_id, 'plain_email', expires_at FROM accounts_signin"
    )
    execute(
        "INSERT INTO accounts_signupattempt (deployment_id, session_id, email, expires_at) "
        "SELECT deployment_id, session_id, 'new@example.com', expires_at FROM accounts_signin"
    )
    segment = Segment.objects.create(deployment=deployment, name="Pilots", type="user")
    execute(
        "INSERT INTO organizations_usersegment (segment_id, user_id) SELECT %s, id FROM accounts_user", [segment.pk]
    )
    execute(
        "INSERT INTO database_invalidation (kind, key, transaction) "
        "SELECT 'user', number, number::text::xid8 FROM generate_series(1, 5000) number"
    )
    execute("ANALYZE")
    users = User.objects.filter(deployment=deployment, email__startswith="exactly-10-").order_by("id")
    return users[0], users[1]


def _unreported(what: str, number: int) -> None:
    """Nobody watches."""


def plans() -> dict[str, list[dict[str, Any]]]:
    """The nodes of each prepared statement of the connection, planned as for the endpoint: once for all values."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW plan_cache_mode")
        assert cursor.fetchone() == ("force_generic_plan",)
        cursor.execute("SELECT name, statement, cardinality(parameter_types) FROM pg_prepared_statements")
        prepared = [row for row in cursor.fetchall() if row[2]]  # one without parameters begins or ends a transaction
    return {
        statement: nodes_of(f"EXECUTE {name} ({', '.join(['NULL'] * parameters)})")
        for name, statement, parameters in prepared
    }


def test_no_statement_of_a_polled_endpoint_reads_a_growing_table_to_its_end() -> None:
    one, other = load()
    connection.close()  # the next connection has prepared nothing, and its process has cached nothing
    for user in (one, one, other):  # the second one's fragments are read by other statements than the first one's
        client = ApiClient(user.deployment, user)
        assert len(client.get().json()["data"]) == 10
        for path in FAST_PATHS:
            assert client.get(path).status_code == 200
    found = plans()
    # The deployment; three kinds of fragments, of the user and by their ids; one statement for each endpoint.
    assert len(found) == 7 + len(FAST_PATHS)
    read = {node["Relation Name"] for nodes in found.values() for node in nodes if "Relation Name" in node}
    assert read >= GROWING
    for statement, nodes in found.items():
        for node in nodes:
            assert node["Node Type"] != "Seq Scan" or node["Relation Name"] not in GROWING, statement


def test_the_benchmark_explains_the_statement_of_the_endpoint() -> None:
    member = SimpleNamespace(session_id=1)
    data: Any = SimpleNamespace(members=lambda _: [member], deployment_id=1)
    assert "Execution Time" in hot_statement(data, memberships=10)
