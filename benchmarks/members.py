"""The database's time for the members of an organization and of a workspace in which all users at scale are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from psycopg import sql

from benchmarks.report import Verdict

if TYPE_CHECKING:
    from benchmarks.data import Data
    from memberships.standing import Standing

MOST_MS = 20.0
LIMIT = 100
"""Members on a page: as many as there can be."""
SEARCHES = {
    "an address": "user-004242@scale.example",
    "the beginning of some": "user-0012",
    "a first name": "Ada",
    "what all have": "example",
    "what nobody has": "zzzz",
}


def places(data: Data) -> Iterator[Standing]:
    """The standing of a member in the organization that all users are in, and in its workspace."""
    from accounts.models import Deployment
    from benchmarks.admin_data import everybody
    from memberships.permissions import Rights
    from memberships.standing import Standing

    organization = everybody(Deployment.objects.get(pk=data.deployment_id))
    for workspace_id in (None, organization.auto_assigned_workspace_id):
        caller: Any = None  # the standing is not of any request
        yield Standing(caller, organization.pk, 0, workspace_id, 0, Rights(frozenset()))


def measure(data: Data) -> Iterator[Verdict]:
    """The database time of each page and search by EXPLAIN (ANALYZE), with the look-up of the rows that are shown."""
    from memberships.self_service import members, shown

    for standing in places(data):
        level, place, statement = (
            ("organization", standing.organization_id, shown.ORGANIZATION_MEMBERS)
            if standing.workspace_id is None
            else ("workspace", standing.workspace_id, shown.WORKSPACE_MEMBERS)
        )
        _, total = members.page_of(standing, page=1, limit=LIMIT, search="")
        last = -(-total // LIMIT)
        for name, number in {"first": 1, "deepest": last // 2, "last": last, "beyond the last": last + 1}.items():
            ids, _ = members.page_of(standing, page=number, limit=LIMIT, search="")
            values = {"place": place, "first": (number - 1) * LIMIT, "limit": LIMIT}
            took = _took(members.PAGES[level], values) + _took(statement, {"ids": ids})
            yield _verdict(f"{level} of {total:,}: {name} page", took, len(ids))
        for name, text in SEARCHES.items():
            ids, found = members.page_of(standing, page=1, limit=LIMIT, search=text)
            took = _search_took(standing, text) + _took(statement, {"ids": ids})
            yield _verdict(f"{level} of {total:,}: search for {name} ({text})", took, found)


def _verdict(name: str, milliseconds: float, found: int) -> Verdict:
    text = f"{name}: {milliseconds:.1f} ms (at most {MOST_MS:.0f} ms), {found} found"
    return Verdict(milliseconds <= MOST_MS, text)


def _took(statement: Any, values: dict[str, Any]) -> float:
    """Milliseconds that PostgreSQL executes the prepared statement, the best of five."""
    from django.db import connection

    session: Any = connection.connection
    session.execute(b"PREPARE measured AS " + statement.sql)
    call = sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE measured ({})").format(
        sql.SQL(", ").join(sql.Literal(values[name]) for name in statement.parameters)
    )
    times: list[float] = [session.execute(call).fetchone()[0][0]["Execution Time"] for _ in range(5)]
    session.execute("DEALLOCATE measured")
    return min(times)


def _search_took(standing: Standing, text: str) -> float:
    """The same for a search, which is planned each time, and that counts too."""
    import orjson

    from memberships.self_service import members

    matches = members.matching(standing, text)
    assert matches is not None
    rows = matches.values_list("created_at", "pk")[: members.MOST_FOUND]
    plans = [orjson.loads(rows.explain(analyze=True, format="JSON"))[0] for _ in range(5)]
    times: list[float] = [plan["Planning Time"] + plan["Execution Time"] for plan in plans]
    return min(times)
