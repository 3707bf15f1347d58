"""Searches read the index of words, not whole tables: also of rows just written, and if reading it seems dear."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from organizations.models import Organization, Workspace
from tests.support.admin import url
from tests.support.cases import each
from tests.support.database import execute
from tests.support.factories import UserFactory, WorkspaceFactory
from tests.support.plans import nodes_of

pytestmark = pytest.mark.django_db
MANY = 5_000
NAMES: dict[type[Model], str] = {User: "first_name", Organization: "name", Workspace: "name"}


@pytest.fixture(scope="module", autouse=True)
def shared_many(shared_rows: None) -> None:
    """So many users, organizations and workspaces, written by one transaction."""
    user, workspace = UserFactory.create(), WorkspaceFactory.create()
    execute("SET LOCAL session_replication_role = replica")
    for row in (user, workspace.organization, workspace):
        _copy(row)
    execute("SET LOCAL session_replication_role = DEFAULT")


def _copy(row: Model) -> None:
    table = row._meta.db_table
    unique = ", 'email', number || '@example.com'" if isinstance(row, User) else ""
    execute(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(copied, jsonb_build_object("
        f"'id', id + number, '{NAMES[type(row)]}', 'North by north-west ' || number{unique}))).* "
        f"FROM {table} copied, generate_series(1, %s) number WHERE id = %s",
        [MANY, row.pk],
    )
    execute(f"ANALYZE {table}")


def read_to_their_ends(captured: CaptureQueriesContext) -> Iterator[str]:
    """The tables that the searches among the statements would read as a whole."""
    searches = [query["sql"] for query in captured.captured_queries if " @@ " in query["sql"]]
    assert searches
    for search in searches:
        yield from (node["Relation Name"] for node in nodes_of(search) if node["Node Type"] == "Seq Scan")


@each("address", ["/admin/search/", *(url(model, "changelist") for model in NAMES)])
@each("cost", [4, 900])
def test_a_search_reads_no_table_to_its_end(admin_client: Client, address: str, cost: int) -> None:
    """``cost`` is what the planner takes for the cost of reading a page of an index; 4 is usual."""
    execute(f"SET LOCAL random_page_cost = {cost}")
    with CaptureQueriesContext(connection) as captured:
        page = admin_client.get(address, {"q": "zzzz"})
    assert page.status_code == 200
    assert not {model._meta.db_table for model in NAMES} & set(read_to_their_ends(captured))


def test_no_index_has_entries_that_each_search_must_read() -> None:
    """Those that writers leave to be sorted in later: up to 4 MB (``gin_pending_list_limit``)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_am ON pg_am.oid = relam "
            "WHERE amname = 'gin' AND relkind = 'i' AND NOT coalesce('fastupdate=off' = ANY (reloptions), false)"
        )
        assert cursor.fetchall() == []
