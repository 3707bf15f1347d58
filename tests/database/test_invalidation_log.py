"""The invalidation log names the things that a change of rows may have changed, and is kept for a day."""

from __future__ import annotations

from io import StringIO
from typing import Any, cast

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from accounts.models import Deployment, User
from database.models import Invalidation
from memberships.models import (
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import Organization, OrganizationSegment, Workspace, WorkspaceRole, WorkspaceSegment
from tests.support.database import execute
from tests.support.factories import OrganizationRoleFactory, SegmentFactory, WorkspaceFactory


def logged_since(position: int) -> set[tuple[str, int]]:
    return set(Invalidation.objects.filter(pk__gt=position).values_list("kind", "key"))


def test_an_insert_is_logged_only_if_it_is_part_of_something_else(user: User) -> None:
    workspace = WorkspaceFactory.create(organization__deployment=user.deployment)
    before = newest()
    WorkspaceFactory.create(organization=workspace.organization)
    assert logged_since(before) == set()
    WorkspaceSegment.objects.create(
        workspace=workspace, segment=SegmentFactory.create(deployment=user.deployment, type="workspace")
    )
    assert logged_since(before) == {("workspace", workspace.pk)}


def newest() -> int:
    return Invalidation.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


BULK_CHANGES = [
    "UPDATE organizations_organization SET description = 'changed'",
    "UPDATE organizations_workspace SET description = 'changed'",
    "UPDATE organizations_workspacerole SET name = name || ' changed'",
    "DELETE FROM organizations_organizationsegment",
    "DELETE FROM organizations_workspacesegment",
    "DELETE FROM memberships_organizationmembershiprole",
    "DELETE FROM memberships_workspacemembershiprole",
    "DELETE FROM memberships_workspacemembership",
    "DELETE FROM memberships_organizationmembership",
]


@pytest.fixture(scope="module")
def shared_deployment() -> None:
    """None: a test looks at all that its transaction has logged."""


@pytest.fixture
def crowd(deployment: Deployment) -> Deployment:
    """A deployment with more than a hundred of each thing."""
    many = range(101)
    segments = [SegmentFactory.create(deployment=deployment, type=kind) for kind in ("organization", "workspace")]
    users = User.objects.bulk_create(User(deployment=deployment, email=f"u{number}@example.com") for number in many)
    organizations = Organization.objects.bulk_create(Organization(deployment=deployment, name="Firm") for _ in many)
    workspaces = Workspace.objects.bulk_create(Workspace(organization=one, name="Place") for one in organizations)
    roles = WorkspaceRole.objects.bulk_create(WorkspaceRole(deployment=deployment, name=f"Role {n}") for n in many)
    above = deployment.organization_roles.get(name="Member")
    in_organizations = OrganizationMembership.objects.bulk_create(
        OrganizationMembership(deployment=deployment, organization=organization, user=user)
        for organization, user in zip(organizations, users, strict=True)
    )
    in_workspaces = WorkspaceMembership.objects.bulk_create(
        WorkspaceMembership(organization=workspace.organization, workspace=workspace, user=user)
        for workspace, user in zip(workspaces, users, strict=True)
    )
    OrganizationMembershipRole.objects.bulk_create(
        OrganizationMembershipRole(membership=membership, role=above) for membership in in_organizations
    )
    WorkspaceMembershipRole.objects.bulk_create(
        WorkspaceMembershipRole(membership=membership, role=role)
        for membership, role in zip(in_workspaces, roles, strict=True)
    )
    OrganizationSegment.objects.bulk_create(
        OrganizationSegment(organization=organization, segment=segments[0]) for organization in organizations
    )
    WorkspaceSegment.objects.bulk_create(
        WorkspaceSegment(workspace=workspace, segment=segments[1]) for workspace in workspaces
    )
    return deployment


def test_a_change_of_many_things_is_logged_as_their_deployments_contents(crowd: Deployment) -> None:
    for change in BULK_CHANGES:
        before = newest()
        assert execute(change) > 100
        assert ("contents", crowd.pk) in logged_since(before), change
        assert "everything" not in {kind for kind, _ in logged_since(before)}, change


def test_many_changes_in_a_few_things_are_logged_as_these(user: User) -> None:
    organization = WorkspaceFactory.create(organization__deployment=user.deployment).organization
    before = newest()
    for _ in range(3):
        Workspace.objects.filter(organization=organization).update(description="changed")
    assert logged_since(before) == {("workspace", organization.workspaces.get().pk)}


@pytest.mark.parametrize("make", [SegmentFactory.create, OrganizationRoleFactory.create])
def test_a_changed_segment_or_organization_role_evicts_only_its_deployment(deployment: Deployment, make: Any) -> None:
    row = make(deployment=deployment)
    before = newest()
    row.name = "Renamed"
    row.save()
    assert logged_since(before) == {("contents", deployment.pk)}


def test_a_change_in_a_deployment_that_cannot_be_found_evicts_everything(crowd: Deployment) -> None:
    """As after a script that has switched the other rules off."""
    before = newest()
    with transaction.atomic():
        execute("SET LOCAL session_replication_role = replica")
        execute("DELETE FROM organizations_organization")
        execute("SET LOCAL session_replication_role = DEFAULT")
        execute("DELETE FROM memberships_workspacemembership")
        assert ("everything", 0) in logged_since(before)
        transaction.set_rollback(True)


def log_old_rows(number: int) -> None:
    Invalidation.objects.all().delete()  # those of tests that committed: the oldest are deleted first
    execute(
        "INSERT INTO database_invalidation (kind, key, created_at) "
        "SELECT 'old', 1, now() - interval '25 hours' FROM generate_series(1, %s)",
        [number],
    )
    execute(
        "INSERT INTO database_invalidation (kind, key, created_at) VALUES ('young', 1, now() - interval '23 hours')"
    )


def number_of(kind: str) -> int:
    return Invalidation.objects.filter(kind=kind).count()


@pytest.mark.django_db
def test_the_log_is_kept_for_a_day() -> None:
    log_old_rows(1)
    for _ in range(2000):  # one in a hundred deletes what is old
        execute("INSERT INTO database_invalidation (kind, key) VALUES ('new', 1)")
    assert (number_of("old"), number_of("young"), number_of("new")) == (0, 1, 2000)


@pytest.mark.django_db
def test_statements_that_log_many_rows_delete_more_than_they_add() -> None:
    log_old_rows(5000)
    for _ in range(5):
        execute("INSERT INTO database_invalidation (kind, key) SELECT 'new', 1 FROM generate_series(1, 100)")
    assert (number_of("old"), number_of("young"), number_of("new")) == (0, 1, 500)


@pytest.mark.django_db
def test_old_rows_of_the_log_are_deleted_daily_though_nobody_writes() -> None:
    log_old_rows(25_000)
    call_command("sweep_sessions", stdout=StringIO())
    assert (number_of("old"), number_of("young")) == (0, 1)


def rows_read() -> int:
    """The rows of the log that this connection has read, be it in earlier transactions of the last second."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'database_invalidation'"
        )
        return int(cast(Any, cursor.fetchone())[0])


@pytest.mark.django_db
def test_old_rows_are_found_once_though_the_statistics_say_that_there_are_none() -> None:
    log_old_rows(5_000)
    Invalidation.objects.all().delete()
    execute("ANALYZE database_invalidation")
    before = rows_read()
    log_old_rows(25_000)
    assert 2_000 < rows_read() - before < 10 * 25_000  # a join reads 48 million
