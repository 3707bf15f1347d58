"""The pages for staff make at most MOST_QUERIES queries each, none of a whole table, whatever the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User as Staff
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from accounts.models import Session, User
from organizations.models import Organization, Segment, Workspace
from staff.toolkit import lists
from staff.toolkit.filters import RelatedFilter
from staff.toolkit.links import page_of
from tests.support.admin import MOST_QUERIES, NEW_ROW, PAGES, choose_all_columns, few_queries, url
from tests.support.factories import UserFactory, member_of_new_workspace, session_of

OVERVIEWS = [User, Organization, Workspace]

each_page = pytest.mark.parametrize("model", PAGES, ids=lambda model: model._meta.label)


def queries_of(client: Client, address: str, **query: str) -> list[str]:
    """All that the page sends to the database."""
    with few_queries(address, query) as sent:
        assert client.get(address, query).status_code in (200, 403)
    return sent


def choices() -> Iterator[tuple[type[Model], str]]:
    """Every field that offers choices by search, on the page of a model or in an inline of one."""
    for model in PAGES:
        page: Any = admin.site.get_model_admin(model)
        row: Any = Segment(type=Segment.Type.USER) if model is Segment else None
        inlines = [inline for inline in page.get_inlines(None, row) if hasattr(inline, "autocomplete_fields")]
        yield from ((model, name) for name in page.autocomplete_fields)
        yield from ((inline.model, name) for inline in inlines for name in inline.autocomplete_fields)


@each_page
def test_a_list_shows_its_rows_and_finds_any_by_its_id_in_few_queries(admin_client: Client, model: type[Model]) -> None:
    rows = [NEW_ROW[model]() for _ in range(3)]
    address = url(model, "changelist")
    for search, shown in (
        ("", rows),
        (str(rows[0].pk), rows[:1]),
        ("ada", []),
        ("ada@demo.example nordlys logistikk", []),
    ):
        with few_queries(address, search):
            page = admin_client.get(address, {"q": search}).content.decode()
        assert [row for row in shown if page_of(row) not in page] == [], search


@each_page
def test_a_list_takes_few_queries_with_every_filter_and_column(admin_client: Client, model: type[Model]) -> None:
    NEW_ROW[model]()
    choose_all_columns(Staff.objects.earliest("pk"), model)
    page: Any = admin.site.get_model_admin(model)
    related = [item[0] for item in page.list_filter if isinstance(item, tuple) and issubclass(item[1], RelatedFilter)]
    query = {f"{name}__id__exact": "1" for name in related}
    queries_of(admin_client, url(model, "changelist"), **query)


@pytest.mark.parametrize(("model", "field"), sorted(set(choices()), key=str), ids=str)
def test_choices_take_few_queries(admin_client: Client, model: type[Model], field: str) -> None:
    address = {"app_label": model._meta.app_label, "model_name": str(model._meta.model_name), "field_name": field}
    for term in ("", "ada"):
        queries_of(admin_client, "/admin/autocomplete/", term=term, **address)


@pytest.mark.parametrize("model", OVERVIEWS, ids=lambda model: model._meta.label)
def test_an_overview_takes_few_queries(admin_client: Client, model: type[Model]) -> None:
    queries_of(admin_client, url(NEW_ROW[model](), "overview"))


def test_why_a_user_cannot_enter_takes_few_queries(admin_client: Client) -> None:
    user = UserFactory.create()
    for name in ("One", "Other"):
        member_of_new_workspace(user, name=name, enforce_2fa=True)
    live, ended = session_of(user), session_of(user)
    Session.objects.filter(pk=ended.pk).update(ended_at=timezone.now())
    page = f"/admin/memberships/workspacemembership/why-not/{user.pk}/"
    for is_disabled in (False, True):
        User.objects.update(disabled=is_disabled)
        for session in ("", live.pk, ended.pk):
            # Within the test's transaction, to roll the page's back takes one statement more.
            with few_queries(is_disabled, session, at_most=MOST_QUERIES + 1):
                response = admin_client.get(page, {"address": "192.0.2.7", "session": session})
            assert response.status_code == 200


def test_a_search_of_everything_takes_few_queries(admin_client: Client) -> None:
    for model in PAGES:
        NEW_ROW[model]()
    for text in ("users", "ada", "ada@demo.example nordlys", "12", "203.0.113.7"):
        queries_of(admin_client, "/admin/search/", q=text)


def test_the_home_page_takes_few_queries(admin_client: Client) -> None:
    UserFactory.create()
    queries_of(admin_client, "/admin/")


def test_a_long_list_is_counted_paged_and_sorted_to_its_cap_alone(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "COUNTED", 60)
    first = UserFactory.create(email="aaaa@example.com")
    UserFactory.create_batch(70, deployment=first.deployment)
    response = admin_client.get("/admin/accounts/user/", {"o": "1"})
    assert "more than 60 users, newest first" in " ".join(response.content.decode().split())
    assert response.context["cl"].paginator.num_pages == 2
    assert first not in response.context["cl"].result_list
    assert response.context["cl"].sortable_by == ()


def test_a_short_list_is_counted_and_sorted(admin_client: Client) -> None:
    users = [UserFactory.create(username=name) for name in ("zoe", "adam", "mia")]
    response = admin_client.get("/admin/accounts/user/", {"o": "2"})
    assert [user.username for user in response.context["cl"].result_list] == ["adam", "mia", "zoe"]
    assert f"{len(users)} users" in " ".join(response.content.decode().split())


def test_a_list_without_rows_says_whether_there_are_none_or_none_is_found(admin_client: Client) -> None:
    page = "/admin/accounts/user/"
    texts = {query: admin_client.get(f"{page}?{query}").content.decode() for query in ("", "q=zzzz")}
    assert ["No users yet" in text for text in texts.values()] == [True, False]
    assert ["No users found" in text for text in texts.values()] == [False, True]
    assert ["reset the filters" in text for text in texts.values()] == [False, True]


def test_users_who_lack_something_are_looked_for_once(admin_client: Client) -> None:
    user = UserFactory.create()
    session_of(user)
    others = UserFactory.create_batch(2, deployment=user.deployment)
    sent = queries_of(admin_client, "/admin/accounts/user/", without="sign_in")
    assert sum("NOT EXISTS" in sql and "ANY(" not in sql for sql in sent) == 1
    response = admin_client.get("/admin/accounts/user/", {"without": "sign_in", "o": "-1"})
    assert set(response.context["cl"].result_list) == set(others)


def test_nothing_is_done_to_all_rows_of_a_list_that_goes_on(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "COUNTED", 2)
    session = NEW_ROW[Segment]()
    NEW_ROW[Segment]()
    NEW_ROW[Segment]()
    data = {"action": "delete_selected", "select_across": "1", "index": "0", "_selected_action": str(session.pk)}
    response = admin_client.post(url(Segment, "changelist"), data | {"post": "yes"}, follow=True)
    assert "search or filter first" in response.content.decode()
    assert Segment.objects.count() == 3
