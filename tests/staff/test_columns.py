"""The columns of lists that members of staff choose, each for themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User as Staff
from django.test import Client
from django.utils import timezone
from django.utils.text import capfirst

from accounts.models import User
from audit.models import AuditEntry
from organizations.models import Organization, Workspace, WorkspaceRole
from staff.models import SavedView, StaffAccess
from tests.staff.test_lists import rows_of
from tests.support.admin import url
from tests.support.factories import (
    DeploymentFactory,
    UserFactory,
    WorkspaceFactory,
    WorkspaceRoleFactory,
    session_of,
    staff,
)

pytestmark = pytest.mark.django_db

USERS = url(User, "changelist")


def client_of(member: Any) -> Client:
    client = Client()
    client.force_login(member)
    return client


def choose(client: Client, *columns: str, query: str = "", **data: str) -> Any:
    return client.post(f"{USERS}columns/{query}", {"columns": columns, **data})


def shown(client: Client, model: Any = User, **query: str) -> list[str]:
    response = client.get(url(model, "changelist"), query)
    return [name for name in response.context["cl"].list_display if name != "action_checkbox"]


def test_chosen_columns_show_to_the_chooser_on_that_list_alone(user: User) -> None:
    user.external_id = "crm-4711"
    user.save()
    mine, other = client_of(staff(user.deployment, role=StaffAccess.Role.SUPPORT)), client_of(staff(user.deployment))
    defaults = shown(other)
    response = choose(mine, "external_id", "password", "nothing_such", "disabled", query="?q=%40&o=-2")
    assert response.headers["Location"] == f"{USERS}?q=%40&o=-2"
    assert shown(mine) == ["__str__", "disabled", "external_id"]
    assert "crm-4711" in mine.get(USERS).content.decode()
    assert shown(other) == defaults
    assert shown(mine, Organization) == shown(other, Organization)
    choose(mine, default="1")
    assert shown(mine) == defaults


def test_columns_are_called_as_staff_know_them(admin_client: Client) -> None:
    WorkspaceFactory.create()
    heads = admin_client.get(url(Workspace, "changelist")).context["cl"].heads
    names = ["Name", "Organization", "Deployment", "Member count", "Enforce 2FA", "Enable IP restriction", "Created at"]
    assert [capfirst(head["text"]) for head in heads[1:]] == names
    file: Any = admin_client.get(url(Workspace, "changelist") + "export/csv/")
    assert file.getvalue().decode("utf-8-sig").lower().startswith("id," + ",".join(names).lower())
    labels = [str(field.verbose_name) for model in admin.site._registry for field in model._meta.fields]
    assert [label for label in labels if re.search(r"\b(ip|ips|mfa|url)\b", label)] == []


def test_a_column_that_is_no_more_is_passed_over(admin_client: Client, user: User) -> None:
    columns = ["__str__", "gone_since", "last_name"]
    SavedView.objects.create(staff=Staff.objects.get(), model="accounts.user", columns=columns)
    assert shown(admin_client) == ["__str__", "last_name"]


def test_an_order_means_the_same_whichever_columns_show(admin_client: Client, user: User) -> None:
    """Otherwise a link would be another list to a colleague, and a bookmark after the next choice."""
    users = [user, *(UserFactory.create(username=name, deployment=user.deployment) for name in ("zoe", "adam"))]
    by_username = admin_client.get(USERS, {"o": "2"}).context["cl"]
    choose(admin_client, "created_at", "last_sign_in")
    changes = admin_client.get(USERS, {"o": "2"}).context["cl"]
    assert list(changes.result_list) == list(by_username.result_list) != users
    page = admin_client.get(USERS, {"o": "-7.-99.gone_since"}).content.decode()
    assert 'href="?o=created_at"' in page  # as its header turns the order around
    assert 'href="?o=last_sign_in.-created_at"' in page
    session_of(users[1])
    for order, place in (("last_sign_in", 0), ("-last_sign_in", 2)):  # where PostgreSQL puts NULL
        assert list(admin_client.get(USERS, {"o": order}).context["cl"].result_list)[place] == users[1]
    assert f"{timezone.now():%Y}" in admin_client.get(USERS).content.decode()


def test_a_file_has_the_columns_that_show(admin_client: Client, user: User) -> None:
    choose(admin_client, "id", "username", "public_metadata")
    for kind, metadata in (("csv", str), ("jsonl", dict)):
        (row,) = rows_of(admin_client, User, kind)
        assert list(row) == ["id", "user", "username", "public metadata"]
        assert isinstance(row["public metadata"], metadata)
    WorkspaceRoleFactory.create(permissions=["a:b", "c:d"])
    assert rows_of(admin_client, WorkspaceRole, "csv")[0]["permissions"] == "a:b;c:d"
    assert rows_of(admin_client, WorkspaceRole, "jsonl")[0]["permissions"] == ["a:b", "c:d"]


def test_a_window_to_choose_from_and_a_history_have_their_own_columns(admin_client: Client, user: User) -> None:
    defaults = shown(admin_client)
    choose(admin_client)
    assert shown(admin_client) == ["__str__"]
    assert shown(admin_client, _popup="1") == defaults
    admin_client.post(f"{url(AuditEntry, 'changelist')}columns/", {"columns": "who"})
    assert shown(admin_client, AuditEntry) == ["when", "who"]
    history = admin_client.get(url(user, "history"))
    assert "differences" in history.context["cl"].list_display
    for page in (history, admin_client.get(USERS, {"_popup": "1"})):
        assert "Default columns" not in page.content.decode()


def test_only_staff_who_see_the_list_choose_its_columns(admin_client: Client) -> None:
    member = staff(DeploymentFactory.create())
    refused = client_of(member).post(f"{url(StaffAccess, 'changelist')}columns/", {"columns": "role"})
    assert refused.status_code == 403
    assert admin_client.get(f"{USERS}columns/").status_code == 405
    assert not SavedView.objects.exists()
    choose(client_of(member), "username")
    member.delete()
    assert not SavedView.objects.exists()
