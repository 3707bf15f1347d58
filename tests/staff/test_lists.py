"""Lists find the users whom something lacks and what ends soon, and are saved as files as far as they are filtered."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any, cast

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Session, User
from audit.models import AuditEntry
from memberships.models import WorkspaceMembership
from organizations.models import Organization
from staff.models import StaffAccess
from staff.toolkit import exports
from tests.support.admin import url
from tests.support.factories import (
    OrganizationFactory,
    UserFactory,
    confirmed_authenticator,
    join_organization,
    member_of_new_workspace,
    session_of,
    staff,
)


def rows_of(client: Client, model: Any, kind: str = "jsonl", **query: str) -> list[dict[str, Any]]:
    response: Any = client.get(url(model, kind), query)
    content = b"".join(response.streaming_content).decode("utf-8-sig")
    return (
        list(csv.DictReader(io.StringIO(content)))
        if kind == "csv"
        else [json.loads(line) for line in content.splitlines()]
    )


def shown(client: Client, model: Any, **query: str) -> set[int]:
    return {row.pk for row in client.get(url(model, "changelist"), query).context["cl"].result_list}


def test_users_are_found_by_what_they_lack(admin_client: Client, user: User) -> None:
    others = UserFactory.create_batch(3, deployment=user.deployment)
    with_mfa, in_organization, in_workspace = others
    confirmed_authenticator(with_mfa)
    join_organization(in_organization, OrganizationFactory.create(deployment=user.deployment))
    member_of_new_workspace(in_workspace)
    session_of(user)
    everybody = {user.pk, *(other.pk for other in others)}
    has = {
        "sign_in": {user.pk},
        "mfa": {with_mfa.pk},
        "organization": {in_organization.pk, in_workspace.pk},
        "workspace": {in_workspace.pk},
    }
    for lack, found in has.items():
        assert shown(admin_client, User, without=lack) == everybody - found, lack
        assert {row["id"] for row in rows_of(admin_client, User, without=lack)} == everybody - found, lack


def test_sessions_are_found_that_end_soon(admin_client: Client, user: User) -> None:
    now = timezone.now()
    sessions = [session_of(user, expires_at=now + timedelta(days=days)) for days in (-1, 1, 5, 20, 90)]
    assert shown(admin_client, Session, ends="7") == {session.pk for session in sessions[1:3]}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_list_is_saved_as_it_is_searched(admin_client: Client, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "CHUNK", 2)
    found = [OrganizationFactory.create(name=f"=Fjord & {number}") for number in range(5)]
    OrganizationFactory.create(name="Other")
    rows = rows_of(admin_client, Organization, kind, q="fjord")
    guard = "'" if kind == "csv" else ""
    assert [str(row["id"]) for row in rows] == [str(row.pk) for row in reversed(found)]
    assert [next(value for name, value in rows[0].items() if name != "id")] == [f"{guard}=Fjord & 4"]


def test_the_file_that_a_list_offers_has_its_filters_and_no_more_rows(admin_client: Client, user: User) -> None:
    member_of_new_workspace(user)
    other = member_of_new_workspace(user)
    for model, query in (
        (WorkspaceMembership, {"organization__id__exact": str(other.organization_id), "o": "1", "p": "1"}),
        (AuditEntry, {"object": str(other.pk), "person": str(user.pk)}),
    ):
        address = url(model, "changelist")
        changes = admin_client.get(address, query).context["cl"]
        (_, file), *_ = changes.files
        content = b"".join(cast(Any, admin_client.get(address + file)).streaming_content).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(content)))
        assert sorted(int(row["id"]) for row in rows) == sorted(row.pk for row in changes.result_list), model
        assert 0 < len(rows) < model._base_manager.count(), model


def test_staff_of_a_deployment_save_only_what_they_see(user: User) -> None:
    UserFactory.create()
    client = Client()
    client.force_login(staff(user.deployment, role=StaffAccess.Role.SUPPORT))
    assert [row["id"] for row in rows_of(client, User)] == [user.pk]


def test_a_file_of_an_impossible_filter_is_refused(admin_client: Client, user: User) -> None:
    assert admin_client.get(url(User, "csv"), {"nothing__such": "1"}).status_code == 400
