"""The database's refusals for the roles that members hold."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import models

from memberships.models import OrganizationMembership, OrganizationMembershipRole, WorkspaceMembershipRole
from tests.support.database import Insert, Row, Update, each_insert, each_update, refused
from tests.support.factories import (
    OrganizationRoleFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    World,
    join,
    join_organization,
)

ROLE = {"deployment": "own.deployment"}
ORGANIZATION_SCOPES = [
    pytest.param(ROLE, id="own deployment"),
    pytest.param(ROLE | {"organization": "own.organization"}, id="own organization"),
]
OTHER_ORGANIZATION_SCOPES = [
    pytest.param({"deployment": "foreign.deployment"}, id="other deployment"),
    pytest.param({"deployment": "foreign.deployment", "organization": "foreign.organization"}, id="foreign"),
    pytest.param(ROLE | {"organization": "sibling.organization"}, id="other organization"),
]
WORKSPACE_SCOPES = [
    *ORGANIZATION_SCOPES,
    pytest.param(ROLE | {"organization": "own.organization", "workspace": "own.workspace"}, id="own workspace"),
]


@each_insert
@pytest.mark.parametrize("scope", ORGANIZATION_SCOPES)
def test_a_member_may_hold_a_role_of_the_organization_or_deployment(world: World, insert: Insert, scope: Row) -> None:
    membership = join_organization(world.own.user, world.own.organization)
    role = OrganizationRoleFactory.create(**world.columns(scope))
    insert(OrganizationMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})
    assert membership.roles.get() == role


@each_insert
@pytest.mark.parametrize("scope", OTHER_ORGANIZATION_SCOPES)
def test_a_member_of_an_organization_holds_no_role_of_elsewhere(world: World, insert: Insert, scope: Row) -> None:
    membership = join_organization(world.own.user, world.own.organization)
    role = OrganizationRoleFactory.create(**world.columns(scope))
    with refused("role_fits"):
        insert(OrganizationMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})


@each_insert
@pytest.mark.parametrize("scope", WORKSPACE_SCOPES)
def test_a_member_may_hold_a_role_of_the_workspace_organization_or_deployment(
    world: World, insert: Insert, scope: Row
) -> None:
    membership = join(world.own.user, world.own.workspace)
    role = WorkspaceRoleFactory.create(**world.columns(scope))
    insert(WorkspaceMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})
    assert membership.roles.get() == role


@each_insert
@pytest.mark.parametrize(
    "scope",
    [
        *OTHER_ORGANIZATION_SCOPES,
        pytest.param(
            ROLE | {"organization": "sibling.organization", "workspace": "sibling.workspace"},
            id="workspace of another organization",
        ),
    ],
)
def test_a_member_of_a_workspace_holds_no_role_of_elsewhere(world: World, insert: Insert, scope: Row) -> None:
    membership = join(world.own.user, world.own.workspace)
    role = WorkspaceRoleFactory.create(**world.columns(scope))
    with refused("role_fits"):
        insert(WorkspaceMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})


@each_insert
def test_a_member_holds_no_role_of_another_workspace_of_the_organization(world: World, insert: Insert) -> None:
    membership = join(world.own.user, world.own.workspace)
    other = WorkspaceFactory.create(organization=world.own.organization)
    role = WorkspaceRoleFactory.create(
        deployment=world.own.deployment, organization=world.own.organization, workspace=other
    )
    with refused("role_fits"):
        insert(WorkspaceMembershipRole, {"membership_id": membership.pk, "role_id": role.pk})


@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_form_refuses_a_role_of_elsewhere_before_the_database_does(world: World, kind: str) -> None:
    given, fit, foreign = _given_role(world, kind)
    given.role_id = fit  # type: ignore[attr-defined]  # either model has it
    given.full_clean()
    given = type(given)._base_manager.get(pk=given.pk)
    given.role_id = foreign  # type: ignore[attr-defined]  # either model has it
    with pytest.raises(ValidationError):
        given.full_clean()


@each_update
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_given_role_is_not_changed_into_one_of_elsewhere(world: World, update: Update, kind: str) -> None:
    given, fit, foreign = _given_role(world, kind)
    update(given, role_id=fit)
    with refused("role_fits"):
        update(given, role_id=foreign)


def _given_role(world: World, kind: str) -> tuple[models.Model, int, int]:
    """A role that a member holds in their organization or workspace; the ids of another that fits and a foreign one."""
    own, foreign = world.own.deployment, world.foreign.deployment
    membership = join(world.own.user, world.own.workspace)
    if kind == "workspace":
        held, fit, unfit = (WorkspaceRoleFactory.create(deployment=each) for each in (own, own, foreign))
        return WorkspaceMembershipRole.objects.create(membership=membership, role=held), fit.pk, unfit.pk
    held_, fit_, unfit_ = (OrganizationRoleFactory.create(deployment=each) for each in (own, own, foreign))
    in_organization = OrganizationMembership.objects.get()
    return OrganizationMembershipRole.objects.create(membership=in_organization, role=held_), fit_.pk, unfit_.pk


@each_update
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_given_role_is_not_moved_to_a_member_of_elsewhere(world: World, update: Update, kind: str) -> None:
    given, _, _ = _given_role(world, kind)
    foreign = join(world.foreign.user, world.foreign.workspace)
    membership = foreign if kind == "workspace" else world.foreign.organization.memberships.get()
    with refused("role_fits"):
        update(given, membership_id=membership.pk)


@each_insert
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_role_is_given_once(world: World, insert: Insert, kind: str) -> None:
    given, _, _ = _given_role(world, kind)
    row = {column: getattr(given, column) for column in ("membership_id", "role_id")}
    with refused(f"memberships_{kind}role_once"):
        insert(type(given), row)


@each_insert
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_role_is_given_to_a_member_who_exists(world: World, insert: Insert, kind: str) -> None:
    given, fit, _ = _given_role(world, kind)
    with refused("role_fits"):
        insert(type(given), {"membership_id": 0, "role_id": fit})
