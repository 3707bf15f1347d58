"""Each sign-in has its own active place, and a new one begins where the last was."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import SignIn, User
from memberships.models import ActiveMembership, WorkspaceMembership
from tests.support.active import NONE, access_claims, active, both_of, organization_membership, to_workspace
from tests.support.api import ApiClient, data_of
from tests.support.cases import each
from tests.support.factories import UserFactory, confirmed_authenticator, join, member_of_new_workspace
from tests.support.sign_in import attempt_of, session_data, sign_in, signed_in, totp, user_with_password, verify


@pytest.mark.parametrize(
    ("sql", "leaves_organization"),
    [
        ("DELETE FROM memberships_workspacemembership", True),
        ("DELETE FROM memberships_organizationmembership", False),
    ],
)
def test_a_place_that_the_user_has_left_is_active_no_longer(
    client: ApiClient, membership: WorkspaceMembership, sql: str, leaves_organization: bool
) -> None:
    """The removal of a membership, by any means, shows in the very next answer."""
    to_workspace(client, membership.workspace_id)
    organization, _ = both_of(membership)
    with connection.cursor() as cursor:
        cursor.execute(sql)
    assert active(session_data(client)) == ((organization if leaves_organization else ""), "")
    claims = access_claims(client)
    assert claims["workspace"] == ""
    assert (claims["organization"] != "") == leaves_organization


def test_a_user_who_joins_again_must_enter_again(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    membership.delete()
    join(user, membership.workspace)
    assert active(session_data(client))[1] == ""


def test_a_new_sign_in_begins_where_the_last_one_was(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    assert active(session_data(signed_in(user))) == both_of(membership)


def test_the_active_place_is_restored_after_a_sign_out(
    client: ApiClient, user: User, membership: WorkspaceMembership
) -> None:
    to_workspace(client, membership.workspace_id)
    client.post("/session/sign-out")
    assert active(session_data(signed_in(user))) == both_of(membership)


def test_a_sign_in_with_mfa_begins_there_too(client: ApiClient, user: User, membership: WorkspaceMembership) -> None:
    to_workspace(client, membership.workspace_id)
    confirmed_authenticator(user)
    other = ApiClient(user.deployment)
    assert active(data_of(verify(other, attempt_of(sign_in(other, user)), totp()))) == both_of(membership)


@pytest.mark.parametrize("end", ["workspace", "organization"])
def test_a_place_is_not_restored_once_the_membership_is_gone(
    client: ApiClient, user: User, membership: WorkspaceMembership, end: str
) -> None:
    to_workspace(client, membership.workspace_id)
    organization, _ = both_of(membership)
    (membership if end == "workspace" else organization_membership(membership)).delete()
    assert active(session_data(signed_in(user))) == ((organization, "") if end == "workspace" else NONE)


def test_the_place_of_the_latest_of_several_sign_ins_is_restored(user: User, membership: WorkspaceMembership) -> None:
    other = member_of_new_workspace(user)
    first, second = signed_in(user), signed_in(user)
    to_workspace(second, other.workspace_id)
    to_workspace(first, membership.workspace_id)
    assert active(session_data(signed_in(user))) == both_of(membership)


def test_later_sign_ins_of_other_users_do_not_matter(
    client: ApiClient, membership: WorkspaceMembership, user: User
) -> None:
    to_workspace(client, membership.workspace_id)
    other = user_with_password(user.deployment)
    to_workspace(signed_in(other), member_of_new_workspace(other).workspace_id)
    assert active(session_data(signed_in(user))) == both_of(membership)


def test_another_users_place_is_not_taken_over(client: ApiClient, membership: WorkspaceMembership) -> None:
    to_workspace(client, membership.workspace_id)
    other = user_with_password(client.deployment)
    join(other, membership.workspace)
    assert active(session_data(signed_in(other))) == NONE
    assert active(data_of(sign_in(client, other))) == NONE


def test_two_browsers_are_in_two_places(user: User, membership: WorkspaceMembership) -> None:
    here, there = signed_in(user), signed_in(user)
    other = member_of_new_workspace(user)
    to_workspace(here, membership.workspace_id)
    to_workspace(there, other.workspace_id)
    assert active(session_data(here)) == both_of(membership)
    assert active(session_data(there)) == both_of(other)


def test_two_users_in_one_browser_are_in_two_places(client: ApiClient, membership: WorkspaceMembership) -> None:
    to_workspace(client, membership.workspace_id)
    other = user_with_password(client.deployment)
    other_membership = member_of_new_workspace(other)
    sign_in(client, other)
    data = data_of(to_workspace(client, other_membership.workspace_id))
    assert [
        (item["active_organization_membership_id"], item["active_workspace_membership_id"]) for item in data["signins"]
    ] == [both_of(membership), both_of(other_membership)]
    assert active(data) == both_of(other_membership)


@each(
    ("field", "constraint"),
    [
        ("organization_membership", "memberships_active_organization_is_the_users"),
        ("workspace_membership", "memberships_active_workspace_is_the_users"),
        ("user", "memberships_active_sign_in_is_the_users"),
    ],
)
def test_the_database_keeps_users_out_of_each_others_places(
    client: ApiClient, user: User, membership: WorkspaceMembership, field: str, constraint: str
) -> None:
    stranger = UserFactory.create(deployment=user.deployment)
    theirs = join(stranger, membership.workspace)
    wrong = {
        "organization_membership": organization_membership(theirs),
        "workspace_membership": theirs,
        "user": stranger,
    }
    row = {"sign_in": SignIn.objects.get(), "user": user} | {field: wrong[field]}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ActiveMembership.objects.create(**row)
