"""The times that staff wait: lists, forms and choices of the admin at scale, with the number of queries of each.

    .venv/bin/python benchmarks/admin.py [--runs N]

It needs a database with the data of ``manage.py load_scale --users 200000`` (a million memberships) and a superuser
(``load_demo`` makes one). It prints a table, writes ``benchmarks/results/admin.json``, and fails if a page takes more
than MOST_QUERIES queries, or more than MOST_MS at the median.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django

from config import local_postgres

local_postgres.provide()
django.setup()

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import counting
from accounts.models import DailyCount, Deployment, User
from demo.scale import HOST
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace, WorkspaceRole
from staff.toolkit.links import address

MOST_QUERIES = 15
MOST_MS = 300
RESULTS = Path(__file__).parent / "results" / "admin.json"
SEARCHES = ["exactly-1000-00@scale.example", "user-0012", "example", "e", "zzzz", "Brewery", "12345", "ada brewery"]
"""An exact address, some rows, all rows, none, a common word, an id, and one thing in another."""


def pages() -> Iterator[str]:
    """The addresses to measure."""
    deployment = Deployment.objects.get(host=HOST)
    user = User.objects.get(deployment=deployment, email="exactly-1000-00@scale.example")
    organization = Organization.objects.filter(deployment=deployment).order_by("-member_count")[0]
    workspace = Workspace.objects.filter(organization=organization)[0]
    membership = WorkspaceMembership.objects.filter(user=user)[0]
    role = WorkspaceRole.objects.get(deployment=deployment, organization=None, name="Member")

    yield "/admin/"
    yield "/admin/?days=90"
    for model in admin.site._registry:
        yield address(model, "changelist")
    for model in (WorkspaceMembership, OrganizationMembership, User, Organization, Workspace):
        yield from (f"{address(model, 'changelist')}?q={text.replace(' ', '+')}" for text in SEARCHES)
        yield f"{address(model, 'changelist')}?p=100"
        yield f"{address(model, 'changelist')}?o=1"
    memberships = address(WorkspaceMembership, "changelist")
    for name, row in {"user": user, "organization": organization, "workspace": workspace, "roles": role}.items():
        yield f"{memberships}?{name}__id__exact={row.pk}"
    yield f"{memberships}?organization__deployment__id__exact={deployment.pk}"
    yield f"{address(User, 'changelist')}?disabled__exact=1"
    yield f"{address(Workspace, 'changelist')}?enforce_2fa__exact=1"
    yield f"{memberships}?created_at_from_0=2020-01-01&created_at_to_0=2020-12-31"
    yield f"{memberships}?created_at_from_0=2000-01-01&created_at_to_0=2000-12-31"
    rows: list[Model] = [deployment, user, organization, workspace, membership, *newest_rows()]
    yield from (address(row, "change") for row in rows)
    for model, field in sorted(choices(), key=str):
        for term in ("", "user-0012", "Brew", "e", "zzzz"):
            yield (
                f"/admin/autocomplete/?app_label={model._meta.app_label}&model_name={model._meta.model_name}"
                f"&field_name={field}&term={term}"
            )


def fill_counts() -> None:
    """Have counts of all kinds and days in each deployment, as twenty connections have counted them."""
    DailyCount.objects.bulk_create(
        (
            DailyCount(
                deployment=deployment, day=counting.today() - timedelta(days=ago), kind=kind, slot=slot, number=9
            )
            for deployment in Deployment.objects.all()
            for ago in range(counting.DAYS)
            for kind in counting.Kind
            for slot in range(-20, 0)
        ),
        batch_size=10_000,
        ignore_conflicts=True,
    )


def newest_rows() -> Iterator[Model]:
    """One row of each model that has pages and rows."""
    for model in admin.site._registry:
        yield from model._default_manager.order_by("-pk")[:1]


def choices() -> set[tuple[type[Model], str]]:
    """Every field that offers choices by search, on the page of a model or in a list on it."""
    pages: list[Any] = list(admin.site._registry.values())
    inlines = [inline for page in pages for inline in page.get_inlines(None, None)]
    return {(page.model, name) for page in [*pages, *inlines] for name in page.autocomplete_fields}


def measured(client: Client, page: str, runs: int) -> dict[str, Any]:
    """Milliseconds at the median, and queries, of ``page``."""
    client.get(page)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        status = client.get(page).status_code
        times.append((time.perf_counter() - started) * 1000)
        if status != 200:
            raise SystemExit(f"{page} answers {status}")
    with CaptureQueriesContext(connection) as queries:
        client.get(page)
    return {"page": page, "median_ms": round(statistics.median(times), 1), "queries": len(queries)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="of each page; default: 7")
    runs = parser.parse_args().runs
    client = Client(headers={"host": "localhost"})
    client.force_login(get_user_model().objects.filter(is_superuser=True)[0])
    print(f"{WorkspaceMembership.objects.count():,} workspace memberships")
    fill_counts()
    rows = []
    for page in pages():
        row = measured(client, page, runs)
        rows.append(row)
        print(f"{row['median_ms']:8.1f} ms {row['queries']:3} queries  {page}", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
    slow = [row["page"] for row in rows if row["median_ms"] > MOST_MS or row["queries"] > MOST_QUERIES]
    if slow:
        raise SystemExit(f"over {MOST_MS} ms or {MOST_QUERIES} queries: {', '.join(slow)}")


if __name__ == "__main__":
    main()
