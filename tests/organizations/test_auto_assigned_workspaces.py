"""The workspace that an organization assigns to new members is one of its own."""

from __future__ import annotations

from typing import Any

import pytest
from django.forms import modelform_factory

from organizations.models import Organization
from tests.support.database import Insert, Update, each_insert, each_update, execute, refused, update_by_sql
from tests.support.factories import World


@each_update
@pytest.mark.parametrize("auto_assigned", ["sibling.workspace", "foreign.workspace"])
def test_a_workspace_of_another_organization_is_not_auto_assigned(
    world: World, update: Update, auto_assigned: str
) -> None:
    with refused("organizations_organization_auto_workspace_is_its_own"):
        update(world.own.organization, **world.columns({"auto_assigned_workspace": auto_assigned}))


@each_insert
def test_a_new_organization_has_no_workspace_yet_to_auto_assign(world: World, insert: Insert) -> None:
    with refused("organizations_organization_auto_workspace_is_its_own"):
        insert(
            Organization,
            world.columns(
                {"deployment": "own.deployment", "name": "New", "auto_assigned_workspace": "sibling.workspace"}
            ),
        )


@each_update
def test_an_organization_auto_assigns_a_workspace_of_its_own(world: World, update: Update) -> None:
    update(world.own.organization, auto_assigned_workspace_id=world.own.workspace.pk)
    world.own.organization.refresh_from_db()
    assert world.own.organization.auto_assigned_workspace == world.own.workspace


@pytest.mark.parametrize(
    "delete",
    [
        lambda workspace: execute("DELETE FROM organizations_workspace WHERE id = %s", [workspace.pk]),
        lambda workspace: workspace.delete(),
    ],
    ids=["raw", "orm"],
)
def test_with_the_auto_assigned_workspace_its_assignment_ends(world: World, delete: Any) -> None:
    organization = world.own.organization
    update_by_sql(organization, auto_assigned_workspace_id=world.own.workspace.pk)
    delete(world.own.workspace)
    organization.refresh_from_db()
    assert organization.auto_assigned_workspace_id is None
    assert organization.deployment == world.own.deployment


@pytest.mark.parametrize("fields", [["deployment", "name", "auto_assigned_workspace"], ["auto_assigned_workspace"]])
def test_a_form_refuses_to_auto_assign_a_workspace_of_another_organization(world: World, fields: Any) -> None:
    organization = world.own.organization
    data = {"deployment": organization.deployment_id, "name": organization.name}
    form_class = modelform_factory(Organization, fields=fields)
    data["auto_assigned_workspace"] = world.sibling.workspace.pk
    form = form_class(data, instance=Organization.objects.get(pk=organization.pk))
    assert form.errors == {"__all__": ["The auto-assigned workspace must be one of this organization."]}
    data["auto_assigned_workspace"] = world.own.workspace.pk
    form = form_class(data, instance=organization)
    assert form.errors == {}
    assert form.save().auto_assigned_workspace == world.own.workspace


def test_a_form_without_the_auto_assigned_workspace_takes_a_new_organization(world: World) -> None:
    form_class = modelform_factory(Organization, fields=["deployment", "name", "auto_assigned_workspace"])
    form = form_class({"deployment": world.own.deployment.pk, "name": "New"})
    assert form.errors == {}
    assert form.save().auto_assigned_workspace_id is None
