"""The times that staff wait: pages, choices and previews of the admin at scale, with the number of queries of each.

    .venv/bin/python benchmarks/admin.py [--runs N]

It needs a database with the data of ``manage.py load_scale --users 200000`` (a million memberships) and a superuser
(``load_demo`` makes one). It adds an organization of which all users are members, a million sign-ins, and the counts of
the plots. It prints a table, writes ``benchmarks/results/admin.json``, and fails if a page takes more than MOST_QUERIES
queries, or more than MOST_MS at the median. Previews of what is done to many rows have no limit: they do it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
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
from django.urls import reverse

from accounts.models import Deployment, User
from benchmarks import admin_data
from demo.scale import HOST
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace, WorkspaceRole
from staff.pages.users import UserLackFilter
from staff.toolkit.links import address

MOST_QUERIES = 15
MOST_MS = 300
SIGN_INS = 1_000_000
MANY = 1_000
"""The rows of an action or import that is previewed."""
RESULTS = Path(__file__).parent / "results" / "admin.json"
SEARCHES = ["exactly-1000-00@scale.example", "user-0012", "example", "e", "zzzz", "Brewery", "12345", "ada brewery"]
"""An exact address, some rows, all rows, none, a common word, an id, and one thing in another."""


def pages() -> Iterator[str]:
    """The addresses to measure."""
    deployment = Deployment.objects.get(host=HOST)
    user = User.objects.get(deployment=deployment, email="exactly-1000-00@scale.example")
    usual = Organization.objects.filter(deployment=deployment).exclude(name=admin_data.EVERYBODY)
    organization = usual.order_by("-member_count")[0]
    workspace = Workspace.objects.filter(organization=organization)[0]
    everybody = admin_data.everybody(deployment)
    largest = Workspace.objects.get(organization=everybody)
    membership = WorkspaceMembership.objects.filter(user=user)[0]
    role = WorkspaceRole.objects.get(deployment=deployment, organization=None, name="Member")

    yield "/admin/"
    yield "/admin/?days=90"
    yield f"/admin/?days=90&deployment={deployment.pk}"
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
    yield f"{memberships}?organization__id__exact={everybody.pk}"
    yield f"{memberships}?organization__id__exact={everybody.pk}&q=ada"
    yield from (f"{address(User, 'changelist')}?without={lack}" for lack in UserLackFilter.lacks)
    for row in (user, organization, workspace, everybody, largest):
        yield from (address(row, page) for page in ("overview", "history"))
    yield reverse("admin:memberships_workspacemembership_why_not_for", args=[user.pk])
    rows: list[Model] = [deployment, user, organization, workspace, everybody, largest, membership, *newest_rows()]
    yield from (address(row, "change") for row in rows)
    for model, field in sorted(choices(), key=str):
        for term in ("", "user-0012", "Brew", "e", "zzzz"):
            yield (
                f"/admin/autocomplete/?app_label={model._meta.app_label}&model_name={model._meta.model_name}"
                f"&field_name={field}&term={term}"
            )


def previews() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The names of previews of what is done to many rows, their addresses, and what is posted there, if anything."""
    deployment = Deployment.objects.get(host=HOST)
    workspace = Workspace.objects.get(organization=admin_data.everybody(deployment))
    group = admin_data.changed_together(workspace, MANY)
    yield f"undo of {MANY:,} changes", reverse("admin:audit_auditentry_undo_group", args=[group]), {}
    other = Workspace.objects.filter(organization__deployment=deployment).earliest("pk")
    users = User.objects.filter(deployment=deployment).exclude(workspace_memberships__workspace=other)
    file = admin_data.import_file(deployment, other, users[:MANY])
    yield f"import of {MANY:,} rows", address(WorkspaceMembership, "import_csv"), {"file": file, "check": "1"}
    person = User.objects.get(deployment=deployment, email="exactly-1000-00@scale.example")
    yield "erasure of a user with 1,000 memberships", address(person, "overview"), {"action": "erase"}


def newest_rows() -> Iterator[Model]:
    """One row of each model that has pages and rows."""
    for model in admin.site._registry:
        yield from model._default_manager.order_by("-pk")[:1]


def choices() -> set[tuple[type[Model], str]]:
    """Every field that offers choices by search, on the page of a model or in a list on it."""
    pages: list[Any] = list(admin.site._registry.values())
    inlines = [inline for page in pages for inline in page.get_inlines(None, None)]
    return {(page.model, name) for page in [*pages, *inlines] for name in page.autocomplete_fields}


def requested(client: Client, page: str, data: dict[str, Any]) -> str:
    """The answer to ``page``, to which ``data`` are posted, if there are any."""
    for value in data.values():
        if hasattr(value, "seek"):
            value.seek(0)
    response: Any = client.post(page, data) if data else client.get(page)
    if response.status_code != 200:
        raise SystemExit(f"{page} answers {response.status_code}")
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return str(content.decode())


def measured(client: Client, page: str, runs: int, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """Milliseconds at the median, and queries, of ``page``."""
    data = data or {}
    requested(client, page, data)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        requested(client, page, data)
        times.append((time.perf_counter() - started) * 1000)
    with CaptureQueriesContext(connection) as queries:
        requested(client, page, data)
    return {"page": page, "median_ms": round(statistics.median(times), 1), "queries": len(queries)}


def fill() -> None:
    """Have what the pages show besides the data of ``load_scale``."""
    deployment = Deployment.objects.get(host=HOST)
    admin_data.everybody(deployment)
    admin_data.fill_sign_ins(deployment, SIGN_INS)
    admin_data.fill_counts(Deployment.objects.all())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="of each page; default: 7")
    parser.add_argument("--fill", action="store_true", help="only have the rows, measure nothing")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="pages whose address has it; then nothing is written"
    )
    arguments = parser.parse_args()
    fill()
    if arguments.fill:
        return
    client = Client(headers={"host": "localhost"})
    client.force_login(get_user_model().objects.filter(is_superuser=True)[0])
    print(f"{WorkspaceMembership.objects.count():,} workspace memberships")
    rows = []
    for page in pages():
        if arguments.only in page:
            rows.append(measured(client, page, arguments.runs))
            print(line(rows[-1]), flush=True)
    slow = [row["page"] for row in rows if row["median_ms"] > MOST_MS or row["queries"] > MOST_QUERIES]
    for name, page, data in previews():
        if arguments.only in name:
            rows.append(measured(client, page, arguments.runs, data) | {"preview": name})
            print(line(rows[-1]), flush=True)
    if not arguments.only:
        RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
    if slow:
        raise SystemExit(f"over {MOST_MS} ms or {MOST_QUERIES} queries: {', '.join(slow)}")


def line(row: dict[str, Any]) -> str:
    return f"{row['median_ms']:8.1f} ms {row['queries']:3} queries  {row.get('preview', row['page'])}"


if __name__ == "__main__":
    main()
