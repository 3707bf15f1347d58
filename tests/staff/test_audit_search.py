"""Finding entries of the audit log by several conditions, in a bounded time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEntry
from staff.pages import audit_search
from staff.pages.audit_search import newest
from tests.support.admin import url
from tests.support.database import execute
from tests.support.factories import DeploymentFactory, staff
from tests.support.plans import nodes_of

pytestmark = pytest.mark.django_db
LOG = url(AuditEntry, "changelist")
CONDITIONS = [
    [Q(), Q(actor_name="ada"), Q(actor_name="bo"), Q(actor_name="nobody")],
    [Q(), Q(action="added"), Q(action="deleted")],
    [Q(), Q(model="organizations.workspace"), Q(model="accounts.user")],
    [
        Q(),
        Q(deployment_id__in=[-1]),
        Q(deployment_id__in=[-1, -2]),
        Q(deployment_id__in=[-1, -2]) & Q(deployment_id=-2),
    ],
    [Q(), Q(name__startswith="W"), Q(subjects__contains=["accounts.user:1"]), Q(name="W1") | Q(object_id=2)],
    [Q(), Q(subjects__overlap=["accounts.user:1", "accounts.user:2"]), Q(subjects__overlap=[])],
]


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> list[AuditEntry]:
    """Many for so short a look; of a deployment that is gone, in which only the first are bo's and about users."""
    monkeypatch.setattr(audit_search, "LOOKED_AT", 4)
    chance = random.Random(7)
    return AuditEntry.objects.bulk_create(
        AuditEntry(
            action=chance.choice(["added", "added", "deleted"]),
            model="accounts.user" if number < 12 else "organizations.workspace",
            object_id=number,
            name=f"W{number % 3}" if number % 2 else "",
            subjects=[f"accounts.user:{number % 3}", f"row:{number}"],
            deployment_id=-1 - number % 2,
            actor_kind="user",
            actor_name="bo" if number < 12 else "ada",
        )
        for number in range(40)
    )


def pages_of(conditions: Q) -> Iterator[list[int]]:
    """The ids that each look finds, from the newest entries on."""
    rows: Any = AuditEntry.objects.filter(conditions)
    while rows is not None:
        found, oldest = newest(rows)
        yield list(found.values_list("pk", flat=True))
        rows = oldest and rows.filter(pk__lt=oldest.pk)


def test_looking_further_back_finds_each_entry_that_fits_once(entries: list[AuditEntry]) -> None:
    ends_early = 0
    for chosen in random.Random(7).sample(list(product(*CONDITIONS)), 60):
        conditions = Q(pk__gte=entries[0].pk)
        for each in chosen:
            conditions &= each
        pages = list(pages_of(conditions))
        expected = list(AuditEntry.objects.filter(conditions).order_by("-pk").values_list("pk", flat=True))
        assert [pk for page in pages for pk in page] == expected, conditions
        ends_early += len(pages) > 1
    assert ends_early > 8


def test_the_condition_that_few_entries_fit_is_looked_through_at_once(entries: list[AuditEntry]) -> None:
    rare = AuditEntry.objects.create(
        action="deleted", model="organizations.segment", object_id=1, name="", subjects=[], actor_name="ada"
    )
    AuditEntry.objects.bulk_create(
        AuditEntry(action="deleted", model="accounts.user", object_id=1, name="", subjects=[], actor_name="ada")
        for _ in range(10)
    )
    rows = AuditEntry.objects.filter(model="organizations.segment", actor_name="ada", action="deleted")
    found, oldest = newest(rows)
    assert list(found) == [rare]
    assert oldest is None


def test_few_entries_that_fit_one_of_several_conditions_are_all_found(entries: list[AuditEntry]) -> None:
    for either in (Q(subjects__overlap=["row:1", "row:15", "row:30"]), Q(object_id=1) | Q(object_id__in=[15, 30])):
        found, oldest = newest(AuditEntry.objects.filter(either, pk__gte=entries[0].pk))
        assert [entry.object_id for entry in found] == [30, 15, 1]
        assert oldest is None


def test_a_list_that_has_not_looked_at_all_says_so_and_goes_on(admin_client: Client, entries: list[AuditEntry]) -> None:
    query = {"actor": "ada", "action__exact": "deleted"}
    response = admin_client.get(LOG, query)
    oldest = response.context["cl"].oldest
    page = " ".join(response.content.decode().split())
    assert "Only the newest 4 entries that may fit were looked at" in page
    assert f"before={oldest.pk}" in page
    further: Any = admin_client.get(LOG, query | {"before": str(oldest.pk)}).context["cl"].result_list
    expected = [entry.pk for entry in reversed(entries) if entry.actor_name == "ada" and entry.action == "deleted"]
    looked_at = [entry.pk for entry in reversed(entries) if entry.actor_name == "ada"][:8]
    found = [entry.pk for entry in [*response.context["cl"].result_list, *further]]
    assert found == [pk for pk in expected if pk in looked_at] != []
    lines = b"".join(admin_client.get(url(AuditEntry, "jsonl"), query).streaming_content).splitlines()  # type: ignore[attr-defined]  # a stream
    assert [json.loads(line)["id"] for line in lines] == expected


def test_staff_of_several_deployments_find_theirs_alone(entries: list[AuditEntry]) -> None:
    own = [DeploymentFactory.create() for _ in range(2)]
    client = Client()
    client.force_login(staff(*own))
    AuditEntry.objects.bulk_create(
        AuditEntry(
            action="deleted",
            model="organizations.workspace",
            object_id=1,
            name="",
            subjects=[],
            deployment_id=pk,
            actor_name="ada",
        )
        for _ in range(3)
        for pk in (*(deployment.pk for deployment in own), -1)
    )
    found = client.get(LOG, {"actor": "ada", "action__exact": "deleted"}).context["cl"].result_list
    assert {entry.deployment_id for entry in found} == {deployment.pk for deployment in own}


def test_entries_of_long_ago_are_found_without_reading_all_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the log was never vacuumed, so that to read an index alone is not cheap."""
    monkeypatch.setattr(audit_search, "LOOKED_AT", 100)
    execute(
        "INSERT INTO audit_auditentry "
        "(action, model, object_id, name, subjects, actor_kind, actor_name, deployment_id) "
        "SELECT 'added', 'accounts.user', number, '', '{}', 'user', "
        "CASE WHEN number < 2000 THEN 'old' ELSE 'new' END, CASE WHEN number < 2000 THEN -1 ELSE -2 END "
        "FROM generate_series(1, 20000) number"
    )
    execute("ANALYZE audit_auditentry")
    for fits in ({"actor_name": "old"}, {"deployment_id__in": [-1, -3]}, {"actor_name": "old", "action": "added"}):
        with CaptureQueriesContext(connection) as captured:
            found, _ = newest(AuditEntry.objects.filter(**fits))
        assert found.count() > 0
        for query in captured.captured_queries:
            assert [node for node in nodes_of(query["sql"]) if reads_all_newer(node)] == [], query["sql"]


def reads_all_newer(node: dict[str, Any]) -> bool:
    return node["Node Type"] == "Seq Scan" or (
        node.get("Index Name") == "audit_auditentry_pkey" and "Index Cond" not in node
    )
