"""GET /me/workspace-memberships: what is in the answer."""

from __future__ import annotations

from accounts.models import User
from tests.api import ApiClient, memberships
from tests.factories import member_of_new_workspace


def test_a_member_sees_the_workspace(user: User) -> None:
    membership = member_of_new_workspace(user)
    (item,) = memberships(user)
    assert item["id"] == str(membership.pk)
    assert item["workspace"]["id"] == str(membership.workspace_id)


def test_a_user_without_memberships_gets_an_empty_list(user: User) -> None:
    assert memberships(user) == []


def test_a_visitor_is_asked_to_sign_in(user: User) -> None:
    response = ApiClient(user.deployment).get()
    assert response.status_code == 401
