"""Deployments and organizations are deleted by their names, and can be restored for 30 days or are erased at once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import NestedObjects
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts.models import Deployment, User
from audit.models import AuditEntry, AuditGroup
from audit.retention import RESTORABLE
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace
from staff.toolkit import deleted_rows, links, lists
from tests.support.admin import choose, url
from tests.support.cases import named
from tests.support.factories import (
    UserFactory,
    WorkspaceRoleFactory,
    backup_code,
    confirmed_authenticator,
    join,
    join_organization,
    new_branch,
)
from tests.support.undoing import differences, snapshot

pytestmark = pytest.mark.django_db


def delete(client: Client, row: Any, **data: str) -> Any:
    return client.post(url(row, "delete"), {"post": "yes", "typed_name": row.name} | data)


def undo_page() -> str:
    return reverse("admin:audit_auditentry_undo_group", args=[AuditEntry.objects.latest("pk").group_id])


@pytest.fixture
def rows() -> dict[str, Any]:
    """An organization with a member, and its deployment, by "organization" and "deployment"."""
    branch = new_branch()
    role = WorkspaceRoleFactory.create(deployment=branch.deployment, organization=branch.organization)
    join(branch.user, branch.workspace, role)
    branch.organization.auto_assigned_workspace = branch.workspace
    branch.organization.save()
    return {"organization": branch.organization, "deployment": branch.deployment}


@pytest.mark.parametrize("kind", ["organization", "deployment"])
def test_the_name_must_be_typed_and_brings_all_of_it_back(
    admin_client: Client, rows: dict[str, Any], kind: str
) -> None:
    row, before = rows[kind], snapshot()
    assert (
        f'Type <strong class="font-semibold">{row.name}</strong>'
        in admin_client.get(url(row, "delete")).content.decode()
    )
    for typed in ("", row.name.lower(), row.name + "!"):
        assert "Nothing was deleted" in delete(admin_client, row, typed_name=typed).content.decode()
    choose(admin_client, "delete_selected", row)
    assert differences(before, snapshot()) == []
    assert delete(admin_client, row).status_code == 302
    assert not Organization.objects.exists()
    page = admin_client.get(undo_page()).content.decode()
    assert f"Undo “Delete {kind} “{row.name}””" in page
    assert ("signing key" in page) is (kind == "deployment")
    assert admin_client.post(undo_page(), {"apply": "1"}).status_code == 302
    missing = differences(before, snapshot())
    assert [text for text in missing if not text.startswith("accounts.SigningKey")] == []


@pytest.mark.parametrize("kind", ["organization", "deployment"])
def test_of_very_many_rows_the_numbers_are_shown_before_deletion(
    admin_client: Client, rows: dict[str, Any], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = url(rows[kind], "delete")
    listed = admin_client.get(page).context
    monkeypatch.setattr(deleted_rows, "LISTED", 3)
    brief = admin_client.get(page).context
    assert (len(brief["deleted_objects"]), brief["perms_lacking"]) == (1, set())
    numbers = {name.lower(): number for name, number in listed["model_count"]}
    counted = {name.lower(): int(number) for name, number in brief["model_count"]}
    assert counted.items() <= numbers.items()
    assert numbers.keys() - counted.keys() <= {"workspace membership roles"}  # no page has them
    monkeypatch.setattr(lists, "COUNTED", 0)
    assert "more than 0" in admin_client.get(page).content.decode()
    assert delete(admin_client, rows[kind]).status_code == 302
    assert not Organization.objects.exists()


def test_very_many_rows_that_go_are_counted_and_not_read(
    admin_client: Client, rows: dict[str, Any], django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    membership, workspace = WorkspaceMembership.objects.get(), Workspace.objects.get()
    role = membership.roles.get()
    for user in UserFactory.create_batch(9, deployment=rows["deployment"]):
        join(user, workspace, role)
    monkeypatch.setattr(deleted_rows, "LISTED", 0)
    for row in (*rows.values(), workspace, role, membership.user, membership):
        with named(row):
            by_django = NestedObjects(using="default", origin=[row])
            by_django.collect([row])
            found: dict[Any, Any] = by_django.model_objs
            expected = {links.plural(model): len(those) for model, those in found.items()}
            with django_assert_max_num_queries(15):
                shown = admin_client.get(url(row, "delete")).context["model_count"]
            counted = {name: int(number) for name, number in shown}
            assert counted.items() <= expected.items()
            assert expected.keys() - counted.keys() <= {"Workspace membership roles"}  # no page has them
    with django_assert_max_num_queries(15):
        page = choose(admin_client, "delete_selected", *OrganizationMembership.objects.all()).content.decode()
    assert "Organization memberships: 10, and all of the above" in page
    assert "Workspace memberships: 10" in page


def test_backup_codes_that_go_with_the_last_authenticator_are_named(admin_client: Client, user: User) -> None:
    one, other = confirmed_authenticator(user), confirmed_authenticator(user)
    backup_code(user)
    assert "Backup codes" not in dict(admin_client.get(url(one, "delete")).context["model_count"])
    page = choose(admin_client, "delete_selected", one, other)
    assert dict(page.context["model_count"])["Backup codes"] == 1


def test_as_many_rows_are_deleted_at_once_as_a_list_counts(admin_client: Client) -> None:
    branch = new_branch()
    membership = join_organization(branch.user, branch.organization)
    kept = join_organization(UserFactory.create(deployment=branch.deployment), branch.organization)
    page = choose(admin_client, "delete_selected", membership).content.decode()
    assert f'name="ids" value="{membership.pk}"' in page
    ids = ",".join(str(membership.pk + number) for number in range(lists.COUNTED) if membership.pk + number != kept.pk)
    data = {"action": "delete_selected", "post": "yes", "select_across": "1", ACTION_CHECKBOX_NAME: membership.pk}
    assert admin_client.post(url(OrganizationMembership, "changelist"), data | {"ids": ids}).status_code == 302
    assert list(OrganizationMembership.objects.all()) == [kept]


@pytest.mark.parametrize("kind", ["organization", "deployment"])
def test_what_is_erased_leaves_no_content_and_cannot_be_restored(
    admin_client: Client, rows: dict[str, Any], kind: str
) -> None:
    organization = rows["organization"]
    former = new_branch(rows["deployment"])
    Organization.objects.update(private_metadata={"note": "weggesperrt"})
    join_organization(former.user, organization).delete()
    names = [organization.name, "weggesperrt"]
    assert delete(admin_client, rows[kind], erases="on").status_code == 302
    row: Model = rows[kind]
    kept = AuditEntry.objects.filter(deployment_id=rows["deployment"].pk).exclude(
        subjects=[AuditEntry.subject(former.organization)]
    )
    about = kept if isinstance(row, Deployment) else kept.filter(subjects__contains=[AuditEntry.subject(row)])
    assert about.count() >= 4
    content = json.dumps([[entry.name, entry.before, entry.after] for entry in about])
    assert [name for name in names if name in content] == []
    assert {entry.actor_name for entry in about} >= {"admin"}
    assert "Nothing of this can be undone" in admin_client.get(undo_page()).content.decode()
    assert AuditGroup.objects.latest("pk").name == f"Delete {kind} “{rows[kind].name}”, erased at once"


def test_entries_of_deletions_are_kept_for_30_days_whatever_is_pruned(admin_client: Client) -> None:
    branch = new_branch()
    join_organization(branch.user, branch.organization)
    delete(admin_client, branch.organization)
    call_command("prune_audit_log", "--days", "0")
    assert admin_client.post(undo_page_of_deletion(), {"apply": "1"}).status_code == 302
    assert OrganizationMembership.objects.get().organization_id == branch.organization.pk
    _age(RESTORABLE + timedelta(hours=1))
    call_command("prune_audit_log", "--days", "0")
    assert list(AuditEntry.objects.values_list("model", flat=True)) == ["audit.auditentry"]
    assert not AuditGroup.objects.exists()


def undo_page_of_deletion() -> str:
    entry = AuditEntry.objects.get(model="organizations.organization", action="deleted")
    return reverse("admin:audit_auditentry_undo_group", args=[entry.group_id])


@transaction.atomic
def _age(by: timedelta) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL rollcall.erasing = 'on'")
        cursor.execute("UPDATE audit_auditentry SET at = at - make_interval(secs => %s)", [by.total_seconds()])
        cursor.execute("SET LOCAL rollcall.erasing = 'off'")
