"""The database's refusals for memberships: foreign users, second ones, moves, and metadata of another kind."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from memberships.models import OrganizationMembership, WorkspaceMembership
from tests.support.cases import each
from tests.support.database import Insert, Row, Update, each_insert, each_update, refused
from tests.support.factories import WorkspaceFactory, World, join, join_organization

ORGANIZATION_MEMBERSHIP = {"deployment": "own.deployment", "organization": "own.organization", "user": "own.user"}
WORKSPACE_MEMBERSHIP = {"organization": "own.organization", "workspace": "own.workspace", "user": "own.user"}


@each_insert
@pytest.mark.parametrize("user", ["own.user", "sibling.user"])
def test_each_user_of_the_deployment_may_join_the_organization(world: World, insert: Insert, user: str) -> None:
    insert(OrganizationMembership, world.columns(ORGANIZATION_MEMBERSHIP | {"user": user}))
    assert world.own.organization.memberships.count() == 1


@each_insert
@each(
    ("row", "constraint"),
    [
        ({"user": "foreign.user"}, "memberships_orgmembership_user_is_of_deployment"),
        ({"organization": "foreign.organization"}, "memberships_orgmembership_organization_is_of_deployment"),
        (
            {"organization": "foreign.organization", "user": "foreign.user"},
            "memberships_orgmembership_organization_is_of_deployment",
        ),
        (
            {"deployment": "foreign.deployment", "user": "foreign.user"},
            "memberships_orgmembership_organization_is_of_deployment",
        ),
        (
            {"deployment": "foreign.deployment", "organization": "foreign.organization"},
            "memberships_orgmembership_user_is_of_deployment",
        ),
    ],
)
def test_an_organization_membership_stays_within_one_deployment(
    world: World, insert: Insert, row: Row, constraint: str
) -> None:
    with refused(constraint):
        insert(OrganizationMembership, world.columns(ORGANIZATION_MEMBERSHIP | row))


@each_insert
def test_a_member_of_the_organization_may_join_its_workspace(world: World, insert: Insert) -> None:
    join_organization(world.own.user, world.own.organization)
    insert(WorkspaceMembership, world.columns(WORKSPACE_MEMBERSHIP))
    assert world.own.workspace.memberships.count() == 1


@each_insert
@each(
    ("row", "constraint"),
    [
        # The user is a member of their own organization only.
        ({"user": "sibling.user"}, "memberships_wsmembership_user_is_in_organization"),
        ({"user": "foreign.user"}, "memberships_wsmembership_user_is_in_organization"),
        (
            {"organization": "sibling.organization", "workspace": "sibling.workspace"},
            "memberships_wsmembership_user_is_in_organization",
        ),
        ({"workspace": "sibling.workspace"}, "memberships_wsmembership_organization_is_the_workspaces"),
        ({"workspace": "foreign.workspace"}, "memberships_wsmembership_organization_is_the_workspaces"),
    ],
)
def test_a_workspace_takes_members_of_its_own_organization_only(
    world: World, insert: Insert, row: Row, constraint: str
) -> None:
    join_organization(world.own.user, world.own.organization)
    with refused(constraint):
        insert(WorkspaceMembership, world.columns(WORKSPACE_MEMBERSHIP | row))


@each_insert
def test_a_user_joins_an_organization_once(world: World, insert: Insert) -> None:
    row = world.columns(ORGANIZATION_MEMBERSHIP)
    with refused("memberships_orgmembership_once"):
        insert(OrganizationMembership, row, row)


@each_insert
def test_a_user_joins_a_workspace_once(world: World, insert: Insert) -> None:
    join_organization(world.own.user, world.own.organization)
    row = world.columns(WORKSPACE_MEMBERSHIP)
    with refused("memberships_wsmembership_once"):
        insert(WorkspaceMembership, row, row)


def test_a_membership_made_in_bulk_without_its_derived_column_is_refused(world: World) -> None:
    own, other = world.own, world.sibling.user
    join_organization(other, own.organization)
    with pytest.raises(IntegrityError, match='null value in column "deployment_id"'), transaction.atomic():
        OrganizationMembership.objects.bulk_create(
            [OrganizationMembership(organization=own.organization, user=own.user)]
        )
    with pytest.raises(IntegrityError, match='null value in column "organization_id"'), transaction.atomic():
        WorkspaceMembership.objects.bulk_create([WorkspaceMembership(workspace=own.workspace, user=other)])


@each_update
@pytest.mark.parametrize("change", [{"organization": "sibling.organization"}, {"user": "sibling.user"}])
def test_an_organization_membership_keeps_its_organization_and_user(world: World, update: Update, change: Row) -> None:
    membership = join_organization(world.own.user, world.own.organization)
    with refused("immutable"):
        update(membership, **world.columns(change))


@each_update
def test_an_organization_membership_cannot_move_to_another_deployment(world: World, update: Update) -> None:
    membership = join_organization(world.own.user, world.own.organization)
    with refused("immutable"):
        update(
            membership,
            **world.columns(
                {
                    "deployment": "foreign.deployment",
                    "organization": "foreign.organization",
                    "user": "foreign.user",
                }
            ),
        )


@each_update
@each("field", ["workspace", "user", "organization"])
def test_a_workspace_membership_keeps_its_workspace_and_user(world: World, update: Update, field: str) -> None:
    # All that it could move to is open to it: only its own identity stands in the way.
    membership = join(world.own.user, world.own.workspace)
    join_organization(world.sibling.user, world.own.organization)
    join_organization(world.own.user, world.sibling.organization)
    changes: dict[str, Row] = {
        "workspace": {"workspace_id": WorkspaceFactory.create(organization=world.own.organization).pk},
        "user": {"user_id": world.sibling.user.pk},
        "organization": world.columns({"organization": "sibling.organization", "workspace": "sibling.workspace"}),
    }
    with refused("immutable"):
        update(membership, **changes[field])


@each_update
@each("kind", ["organization", "workspace"])
@each("value", [[], "text", 1])
def test_the_metadata_of_a_membership_is_a_json_object(world: World, update: Update, kind: str, value: Any) -> None:
    membership = join(world.own.user, world.own.workspace)
    row = membership if kind == "workspace" else OrganizationMembership.objects.get()
    with refused(f"memberships_{kind}membership_public_metadata_is_object"):
        update(row, public_metadata=value)
    update(row, public_metadata={"seat": 1})
    row.refresh_from_db()
    assert row.public_metadata == {"seat": 1}


def test_a_saved_membership_derives_its_repeated_columns(world: World) -> None:
    in_organization = OrganizationMembership.objects.create(organization=world.own.organization, user=world.own.user)
    assert in_organization.deployment_id == world.own.deployment.pk
    in_workspace = WorkspaceMembership.objects.create(workspace=world.own.workspace, user=world.own.user)
    assert in_workspace.organization_id == world.own.organization.pk
