"""The times that staff wait for the audit log with ten million entries: its list, each filter, a group, an export.

    .venv/bin/python benchmarks/audit_log.py fill [--entries N]
    .venv/bin/python benchmarks/audit_log.py index
    .venv/bin/python benchmarks/audit_log.py measure [--runs N]
    .venv/bin/python benchmarks/audit_log.py writes [--runs N]

It needs a migrated database to itself, with a superuser, and fills it with made-up entries of one year: about 9 GB.
``fill`` drops the indexes of the log, ``index`` makes them again; both go on where they stopped. ``measure`` opens the
log with each filter, with every two of them and with sets of more; it prints a table of the first and of what is slow,
writes ``benchmarks/results/audit_log.json``, and fails if a page (not a file, which is streamed) takes more than
MOST_QUERIES queries, or more than MOST_MS at the median.
``writes`` says what each index adds to the time of writing an entry.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

from config import local_postgres

local_postgres.provide()
django.setup()

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.models import AuditEntry
from staff.models import StaffAccess
from staff.toolkit.links import address

MOST_QUERIES = 15
MOST_MS = 300
MORE = 40
"""Sets of three or four filters that are measured, besides all sets of two."""
MORE_RUNS = 3
"""Of each page of which there are hundreds."""
RESULTS = Path(__file__).parent / "results" / "audit_log.json"
PIECE = 1_000_000
BATCH = 20_000
"""The entries of one statement whose cost is measured."""
PEOPLE, ORGANIZATIONS = 100_000, 5_000
NAMESAKES = 4_901
"""The organizations from this one on have the same name, but for the one of the large action."""
IMPORT = 100_000
"""The entries of one large action, in the middle of the log."""
FIRST_ONES = 300_000

_DEPLOYMENTS = """
    INSERT INTO accounts_deployment (id, name, host)
    SELECT n, 'Deployment ' || n, 'd' || n || '.bench.example' FROM generate_series(900001, 900021) n
    ON CONFLICT DO NOTHING
"""
_USERS = """
    INSERT INTO accounts_user (id, deployment_id, email)
    SELECT 900000 + n, 900001, 'user' || n || '@bench.example' FROM generate_series(1, 1000) n
    ON CONFLICT DO NOTHING
"""
_ORGANIZATION = """
    INSERT INTO organizations_organization (id, deployment_id, name)
    VALUES (%s, 900001, 'The largest import') ON CONFLICT DO NOTHING
"""
# Of ten entries eight are about memberships; one kind of object and one actor are rare; deployment 1 has half of all.
# The first entries are of a deployment, an actor, objects and a kind of them that have none later.
_ENTRIES = """
    INSERT INTO audit_auditentry (at, action, model, object_id, name, subjects, deployment_id, actor_kind, actor_id,
        actor_name, address, group_id, before, after)
    SELECT now() - (10000000 - n) * interval '3.15 seconds',
        (ARRAY['added', 'added', 'added', 'changed', 'deleted'])[1 + n %% 5],
        model, object_id,
        CASE model WHEN 'accounts.user' THEN 'user' || object_id - 900000 || '@bench.example'
            WHEN 'organizations.organization' THEN
                CASE WHEN object_id BETWEEN %(namesakes)s AND %(organizations)s THEN 'General'
                    ELSE 'Organization ' || object_id END
            WHEN 'organizations.workspace' THEN 'Zebra ' || object_id ELSE '' END,
        CASE WHEN model LIKE 'memberships%%' THEN ARRAY[model || ':' || object_id,
            'organizations.organization:' || organization, 'accounts.user:' || person]
            ELSE ARRAY[model || ':' || object_id] END,
        CASE WHEN n <= %(first_ones)s THEN 900021 WHEN n %% 2 = 0 THEN 900001 ELSE 900001 + n / 2 %% 20 END,
        CASE WHEN n %% 1000003 = 0 THEN 'command' WHEN n %% 3 = 0 THEN 'staff' ELSE 'user' END, n %% 200,
        CASE WHEN n %% 1000003 = 0 THEN 'rare' WHEN n <= %(first_ones)s THEN 'predecessor'
            ELSE 'actor' || n %% 200 END, '192.0.2.1',
        CASE WHEN is_large THEN '00000000-0000-7000-8000-000000000000'
            ELSE md5((n / 7)::text) END::uuid,
        NULL, jsonb_build_object('id', object_id, 'user_id', person, 'organization_id', organization,
            'public_metadata', '{}'::jsonb)
    FROM (
        SELECT n, 900001 + hashint8(n) %% %(people)s + %(people)s AS person,
            n BETWEEN 5000000 AND 5000000 + %(large)s AS is_large,
            CASE WHEN n BETWEEN 5000000 AND 5000000 + %(large)s THEN %(organizations)s + 1
                ELSE 1 + abs(hashint8(n * 7)) %% %(organizations)s END AS organization,
            CASE WHEN n <= %(first_ones)s AND n %% 2 = 1 THEN 'organizations.workspace'
                WHEN n %% 1000003 = 1 THEN 'organizations.segment' WHEN n %% 10 = 0 THEN 'accounts.user'
                WHEN n %% 10 = 1 THEN 'organizations.organization'
                WHEN n %% 10 < 6 THEN 'memberships.organizationmembership'
                ELSE 'memberships.workspacemembership' END AS model
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
    ) made, LATERAL (SELECT CASE model WHEN 'accounts.user' THEN person WHEN 'organizations.organization'
        THEN organization ELSE n END AS object_id OFFSET 0) own
"""


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def fill(entries: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0; SET synchronous_commit = off")
        cursor.execute(_DEPLOYMENTS)
        cursor.execute(_USERS)
        cursor.execute(_ORGANIZATION, [ORGANIZATIONS + 1])
        _drop_indexes()
        cursor.execute("SELECT count(*) FROM audit_auditentry")
        (present,) = cursor.fetchone() or (0,)
        while present < entries:
            last = min(present + PIECE, entries)
            cursor.execute(_ENTRIES, _values(present + 1, last))
            present = last
            say(f"{present:,} entries")


def index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0; SET maintenance_work_mem = '1GB'")
        present = _indexes()
        for one in AuditEntry._meta.indexes:
            if one.name not in present:
                with connection.schema_editor() as editor:
                    editor.add_index(AuditEntry, one)
                say(one.name)
        cursor.execute("VACUUM ANALYZE audit_auditentry")


def _drop_indexes() -> None:
    present = _indexes()
    for one in AuditEntry._meta.indexes:
        if one.name in present:
            with connection.schema_editor() as editor:
                editor.remove_index(AuditEntry, one)


def _indexes() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'audit_auditentry'")
        return {name for (name,) in cursor}


def writes(runs: int) -> None:
    """Print how long an entry takes to be written, and how much less it takes without each of the indexes."""
    names = ["", *(one.name for one in AuditEntry._meta.indexes)]
    took: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            took[name].append(_written(without=name))
    whole = statistics.median(took[""])
    say(f"{whole:.1f} µs an entry; of that for")
    for name in names[1:]:
        say(f"{whole - statistics.median(took[name]):6.1f} µs {name}")


def _written(*, without: str) -> float:
    """The microseconds of an entry among BATCH of one statement; rolled back, with the index."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        if without:
            cursor.execute(f"DROP INDEX {without}")
        cursor.execute("SELECT max(id) FROM audit_auditentry")
        (last,) = cursor.fetchone() or (0,)
        begin = time.perf_counter()
        cursor.execute(_ENTRIES, _values(last + 1, last + BATCH))
        took = time.perf_counter() - begin
        transaction.set_rollback(True)
    return 1e6 * took / BATCH


def _values(first: int, last: int) -> dict[str, int]:
    values = {"first": first, "last": last, "large": IMPORT, "first_ones": FIRST_ONES, "namesakes": NAMESAKES}
    return values | {"people": PEOPLE, "organizations": ORGANIZATIONS}


def filters() -> dict[str, dict[str, str]]:
    """The queries of each filter, by what they find."""
    day = "at_from_0={0}&at_to_0={0}"
    moments = AuditEntry.objects.order_by("pk").values_list("at", flat=True)
    old, middle = moments[100], AuditEntry.objects.get(pk=AuditEntry.objects.latest("pk").pk // 2).at
    person = User.objects.filter(deployment_id=900001).earliest("pk").email
    return {
        "person": {
            "a person": f"person={person}",
            "a person who is gone": "person=user50000@bench.example",
            "nobody": "person=nobody@bench.example",
        },
        "place": {
            "a place": "place=Organization 77",
            "a large place": f"place=Organization {ORGANIZATIONS + 1}",
            "places of one name": "place=general",
            "a place that never was": "place=Zebra",
        },
        "object": {
            "an object": "object=Organization 77",
            "an id": "object=77",
            "half of all names": "object=org",
            "objects of long ago": "object=zebra",
        },
        "actor": {
            "an actor": "actor=actor7",
            "a rare actor": "actor=rare",
            "an actor of long ago": "actor=predecessor",
        },
        "action": {"additions": "action__exact=added", "deletions": "action__exact=deleted"},
        "actor's kind": {
            "users": "actor_kind__exact=user",
            "commands": "actor_kind__exact=command",
            "visitors": "actor_kind__exact=visitor",
        },
        "kind": {
            "a common kind": "model=memberships.workspacemembership",
            "a less common kind": "model=accounts.user",
            "a rare kind": "model=organizations.segment",
            "a kind without entries": "model=organizations.workspacerole",
            "a kind of long ago": "model=organizations.workspace",
        },
        "deployment": {
            "a large deployment": "deployment=900001",
            "a small deployment": "deployment=900007",
            "a deployment of long ago": "deployment=900021",
        },
        "time": {
            "the oldest day": day.format(f"{old:%Y-%m-%d}"),
            "a day in the middle": day.format(f"{middle:%Y-%m-%d}"),
            "the older half": f"at_to_0={middle:%Y-%m-%d}",
            "the newer half": f"at_from_0={middle:%Y-%m-%d}",
        },
        "group": {"a large action": "group=00000000-0000-7000-8000-000000000000"},
        "search": {
            "a search": "q=organization 77",
            "a search for half of all": "q=org",
            "a search for what was long ago": "q=zebra",
            "a search for an id": "q=77",
            "a search for nothing": "q=zzzz",
        },
    }


Page = tuple[str, str]
"""A name and an address."""


def single(log: str) -> Iterator[Page]:
    """The log with each filter by itself."""
    for queries in filters().values():
        yield from ((name, _address(log, query)) for name, query in queries.items())


def together(log: str) -> Iterator[Page]:
    """The log with each two filters, and with many sets of three and four."""
    chosen = [list(queries.items()) for queries in filters().values()]
    sets: list[tuple[Page, ...]] = [each for two in combinations(chosen, 2) for each in product(*two)]
    larger: list[tuple[Page, ...]] = [
        each for number in (3, 4) for some in combinations(chosen, number) for each in product(*some)
    ]
    sets += random.Random(1).sample(larger, MORE)
    for each in sets:
        yield ", ".join(name for name, _ in each), _address(log, "&".join(query for _, query in each))


def others(log: str) -> Iterator[Page]:
    """Other pages and files that read the log."""
    largest = f"/admin/organizations/organization/{ORGANIZATIONS + 1}"
    yield "home", "/admin/"
    yield "the whole log", log
    yield "its page 100", f"{log}?p=99"
    yield "a small deployment's page 100", _address(log, "deployment=900007&p=99")
    yield "an actor's deletions, page 50", _address(log, "actor=actor7&action__exact=deleted&p=49")
    yield "history of a deployment", "/admin/accounts/deployment/900001/history/"
    yield "history of an organization with a large import", f"{largest}/history/"
    yield "overview of it", f"{largest}/overview/"
    yield "an entry", address(AuditEntry.objects.latest("pk"), "change")
    nothing = _address(f"{log}export/jsonl/", "deployment=900007&model=accounts.user&action__exact=deleted")
    yield "the first line of an export", f"{log}export/jsonl/"
    yield "an export of nothing", nothing


def _address(path: str, query: str) -> str:
    return f"{path}?{query}".replace(" ", "+").replace("@", "%40")


def staff_of(*deployments: int) -> Client:
    """A browser of somebody who may read of ``deployments`` alone."""
    user, _ = get_user_model().objects.get_or_create(username=f"bench-{'-'.join(map(str, deployments))}", is_staff=True)
    access, _ = StaffAccess.objects.get_or_create(user=user, role=StaffAccess.Role.SUPPORT)
    access.deployments.set(deployments)
    return _client(user)


def _client(user: Any) -> Client:
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def measure(runs: int) -> int:
    log = address(AuditEntry, "changelist")
    everywhere = _client(get_user_model().objects.filter(is_superuser=True)[0])
    rows = []
    say(f"{AuditEntry.objects.count():,} entries\n\n| page | queries | database ms | ms |\n|---|---|---|---|")
    parts = [
        ("", everywhere, [*others(log), *single(log)]),
        ("together: ", everywhere, together(log)),
        ("staff of two deployments: ", staff_of(900007, 900021), [("home", "/admin/"), ("all", log), *single(log)]),
    ]
    for part, client, pages in parts:
        for name, path in pages:
            row = _measured(client, path, runs if not part else MORE_RUNS) | {"page": part + name, "address": path}
            rows.append(row)
            if not part or row["is_bad"]:
                say(_line(row))
    for part, _, _ in parts:
        own = [row for row in rows if row["page"].startswith(part or "")]
        median = statistics.median(row["ms"] for row in own)
        say(
            f"{part or 'all: '}{len(own)} pages, median {median:.0f} ms, slowest {max(row['ms'] for row in own):.0f} ms"
        )
    RESULTS.write_text("[\n" + ",\n".join(f"  {json.dumps(row)}" for row in rows) + "\n]\n")
    return sum(row["is_bad"] for row in rows)


def _line(row: dict[str, Any]) -> str:
    mark = " **too much**" if row["is_bad"] else ""
    return f"| {row['page']} | {row['queries']} | {row['database_ms']} | {row['ms']}{mark} |"


def _measured(client: Client, path: str, runs: int) -> dict[str, Any]:
    _open(client, path)
    with CaptureQueriesContext(connection) as captured:
        _open(client, path)
    # Now: the next request forgets them. Prepared statements, which are for the session and the access, give no time.
    queries = [float(query["time"] or 0) for query in captured]
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        _open(client, path)
        times.append(1000 * (time.perf_counter() - begin))
    median = statistics.median(times)
    return {
        "ms": round(median),
        "database_ms": round(1000 * sum(queries)),
        "queries": len(queries),
        "is_bad": "/export/" not in path and (len(queries) > MOST_QUERIES or median > MOST_MS),
    }


def _open(client: Client, path: str) -> None:
    response: Any = client.get(path)
    if response.status_code != 200:
        raise SystemExit(f"{path}: {response.status_code}")
    if response.streaming:
        next(response.streaming_content, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fill", "index", "measure", "writes"])
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.what == "fill":
        fill(arguments.entries)
    elif arguments.what == "index":
        index()
    elif arguments.what == "writes":
        writes(arguments.runs)
    else:
        sys.exit(measure(arguments.runs) > 0)


if __name__ == "__main__":
    main()
