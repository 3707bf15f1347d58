"""The choices that a field offers: those alone that the database would take, next to what the form holds already."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from accounts.models import Deployment, MailText, SignUpInvitation, User
from memberships.models import (
    OrganizationInvitation,
    OrganizationMembership,
    OrganizationMembershipRole,
    WorkspaceMembership,
    WorkspaceMembershipRole,
)
from organizations.models import (
    Organization,
    OrganizationDomain,
    OrganizationRole,
    OrganizationSegment,
    Segment,
    UserSegment,
    Workspace,
    WorkspaceRole,
    WorkspaceSegment,
)
from staff.models import StaffAccess
from staff.toolkit import choices
from tests.support.admin import PAGES, choose, url
from tests.support.factories import (
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    World,
    join,
    staff,
)


def offered(client: Client, model: type[Model], field: str, **given: Any) -> set[int]:
    """The ids of the choices, next to ``given``: rows, or whatever the browser sends, by field."""
    query = {"app_label": model._meta.app_label, "model_name": str(model._meta.model_name), "field_name": field}
    values = {name: getattr(row, "pk", row) for name, row in given.items()}
    response = client.get("/admin/autocomplete/", query | values)
    return {int(result["id"]) for result in response.json()["results"]}


def ids(*rows: Model) -> set[int]:
    return {row.pk for row in rows}


def test_a_member_of_a_workspace_is_offered_its_roles_alone(admin_client: Client, world: World) -> None:
    own, sibling = world.own, world.sibling
    WorkspaceRoleFactory.create(deployment=own.deployment)
    everywhere = list(own.deployment.workspace_roles.all())
    of_organization = WorkspaceRoleFactory.create(deployment=own.deployment, organization=own.organization)
    of_workspace = own.workspace.roles.create(deployment=own.deployment, organization=own.organization, name="w")
    other = WorkspaceFactory.create(organization=own.organization)
    of_other = other.roles.create(deployment=own.deployment, organization=own.organization, name="o")
    of_sibling = WorkspaceRoleFactory.create(deployment=own.deployment, organization=sibling.organization)
    WorkspaceRoleFactory.create(deployment=world.foreign.deployment)
    membership = join(own.user, own.workspace)
    fitting = ids(*everywhere, of_organization, of_workspace)
    for given in (
        {"workspace": own.workspace},
        {"membership": membership},
        {"workspace": own.workspace, "user": own.user},
    ):
        assert offered(admin_client, WorkspaceMembershipRole, "role", **given) == fitting
    new_one = {"organization": own.organization, "workspace": ""}
    assert offered(admin_client, WorkspaceMembershipRole, "role", **new_one) == ids(*everywhere, of_organization)
    for somewhere in ({"user": own.user}, {"deployment": own.deployment}):
        assert offered(admin_client, WorkspaceMembershipRole, "role", **somewhere) == fitting | ids(
            of_other, of_sibling
        )


def test_a_member_of_an_organization_is_offered_its_roles_alone(admin_client: Client, world: World) -> None:
    own, sibling = world.own, world.sibling
    OrganizationRoleFactory.create(deployment=own.deployment)
    everywhere = list(own.deployment.organization_roles.all())
    of_own = OrganizationRoleFactory.create(deployment=own.deployment, organization=own.organization)
    of_sibling = OrganizationRoleFactory.create(deployment=own.deployment, organization=sibling.organization)
    OrganizationRoleFactory.create(deployment=world.foreign.deployment)
    membership = OrganizationMembership.objects.create(organization=own.organization, user=own.user)
    for given in ({"organization": own.organization}, {"membership": membership}):
        assert offered(admin_client, OrganizationMembershipRole, "role", **given) == ids(*everywhere, of_own)
    all_three = ids(*everywhere, of_own, of_sibling)
    assert offered(admin_client, OrganizationMembershipRole, "role", user=own.user) == all_three


@pytest.mark.parametrize(
    ("model", "field", "given", "of"),
    [
        (OrganizationMembership, "user", "organization", ("own.user", "sibling.user")),
        (OrganizationMembership, "user", "deployment", ("own.user", "sibling.user")),
        (OrganizationMembership, "organization", "user", ("own.organization", "sibling.organization")),
        (WorkspaceMembership, "user", "workspace", ("own.user", "sibling.user")),
        (WorkspaceMembership, "user", "organization", ("own.user", "sibling.user")),
        (WorkspaceMembership, "workspace", "user", ("own.workspace", "sibling.workspace")),
        (WorkspaceMembership, "workspace", "organization", ("own.workspace",)),
        (WorkspaceMembership, "workspace", "deployment", ("own.workspace", "sibling.workspace")),
        (OrganizationRole, "organization", "deployment", ("own.organization", "sibling.organization")),
        (OrganizationRole, "deployment", "organization", ("own.deployment",)),
        (WorkspaceRole, "workspace", "organization", ("own.workspace",)),
        (WorkspaceRole, "workspace", "deployment", ("own.workspace", "sibling.workspace")),
        (WorkspaceRole, "organization", "workspace", ("own.organization",)),
        (WorkspaceRole, "organization", "deployment", ("own.organization", "sibling.organization")),
        (WorkspaceRole, "deployment", "workspace", ("own.deployment",)),
    ],
)
def test_a_field_offers_only_rows_that_fit_the_other_field(
    admin_client: Client, world: World, model: type[Model], field: str, given: str, of: tuple[str, ...]
) -> None:
    fitting = {next(iter(world.columns({"x": path}).values())) for path in of}
    assert offered(admin_client, model, field, **{given: getattr(world.own, given)}) == fitting
    everything = set(model._meta.get_field(field).related_model._default_manager.values_list("pk", flat=True))  # type: ignore[union-attr]  # a relation to a model
    for nothing in ("", "abc", "\0", "9" * 30):
        assert offered(admin_client, model, field, **{given: nothing}) == everything


def test_an_organization_assigns_workspaces_of_its_own_alone(admin_client: Client, world: World) -> None:
    assert offered(admin_client, Organization, "auto_assigned_workspace", id=world.own.organization) == ids(
        world.own.workspace
    )
    page = admin_client.get(url(world.own.organization, "change")).content.decode()
    assert f'data-fixed="{{&quot;id&quot;: &quot;{world.own.organization.pk}&quot;}}"' in page


@pytest.mark.parametrize("link", [UserSegment, OrganizationSegment, WorkspaceSegment])
def test_segments_and_rows_of_their_type_are_offered_to_each_other(
    admin_client: Client, world: World, link: Any
) -> None:
    name = link.type.value
    of_type = [SegmentFactory.create(deployment=world.own.deployment, type=type_) for type_ in Segment.Type]
    foreign = SegmentFactory.create(deployment=world.foreign.deployment, type=link.type)
    own = next(segment for segment in of_type if segment.type == link.type)
    assert offered(admin_client, link, "segment") == ids(own, foreign)
    assert offered(admin_client, link, "segment", **{name: getattr(world.own, name)}) == ids(own)
    members = ids(getattr(world.own, name), getattr(world.sibling, name))
    assert offered(admin_client, link, name, segment=own) == members


def test_rights_are_offered_to_staff_who_have_none(admin_client: Client, world: World) -> None:
    member = staff(world.own.deployment)
    assert member.pk not in offered(admin_client, StaffAccess, "user")
    StaffAccess.objects.all().delete()
    assert member.pk in offered(admin_client, StaffAccess, "user")


def test_every_field_of_a_form_declares_its_choices(db: None) -> None:
    """But the first of a row, by which the others go: what it belongs to."""
    first = {(model, "deployment") for model in (User, MailText, SignUpInvitation, Organization, Segment)} | {
        *((model, "organization") for model in (Workspace, OrganizationDomain, OrganizationInvitation)),
        (StaffAccess, "deployments"),
    }
    found = set()
    for model in PAGES:
        page: Any = admin.site.get_model_admin(model)
        rows = [Segment(type=type_) for type_ in Segment.Type] if model is Segment else [None]
        inlines = [inline for row in rows for inline in page.get_inlines(None, row)]
        writable = [page] if "Read" not in str(type(page).__mro__) else []
        found |= {(item.model, name) for item in [*writable, *inlines] for name in item.autocomplete_fields}
    assert found - first == {*choices._rules, *choices._always} & found
    assert found >= first


def test_an_action_offers_only_rows_that_fit_all_chosen_rows(admin_client: Client, world: World) -> None:
    own = world.own
    page = choose(admin_client, "add_to_workspace", own.user, world.sibling.user).context["form"]
    expected = {"deployment": str(own.deployment.pk)}
    assert [_fixed(field) for field in page.fields.values()] == [expected, expected]
    strangers = choose(admin_client, "add_to_workspace", own.user, world.foreign.user).context["form"]
    assert [_fixed(field) for field in strangers.fields.values()] == [{}, {}]
    there = join(own.user, own.workspace)
    elsewhere = join(UserFactory.create(deployment=own.deployment), world.sibling.workspace)
    roles = choose(admin_client, "change_roles", there).context["form"]
    assert [_fixed(field) for field in roles.fields.values()] == [{"workspace": str(own.workspace.pk)}] * 2
    roles = choose(admin_client, "change_roles", there, elsewhere).context["form"]
    assert [_fixed(field) for field in roles.fields.values()] == [expected] * 2


def _fixed(field: Any) -> Any:
    return json.loads(field.widget.attrs["data-fixed"])


def test_staff_of_one_deployment_are_offered_its_rows_alone(world: World) -> None:
    """Values that the browser sends narrow the choices; they never widen them."""
    client = Client()
    client.force_login(staff(world.own.deployment))
    given = {"organization": world.foreign.organization}
    assert offered(client, OrganizationMembership, "user", **given) == set()
    assert Deployment.objects.count() == 2
