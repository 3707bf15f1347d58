"""The pages for staff of memberships: what the database refuses, the form refuses."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import Organization, Workspace
from tests.support.admin import add_to_inline, errors, saved, send, url
from tests.support.factories import (
    OrganizationRoleFactory,
    WorkspaceRoleFactory,
    World,
    join,
    join_organization,
)


def join_by(page: str, client: Client, world: World, kind: str, user: Any, **more: Any) -> Any:
    """Make ``user`` a member of our organization or workspace (``kind``), on one of the pages that offer it."""
    place = getattr(world.own, kind)
    if page == "own":
        model = OrganizationMembership if kind == "organization" else WorkspaceMembership
        return send(client, url(model, "add"), user=user.pk, **{kind: place.pk})
    if page == "place":
        return add_to_inline(client, url(place, "change"), "memberships", {"user": user.pk} | more)
    return add_to_inline(client, url(user, "change"), f"{kind}_memberships", {kind: place.pk} | more)


each_page = pytest.mark.parametrize("page", ["own", "place", "user"])


@each_page
def test_a_user_joins_an_organization_and_then_a_workspace(admin_client: Client, world: World, page: str) -> None:
    user = world.own.user
    assert saved(join_by(page, admin_client, world, "organization", user))
    assert saved(join_by(page, admin_client, world, "workspace", user))
    membership = WorkspaceMembership.objects.get(user=user)
    assert (membership.workspace, membership.organization) == (world.own.workspace, world.own.organization)


@each_page
def test_a_user_who_joins_a_workspace_joins_its_organization_too(admin_client: Client, world: World, page: str) -> None:
    """As in an import; the page says so. A member of the organization joins it no second time."""
    response = join_by(page, admin_client, world, "workspace", world.own.user)
    assert saved(response)
    membership = WorkspaceMembership.objects.get()
    assert (membership.user, membership.workspace) == (world.own.user, world.own.workspace)
    assert OrganizationMembership.objects.get().organization == world.own.organization
    told = f"{world.own.user} became a member of “{world.own.organization}”, too"
    assert told in admin_client.get("/admin/").content.decode()
    membership.delete()
    assert saved(join_by(page, admin_client, world, "workspace", world.own.user))
    assert OrganizationMembership.objects.count() == 1
    assert told not in admin_client.get("/admin/").content.decode()


@each_page
def test_a_workspace_takes_users_of_its_deployment_alone(admin_client: Client, world: World, page: str) -> None:
    response = join_by(page, admin_client, world, "workspace", world.foreign.user)
    assert errors(response) == "The user belongs to another deployment than the organization."
    assert not OrganizationMembership.objects.exists()


def test_one_form_takes_a_user_into_an_organization_and_its_workspace(admin_client: Client, world: World) -> None:
    address = url(world.own.user, "change")
    workspaces = {
        "workspace_memberships-TOTAL_FORMS": "1",
        "workspace_memberships-0-workspace": world.own.workspace.pk,
        "workspace_memberships-0-user": world.own.user.pk,
    }
    row = {"organization": world.own.organization.pk}
    assert saved(add_to_inline(admin_client, address, "organization_memberships", row, **workspaces))
    assert OrganizationMembership.objects.count() == WorkspaceMembership.objects.count() == 1


def test_a_new_workspace_takes_its_first_members_into_the_organization(admin_client: Client, world: World) -> None:
    fields = {"organization": world.own.organization.pk, "name": "New"}
    row = {"user": world.own.user.pk}
    assert saved(add_to_inline(admin_client, url(Workspace, "add"), "memberships", row, **fields))
    assert OrganizationMembership.objects.get().user == WorkspaceMembership.objects.get().user == world.own.user


@each_page
def test_an_organization_takes_users_of_its_deployment_alone(admin_client: Client, world: World, page: str) -> None:
    response = join_by(page, admin_client, world, "organization", world.foreign.user)
    assert errors(response) == "The user belongs to another deployment than the organization."
    assert not OrganizationMembership.objects.exists()


@each_page
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_nobody_is_a_member_twice(admin_client: Client, world: World, page: str, kind: str) -> None:
    join(world.own.user, world.own.workspace)
    assert "already exists" in errors(join_by(page, admin_client, world, kind, world.own.user))


def test_a_new_organization_takes_users_of_its_deployment_alone(admin_client: Client, world: World) -> None:
    """The organization is not in the database yet, so only the database can tell."""
    fields = {"deployment": world.own.deployment.pk, "name": "New"}
    row = {"user": world.foreign.user.pk}
    response = add_to_inline(admin_client, url(Organization, "add"), "memberships", row, **fields)
    assert "The user belongs to another deployment than the organization." in errors(response)
    assert not Organization.objects.filter(name="New").exists()


def test_a_workspace_membership_without_its_workspace_is_refused(admin_client: Client, world: World) -> None:
    for model in (OrganizationMembership, WorkspaceMembership):
        assert "This field is required." in errors(send(admin_client, url(model, "add"), user=world.own.user.pk))


@pytest.mark.parametrize(
    ("fits", "role", "owner"),
    [
        (True, {"deployment": "own.deployment"}, ""),
        (True, {"deployment": "own.deployment", "organization": "own.organization"}, ""),
        (False, {"deployment": "own.deployment", "organization": "sibling.organization"}, "sibling.organization"),
        (False, {"deployment": "foreign.deployment"}, "foreign.deployment"),
    ],
)
def test_a_role_in_an_organization_must_be_one_of_it(
    admin_client: Client, world: World, fits: bool, role: dict[str, str], owner: str
) -> None:
    membership = join_organization(world.own.user, world.own.organization)
    given = OrganizationRoleFactory.create(**world.columns(role))
    _give(admin_client, membership, given, _name(world, owner))
    assert membership.roles.exists() is fits


@pytest.mark.parametrize(
    ("fits", "role", "owner"),
    [
        (True, {"deployment": "own.deployment"}, ""),
        (True, {"deployment": "own.deployment", "organization": "own.organization"}, ""),
        (
            True,
            {"deployment": "own.deployment", "organization": "own.organization", "workspace": "own.workspace"},
            "",
        ),
        (False, {"deployment": "own.deployment", "organization": "sibling.organization"}, "sibling.organization"),
        (
            False,
            {"deployment": "own.deployment", "organization": "own.organization", "workspace": "other"},
            "Other",
        ),
        (False, {"deployment": "foreign.deployment"}, "foreign.deployment"),
    ],
)
def test_a_role_in_a_workspace_must_be_one_of_it(
    admin_client: Client, world: World, fits: bool, role: dict[str, str], owner: str
) -> None:
    membership = join(world.own.user, world.own.workspace)
    columns = world.columns(role)
    if columns.pop("workspace", None) == "other":
        columns["workspace"] = world.own.organization.workspaces.create(name="Other")
    given = WorkspaceRoleFactory.create(**columns)
    _give(admin_client, membership, given, _name(world, owner))
    assert membership.roles.exists() is fits


def _give(client: Client, membership: Any, role: Any, foreign_owner: str) -> None:
    response = add_to_inline(client, url(membership, "change"), "given_roles", {"role": role.pk})
    if foreign_owner:
        assert f"“{role}” is a role of “{foreign_owner}” and cannot be given here." in errors(response)
    else:
        assert saved(response)


def _name(world: World, owner: str) -> str:
    branch, _, kind = owner.partition(".")
    return str(getattr(getattr(world, branch), kind)) if kind else owner


def test_a_member_joins_and_gets_a_role_in_one_form(admin_client: Client, world: World) -> None:
    role = OrganizationRoleFactory.create(deployment=world.own.deployment)
    fields = {"user": world.own.user.pk, "organization": world.own.organization.pk}
    address = url(OrganizationMembership, "add")
    assert saved(add_to_inline(admin_client, address, "given_roles", {"role": role.pk}, **fields))
    assert list(OrganizationMembership.objects.get().roles.all()) == [role]


each_place = pytest.mark.parametrize(
    ("kind", "role_factory"), [("organization", OrganizationRoleFactory), ("workspace", WorkspaceRoleFactory)]
)


@each_place
@pytest.mark.parametrize("page", ["place", "user"])
def test_a_member_gets_roles_where_they_join(
    admin_client: Client, world: World, page: str, kind: str, role_factory: Any
) -> None:
    roles = role_factory.create_batch(2, deployment=world.own.deployment)
    given = [role.pk for role in roles]
    assert saved(join_by(page, admin_client, world, kind, world.own.user, given=given))
    assert set(getattr(world.own.user, f"{kind}_memberships").get().roles.all()) == set(roles)


@each_place
@pytest.mark.parametrize("page", ["place", "user"])
def test_nobody_joins_with_a_role_of_elsewhere(
    admin_client: Client, world: World, page: str, kind: str, role_factory: Any
) -> None:
    foreign = role_factory.create(deployment=world.foreign.deployment)
    response = join_by(page, admin_client, world, kind, world.own.user, given=[foreign.pk])
    assert f"“{foreign}” is a role of “{world.foreign.deployment}” and cannot be given here." in errors(response)
    assert not getattr(world.own.user, f"{kind}_memberships").exists()


def test_a_given_role_can_be_taken_back(admin_client: Client, world: World) -> None:
    role = WorkspaceRoleFactory.create(deployment=world.own.deployment)
    membership = join(world.own.user, world.own.workspace, role)
    assert saved(send(admin_client, url(membership, "change"), **{"given_roles-0-DELETE": "on"}))
    assert not membership.roles.exists()


@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_the_user_of_a_membership_cannot_be_changed(admin_client: Client, world: World, kind: str) -> None:
    join(world.own.user, world.own.workspace)
    model = OrganizationMembership if kind == "organization" else WorkspaceMembership
    membership: Any = model._default_manager.get()
    others = {"user": world.sibling.user.pk, kind: getattr(world.sibling, kind).pk}
    assert saved(send(admin_client, url(membership, "change"), **others))
    membership.refresh_from_db()
    assert (membership.user, getattr(membership, kind)) == (world.own.user, getattr(world.own, kind))


def test_the_removal_of_an_organization_member_names_their_workspaces(admin_client: Client, world: World) -> None:
    workspace_membership = join(world.own.user, world.own.workspace)
    join(world.sibling.user, world.sibling.workspace)
    membership = OrganizationMembership.objects.get(user=world.own.user)
    page = admin_client.get(url(membership, "delete")).content.decode()
    assert f"Workspace membership: {workspace_membership}" in page
    assert str(world.sibling.workspace) not in page
    admin_client.post(url(membership, "delete"), {"post": "yes"})
    assert [row.user for row in WorkspaceMembership.objects.all()] == [world.sibling.user]
