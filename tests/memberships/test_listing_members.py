"""Members are listed by pages, read from the nearer end of an index, and found by the words of their names."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from memberships.models import OrganizationMembership, WorkspaceMembership
from memberships.self_service import members
from organizations.models import Organization
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.database import execute
from tests.support.factories import UserFactory, WorkspaceFactory, join, join_organization
from tests.support.self_service import Firm

pytestmark = pytest.mark.django_db
each_level = each("level", ["organizations", "workspaces"])


@pytest.fixture(scope="module")
def shared_firm(shared_rows: None) -> Firm:
    """With 23 members, who joined in another order than their ids have; two of them at the same time."""
    firm = Firm()
    users = UserFactory.create_batch(21, deployment=firm.deployment)
    for user in users:
        join(user, firm.workspace)
    now = timezone.now()
    for model, place in (
        (OrganizationMembership, {"organization": firm.organization}),
        (WorkspaceMembership, {"workspace": firm.workspace}),
    ):
        for number, row in enumerate(model.objects.filter(**place).order_by("-user_id")):
            model.objects.filter(pk=row.pk).update(created_at=now + timedelta(days=number // 2))
    return firm


@pytest.fixture
def firm(shared_firm: Firm, db: None) -> Firm:
    return deepcopy(shared_firm)


@pytest.fixture
def admin(firm: Firm) -> ApiClient:
    return firm.client(firm.admin)


def path_of(firm: Firm, level: str) -> str:
    return f"/{level}/{(firm.organization if level == 'organizations' else firm.workspace).pk}/members"


def in_order(firm: Firm, level: str) -> list[str]:
    rows: Any = (
        OrganizationMembership.objects.filter(organization=firm.organization)
        if level == "organizations"
        else WorkspaceMembership.objects.filter(workspace=firm.workspace)
    )
    return [str(pk) for pk in rows.order_by("created_at", "id").values_list("pk", flat=True)]


def ids_of(page: dict[str, Any]) -> list[str]:
    return [member["id"] for member in page["data"]]


@each_level
@each("limit", [1, 2, 3, 7, 10, 23, 24, 25, 26, 100])
def test_all_pages_together_are_all_members_in_order(firm: Firm, admin: ApiClient, level: str, limit: int) -> None:
    everybody = in_order(firm, level)
    found: list[str] = []
    for number in range(1, len(everybody) // limit + 3):
        page = data_of(admin.get(path_of(firm, level), f"page={number}&limit={limit}"))
        assert page["meta"] == {"total": len(everybody), "page": number, "limit": limit}
        assert ids_of(page) == everybody[(number - 1) * limit : number * limit]
        found += ids_of(page)
    assert found == everybody


@each_level
def test_a_page_far_beyond_the_last_is_empty(firm: Firm, admin: ApiClient, level: str) -> None:
    page = data_of(admin.get(path_of(firm, level), "page=1000000&limit=100"))
    assert (page["data"], page["meta"]["total"]) == ([], len(in_order(firm, level)))


def test_a_workspace_without_members_has_an_empty_page(firm: Firm, admin: ApiClient) -> None:
    empty = WorkspaceFactory.create(organization=firm.organization)
    page = data_of(admin.get(f"/workspaces/{empty.pk}/members"))
    assert page == {"data": [], "meta": {"total": 0, "page": 1, "limit": 10}}


@each_level
@each(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=1.0",
        "page=1000001",
        "limit=0",
        "limit=101",
        "limit=x",
        "page=1&page=2",
        "search=%00",
    ],
)
def test_nonsense_is_refused(firm: Firm, admin: ApiClient, level: str, query: str) -> None:
    assert error_code(admin.get(path_of(firm, level), query)) in (40002, 40003)


@pytest.fixture
def ada(firm: Firm) -> User:
    values = {"first_name": "Ada Marie", "last_name": "Łovelace-Byron", "username": "countess", "external_id": "sub77"}
    user = UserFactory.create(deployment=firm.deployment, email="ada.l@münchen.example", **values)
    join(user, firm.workspace)
    namesake = UserFactory.create(deployment=firm.deployment, first_name="Ada", last_name="Elsewhere")  # no member
    join_organization(namesake, Firm(firm.deployment).organization)
    return user


@each_level
@each(
    "search",
    [
        "ada",
        "ADA",
        " ad ",
        "marie",
        "łove",
        "Byron",
        "count",
        "ada byr",
        "ada.l@münchen",
        "xn--mnchen-3ya",
        "ada.l@xn--mnchen-3ya.example",
    ],
)
def test_the_beginnings_of_words_find_a_member(
    firm: Firm, admin: ApiClient, ada: User, level: str, search: str
) -> None:
    page = data_of(admin.get(path_of(firm, level), f"search={quote(search)}"))
    assert [member["user"]["id"] for member in page["data"]] == [str(ada.pk)]
    assert page["meta"]["total"] == 1


@each_level
@each("search", ["elsewhere", "vel", "ada zzz", "@", "'", "sub77", "sub", "a" * 100, "%"])
def test_anything_else_finds_nobody(firm: Firm, admin: ApiClient, ada: User, level: str, search: str) -> None:
    page = data_of(admin.get(path_of(firm, level), f"search={quote(search)}"))
    assert page == {"data": [], "meta": {"total": 0, "page": 1, "limit": 10}}


@each_level
def test_what_is_found_comes_by_pages_in_order(firm: Firm, admin: ApiClient, level: str) -> None:
    everybody = in_order(firm, level)
    page = data_of(admin.get(path_of(firm, level), "search=user&limit=5&page=2"))
    assert page["meta"]["total"] == len(everybody)
    assert ids_of(page) == everybody[5:10]


def test_a_search_counts_no_further_than_it_says(firm: Firm, admin: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MOST_FOUND", 7)
    page = data_of(admin.get(path_of(firm, "organizations"), "search=user&limit=5&page=2"))
    assert (page["meta"]["total"], len(page["data"])) == (7, 2)


@each_level
def test_a_page_is_read_from_the_index_alone(firm: Firm, level: str) -> None:
    statement = members.PAGES[level.removesuffix("s")]
    # Of a table as small as this one, PostgreSQL reads all rows by any index and sorts them.
    execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE page AS {statement.sql.decode()}")
        cursor.execute("EXPLAIN EXECUTE page (1, 20, 10)")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("DEALLOCATE page")
    index = "memberships_org_members" if level == "organizations" else "memberships_workspace_members"
    assert f"Index Only Scan using {index}" in plan
    assert f"Index Only Scan Backward using {index}" in plan


def test_a_place_that_is_just_gone_has_no_members(firm: Firm) -> None:
    from memberships.permissions import Rights
    from memberships.standing import Standing

    caller: Any = None
    gone = Organization.objects.latest("pk").pk + 1000
    standing = Standing(caller, gone, 0, None, None, Rights(frozenset()))
    assert members.page_of(standing, page=1, limit=10, search="") == ([], 0)
