"""Actions of staff on many rows: previewed, in one transaction, refused with the name of what stands in the way."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Session, SignIn, User
from memberships.models import OrganizationMembership, WorkspaceMembership
from organizations.models import WorkspaceRole
from staff.toolkit import bulk_actions
from tests.support.admin import choose, go_on, url
from tests.support.factories import (
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    World,
    join,
    join_organization,
    session_of,
    staff,
)


def member_role(user: User) -> WorkspaceRole:
    return WorkspaceRole.objects.get(deployment=user.deployment, workspace=None, name="Member")


def texts(response: Any) -> list[str]:
    return [f"{change.row} {change.text}" for change in response.context["changes"]]


def test_users_are_added_to_a_workspace_with_roles_after_a_preview(admin_client: Client, world: World) -> None:
    own, place = world.own, world.own.workspace
    other = UserFactory.create(deployment=own.deployment)
    join_organization(other, own.organization)
    role = member_role(own.user)
    assert "workspace" in choose(admin_client, "add_to_workspace", own.user, other).context["form"].fields
    answers: dict[str, Any] = {"workspace": place.pk, "roles": [role.pk]}
    preview = go_on(admin_client, "add_to_workspace", own.user, other, press="preview", **answers)
    assert sorted(texts(preview)) == sorted(
        [
            f"{own.user} joins “{own.organization}”, joins “{place}”, gets “Member”",
            f"{other} joins “{place}”, gets “Member”",
        ]
    )
    assert not WorkspaceMembership.objects.exists()
    assert go_on(admin_client, "add_to_workspace", own.user, other, **answers).status_code == 302
    assert {membership.user for membership in role.memberships.all()} == {own.user, other}


def test_a_user_of_another_deployment_stops_it_for_all_and_is_named(admin_client: Client, world: World) -> None:
    users = (world.own.user, world.foreign.user)
    response = go_on(admin_client, "add_to_workspace", *users, workspace=world.own.workspace.pk)
    (reason,) = response.context["reasons"]
    assert str(world.foreign.user) in reason
    assert reason in response.content.decode()
    assert not WorkspaceMembership.objects.exists()
    assert not OrganizationMembership.objects.exists()


def test_a_role_of_elsewhere_stops_it_and_is_named(admin_client: Client, world: World) -> None:
    role = WorkspaceRoleFactory.create(
        deployment=world.own.deployment, organization=world.sibling.organization, name="Theirs"
    )
    answers: dict[str, Any] = {"workspace": world.own.workspace.pk, "roles": [role.pk]}
    (reason,) = go_on(admin_client, "add_to_workspace", world.own.user, **answers).context["reasons"]
    assert "“Theirs” is a role of" in reason
    assert not OrganizationMembership.objects.exists()


def test_roles_are_given_and_taken(admin_client: Client, world: World) -> None:
    own = world.own
    member, admin = member_role(own.user), WorkspaceRole.objects.get(deployment=own.deployment, name="Admin")
    membership = join(own.user, own.workspace, member)
    response = go_on(admin_client, "change_roles", membership, press="preview", give=[admin.pk], take=[member.pk])
    assert texts(response) == [f"{membership} gets “Admin”, loses “Member”"]
    assert list(membership.roles.all()) == [member]
    go_on(admin_client, "change_roles", membership, give=[admin.pk], take=[member.pk])
    assert list(membership.roles.all()) == [admin]


def test_a_role_that_does_not_fit_one_of_the_memberships_changes_none(admin_client: Client, world: World) -> None:
    fits, fits_not = join(world.own.user, world.own.workspace), join(world.sibling.user, world.sibling.workspace)
    role = WorkspaceRoleFactory.create(
        deployment=world.own.deployment, organization=world.own.organization, workspace=world.own.workspace
    )
    (reason,) = go_on(admin_client, "change_roles", fits, fits_not, give=[role.pk]).context["reasons"]
    assert reason.startswith(f"{fits_not}: ")
    assert not role.memberships.exists()


def test_changing_roles_asks_which(admin_client: Client, world: World) -> None:
    membership = join(world.own.user, world.own.workspace)
    response = go_on(admin_client, "change_roles", membership)
    assert "Choose roles to add or to remove." in response.content.decode()


@pytest.mark.parametrize("kind", ["organization", "workspace"])
def test_members_are_removed(admin_client: Client, world: World, kind: str) -> None:
    membership: Any = join(world.own.user, world.own.workspace)
    kept = join(world.sibling.user, world.sibling.workspace)
    if kind == "organization":
        membership = OrganizationMembership.objects.get(user=world.own.user)
    assert texts(choose(admin_client, "remove", membership)) == [f"{membership} leaves “{getattr(world.own, kind)}”"]
    assert WorkspaceMembership.objects.count() == 2
    go_on(admin_client, "remove", membership)
    assert WorkspaceMembership.objects.get() == kept
    assert OrganizationMembership.objects.count() == (1 if kind == "organization" else 2)


@pytest.mark.parametrize(("action", "disabled"), [("disable", True), ("enable", False)])
def test_users_are_disabled_and_enabled(admin_client: Client, world: World, action: str, disabled: bool) -> None:
    users = [UserFactory.create(deployment=world.own.deployment, disabled=not disabled) for _ in range(3)]
    assert len(texts(choose(admin_client, action, *users))) == 3
    go_on(admin_client, action, *users)
    assert set(User.objects.filter(pk__in=[user.pk for user in users]).values_list("disabled", flat=True)) == {disabled}
    assert texts(choose(admin_client, action, *users)) == []


def test_users_are_signed_out_everywhere_and_others_in_their_sessions_are_not(
    admin_client: Client, world: World
) -> None:
    alone, shared = session_of(world.own.user), session_of(world.own.user)
    shared.sign_ins.create(deployment=shared.deployment, user=world.sibling.user, expires_at=shared.expires_at)
    assert texts(choose(admin_client, "sign_out", world.own.user)) == [f"{world.own.user} is signed out of 2 sessions"]
    go_on(admin_client, "sign_out", world.own.user)
    assert not SignIn.objects.filter(user=world.own.user, ended_at=None).exists()
    assert SignIn.objects.get(user=world.sibling.user).ended_at is None
    assert Session.objects.get(pk=alone.pk).ended_at is not None
    assert Session.objects.get(pk=shared.pk).ended_at is None


def test_all_rows_of_the_list_can_be_chosen_up_to_a_bound(
    admin_client: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "MAX_ROWS", 3)
    response = choose(admin_client, "disable", world.own.user, everything=True)
    assert len(texts(response)) == 3
    UserFactory.create()
    response = choose(admin_client, "disable", world.own.user, everything=True)
    assert response.status_code == 302
    assert "at most 3" in admin_client.get(url(User, "changelist")).content.decode()


def test_it_costs_the_same_for_3_rows_and_30(
    admin_client: Client, world: World, django_assert_max_num_queries: Any
) -> None:
    users = [UserFactory.create(deployment=world.own.deployment) for _ in range(30)]
    role = member_role(world.own.user)
    for chosen in (users[:3], users):
        with django_assert_max_num_queries(25):
            go_on(admin_client, "add_to_workspace", *chosen, workspace=world.own.workspace.pk, roles=[role.pk])
    assert role.memberships.count() == 30


def test_a_row_that_has_gone_meanwhile_is_reported(admin_client: Client, world: World) -> None:
    membership = join(world.own.user, world.own.workspace)
    gone = join(world.sibling.user, world.sibling.workspace)
    gone_copy = WorkspaceMembership.objects.get(pk=gone.pk)
    gone.delete()
    response = go_on(admin_client, "remove", membership, gone_copy)
    assert response.status_code == 302
    assert WorkspaceMembership.objects.filter(pk=membership.pk).exists()


def test_staff_of_a_deployment_reach_no_row_of_another(world: World) -> None:
    client = Client()
    client.force_login(staff(world.own.deployment, role="operator"))
    go_on(client, "disable", world.own.user, world.foreign.user)
    world.foreign.user.refresh_from_db()
    assert not world.foreign.user.disabled
    response = go_on(client, "add_to_workspace", world.own.user, workspace=world.foreign.workspace.pk)
    assert "Select a valid choice" in response.content.decode()
    foreign_role = member_role(world.foreign.user)
    membership = join(world.own.user, WorkspaceFactory.create(organization=world.own.organization))
    response = go_on(client, "change_roles", membership, give=[foreign_role.pk])
    assert "Select a valid choice" in response.content.decode()


def test_support_is_offered_none_of_them_and_cannot_do_them(world: World) -> None:
    client = Client()
    client.force_login(staff(world.own.deployment, role="support"))
    assert "add_to_workspace" not in client.get(url(User, "changelist")).content.decode()
    go_on(client, "disable", world.own.user)
    world.own.user.refresh_from_db()
    assert not world.own.user.disabled
