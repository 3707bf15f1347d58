"""The pages for staff of organizations, workspaces, roles and segments: what the database refuses, the form refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import Deployment
from organizations.models import Organization, OrganizationRole, Segment, Workspace, WorkspaceRole
from tests.support.admin import add_to_inline, errors, form_at, saved, send, url
from tests.support.factories import (
    OrganizationFactory,
    OrganizationRoleFactory,
    SegmentFactory,
    WorkspaceFactory,
    new_world,
)

each_place = pytest.mark.parametrize("factory", [OrganizationFactory, WorkspaceFactory])


@each_place
def test_the_allow_list_is_written_one_entry_a_line(admin_client: Client, db: None, factory: Any) -> None:
    place = factory.create()
    assert saved(send(admin_client, url(place, "change"), whitelisted_ips="203.0.113.7\r\n\r\n 2001:db8::/32 \r\n"))
    place.refresh_from_db()
    assert place.whitelisted_ips == ["203.0.113.7", "2001:db8::/32"]


@each_place
def test_the_databases_own_check_of_the_allow_list_runs_on_the_form(
    admin_client: Client, db: None, factory: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Django logs a check that it cannot run, and takes it for passed."""
    assert saved(send(admin_client, url(factory.create(), "change"), whitelisted_ips="203.0.113.7\r\n::1"))
    assert caplog.messages == []


@each_place
def test_every_bad_line_of_the_allow_list_is_named(admin_client: Client, db: None, factory: Any) -> None:
    place = factory.create(whitelisted_ips=["192.0.2.1"])
    bad = ("10.0.0.256", "10.0.0.1/8", "10.1", "10.0.0.1, 10.0.0.2", "fe80::1%eth0", "<b>", "1" * 65)
    lines = "\r\n".join(["203.0.113.7", "", *bad, "::1"])
    found = errors(send(admin_client, url(place, "change"), whitelisted_ips=lines))
    for number, line in enumerate(bad, start=3):
        reason = f"“{line}” is not an IPv4" if len(line) <= 64 else "Ensure this value has at most 64 characters"
        assert f"Line {number}: {reason}" in found, line
    assert {*re.findall(r"Line \d+", found)} == {f"Line {number}" for number in range(3, 3 + len(bad))}
    place.refresh_from_db()
    assert place.whitelisted_ips == ["192.0.2.1"]


INVALID_METADATA = {
    "must be a JSON object": ("[]", '["a"]', '"text"', "null", "7", "false"),
    "Enter a valid JSON": ("{plan: basic}",),
    "cannot be stored": (
        '{"a": NaN}',
        '{"a": 1e999}',
        f'{{"a": {"9" * 5000}}}',
        '{"a": "\\u0000"}',
        '{"a\\u0000": 1}',
        '{"a": "\\\\\\u0000"}',
        '{"a": "\\ud800"}',
    ),
    "nested too deeply": (f'{{"a": {"[" * 100_000}{"]" * 100_000}}}',),
}


def test_invalid_metadata_is_refused(admin_client: Client, db: None) -> None:
    """The check while staff type holds each text to the same field, without a page; the page shows one of each kind."""
    address = url(OrganizationFactory.create(), "change")
    form = form_at(admin_client, address)
    for reason, texts in INVALID_METADATA.items():
        for field in ("public_metadata", "private_metadata"):
            for text in texts:
                check = f"/admin/check/organizations.organization/{field}/"
                found = admin_client.post(check, {"value": text}).json()["errors"]
                assert reason in " ".join(found), (field, text[:50])
        response = admin_client.post(address, form | {"public_metadata": texts[-1], "private_metadata": texts[0]})
        assert reason in errors(response)
        found = response.context["adminform"].form.errors
        assert [field for field in ("public_metadata", "private_metadata") if reason not in str(found[field])] == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        (" \r\n", {}),
        (
            '{"plan": "größer", "nested": {"list": [1, null, 2.5]}}',
            {"plan": "größer", "nested": {"list": [1, None, 2.5]}},
        ),
        ('{"backslash": "\\\\u0000"}', {"backslash": "\\u0000"}),
        ('{"pair": "\\ud83d\\ude00"}', {"pair": "😀"}),
    ],
)
def test_metadata_is_stored_as_written(admin_client: Client, db: None, text: str, value: Any) -> None:
    organization = OrganizationFactory.create(public_metadata={"old": True})
    assert saved(send(admin_client, url(organization, "change"), public_metadata=text))
    organization.refresh_from_db()
    assert organization.public_metadata == value


def test_permissions_are_written_one_a_line(admin_client: Client, deployment: Deployment) -> None:
    fields = {"deployment": deployment.pk, "name": "Auditor", "permissions": "audit:read\r\naudit:a, b\r\n"}
    assert saved(send(admin_client, url(OrganizationRole, "add"), **fields))
    assert OrganizationRole.objects.latest("pk").permissions == ["audit:read", "audit:a, b"]


@pytest.mark.parametrize("kind", ["user", "organization", "workspace"])
@pytest.mark.parametrize("side", ["place", "segment"])
def test_a_segment_must_fit(admin_client: Client, db: None, kind: str, side: str) -> None:
    """It is refused, by name, on the page of the segment as on that of what is to be in it."""
    world = new_world()
    member = getattr(world.own, kind)
    foreign = SegmentFactory.create(deployment=world.foreign.deployment, type=kind)
    if side == "place":
        response = add_to_inline(admin_client, url(member, "change"), f"{kind}_segments", {"segment": foreign.pk})
    else:
        response = add_to_inline(admin_client, url(foreign, "change"), f"{kind}_segments", {kind: member.pk})
    assert f"“{foreign}” is a segment of another deployment." in errors(response)


@pytest.mark.parametrize("kind", ["user", "organization", "workspace"])
def test_a_segment_of_another_type_is_refused(admin_client: Client, db: None, kind: str) -> None:
    world = new_world()
    other = {"user": "organization", "organization": "workspace", "workspace": "user"}[kind]
    segment = SegmentFactory.create(deployment=world.own.deployment, type=other)
    address = url(getattr(world.own, kind), "change")
    response = add_to_inline(admin_client, address, f"{kind}_segments", {"segment": segment.pk})
    assert f"“{segment}” is a segment of {other}s; a {kind} cannot be in it." in errors(response)


@pytest.mark.parametrize("kind", ["user", "organization", "workspace"])
def test_a_segment_that_fits_is_accepted_once(admin_client: Client, db: None, kind: str) -> None:
    world = new_world()
    segment = SegmentFactory.create(deployment=world.own.deployment, type=kind)
    address = url(getattr(world.own, kind), "change")
    assert saved(add_to_inline(admin_client, address, f"{kind}_segments", {"segment": segment.pk}))
    assert "already exists" in errors(add_to_inline(admin_client, address, f"{kind}_segments", {"segment": segment.pk}))


def test_a_segment_name_is_unique_in_its_deployment(admin_client: Client, db: None) -> None:
    """Neither deployment nor type can be changed in this form, yet they count."""
    segment = SegmentFactory.create()
    other = SegmentFactory.create(deployment=segment.deployment, type=segment.type)
    assert "already exists" in errors(send(admin_client, url(segment, "change"), name=other.name))


def test_the_auto_assigned_workspace_must_be_one_of_the_organization(admin_client: Client, db: None) -> None:
    world = new_world()
    address = url(world.own.organization, "change")
    response = send(admin_client, address, auto_assigned_workspace=world.sibling.workspace.pk)
    assert "The auto-assigned workspace must be one of this organization." in errors(response)
    assert saved(send(admin_client, address, auto_assigned_workspace=world.own.workspace.pk))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"deployment": "foreign.deployment", "organization": "own.organization"},
            "The organization belongs to another deployment.",
        ),
        (
            {
                "deployment": "own.deployment",
                "organization": "sibling.organization",
                "workspace": "own.workspace",
            },
            "The workspace belongs to another organization.",
        ),
        (
            {"deployment": "foreign.deployment", "workspace": "own.workspace"},
            "The organization belongs to another deployment.",
        ),
    ],
)
def test_a_role_must_be_of_one_deployment(admin_client: Client, db: None, fields: dict[str, str], message: str) -> None:
    columns = {name.removesuffix("_id"): pk for name, pk in new_world().columns(fields).items()}
    model = WorkspaceRole if "workspace" in fields else OrganizationRole
    assert message in errors(send(admin_client, url(model, "add"), name="Auditor", **columns))


def test_a_role_of_a_workspace_gets_the_organization_by_itself(admin_client: Client, db: None) -> None:
    workspace = WorkspaceFactory.create()
    fields = {"deployment": workspace.organization.deployment_id, "workspace": workspace.pk, "name": "Crane operator"}
    assert saved(send(admin_client, url(WorkspaceRole, "add"), **fields))
    assert WorkspaceRole.objects.latest("pk").organization == workspace.organization


@each_place
def test_an_own_role_is_added_on_the_page_of_its_place(admin_client: Client, db: None, factory: Any) -> None:
    place = factory.create()
    row = {"name": "Auditor", "permissions": "audit:read\r\naudit:write"}
    assert saved(add_to_inline(admin_client, url(place, "change"), "roles", row))
    role = place.roles.get()
    assert (role.name, role.permissions) == ("Auditor", ["audit:read", "audit:write"])
    assert role.deployment == (place if isinstance(place, Organization) else place.organization).deployment


@each_place
def test_two_own_roles_of_one_name_are_refused(admin_client: Client, db: None, factory: Any) -> None:
    """Whether the other is in the database already, or in the same form: then only the database can tell."""
    place = factory.create()
    address = url(place, "change")
    assert "already exists" in errors(add_to_inline(admin_client, address, "roles", {"name": "A"}, {"name": "A"}))
    assert not place.roles.exists()
    assert saved(add_to_inline(admin_client, address, "roles", {"name": "A"}))
    assert "already exists" in errors(add_to_inline(admin_client, address, "roles", {"name": "A"}))


def test_two_deployment_roles_of_one_name_are_refused(admin_client: Client, db: None) -> None:
    """Their organization is null in both."""
    role = OrganizationRoleFactory.create()
    fields = {"deployment": role.deployment_id, "name": role.name}
    assert "already exists" in errors(send(admin_client, url(OrganizationRole, "add"), **fields))


def test_an_organization_is_made_with_its_first_workspace_and_role(
    admin_client: Client, deployment: Deployment
) -> None:
    response = send(
        admin_client,
        url(Organization, "add"),
        **{
            "deployment": deployment.pk,
            "name": "Nordlys",
            "workspaces-TOTAL_FORMS": 1,
            "workspaces-0-name": "Harbour",
            "roles-TOTAL_FORMS": 1,
            "roles-0-name": "Auditor",
        },
    )
    assert saved(response)
    assert Workspace.objects.get(name="Harbour").organization.name == "Nordlys"
    assert OrganizationRole.objects.get(name="Auditor").deployment == deployment


@pytest.mark.parametrize("missing", ["deployment", "name"])
def test_a_place_without_its_parent_or_name_is_refused_with_its_inlines(
    admin_client: Client, deployment: Deployment, missing: str
) -> None:
    segment = SegmentFactory.create(deployment=deployment, type=Segment.Type.ORGANIZATION)
    fields = {"deployment": str(deployment.pk), "name": "Nordlys"} | {missing: ""}
    rows = {
        "roles-TOTAL_FORMS": 1,
        "roles-0-name": "Auditor",
        "organization_segments-TOTAL_FORMS": 1,
        "organization_segments-0-segment": segment.pk,
    }
    assert "This field is required." in errors(send(admin_client, url(Organization, "add"), **fields, **rows))


@pytest.mark.parametrize(
    ("kind", "field", "other"),
    [("organization", "deployment", "foreign.deployment"), ("workspace", "organization", "sibling.organization")],
)
def test_the_parents_of_a_place_cannot_be_changed(
    admin_client: Client, db: None, kind: str, field: str, other: str
) -> None:
    world = new_world()
    place = getattr(world.own, kind)
    (pk,) = world.columns({field: other}).values()
    assert saved(send(admin_client, url(place, "change"), **{field: pk}))
    before = getattr(place, field)
    place.refresh_from_db()
    assert getattr(place, field) == before
