"""Requests to the pages for staff that no page sends: they are refused with a plain page, and never fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.db import DataError
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver

from accounts.models import SigningKey, User
from audit.models import AuditEntry
from organizations.models import Organization, Segment, Workspace
from staff import home
from staff.models import StaffAccess
from staff.toolkit.pages import WHOLE_LIST
from tests.support.admin import NEW_ROW, PAGES, url
from tests.support.factories import UserFactory

VALUES = [
    *("", " ", "0", "1", "-1", "1,2", "abc", "None", "null", "true", "[]", "{}", "nan", "1e400", "²", "%", "\\"),
    *("(((", "'", "\0", "a\0b", "\ufffd", "\ud800", "\u202e", "😀", "9" * 19, str(2**31), str(2**63), "9" * 5000),
    *(str(-(2**63) - 1), "w" * 2047, "é" * 1100, "1970-01-01", "2026-02-30", "99999999-01-01", "0000-00-00", "::1"),
]  # fmt: skip
LOOKUPS = [
    *("", "exact", "iexact", "in", "range", "regex", "iregex", "isnull", "isempty", "gt", "lte", "contains", "search"),
    *("startswith", "overlap", "len", "0", "year", "date", "date__year", "week_day", "time", "hour", "has_key", "id"),
    *("pk__in", "id__exact", "id__range", "id__regex", "deployment__id__exact", "user__password", "nothing", "\0", ""),
]  # fmt: skip
PARAMETERS = ["q", "p", "o", "e", "all", "_popup", "_to_field", "_facets", "_changelist_filters", "_source_model"]
ASKED = 7
"""Requests of each kind for each model: a sample, the same one in every run."""

each_model = pytest.mark.parametrize("model", list(admin.site._registry), ids=lambda model: model._meta.label)
each_page = pytest.mark.parametrize("model", PAGES, ids=lambda model: model._meta.label)


class Asking:
    """Asks as a superuser. Django's test client raises the errors that the server answers with 500."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._sent_to: set[str] = set()

    def get(self, path: str, *query: tuple[str, str]) -> None:
        """Ask for a page, which must be refused, sent elsewhere or shown."""
        answer = self._client.get(f"{path}?{urlencode(query, errors='surrogatepass')}")
        assert answer.status_code in (200, 301, 302, 400, 403, 404, 405), (path, query)
        if answer.status_code in (301, 302):
            self._sent_to.add(answer.headers["Location"])

    def follow(self) -> None:
        """Open each page to which answers have led, once; the first shows the messages of all of them."""
        for address in sorted(self._sent_to):
            answer = self._client.get(address, follow=True)
            assert answer.status_code in (200, 400, 403, 404, 405), address


@pytest.fixture
def asking(admin_client: Client) -> Iterator[Asking]:
    asking = Asking(admin_client)
    yield asking
    asking.follow()


def names_of(model: type[Model]) -> list[str]:
    """Names for queries: fields, filters, and keys."""
    filters: Any = admin.site.get_model_admin(model).list_filter
    names = (item[0] if isinstance(item, tuple) else getattr(item, "parameter_name", item) for item in filters)
    return ["pk", "id", "nothing", *(field.name for field in model._meta.get_fields()), *names]


def queries(model: type[Model]) -> Iterator[list[tuple[str, str]]]:
    """Up to three parameters in each, of those that all lists take and of those about the model."""
    random = Random(model._meta.label)
    names = names_of(model)
    for _ in range(ASKED):
        query = []
        for _ in range(random.choice((1, 1, 2, 3))):
            name, lookup = random.choice(names), random.choice(LOOKUPS)
            name = random.choice(PARAMETERS) if random.random() < 0.3 else f"{name}__{lookup}" if lookup else name
            query.append((name, random.choice(VALUES)))
        yield query


@each_model
def test_no_query_breaks_a_list(asking: Asking, model: type[Model]) -> None:
    if model in NEW_ROW:
        NEW_ROW[model]()
    for query in queries(model):
        asking.get(url(model, "changelist"), *query)


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_no_value_of_a_common_parameter_breaks_a_list(asking: Asking, parameter: str) -> None:
    for value in Random(parameter).sample(VALUES, ASKED):
        asking.get(url(Segment, "changelist"), (parameter, value))


@each_model
def test_no_query_breaks_a_form(asking: Asking, model: type[Model]) -> None:
    """A form to add takes the values of its fields from the query; relations from elsewhere are no fields of it."""
    random = Random(model._meta.label)
    own = [(field.name, random.choice(VALUES)) for field in (*model._meta.fields, *model._meta.many_to_many)]
    elsewhere = [(relation.name, random.choice(VALUES)) for relation in model._meta.related_objects]
    for values in (*(own[first : first + 4] for first in range(0, len(own), 4)), elsewhere):
        asking.get(url(model, "add"), *values)
    row = NEW_ROW[model]() if model in NEW_ROW else None
    for page, query in zip(("add", "change", "delete", "history"), queries(model), strict=False):
        if page == "add" or row:
            asking.get(url(model if page == "add" else row, page), *query)  # type: ignore[arg-type]  # no row, no page


@each_model
def test_no_query_breaks_the_choices_of_a_field(asking: Asking, model: type[Model]) -> None:
    random = Random(model._meta.label)
    about = {"app_label": model._meta.app_label, "model_name": str(model._meta.model_name)}
    for field in ["pk", "nothing", "", *(field.name for field in model._meta.get_fields())]:
        wrong = random.choice(["term", "page", "app_label", "model_name"])
        query = about | {"field_name": field, wrong: random.choice(VALUES)}
        asking.get("/admin/autocomplete/", *query.items())


@each_page
def test_an_empty_name_of_a_field_breaks_no_page(asking: Asking, model: type[Model]) -> None:
    for page in ("change", "delete"):
        asking.get(f"/admin/{model._meta.app_label}/{model._meta.model_name}/1/{page}/", ("_to_field", ""))


def routes(patterns: Any, prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and "logout" not in route:
            yield route


def routes_by_start() -> dict[str, list[str]]:
    """All routes, those of a model together, but for its list and its form to add, about which other tests are."""
    asked = {url(model, page) for model in admin.site._registry for page in ("changelist", "add")}
    by_start: dict[str, list[str]] = {}
    for route in sorted(set(routes(admin.site.urls[0]))):
        if f"/admin/{route}" not in asked:
            by_start.setdefault("/".join(route.split("/")[:2]), []).append(route)
    return by_start


@pytest.mark.parametrize(("start", "routes"), routes_by_start().items(), ids=routes_by_start())
def test_no_part_of_a_path_breaks_a_page(asking: Asking, start: str, routes: list[str]) -> None:
    """Nor a query, of the pages that no other test asks."""
    random = Random(start)
    for route in routes:
        for value in random.sample(
            VALUES, 5 if len(routes) == 1 else 2
        ):  # models have like pages, which see all values
            path = route.strip("^$")
            for part in re.findall(r"<[^>]*>|\(\?P<[^)]*\)", route):
                text = random.choice(["1", "accounts.user", value, value])
                path = path.replace(part, quote(text, errors="surrogatepass"), 1)
            asking.get(f"/admin/{path}", (random.choice([*PARAMETERS, "s", "page", "address"]), value))


@each_page
def test_a_search_for_a_very_long_word_finds_nothing(admin_client: Client, model: type[Model]) -> None:
    NEW_ROW[model]()
    found = {}
    for word in ("w" * 2047, "é" * 1100, "a " + "İ" * 1000):
        response = admin_client.get(url(model, "changelist"), {"q": word})
        found[word[:2]] = response.status_code, response.context["cl"].result_count
    assert set(found.values()) == {(200, 0)}, found


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (Organization, "deployment", "abc"),
        (Organization, "deployment", "\0"),
        (Workspace, "organization", "9" * 5000),
        (StaffAccess, "deployments", "1,abc"),
    ],
)
def test_a_form_to_add_refuses_a_related_row_that_is_no_id(
    admin_client: Client, model: type[Model], name: str, value: str
) -> None:
    assert admin_client.get(url(model, "add"), {name: value}).status_code == 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pk__range", "1"),
        ("pk__regex", "((("),
        ("id__gt", "1"),
        ("pk__in__contains", "1"),
        ("deployment__pk__range", "1"),
        ("deployment__id__startswith", "1"),
        ("deployment__regex", "((("),
        ("created_at__year", "99999999"),
        ("disabled__regex", "((("),
        ("disabled__exact", "\0"),
    ],
)
def test_a_list_refuses_lookups_that_its_filters_never_use(admin_client: Client, name: str, value: str) -> None:
    UserFactory.create()
    answer = admin_client.get(url(User, "changelist"), {name: value}, follow=True)
    assert answer.status_code in ((200, 400) if name == "disabled__exact" else (400,))


def test_a_list_of_memberships_refuses_a_year_out_of_range(admin_client: Client) -> None:
    """Its filter is about the same column."""
    address = "/admin/memberships/workspacemembership/"
    assert admin_client.get(address, {"created_at__year": "99999999"}).status_code == 400


@pytest.mark.parametrize("lookup", ["pk", "pk__exact", "pk__in", "id__in", "deployment__id__exact", "deployment__in"])
def test_a_list_can_be_asked_for_given_keys(admin_client: Client, lookup: str) -> None:
    user, _other = UserFactory.create(), UserFactory.create()
    key = user.deployment_id if "deployment" in lookup else user.pk
    response = admin_client.get(url(User, "changelist"), {lookup: str(key)})
    assert list(response.context["cl"].result_list) == [user]


@pytest.mark.parametrize("query", [{"p": "99"}, {"pk__in": "1,abc"}, {"nothing": "1"}])
def test_a_list_that_is_not_there_gives_the_whole_one_and_says_so(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    monkeypatch.setattr(admin.site.get_model_admin(User), "list_per_page", 1)
    UserFactory.create_batch(2)
    response = admin_client.get(url(User, "changelist"), query, follow=True)
    assert response.context["cl"].result_count == 2
    assert WHOLE_LIST in response.content.decode()


def test_a_relation_that_leads_back_offers_no_choices(admin_client: Client) -> None:
    for model, field in (("deployment", "staff_access"), ("deployment", "users"), ("user", "sign_ins")):
        query = {"app_label": "accounts", "model_name": model, "field_name": field}
        assert admin_client.get("/admin/autocomplete/", query).status_code == 403


@pytest.mark.parametrize("chosen", ["abc", "\0", "9" * 5000, "-1"])
def test_an_action_on_ids_of_no_row_is_refused(admin_client: Client, chosen: str, user: User) -> None:
    data = {"action": "delete_selected", "_selected_action": chosen, "index": "0"}
    assert admin_client.post(url(User, "changelist"), data).status_code == 400
    for ids in (chosen, "", f"{user.pk},{chosen}"):
        going_on = {"post": "yes", "select_across": "1", "ids": ids, "_selected_action": user.pk}
        assert admin_client.post(url(User, "changelist"), data | going_on).status_code == 400
    assert User.objects.filter(pk=user.pk).exists()


def test_a_value_that_the_database_refuses_is_the_fault_of_the_address(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of any address, whatever reads the value; and of no address that has none."""

    def refuse(*_: Any) -> Any:
        raise DataError("date out of range")

    monkeypatch.setattr(home, "_numbers", refuse)
    assert admin_client.get("/admin/?when=99999999").status_code == 400
    with pytest.raises(DataError):
        admin_client.get("/admin/")


def test_the_trail_and_the_keys_open_by_their_filters(admin_client: Client) -> None:
    NEW_ROW[SigningKey]()
    for model, query in ((AuditEntry, {"action__exact": "created"}), (SigningKey, {"retired_at__isempty": "1"})):
        assert admin_client.get(url(model, "changelist"), query).status_code == 200
