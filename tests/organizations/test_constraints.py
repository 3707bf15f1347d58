"""The database's refusals for organizations, workspaces, roles and segments, and the messages of forms."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, DataError, IntegrityError, models, transaction
from django.forms import modelform_factory
from hypothesis import given
from hypothesis import strategies as st

from api.networks import parse_network
from organizations.models import (
    Organization,
    OrganizationRole,
    OrganizationSegment,
    Segment,
    UserSegment,
    Workspace,
    WorkspaceRole,
    WorkspaceSegment,
)
from tests.support.cases import each, named, undone
from tests.support.database import Insert, Update, each_insert, each_update, execute, refused, update_by_sql
from tests.support.factories import SegmentFactory, World

Row = dict[str, Any]


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


LINKS: list[tuple[type[models.Model], str]] = [
    (UserSegment, "user"),
    (OrganizationSegment, "organization"),
    (WorkspaceSegment, "workspace"),
]


@each_insert
@each(("model", "kind"), LINKS)
def test_a_segment_holds_rows_of_its_type_in_its_own_deployment(
    world: World, insert: Insert, model: type[models.Model], kind: str
) -> None:
    segment = SegmentFactory.create(deployment=world.own.deployment, type=kind)
    insert(
        model,
        world.columns({kind: f"own.{kind}", "segment_id": segment.pk}),
        world.columns({kind: f"sibling.{kind}", "segment_id": segment.pk}),
    )
    assert model._base_manager.count() == 2


@each_insert
@each(("model", "kind"), LINKS)
def test_a_segment_holds_nothing_of_another_type_or_deployment(
    world: World, insert: Insert, model: type[models.Model], kind: str
) -> None:
    unfit = [
        *(SegmentFactory.create(deployment=world.own.deployment, type=other) for _, other in LINKS if other != kind),
        SegmentFactory.create(deployment=world.foreign.deployment, type=kind),
    ]
    for segment in unfit:
        with refused("segment_fits"):
            insert(model, world.columns({kind: f"own.{kind}", "segment_id": segment.pk}))


@each(("model", "kind"), LINKS)
def test_a_form_refuses_an_unfit_segment_before_the_database_does(
    world: World, model: type[models.Model], kind: str
) -> None:
    for deployment, type_, fits in (
        (world.own.deployment, kind, True),
        (world.own.deployment, "user" if kind != "user" else "workspace", False),
        (world.foreign.deployment, kind, False),
    ):
        link = model(
            **world.columns({kind: f"own.{kind}"}), segment=SegmentFactory.create(deployment=deployment, type=type_)
        )
        if fits:
            link.full_clean()
        else:
            with pytest.raises(ValidationError):
                link.full_clean()


@each_update
@each(("model", "kind"), LINKS)
def test_nothing_is_moved_into_a_segment_that_does_not_fit_it(
    world: World, update: Update, model: type[models.Model], kind: str
) -> None:
    fit, other_fit = SegmentFactory.create_batch(2, deployment=world.own.deployment, type=kind)
    foreign = SegmentFactory.create(deployment=world.foreign.deployment, type=kind)
    link = model._base_manager.create(**world.columns({kind: f"own.{kind}"}), segment=fit)
    update(link, segment_id=other_fit.pk)
    with refused("segment_fits"):
        update(link, segment_id=foreign.pk)
    with refused("segment_fits"):
        update(link, **world.columns({kind: f"foreign.{kind}"}))


@each_insert
@each(("model", "kind"), LINKS)
def test_a_segment_holds_a_row_once(world: World, insert: Insert, model: type[models.Model], kind: str) -> None:
    segment = SegmentFactory.create(deployment=world.own.deployment, type=kind)
    row = world.columns({kind: f"own.{kind}", "segment_id": segment.pk})
    with refused(f"organizations_{kind}segment_once"):
        insert(model, row, row)


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


MALFORMED_ENTRIES = [
    "abc",
    "",
    " ",
    "10.1",
    "10/8",
    "192.168.1/24",
    "1.2.3.4.5",
    "010.0.0.1",
    "10.0.0.0/08",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/",
    "10.0.0.1/24",
    "10.0.0.0/255.0.0.0",
    " 10.0.0.1",
    "10.0.0.1 ",
    "10.0.0.1\n",
    "10.0.0.1 10.0.0.2",
    "10.0.0.1,10.0.0.2",
    "::1/129",
    "2001:db8::1/64",
    "2001:db8::/032",
    "1::2:",
    "::1.2.3",
    "fe80::1%eth0",
]
ENTRIES = [
    "10.0.0.1",
    "10.0.0.1/32",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::1",
    "2001:db8::/32",
    "2001:DB8:0:0:0:0:0:1/128",
    "::/0",
    "::ffff:10.0.0.1",
    "::ffff:10.0.0.0/104",
]
REFUSAL = r"_whitelisted_ips_are_networks|for type inet|invalid cidr value"
"""The check fails (``IntegrityError``), or the cast within it does (``DataError``)."""


def is_stored(entry: str) -> bool:
    """Whether the database takes an allow-list of ``entry``."""
    try:
        with transaction.atomic():
            execute("UPDATE organizations_workspace SET whitelisted_ips = %s", [[entry]])
    except (IntegrityError, DataError):
        return False
    return True


@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_a_malformed_entry_of_an_allow_list_is_refused(world: World, kind: str) -> None:
    for entry in (*MALFORMED_ENTRIES, None):
        entries = ["192.0.2.1", entry, "::1"]
        with named(entry), pytest.raises(DatabaseError, match=REFUSAL), transaction.atomic():
            execute(f"UPDATE organizations_{kind} SET whitelisted_ips = %s", [entries])
        with named(entry), pytest.raises(DatabaseError, match=REFUSAL), transaction.atomic():
            type(getattr(world.own, kind))._base_manager.update(whitelisted_ips=entries)


def test_a_form_names_the_malformed_entry(world: World) -> None:
    workspace = world.own.workspace
    for entry in MALFORMED_ENTRIES:
        workspace.whitelisted_ips = ["192.0.2.1", entry, "::1"]
        with named(entry):
            with pytest.raises(ValidationError) as caught:
                workspace.full_clean()
            (message,) = caught.value.message_dict["whitelisted_ips"]
            assert message.startswith("Item 2 in the array did not validate:")
            assert not entry or f"“{entry}” is not an IPv4 or IPv6 address or CIDR network." in message


@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_an_allow_list_keeps_its_entries_in_their_order_and_spelling(world: World, kind: str) -> None:
    place = getattr(world.own, kind)
    for entries in ([], *([entry] for entry in ENTRIES), ENTRIES):
        with undone(entries):
            place.whitelisted_ips = entries
            place.full_clean()
            place.save()
            execute(f"UPDATE organizations_{kind} SET whitelisted_ips = whitelisted_ips || %s", [["192.0.2.9"]])
            place.refresh_from_db()
            assert place.whitelisted_ips == [*entries, "192.0.2.9"]


@given(
    edit=st.tuples(
        st.sampled_from([*MALFORMED_ENTRIES, *ENTRIES]), st.integers(0, 30), st.text("0123456789af:./% ", max_size=3)
    )
)
def test_the_database_the_forms_and_the_rule_agree_on_entries(world: World, edit: tuple[str, int, str]) -> None:
    text, position, inserted = edit
    entry = text[:position] + inserted + text[position + 1 :]
    try:
        parse_network(entry)
    except ValueError:
        readable = False
    else:
        readable = True
    with transaction.atomic():
        stored = is_stored(entry)
        transaction.set_rollback(True)
    assert stored is readable


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
