"""Staff of one deployment on every page of the admin there is: the rows of another one do not exist for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User as Staff
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import URLPattern, reverse

from accounts.models import Deployment, User
from audit import actors
from audit.models import AuditEntry
from organizations.models import Organization, OrganizationRole, Segment, UserSegment
from staff.models import SavedView, StaffAccess
from tests.support.admin import add_to_inline, choose_all_columns, errors, saved, send, url
from tests.support.factories import OPERATOR, SUPPORT, UserFactory, staff
from tests.support.scope import PAGES, SECRET, World, world_of

pytestmark = pytest.mark.django_db

OWN = "daheim"
FOREIGN = "zwielicht"
"""In every name of what belongs to the other deployment, and in no other."""

each_model = pytest.mark.parametrize("model", PAGES, ids=lambda model: model._meta.label)
each_role = pytest.mark.parametrize("role", [OPERATOR, SUPPORT])


@pytest.fixture(scope="module")
def worlds(shared_rows: None) -> dict[str, World]:
    """Both worlds by their names."""
    worlds = {}
    for name in (OWN, FOREIGN):
        with actors.acting(actors.command("world")):  # an action each
            worlds[name] = World(world_of(name))
    return worlds


@pytest.fixture
def own(worlds: dict[str, World], db: None) -> World:
    return worlds[OWN]


@pytest.fixture
def foreign(worlds: dict[str, World], db: None) -> World:
    return worlds[FOREIGN]


@pytest.fixture(scope="module")
def members(worlds: dict[str, World]) -> dict[str, Staff]:
    """One of the staff of one's own deployment in each role, who have signed in in the browser of ``client_of``."""
    found: dict[str, Staff] = {}
    for role in (OPERATOR, SUPPORT):
        member: Any = staff(worlds[OWN][Deployment], role=role)
        browser = Client()
        browser.force_login(member)
        member.cookies = browser.cookies
        found[role] = member
    return found


def client_of(member: Any) -> Client:
    client = Client()
    client.cookies = deepcopy(member.cookies)
    return client


def _patterns(page: Any) -> Iterator[tuple[URLPattern, bool]]:
    """The addresses of a model's pages, and whether each names a row."""
    for pattern in page.urls:
        yield pattern, "<" in str(pattern.pattern)


def _address(page: Any, pattern: URLPattern, world: World) -> str:
    """The address that ``pattern`` gives for the row of ``world``, or for its user if that is what it asks for."""
    route = str(pattern.pattern)
    for asked in re.findall("<[^>]*>", route):
        row = world[User if "user_id" in asked else page.model]
        if "view_id" in asked:
            label = page.model._meta.label_lower
            row = SavedView.objects.get(staff=world[SavedView].staff_id, model=label)
        route = route.replace(asked, str(row.group_id if "group_id" in asked else row.pk))
    return url(page.model, "changelist") + route


@each_model
@each_role
def test_each_address_of_a_foreign_row_is_not_found(
    own: World, foreign: World, model: type[Model], role: str, members: dict[str, Staff]
) -> None:
    """Actions that are forbidden for any row, such as deleting for support, are forbidden for one's own rows, too."""
    client = client_of(members[role])
    tried = 0
    for pattern, names_a_row in _patterns(PAGES[model]):
        if not names_a_row:
            continue
        address = _address(PAGES[model], pattern, foreign)
        for send_ in (client.get, client.post):
            response = send_(address, follow=True)
            if response.status_code == 403:
                response = send_(_address(PAGES[model], pattern, own), follow=True)
                assert response.status_code == 403, address
            else:
                assert response.status_code == 404, address
            assert FOREIGN not in response.getvalue().decode().lower()
            tried += 1
    assert tried >= 8


@each_model
@each_role
def test_no_page_of_a_model_shows_a_foreign_row(
    own: World, foreign: World, model: type[Model], role: str, members: dict[str, Staff]
) -> None:
    """Lists with all their columns, whatever they are asked for, forms to add, and the pages of one's own rows."""
    client = client_of(members[role])
    choose_all_columns(members[role], model)
    addresses = [_address(PAGES[model], pattern, own) for pattern, _ in _patterns(PAGES[model])]
    lists = url(model, "changelist")
    addresses += [f"{lists}export/jsonl/?q={text}" for text in (FOREIGN[:-1], foreign[model].pk)]
    addresses += [
        f"{lists}?{field.name}__id__exact={foreign[field.related_model].pk}&all=1"
        for field in model._meta.concrete_fields
        if field.related_model and field.related_model in foreign
    ]
    opened = 0
    for address in addresses:
        response: Any = client.get(address)
        if response.status_code == 302 and response.url not in addresses:
            response = client.get(response.url, follow=True)
        content = response.getvalue().decode().lower()
        assert FOREIGN not in content, address
        if role == SUPPORT:
            assert SECRET not in content, address
        assert response.status_code == 200 or "/export/" not in address, address
        opened += response.status_code == 200
    assert opened >= 3


@each_role
def test_no_page_of_the_site_shows_a_foreign_row(
    own: World, foreign: World, role: str, members: dict[str, Staff]
) -> None:
    client = client_of(members[role])
    content_type = ContentType.objects.get_for_model(Organization)
    LogEntry.objects.create(
        user_id=members[role].pk,
        content_type=content_type,
        object_id=str(foreign[Organization].pk),
        object_repr="x",
        action_flag=2,
        change_message="x",
    )
    for pattern in admin.site.urls[0]:
        route = str(pattern.pattern)
        if not isinstance(pattern, URLPattern) or "logout" in route:
            continue
        route = route.replace("<path:content_type_id>", str(content_type.pk)).replace(
            "<path:object_id>", str(foreign[Organization].pk)
        )
        if "(?P" in route:
            route = next(iter({"organizations/"}))
        response = client.get(reverse("admin:index") + route.strip("^$"), follow=True)
        assert FOREIGN not in response.getvalue().decode().lower(), route
    assert client.get(reverse("admin:index")).status_code == 200


def _autocompletes() -> list[tuple[type[Model], str]]:
    pages = [*admin.site._registry.values()]
    inlines = [inline for page in pages for inline in [*page.inlines, *page.get_inlines(None, None)]]  # type: ignore[arg-type]  # the pages need no request
    found = {(page.model, field) for page in [*pages, *inlines] for field in page.autocomplete_fields}
    return sorted(found, key=str)


@each_role
def test_no_autocomplete_offers_a_foreign_row(own: World, foreign: World, role: str, members: dict[str, Staff]) -> None:
    client = client_of(members[role])
    for model, field in _autocompletes():
        related: Any = model._meta.get_field(field).related_model
        for term in ("", FOREIGN, str(foreign[related].pk) if related in foreign else "1"):
            asked = {
                "app_label": model._meta.app_label,
                "model_name": str(model._meta.model_name),
                "field_name": field,
                "term": term,
            }
            response = client.get(reverse("admin:autocomplete"), asked)
            assert response.status_code in (200, 403), asked
            assert FOREIGN not in response.getvalue().decode().lower(), asked
            if response.status_code == 200:
                offered = {result["id"] for result in response.json()["results"]}
                assert related not in foreign or str(foreign[related].pk) not in offered, asked


@each_model
@each_role
def test_no_action_touches_a_foreign_row(
    own: World, foreign: World, model: type[Model], role: str, members: dict[str, Staff]
) -> None:
    client = client_of(members[role])
    request = RequestFactory().get("/")
    request.user = deepcopy(members[role])
    before = _everything(foreign)
    for action in PAGES[model].get_actions(request):
        data = {"action": action, "_selected_action": [foreign[model].pk], "post": "yes", "select_across": "0"}
        response = client.post(url(model, "changelist"), data)
        assert FOREIGN not in response.getvalue().decode().lower(), action
    assert FOREIGN not in client.get(url(model, "changelist")).getvalue().decode().lower()  # nor does any message
    assert _everything(foreign) == before


def _everything(world: World) -> list[Any]:
    return [model._base_manager.filter(pk=row.pk).values().get() for model, row in world.rows.items()]


@each_model
def test_no_form_takes_a_foreign_row_for_a_choice(
    own: World, foreign: World, model: type[Model], members: dict[str, Staff]
) -> None:
    request = RequestFactory().get("/")
    request.user = deepcopy(members[OPERATOR])
    page = PAGES[model]
    forms = [page.get_form(request, change=False), page.get_form(request, own[model], change=True)]
    forms += [formset.form for formset, _ in page.get_formsets_with_inlines(request, own[model])]
    for form in forms:
        for name, field in form.base_fields.items():
            choices = getattr(field, "queryset", None)
            if choices is not None and choices.model in foreign:
                assert not choices.filter(pk=foreign[choices.model].pk).exists(), (form, name)


def test_a_foreign_user_cannot_be_added_by_an_inline(own: World, foreign: World, members: dict[str, Staff]) -> None:
    row = {"user": foreign[User].pk}
    response = add_to_inline(client_of(members[OPERATOR]), url(own[Organization], "change"), "memberships", row)
    assert "not one of the available choices" in errors(response)


def test_a_foreign_role_cannot_be_given_by_an_inline(own: World, foreign: World, members: dict[str, Staff]) -> None:
    row = {"user": UserFactory.create(deployment=own[Deployment]).pk, "given": [foreign[OrganizationRole].pk]}
    response = add_to_inline(client_of(members[OPERATOR]), url(own[Organization], "change"), "memberships", row)
    assert "not one of the available choices" in errors(response)


def test_a_foreign_row_cannot_be_deleted_by_an_inline(own: World, foreign: World, members: dict[str, Staff]) -> None:
    link = foreign[UserSegment]
    changes = {
        "user_segments-TOTAL_FORMS": "1",
        "user_segments-INITIAL_FORMS": "1",
        "user_segments-0-id": str(link.pk),
        "user_segments-0-DELETE": "on",
    }
    send(client_of(members[OPERATOR]), url(own[User], "change"), **changes)
    assert UserSegment.objects.filter(pk=link.pk).exists()


def test_ones_own_rows_can_be_made_changed_and_deleted(own: World, members: dict[str, Staff]) -> None:
    client = client_of(members[OPERATOR])
    assert saved(send(client, url(own[Organization], "change"), name="Renamed"))
    assert saved(send(client, url(Organization, "add"), deployment=own[Deployment].pk, name="New"))
    assert saved(client.post(url(own[Segment], "delete"), {"post": "yes"}))
    assert not Segment.objects.filter(pk=own[Segment].pk).exists()


def test_support_changes_nothing(own: World, members: dict[str, Staff]) -> None:
    client = client_of(members[SUPPORT])
    before = _everything(own)
    for row in (row for model, row in own.rows.items() if model in PAGES):
        assert client.post(url(row, "change"), {"name": "x"}).status_code == 403
        assert client.post(url(row, "delete"), {"post": "yes"}).status_code == 403
    assert _everything(own) == before


@pytest.mark.parametrize("page", ["add", "delete"])
def test_staff_of_a_deployment_neither_make_nor_delete_deployments(
    own: World, page: str, members: dict[str, Staff]
) -> None:
    address = url(Deployment, page) if page == "add" else url(own[Deployment], page)
    assert client_of(members[OPERATOR]).get(address).status_code == 403


def test_private_metadata_and_hashes_cannot_be_guessed_by_filters(own: World, members: dict[str, Staff]) -> None:
    client = client_of(members[SUPPORT])
    for query in ("private_metadata__note=weggesperrt", "password__startswith=a"):
        assert client.get(url(User, "changelist") + f"?{query}").status_code == 400


@pytest.mark.parametrize("told", [False, True])
def test_private_metadata_is_on_the_pages_of_staff_who_may_see_it(own: World, told: bool) -> None:
    client = Client()
    client.force_login(staff(own[Deployment], role=SUPPORT, sees_private_metadata=told))
    for row in (own[User], own[Organization]):
        for page in ("change", "history"):
            assert (SECRET in client.get(url(row, page)).content.decode()) is told


def test_a_deleted_row_stays_in_the_history_of_its_deployment_alone(
    own: World, foreign: World, members: dict[str, Staff]
) -> None:
    foreign[Organization].delete()
    own[Organization].delete()
    content = client_of(members[OPERATOR]).get(url(AuditEntry, "changelist")).content.decode()
    assert "daheim organization" in content
    assert FOREIGN not in content


def test_ended_access_ends_at_once(own: World, members: dict[str, Staff]) -> None:
    client = client_of(members[OPERATOR])
    assert client.get(url(own[User], "change")).status_code == 200
    access = StaffAccess.objects.get(user=members[OPERATOR])
    access.deployments.clear()
    assert client.get(url(own[User], "change")).status_code == 404
    access.delete()
    assert client.get(url(own[User], "change")).status_code == 403


def test_the_menu_of_every_page_leads_to_ones_own_mfa(own: World, members: dict[str, Staff]) -> None:
    client = client_of(members[SUPPORT])
    for address in (reverse("admin:index"), url(User, "changelist")):
        page = client.get(address).content.decode()
        assert f'href="{reverse("staff-mfa")}"' in page
        assert f'href="{reverse("admin:password_change")}"' in page
