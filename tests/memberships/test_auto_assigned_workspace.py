"""Whoever joins an organization joins its auto-assigned workspace too, with the default role, whoever writes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import Deployment, User
from memberships.import_export.importing import Report, run_import
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace, WorkspaceRole
from staff.bulk_changes import add_to_workspace
from tests.support.api import memberships
from tests.support.cases import each
from tests.support.database import execute, insert_by_sql, insert_in_bulk
from tests.support.factories import (
    OrganizationFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    join,
    join_organization,
)


@pytest.fixture
def lobby(deployment: Deployment) -> Workspace:
    """The auto-assigned workspace of an organization, beside another workspace."""
    organization = OrganizationFactory.create(deployment=deployment)
    lobby = WorkspaceFactory.create(organization=organization)
    WorkspaceFactory.create(organization=organization)
    Organization.objects.filter(pk=organization.pk).update(auto_assigned_workspace=lobby)
    return lobby


def roles_in(workspace: Workspace) -> dict[int, list[str]]:
    """The names of the roles of each member, by the user's id."""
    found = WorkspaceMembership.objects.filter(workspace=workspace).prefetch_related("roles")
    return {membership.user_id: sorted(role.name for role in membership.roles.all()) for membership in found}


def by_the_orm(lobby: Workspace, users: list[User]) -> None:
    for user in users:
        join_organization(user, lobby.organization)


def _rows(lobby: Workspace, users: list[User]) -> list[dict[str, Any]]:
    organization = lobby.organization
    return [
        {"deployment_id": organization.deployment_id, "organization_id": organization.pk, "user_id": user.pk}
        for user in users
    ]


def by_sql(lobby: Workspace, users: list[User]) -> None:
    insert_by_sql(OrganizationMembership, *_rows(lobby, users))


def in_bulk(lobby: Workspace, users: list[User]) -> None:
    insert_in_bulk(OrganizationMembership, *_rows(lobby, users))


def by_copy(lobby: Workspace, users: list[User]) -> None:
    statement = "COPY memberships_organizationmembership (deployment_id, organization_id, user_id) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in _rows(lobby, users):
            copy.write_row(tuple(row.values()))


def by_import(lobby: Workspace, users: list[User]) -> None:
    lines = [f"{lobby.organization.pk},{user.pk}\n" for user in users]
    file = BytesIO("".join(["organization,user\n", *lines]).encode())
    (report,) = [step for step in run_import(file, deployments=Deployment.objects.all()) if isinstance(step, Report)]
    assert report.saved, report.errors


@each("write", [by_the_orm, by_sql, in_bulk, by_copy, by_import])
def test_each_who_joins_the_organization_joins_the_workspace(lobby: Workspace, write: Any) -> None:
    users = UserFactory.create_batch(3, deployment=lobby.organization.deployment)
    write(lobby, users)
    assert roles_in(lobby) == {user.pk: ["Member"] for user in users}
    lobby.refresh_from_db()
    assert lobby.member_count == 3
    assert [item["workspace"]["id"] for item in memberships(users[0])] == [str(lobby.pk)]


def test_an_organization_without_one_assigns_none(deployment: Deployment, user: User) -> None:
    join_organization(user, OrganizationFactory.create(deployment=deployment))
    assert not WorkspaceMembership.objects.exists()


def test_one_statement_may_name_organizations_of_several_deployments(lobby: Workspace) -> None:
    users = [UserFactory.create(deployment=lobby.organization.deployment), UserFactory.create()]
    other = WorkspaceFactory.create(organization=OrganizationFactory.create(deployment=users[1].deployment))
    Organization.objects.filter(pk=other.organization_id).update(auto_assigned_workspace=other)
    insert_by_sql(OrganizationMembership, *_rows(lobby, users[:1]), *_rows(other, users[1:]))
    assert roles_in(lobby) | roles_in(other) == {user.pk: ["Member"] for user in users}


def test_without_a_default_role_new_members_have_none(lobby: Workspace, user: User) -> None:
    Deployment.objects.update(default_workspace_member_role=None)
    join_organization(user, lobby.organization)
    assert roles_in(lobby) == {user.pk: []}


def test_a_default_role_that_some_workspaces_lack_is_not_given(lobby: Workspace, user: User) -> None:
    own = WorkspaceRoleFactory.create(deployment=user.deployment, organization=lobby.organization, workspace=lobby)
    Deployment.objects.update(default_workspace_member_role=own)
    join_organization(user, lobby.organization)
    assert roles_in(lobby) == {user.pk: []}


def test_a_role_of_another_deployment_is_no_default_role(deployment: Deployment) -> None:
    foreign = WorkspaceRoleFactory.create()
    with pytest.raises(Exception, match="default_workspace_member_role_is_its_own"), transaction.atomic():
        Deployment.objects.filter(pk=deployment.pk).update(default_workspace_member_role=foreign)


def test_a_default_role_may_be_deleted(deployment: Deployment) -> None:
    execute("DELETE FROM organizations_workspacerole")
    deployment.refresh_from_db()
    assert deployment.default_workspace_member_role is None


def test_an_import_into_the_workspace_gives_just_the_roles_of_its_line(lobby: Workspace, user: User) -> None:
    file = BytesIO(f"organization,workspace,user,roles\n{lobby.organization_id},{lobby.pk},{user.pk},Admin\n".encode())
    (report,) = [step for step in run_import(file, deployments=Deployment.objects.all()) if isinstance(step, Report)]
    assert report.saved, report.errors
    assert roles_in(lobby) == {user.pk: ["Admin"]}


def test_staff_may_add_many_to_the_workspace(lobby: Workspace) -> None:
    users = UserFactory.create_batch(2, deployment=lobby.organization.deployment)
    admin = WorkspaceRole.objects.get(deployment=users[0].deployment, name="Admin")
    changes = add_to_workspace(users, lobby, [admin])
    assert [change.text.count("joins") for change in changes] == [2, 2]
    assert roles_in(lobby) == {user.pk: ["Admin", "Member"] for user in users}


def test_members_stay_as_they_are_when_the_workspace_is_assigned(deployment: Deployment, user: User) -> None:
    organization = OrganizationFactory.create(deployment=deployment)
    join(user, WorkspaceFactory.create(organization=organization))
    other = WorkspaceFactory.create(organization=organization)
    Organization.objects.filter(pk=organization.pk).update(auto_assigned_workspace=other)
    assert roles_in(other) == {}
