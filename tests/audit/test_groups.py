"""All changes of one action are one group, which has a name; changes by raw SQL are grouped by their transaction."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from accounts.models import Deployment, User
from audit import actors, groups
from audit.models import AuditEntry, AuditGroup
from memberships.import_export.importing import run_import
from memberships.models import WorkspaceMembershipRole
from organizations.models import Organization
from tests.support.admin import choose, go_on, send, url
from tests.support.api import ApiClient
from tests.support.database import execute
from tests.support.factories import (
    OrganizationFactory,
    UserFactory,
    WorkspaceRoleFactory,
    join,
    new_branch,
    staff,
)

pytestmark = pytest.mark.django_db


def group_of(model: str) -> list[AuditEntry]:
    """All entries of the action that the newest entry about ``model`` belongs to, oldest first."""
    newest = AuditEntry.objects.filter(model=model).latest("pk")
    return list(AuditEntry.objects.filter(group_id=newest.group_id).order_by("pk"))


def name_of(model: str) -> str:
    (group,) = AuditGroup.objects.filter(pk__in=[entry.group_id for entry in group_of(model)])
    return group.name


@pytest.mark.django_db(transaction=True)
def test_raw_sql_is_grouped_by_its_transaction() -> None:
    ids = []
    for _ in range(2):
        with transaction.atomic():
            organizations = [OrganizationFactory.create() for _ in range(2)]
        found = AuditEntry.objects.filter(name__in=[row.name for row in organizations])
        (group_id,) = set(found.values_list("group_id", flat=True))
        ids.append(group_id)
    assert None not in ids
    assert ids[0] != ids[1]


@pytest.mark.django_db(transaction=True)
def test_an_action_of_several_transactions_is_one_group() -> None:
    with actors.acting(actors.command("nightly")):
        first, second = OrganizationFactory.create(), OrganizationFactory.create()
    with actors.acting(actors.command("nightly")):
        third = OrganizationFactory.create()
    entries = AuditEntry.objects.filter(model="organizations.organization")
    by_object = dict(entries.values_list("object_id", "group_id"))
    assert by_object[first.pk] == by_object[second.pk] != by_object[third.pk]


def test_a_form_with_its_inlines_and_a_deletion_are_named(admin_client: Client) -> None:
    branch = new_branch()
    send(admin_client, url(branch.organization, "change"), name="Acme")
    assert name_of("organizations.organization") == "Change organization “Acme”"
    admin_client.post(url(branch.organization, "delete"), {"post": "yes", "typed_name": "Acme"})
    assert name_of("organizations.organization") == "Delete organization “Acme”"
    assert {entry.model for entry in group_of("organizations.organization")} == {
        "organizations.organization",
        "organizations.workspace",
    }


def test_a_bulk_action_is_one_group_and_its_preview_none(admin_client: Client) -> None:
    branch = new_branch()
    role = WorkspaceRoleFactory.create(deployment=branch.deployment)
    members = [join(UserFactory.create(deployment=branch.deployment), branch.workspace) for _ in range(3)]
    choose(admin_client, "change_roles", *members)
    go_on(admin_client, "change_roles", *members, press="preview", give=[role.pk])
    assert not AuditGroup.objects.exists()
    go_on(admin_client, "change_roles", *members, give=[role.pk])
    assert name_of("memberships.workspacemembershiprole") == "Change roles: 3 workspace memberships"
    assert [entry.action for entry in group_of("memberships.workspacemembershiprole")] == ["added"] * 3
    assert AuditGroup.objects.get().deployment_id == branch.deployment.pk


def test_an_import_is_one_group_with_the_name_of_the_file() -> None:
    branch = new_branch()
    users = [UserFactory.create(deployment=branch.deployment) for _ in range(3)]
    lines = [f"{branch.organization.name},{branch.workspace.name},{user.email}" for user in users]
    file = io.BytesIO("\n".join(["organization,workspace,user", *lines]).encode())
    with actors.acting(actors.command("import_memberships")):
        list(run_import(file, deployments=Deployment.objects.all(), name="roster.csv"))
    assert name_of("memberships.workspacemembership") == "Import of roster.csv, 3 rows"
    assert len(group_of("memberships.workspacemembership")) == 6


def test_a_request_to_the_api_is_one_group(user: User) -> None:
    ApiClient(user.deployment, user).post("/session/sign-out", {})
    assert {entry.model for entry in group_of("accounts.session")} == {"accounts.session", "accounts.signin"}


def test_an_action_that_changes_nothing_has_no_name() -> None:
    with actors.acting(actors.command("idle")):
        groups.name("Nothing")
    assert not AuditGroup.objects.exists()


def test_the_name_of_an_action_in_several_deployments_is_for_staff_of_all(admin_client: Client) -> None:
    branches = [new_branch(), new_branch()]
    with actors.acting(actors.command("x")):
        execute("UPDATE organizations_organization SET description = 'x'")
        groups.name("Both of them")
    group = AuditGroup.objects.get()
    assert group.deployment_id is None
    own = Client()
    own.force_login(staff(branches[0].deployment))
    address = f"{url(AuditEntry, 'changelist')}?group={group.pk}"
    assert "Both of them" not in own.get(address).content.decode()
    assert "Both of them" in admin_client.get(address).content.decode()


def found(client: Client, **query: Any) -> set[tuple[str, int]]:
    response = client.get(url(AuditEntry, "changelist"), query)
    assert response.status_code == 200
    return {(entry.model, entry.object_id) for entry in response.context["cl"].result_list}


def test_a_group_is_a_list_of_its_own(admin_client: Client) -> None:
    with actors.acting(actors.command("x")):
        organization = OrganizationFactory.create()
    with actors.acting(actors.command("x")):
        other = OrganizationFactory.create()
    entry = AuditEntry.objects.get(model=Organization._meta.label_lower, object_id=organization.pk)
    assert ("organizations.organization", organization.pk) in found(admin_client, group=entry.group_id)
    assert ("organizations.organization", other.pk) not in found(admin_client, group=entry.group_id)
    assert WorkspaceMembershipRole._meta.label_lower not in str(found(admin_client, group="no uuid"))
