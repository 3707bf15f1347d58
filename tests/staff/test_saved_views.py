"""Saved views of lists: private to those who save them, bounded, and never wider than what they may see."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User as Staff
from django.test import Client

from accounts.models import User
from memberships.models import WorkspaceMembership
from organizations.models import Organization
from staff.models import SavedView, StaffAccess
from staff.toolkit import saved_views
from tests.staff.test_columns import USERS, choose, client_of, shown
from tests.support.admin import url
from tests.support.factories import DeploymentFactory, UserFactory, member_of_new_workspace, staff

pytestmark = pytest.mark.django_db


def save(client: Client, name: str, query: str = "", model: Any = User) -> Any:
    return client.post(f"{url(model, 'changelist')}views/{query}", {"name": name}, follow=True)


def change(client: Client, view: SavedView, query: str = "", **data: str) -> Any:
    return client.post(f"{USERS}views/{view.pk}/{query}", data, follow=True)


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def content(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.fixture
def mine(user: User) -> Client:
    return client_of(staff(user.deployment, role=StaffAccess.Role.SUPPORT))


def test_a_view_opens_with_its_search_filters_order_and_columns(mine: Client, user: User) -> None:
    found = [UserFactory.create(username=name, deployment=user.deployment) for name in ("fjord2", "fjord1")]
    UserFactory.create(username="fjord3", deployment=user.deployment, disabled=True)
    choose(mine, "username", "id")
    listed = content(save(mine, " Fjord  people ", "?o=username&disabled__exact=0&q=fjord&p=1&deployment__id__exact="))
    choose(mine, default="1")
    view = SavedView.objects.get(name="Fjord people")
    link = f"?disabled__exact=0&o=username&q=fjord&view={view.pk}"
    assert f'<a href="{link.replace("&", "&amp;")}" aria-current="page">Fjord people</a>' in listed
    assert "Save view" in content(mine.get(USERS))
    page = mine.get(USERS + link)
    assert list(page.context["cl"].result_list) == list(reversed(found))
    assert shown(mine, view=str(view.pk)) == ["__str__", "username", "id"]
    assert shown(mine) != ["__str__", "username", "id"]
    assert "Update view" not in content(page)


def test_a_view_is_updated_renamed_given_columns_and_deleted(mine: Client) -> None:
    save(mine, "Mine", "?q=fjord")
    view = SavedView.objects.get(name="Mine")
    query = f"?q=other&view={view.pk}"
    assert "Update view" in content(mine.get(USERS + query))
    assert 'name="view"' in content(mine.get(USERS + query))  # so that a search keeps it open
    renamed = change(mine, view, query, name="Ours")
    assert said(renamed) == "Renamed the view to “Ours”."
    assert renamed.request["QUERY_STRING"] == query[1:]
    change(mine, view, query, update="1", name="ignored")
    choose(mine, "last_name", query=query)
    view.refresh_from_db()
    assert (view.name, view.query, view.columns) == ("Ours", "q=other", ["__str__", "last_name"])
    assert shown(mine) != ["__str__", "last_name"] == shown(mine, q="other", view=str(view.pk))
    assert change(mine, view, query, delete="1").request["QUERY_STRING"] == "q=other"
    assert not SavedView.objects.filter(name__gt="").exists()


def test_nobody_sees_opens_or_changes_the_view_of_somebody_else(mine: Client, admin_client: Client, user: User) -> None:
    choose(admin_client, "username")
    save(admin_client, "Secret name", "?q=nobody-is-called-so")
    view = SavedView.objects.get(name="Secret name")
    opened = mine.get(USERS, {"view": str(view.pk)})
    assert list(opened.context["cl"].result_list) == [user]
    assert shown(mine, view=str(view.pk)) == shown(mine) != shown(admin_client, view=str(view.pk))
    for page in (mine.get(USERS), opened):
        assert "Secret name" not in content(page)
        assert f"view={view.pk}" not in content(page)
    for data in ({"name": "Taken"}, {"update": "1"}, {"delete": "1"}):
        assert change(mine, view, **data).status_code == 404
    assert mine.get(f"{USERS}views/{view.pk}/").status_code == 404
    choose(mine, "last_name", query=f"?view={view.pk}")
    assert SavedView.objects.get(pk=view.pk).columns == ["__str__", "username"]
    save(mine, "Secret name")  # is free for each
    assert SavedView.objects.filter(name="Secret name").count() == 2
    assert "Secret name" not in content(admin_client.get(url(StaffAccess, "changelist")))


def test_a_view_shows_no_rows_that_its_owner_may_no_longer_see(user: User) -> None:
    """Views stay when permissions change."""
    foreign = member_of_new_workspace(UserFactory.create(email="zwielicht@example.com"))
    member = staff(user.deployment, foreign.user.deployment)
    client = client_of(member)
    organization = foreign.organization
    save(client, "Theirs", f"?organization__id__exact={organization.pk}&q=zwielicht", WorkspaceMembership)
    (view,) = SavedView.objects.all()
    address = f"{url(WorkspaceMembership, 'changelist')}?{saved_views.address_of(view)}"
    assert list(client.get(address).context["cl"].result_list) == [foreign]
    member.staff_access.deployments.set([user.deployment])
    page = client_of(Staff.objects.get(pk=member.pk)).get(address)
    assert list(page.context["cl"].result_list) == []
    assert "zwielicht@example.com" not in content(page)
    assert str(organization) not in content(page)
    StaffAccess.objects.all().delete()
    assert client.get(address).status_code == 403
    assert client.post(f"{url(WorkspaceMembership, 'changelist')}views/", {"name": "More"}).status_code == 403


@pytest.mark.parametrize("gone", ["password__startswith=a", "gone_since__exact=1", "deployment__id__exact=x"])
def test_a_view_whose_filter_is_gone_opens_with_a_message(mine: Client, user: User, gone: str) -> None:
    save(mine, "Old one", "?q=x")
    view = SavedView.objects.get(name="Old one")
    SavedView.objects.filter(pk=view.pk).update(query=gone)
    page = mine.get(f"{USERS}?{gone}&view={view.pk}", follow=True)
    assert "The view “Old one” filters by something that this list no longer has" in said(page)
    assert list(page.context["cl"].result_list) == [user]
    assert "Update view" in content(page)
    assert said(change(mine, view, delete="1")) == "Deleted the view “Old one”."


def test_views_are_bounded_named_and_named_once(mine: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MAX_VIEWS", 2)
    cases = [
        ("Fine <b>&", "", "Saved the view “Fine <b>&”."),
        ("Fine  <b>&", "?q=other", "You have a view of this name."),
        ("", "", "Give the view a name."),
        (" \t", "", "Give the view a name."),
        ("x" * 61, "", "Give the view a shorter name, of 60 characters at most."),
        ("nul\0", "", "Null characters are not allowed."),
        ("Long", f"?q={quote('ø' * 400)}", "too long"),
        ("Second", "", "Saved"),
        ("Third", "?_popup=1", "more are not possible"),
    ]
    for name, query, message in cases:
        assert message in said(save(mine, name, query)), name
    assert sorted(SavedView.objects.values_list("name", flat=True)) == ["Fine <b>&", "Second"]
    assert "Fine <b>" not in content(mine.get(USERS))
    assert "Saved" in said(save(mine, "Second", "", Organization))  # each list has its own
    view = SavedView.objects.get(name="Second", model="accounts.user")
    assert "You have a view of this name." in said(change(mine, view, name="Fine <b>&"))
    assert mine.get(f"{USERS}views/").status_code == 405


def test_deleting_a_member_of_staff_deletes_their_views_unnamed(admin_client: Client) -> None:
    member = staff(DeploymentFactory.create())
    save(client_of(member), "Secret name")
    address = url(member, "delete")
    assert "Secret name" not in content(admin_client.get(address))
    admin_client.post(address, {"post": "yes"})
    assert not SavedView.objects.exists()
