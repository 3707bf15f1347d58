"""The audit log as staff read it: on each object's page, and all of it to search."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit import actors
from audit.models import AuditEntry
from organizations.models import Organization
from staff.models import StaffAccess
from staff.pages import audit_export
from staff.toolkit import exports
from tests.support.admin import saved, send, url
from tests.support.database import execute
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    UserFactory,
    WorkspaceRoleFactory,
    join,
    new_branch,
    staff,
)

pytestmark = pytest.mark.django_db
TRAIL = url(AuditEntry, "changelist")


def text(response: Any) -> str:
    assert response.status_code == 200
    content: str = response.content.decode()
    return content


def found(client: Client, **query: Any) -> set[tuple[str, int]]:
    response = client.get(TRAIL, query)
    assert response.status_code == 200
    return {(entry.model, entry.object_id) for entry in response.context["cl"].result_list}


def test_a_raw_sql_update_appears_in_the_history_of_the_object(admin_client: Client) -> None:
    organization = OrganizationFactory.create(name="Vorher")
    execute("UPDATE organizations_organization SET name = 'Nachher' WHERE id = %s", [organization.pk])
    page = text(admin_client.get(url(organization, "history")))
    assert "<strong>name</strong> Vorher → Nachher" in page
    assert "database role (SQL)" in page


def test_a_reader_of_the_history_can_undo_a_change(admin_client: Client) -> None:
    organization = OrganizationFactory.create(name="Vorher", whitelisted_ips=["192.0.2.1"])
    send(admin_client, url(organization, "change"), name="Nachher", whitelisted_ips="203.0.113.0/24")
    page = text(admin_client.get(url(organization, "history")))
    assert "whitelisted_ips</strong> [&quot;192.0.2.1&quot;] → [&quot;203.0.113.0/24&quot;]" in page
    assert "admin · Staff from 127.0.0.1" in page
    assert saved(send(admin_client, url(organization, "change"), name="Vorher", whitelisted_ips="192.0.2.1"))
    assert Organization.objects.values_list("name", "whitelisted_ips").get() == ("Vorher", ["192.0.2.1"])


def test_a_removed_member_shows_on_the_pages_of_user_workspace_and_organization(admin_client: Client) -> None:
    branch = new_branch()
    membership = join(branch.user, branch.workspace, WorkspaceRoleFactory.create(deployment=branch.deployment))
    pk = membership.pk
    membership.delete()
    for row in (branch.user, branch.workspace, branch.organization):
        page = text(admin_client.get(url(row, "history")))
        assert f"Workspace membership {pk} ({branch.organization}, {branch.workspace}, {branch.user})" in page
        assert "deleted" in page
    entry = AuditEntry.objects.get(model="memberships.workspacemembership", object_id=pk, action="deleted")
    assert str(entry) == f"workspace membership {pk}"


def test_a_history_is_of_its_object_alone(admin_client: Client) -> None:
    mine, other = OrganizationFactory.create(name="Mine"), OrganizationFactory.create(name="Other")
    page = text(admin_client.get(url(mine, "history")))
    assert "Mine" in page
    assert "Other" not in page
    assert admin_client.get(f"/admin/organizations/organization/{other.pk}999/history/").status_code == 404


def test_the_history_of_a_deployment_is_all_that_happened_in_it(admin_client: Client) -> None:
    organization = OrganizationFactory.create()
    page = text(admin_client.get(url(organization.deployment, "history")))
    assert str(organization) in page
    assert re.search(r"<details><summary>\d+ more</summary>", page)  # the deployment has very many columns


def test_the_trail_is_found_by_object_actor_action_and_deployment(admin_client: Client) -> None:
    with actors.acting(actors.command("nightly")):
        mine = OrganizationFactory.create(name="Nordlys Logistikk")
    other = OrganizationFactory.create(name="Other")
    key = ("organizations.organization", mine.pk)
    other_key = ("organizations.organization", other.pk)
    queries: list[dict[str, Any]] = [
        {"q": "nordlys"},
        {"q": str(mine.pk), "model": "organizations.organization"},
        {"q": "nightly"},
        {"deployment": mine.deployment_id},
        {"actor_kind__exact": "command"},
    ]
    for query in queries:
        assert key in found(admin_client, **query), query
        assert other_key not in found(admin_client, **query), query
    assert found(admin_client, action__exact="deleted") == set()
    assert {key, other_key} <= found(admin_client, action__exact="added", model="organizations.organization")


def test_the_log_is_found_by_a_person_and_names_them_after_they_are_gone(admin_client: Client) -> None:
    branch = new_branch()
    membership = join(branch.user, branch.workspace)
    address, pk = branch.user.email, membership.pk
    key = ("memberships.workspacemembership", pk)
    UserFactory.create(deployment=branch.deployment)
    for query in (address.upper(), str(branch.user.pk)):
        assert key in found(admin_client, person=query)
        assert not [model for model, _ in found(admin_client, person=query) if model.startswith("organizations.")]
    branch.organization.name = "Renamed"
    branch.organization.save()
    branch.user.delete()
    branch.organization.delete()
    page = text(admin_client.get(TRAIL, {"person": address, "model": "memberships.workspacemembership"}))
    assert f"Workspace membership {pk} (Renamed, {branch.workspace}, {address})" in page  # its end
    assert re.search(
        rf"Workspace membership {pk} \(Organization \d+, {branch.workspace}, {address}\)", page
    )  # its beginning
    assert key in found(admin_client, person=address, action__exact="deleted")
    for place in ("renamed", str(branch.workspace)):
        assert key in found(admin_client, place=place, action__exact="deleted")
    assert found(admin_client, place=address) == set()
    assert found(admin_client, person="nobody@example.com") == set()


def test_filters_of_the_log_hold_together(admin_client: Client) -> None:
    with actors.acting(actors.command("nightly")):
        organization = OrganizationFactory.create(name="Nordlys Logistikk")
    key = ("organizations.organization", organization.pk)
    today = f"{timezone.now():%Y-%m-%d}"
    query = {"actor": "nightly", "object": "nordlys", "at_from_0": today, "at_to_0": today}
    assert found(admin_client, **query) == {key}
    assert found(admin_client, **query | {"object": str(organization.pk)}) >= {key}
    for other in (
        {"actor": "daily"},
        {"object": "logistikk"},
        {"at_from_0": "2099-01-01"},
        {"action__exact": "deleted"},
    ):
        assert found(admin_client, **query | other) == set(), other


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_export_has_the_entries_that_are_filtered(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(exports, "CHUNK", 2)
    monkeypatch.setattr(audit_export, "IDS", 3)
    with actors.acting(actors.command("nightly")):
        for number in range(5):
            row = OrganizationFactory.create(name=f"=cmd {number}", private_metadata={"note": "weggesperrt"})
    OrganizationFactory.create(name="Other")
    query = {"actor": "nightly", "model": "organizations.organization"}
    content = _exported(admin_client, kind, **query)
    rows: Any = [json.loads(line) for line in content.splitlines()] if kind == "jsonl" else _read_csv(content)
    guard = "'" if kind == "csv" else ""
    assert [row["object"] for row in rows] == [f"{guard}=cmd {number}" for number in (4, 3, 2, 1, 0)]
    after = rows[0]["after"] if kind == "jsonl" else json.loads(rows[0]["after"])
    assert after["private_metadata"] == {"note": "weggesperrt"}
    assert rows[0]["deployment"] == str(row.deployment)
    reader = Client()
    reader.force_login(staff(row.deployment, role=StaffAccess.Role.SUPPORT))
    content = _exported(reader, kind, **query)
    assert "=cmd 4" in content
    assert "=cmd 3" not in content  # of another deployment
    assert "weggesperrt" not in content


def _exported(client: Client, kind: str, **query: str) -> str:
    response: Any = client.get(url(AuditEntry, kind), query)
    return b"".join(response.streaming_content).decode("utf-8-sig")


def _read_csv(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content)))


def test_the_trail_is_found_by_time(admin_client: Client) -> None:
    OrganizationFactory.create()
    past = {"at_to_0": "2020-01-01", "at_to_1": "00:00:00"}
    assert found(admin_client, **past) == set()
    assert found(admin_client, at_from_0="2020-01-01", at_from_1="00:00:00") != set()
    today = f"{timezone.now():%Y-%m-%d}"
    assert found(admin_client, at_from_0=today, at_to_0=today) != set()


@pytest.mark.parametrize("term", ["%", "\0", "9" * 40, "²"])
def test_a_strange_search_finds_nothing(admin_client: Client, term: str) -> None:
    OrganizationFactory.create()
    response = admin_client.get(TRAIL, {"q": term})
    assert response.status_code == 200


@pytest.mark.parametrize("page", ["change", "delete"])
def test_nobody_changes_or_deletes_an_entry_in_the_admin(admin_client: Client, page: str) -> None:
    OrganizationFactory.create()
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert admin_client.post(url(entry, page), {"post": "yes"}).status_code == 403
    assert admin_client.post(TRAIL, {"action": "delete_selected", "_selected_action": [entry.pk]}).status_code == 200
    assert AuditEntry.objects.filter(pk=entry.pk).exists()


def test_a_page_of_the_trail_costs_the_same_for_few_and_many(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        branch = new_branch()
        join(branch.user, branch.workspace, WorkspaceRoleFactory.create(deployment=branch.deployment))
    admin_client.get(TRAIL)
    with django_assert_max_num_queries(15):
        admin_client.get(TRAIL)


def test_operators_manage_other_staff_but_no_superusers_nor_themselves(
    admin_user: Any,
) -> None:
    operator = staff(all_deployments=True)
    other = staff(DeploymentFactory.create())
    client = Client()
    client.force_login(operator)
    assert client.get(url(other, "change")).status_code == 200
    for untouchable in (operator, admin_user):
        for page in ("change", "delete", "history"):
            assert client.get(url(untouchable, page)).status_code == 404
        assert client.get(f"/admin/auth/user/{untouchable.pk}/password/").status_code == 404
    for access, status in ((StaffAccess.objects.get(user=other), 200), (StaffAccess.objects.get(user=operator), 404)):
        assert client.get(url(access, "change")).status_code == status


def test_only_superusers_make_superusers(admin_client: Client) -> None:
    other = staff(DeploymentFactory.create())
    client = Client()
    client.force_login(staff(all_deployments=True))
    send(client, url(other, "change"), is_superuser="on")
    other.refresh_from_db()
    assert not other.is_superuser
    send(admin_client, url(other, "change"), is_superuser="on")
    other.refresh_from_db()
    assert other.is_superuser


def test_a_new_member_of_staff_has_no_rights(admin_client: Client) -> None:
    password = "a quite unguessable phrase"
    data = {"username": "new", "password1": password, "password2": password, "usable_password": "true"}
    assert saved(send(admin_client, url(type(staff()), "add"), **data))
    client = Client()
    assert client.login(username="new", password=password)
    assert client.get("/admin/").status_code == 200
    assert client.get(url(Organization, "changelist")).status_code == 403
