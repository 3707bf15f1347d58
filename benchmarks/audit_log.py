"""The times that staff wait for the audit log with ten million entries: its list, each filter, a group, an export.

    .venv/bin/python benchmarks/audit_log.py fill [--entries N]
    .venv/bin/python benchmarks/audit_log.py index
    .venv/bin/python benchmarks/audit_log.py measure [--runs N]

It needs a migrated database to itself, with a superuser, and fills it with made-up entries of one year: about 9 GB.
``fill`` drops the indexes of the log, ``index`` makes them again; both go on where they stopped. ``measure`` prints
a table, and fails if a page takes more than MOST_QUERIES queries, or more than MOST_MS at the median.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

from config import local_postgres

local_postgres.provide()
django.setup()

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from audit.models import AuditEntry
from staff.toolkit.links import address

MOST_QUERIES = 15
MOST_MS = 300
PIECE = 1_000_000
PEOPLE, ORGANIZATIONS = 100_000, 5_000
IMPORT = 100_000
"""The entries of one large action, in the middle of the log."""

_DEPLOYMENTS = """
    INSERT INTO accounts_deployment (id, name, host)
    SELECT n, 'Deployment ' || n, 'd' || n || '.bench.example' FROM generate_series(900001, 900020) n
    ON CONFLICT DO NOTHING
"""
_USERS = """
    INSERT INTO accounts_user (id, deployment_id, email)
    SELECT 900000 + n, 900001, 'user' || n || '@bench.example' FROM generate_series(1, 1000) n
    ON CONFLICT DO NOTHING
"""
# Of ten entries eight are about memberships; one kind of object and one actor are rare; deployment 1 has half of all.
_ENTRIES = """
    INSERT INTO audit_auditentry (at, action, model, object_id, name, subjects, deployment_id, actor_kind, actor_id,
        actor_name, address, group_id, before, after)
    SELECT now() - (10000000 - n) * interval '3.15 seconds',
        (ARRAY['added', 'added', 'added', 'changed', 'deleted'])[1 + n %% 5],
        model, object_id,
        CASE model WHEN 'accounts.user' THEN 'user' || object_id - 900000 || '@bench.example'
            WHEN 'organizations.organization' THEN 'Organization ' || object_id ELSE '' END,
        CASE WHEN model LIKE 'memberships%%' THEN ARRAY[model || ':' || object_id,
            'organizations.organization:' || organization, 'accounts.user:' || person]
            ELSE ARRAY[model || ':' || object_id] END,
        CASE WHEN n %% 2 = 0 THEN 900001 ELSE 900001 + n / 2 %% 20 END,
        CASE WHEN n %% 3 = 0 THEN 'staff' ELSE 'user' END, n %% 200,
        CASE WHEN n %% 1000003 = 0 THEN 'rare' ELSE 'actor' || n %% 200 END, '192.0.2.1',
        CASE WHEN n BETWEEN 5000000 AND 5000000 + %(large)s THEN '00000000-0000-7000-8000-000000000000'
            ELSE md5((n / 7)::text) END::uuid,
        NULL, jsonb_build_object('id', object_id, 'user_id', person, 'organization_id', organization,
            'public_metadata', '{}'::jsonb)
    FROM (
        SELECT n, 900001 + hashint8(n) %% %(people)s + %(people)s AS person,
            1 + abs(hashint8(n * 7)) %% %(organizations)s AS organization,
            CASE WHEN n %% 1000003 = 1 THEN 'organizations.segment' WHEN n %% 10 = 0 THEN 'accounts.user'
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
        _drop_indexes()
        cursor.execute("SELECT count(*) FROM audit_auditentry")
        (present,) = cursor.fetchone() or (0,)
        while present < entries:
            last = min(present + PIECE, entries)
            values = {"first": present + 1, "last": last, "large": IMPORT}
            cursor.execute(_ENTRIES, values | {"people": PEOPLE, "organizations": ORGANIZATIONS})
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


def pages() -> Iterator[tuple[str, str]]:
    """The names and addresses of the pages to measure."""
    log = address(AuditEntry, "changelist")
    day = "at_from_0={0}&at_to_0={0}"
    moments = AuditEntry.objects.order_by("pk").values_list("at", flat=True)
    old, middle = moments[100], AuditEntry.objects.get(pk=moments.model.objects.latest("pk").pk // 2).at
    person = User.objects.filter(deployment_id=900001).earliest("pk").email
    filters = {
        "all of it": "",
        "page 100": "p=99",
        "a person": f"person={person}",
        "a person who is gone": "person=user50000@bench.example",
        "nobody": "person=nobody@bench.example",
        "a place": "place=Organization 77",
        "an object by name": "object=Organization 77",
        "an object by id": "object=77",
        "an actor": "actor=actor7",
        "a rare actor": "actor=rare",
        "an action": "action__exact=deleted",
        "a common kind": "model=memberships.workspacemembership",
        "a rare kind": "model=organizations.segment",
        "a kind without entries": "model=organizations.workspacerole",
        "a large deployment": "deployment=900001",
        "a small deployment": "deployment=900007",
        "the oldest day": day.format(f"{old:%Y-%m-%d}"),
        "a day in the middle": day.format(f"{middle:%Y-%m-%d}"),
        "half of the time": f"at_to_0={middle:%Y-%m-%d}",
        "a person's removals in a day": f"person={person}&action__exact=deleted&{day.format(f'{middle:%Y-%m-%d}')}",
        "an actor, an action, half of the time": f"actor=actor7&action__exact=deleted&at_to_0={middle:%Y-%m-%d}",
        "a deployment, a rare kind": "deployment=900007&model=organizations.segment",
        "a deployment, a kind, an action": "deployment=900007&model=accounts.user&action__exact=deleted",
        "a large action": "group=00000000-0000-7000-8000-000000000000",
        "a search": "q=organization 77",
    }
    yield "home", "/admin/"
    yield from ((name, f"{log}?{query}".replace(" ", "+").replace("@", "%40")) for name, query in filters.items())
    yield "history of a deployment", "/admin/accounts/deployment/900001/history/"
    yield "the first 5,000 lines of an export", f"{log}export/csv/"
    yield "an entry", address(AuditEntry.objects.latest("pk"), "change")


def measure(runs: int) -> int:
    client = Client(headers={"host": "localhost"})
    client.force_login(get_user_model().objects.filter(is_superuser=True)[0])
    bad = 0
    say(f"{AuditEntry.objects.count():,} entries\n\n| page | queries | database ms | ms |\n|---|---|---|---|")
    for name, path in pages():
        _open(client, path)
        with CaptureQueriesContext(connection) as captured:
            _open(client, path)
        queries = [float(query["time"]) for query in captured]  # now: the next request forgets them
        database = 1000 * sum(queries)
        times = []
        for _ in range(runs):
            begin = time.perf_counter()
            _open(client, path)
            times.append(1000 * (time.perf_counter() - begin))
        median = statistics.median(times)
        is_bad = len(queries) > MOST_QUERIES or median > MOST_MS
        bad += is_bad
        say(f"| {name} | {len(queries)} | {database:.0f} | {median:.0f}{' **too much**' if is_bad else ''} |")
    return bad


def _open(client: Client, path: str) -> None:
    response: Any = client.get(path)
    if response.status_code != 200:
        raise SystemExit(f"{path}: {response.status_code}")
    if response.streaming:
        list(islice(response.streaming_content, 5_000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fill", "index", "measure"])
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.what == "fill":
        fill(arguments.entries)
    elif arguments.what == "index":
        index()
    else:
        sys.exit(measure(arguments.runs) > 0)


if __name__ == "__main__":
    main()
