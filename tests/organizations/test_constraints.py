"""The database's refusals for organizations, workspaces, roles and segments, and the messages of forms."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import models
from django.forms import modelform_factory

from organizations.models import Organization, OrganizationRole, Segment, Workspace, WorkspaceRole
from tests.support.cases import each, named
from tests.support.database import Insert, Row, Update, each_insert, each_update, execute, refused
from tests.support.factories import World

ROLE = {"deployment": "own.deployment", "name": "Auditor"}


SEGMENT = {"deployment": "own.deployment", "type": "user", "name": "Early birds"}


@each_insert
@pytest.mark.parametrize(
    "type_", [pytest.param("team", id="unknown"), pytest.param("", id="empty"), pytest.param("USER", id="upper case")]
)
def test_a_segment_has_a_known_type(world: World, insert: Insert, type_: str) -> None:
    with refused("organizations_segment_type_is_known"):
        insert(Segment, world.columns(SEGMENT | {"type": type_}))


@each_insert
@each("type_", Segment.Type.values)
def test_a_segment_may_have_each_type(world: World, insert: Insert, type_: str) -> None:
    insert(Segment, world.columns(SEGMENT | {"type": type_}))
    assert Segment.objects.get().type == type_


@each_insert
@each(
    ("model", "first", "second", "constraint"),
    [
        (Segment, SEGMENT, SEGMENT, "organizations_segment_name_is_unique"),
        (OrganizationRole, ROLE, ROLE, "organizations_organizationrole_name_is_unique"),
        (
            OrganizationRole,
            ROLE | {"organization": "own.organization"},
            ROLE | {"organization": "own.organization"},
            "organizations_organizationrole_name_is_unique",
        ),
        (WorkspaceRole, ROLE, ROLE, "organizations_workspacerole_name_is_unique"),
        (
            WorkspaceRole,
            ROLE | {"organization": "own.organization"},
            ROLE | {"organization": "own.organization"},
            "organizations_workspacerole_name_is_unique",
        ),
        (
            WorkspaceRole,
            ROLE | {"organization": "own.organization", "workspace": "own.workspace"},
            ROLE | {"organization": "own.organization", "workspace": "own.workspace"},
            "organizations_workspacerole_name_is_unique",
        ),
    ],
)
def test_a_name_is_given_once_in_its_scope(
    world: World, insert: Insert, model: type[models.Model], first: Row, second: Row, constraint: str
) -> None:
    insert(model, world.columns(first))
    with refused(constraint):
        insert(model, world.columns(second))


@each_insert
@each(
    ("model", "first", "second"),
    [
        (Segment, SEGMENT, SEGMENT | {"type": "workspace"}),
        (Segment, SEGMENT, SEGMENT | {"deployment": "foreign.deployment"}),
        (OrganizationRole, ROLE, ROLE | {"deployment": "foreign.deployment"}),
        (OrganizationRole, ROLE, ROLE | {"organization": "own.organization"}),
        (
            OrganizationRole,
            ROLE | {"organization": "sibling.organization"},
            ROLE | {"organization": "own.organization"},
        ),
        (WorkspaceRole, ROLE, ROLE | {"organization": "own.organization"}),
        (
            WorkspaceRole,
            ROLE | {"organization": "own.organization"},
            ROLE | {"organization": "own.organization", "workspace": "own.workspace"},
        ),
    ],
)
def test_a_name_may_be_given_again_in_another_scope(
    world: World, insert: Insert, model: type[models.Model], first: Row, second: Row
) -> None:
    before = model._base_manager.count()
    insert(model, world.columns(first))
    insert(model, world.columns(second))
    assert model._base_manager.count() == before + 2


@each_insert
@each(
    ("model", "scope", "constraint"),
    [
        (
            OrganizationRole,
            {"organization": "foreign.organization"},
            "organizations_organizationrole_is_of_deployment",
        ),
        (WorkspaceRole, {"organization": "foreign.organization"}, "organizations_workspacerole_is_of_deployment"),
        (
            WorkspaceRole,
            {"organization": "foreign.organization", "workspace": "foreign.workspace"},
            "organizations_workspacerole_is_of_deployment",
        ),
        (WorkspaceRole, {"workspace": "own.workspace"}, "organizations_workspacerole_names_its_organization"),
        (
            WorkspaceRole,
            {"organization": "own.organization", "workspace": "sibling.workspace"},
            "organizations_workspacerole_is_of_organization",
        ),
        (
            WorkspaceRole,
            {"organization": "own.organization", "workspace": "foreign.workspace"},
            "organizations_workspacerole_is_of_organization",
        ),
    ],
)
def test_the_parents_of_a_role_belong_together(
    world: World, insert: Insert, model: type[models.Model], scope: Row, constraint: str
) -> None:
    with refused(constraint):
        insert(model, world.columns(ROLE | scope))


@each_insert
@each(
    ("model", "scope"),
    [
        (OrganizationRole, {}),
        (OrganizationRole, {"organization": "own.organization"}),
        (WorkspaceRole, {}),
        (WorkspaceRole, {"organization": "own.organization"}),
        (WorkspaceRole, {"organization": "own.organization", "workspace": "own.workspace"}),
    ],
)
def test_a_role_serves_a_deployment_or_less(
    world: World, insert: Insert, model: type[models.Model], scope: Row
) -> None:
    insert(model, world.columns(ROLE | scope))
    assert model._base_manager.filter(**world.columns(ROLE | scope)).count() == 1


@each_update
@each(
    ("model", "row", "change"),
    [
        (Segment, SEGMENT, {"deployment": "foreign.deployment"}),
        (Segment, SEGMENT, {"type": "workspace"}),
        (Organization, {"deployment": "own.deployment"}, {"deployment": "foreign.deployment"}),
        (Workspace, {"organization": "own.organization"}, {"organization": "sibling.organization"}),
        (OrganizationRole, ROLE, {"deployment": "foreign.deployment"}),
        (OrganizationRole, ROLE, {"organization": "own.organization"}),
        (OrganizationRole, ROLE | {"organization": "own.organization"}, {"organization": "sibling.organization"}),
        (OrganizationRole, ROLE | {"organization": "own.organization"}, {"organization_id": None}),
        (WorkspaceRole, ROLE, {"deployment": "foreign.deployment"}),
        (WorkspaceRole, ROLE, {"organization": "own.organization"}),
        (WorkspaceRole, ROLE | {"organization": "own.organization"}, {"workspace": "own.workspace"}),
        (
            WorkspaceRole,
            ROLE | {"organization": "own.organization", "workspace": "own.workspace"},
            {"workspace_id": None},
        ),
    ],
)
def test_the_parents_of_a_row_cannot_change(
    world: World, update: Update, model: type[models.Model], row: Row, change: Row
) -> None:
    instance = model._base_manager.create(**world.columns(row))
    with refused("immutable"):
        update(instance, **world.columns(change))


@each_update
@each(
    ("model", "row"),
    [
        (Segment, SEGMENT),
        (Organization, {"deployment": "own.deployment"}),
        (Workspace, {"organization": "own.organization"}),
        (OrganizationRole, ROLE | {"organization": "own.organization"}),
        (WorkspaceRole, ROLE | {"organization": "own.organization"}),
    ],
)
def test_everything_may_be_renamed(world: World, update: Update, model: type[models.Model], row: Row) -> None:
    instance = model._base_manager.create(**world.columns(row))
    update(instance, name="Renamed", **world.columns({k: v for k, v in row.items() if k != "name"}))
    assert model._base_manager.get(pk=instance.pk).name == "Renamed"  # type: ignore[attr-defined]  # every model here has it


@each_update
@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_metadata_is_a_json_object(world: World, update: Update, kind: str) -> None:
    for field, value in product(["public_metadata", "private_metadata"], [[], [{}], "text", 1, True]):
        with named(field, value), refused(f"organizations_{kind}_{field}_is_object"):
            update(getattr(world.own, kind), **{field: value})


@each("field", ["public_metadata", "private_metadata"])
@each("kind", ["organization", "workspace"])
def test_metadata_is_not_a_json_null(world: World, kind: str, field: str) -> None:
    with refused(f"organizations_{kind}_{field}_is_object"):
        execute(f"UPDATE organizations_{kind} SET {field} = 'null'")


@each_insert
@each("model", [OrganizationRole, WorkspaceRole])
@each("value", [[None], ["a", None]])
def test_permissions_are_texts(world: World, insert: Insert, model: type[models.Model], value: list[Any]) -> None:
    with refused(f"{model._meta.db_table}_permissions_are_texts"):
        insert(model, world.columns(ROLE | {"permissions": value}))


@pytest.mark.parametrize("table", ["organizations_organizationrole", "organizations_workspacerole"])
def test_permissions_are_no_lists(world: World, table: str) -> None:
    with refused(f"{table}_permissions_are_texts"):
        execute(f"UPDATE {table} SET permissions = '{{{{a}},{{b}}}}'")


@each_insert
@each("model", [OrganizationRole, WorkspaceRole])
@each("value", [[], [""], ["null", "a:b", "{}"]])
def test_permissions_may_be_any_texts(
    world: World, insert: Insert, model: type[models.Model], value: list[str]
) -> None:
    insert(model, world.columns(ROLE | {"permissions": value}))
    assert model._base_manager.get(name=ROLE["name"]).permissions == value  # type: ignore[attr-defined]  # every model here has it


@each_update
@pytest.mark.parametrize("value", [{}, {"plan": "gold", "": [None, {"a": 1}]}])
def test_metadata_has_free_keys(world: World, update: Update, value: Any) -> None:
    update(world.own.organization, public_metadata=value, private_metadata=value)
    world.own.organization.refresh_from_db()
    assert world.own.organization.public_metadata == world.own.organization.private_metadata == value


def test_a_form_says_that_metadata_must_be_an_object(world: World) -> None:
    workspace = world.own.workspace
    workspace.public_metadata = ["no", "object"]
    with pytest.raises(ValidationError, match="public_metadata must be a JSON object"):
        workspace.full_clean()


@each(
    ("model", "data", "error"),
    [
        (
            OrganizationRole,
            ROLE | {"organization": "foreign.organization"},
            "The organization belongs to another deployment.",
        ),
        (
            WorkspaceRole,
            ROLE | {"organization": "foreign.organization"},
            "The organization belongs to another deployment.",
        ),
        (
            WorkspaceRole,
            ROLE | {"organization": "own.organization", "workspace": "sibling.workspace"},
            "The workspace belongs to another organization.",
        ),
    ],
)
def test_a_form_names_the_parents_that_do_not_belong_together(
    world: World, model: type[models.Model], data: Row, error: str
) -> None:
    columns = world.columns(data)
    form = modelform_factory(model, fields="__all__")({key.removesuffix("_id"): columns[key] for key in columns})
    assert error in form.errors["__all__"]
    with pytest.raises(ValidationError) as caught:
        model(**columns).full_clean()
    assert error in caught.value.message_dict["__all__"]
