"""Requests about rows that somebody else deletes between two of their statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Model

from accounts.models import SignIn
from database import prepared
from tests.support.api import FORM, ApiClient
from tests.support.factories import join
from tests.support.self_service import Firm, question

pytestmark = pytest.mark.django_db

MEMBER = "POST organizations/{id}/members/{member_id}"
INVITATION = "POST organizations/{id}/invitations/{invitation_id}"
DELETED: list[tuple[str, Callable[[Firm], Model]]] = [
    ("POST organizations/{id}/update", lambda firm: firm.organization),
    ("GET organizations/{id}/members", lambda firm: firm.organization),
    (f"{MEMBER}/remove", lambda firm: firm.membership(firm.member)),
    (f"{MEMBER}/roles/{{role_id}}/remove", lambda firm: firm.membership(firm.member)),
    ("POST organizations/{id}/domains", lambda firm: firm.organization),
    ("POST organizations/{id}/invitations", lambda firm: firm.role),
    ("POST organizations/{id}/invitations", lambda firm: firm.admin),
    ("GET organizations/{id}/invitations", lambda firm: firm.organization),
    (f"{INVITATION}/discard", lambda firm: firm.invitation),
    (f"{INVITATION}/resend", lambda firm: firm.admin_membership),
    ("GET workspaces/{id}/members", lambda firm: firm.workspace),
    ("POST workspaces/{id}/update", lambda firm: firm.workspace),
    ("POST workspaces/{id}/delete", lambda firm: firm.organization),
]


@dataclass
class Deletion:
    """Deletes ``row`` before statement ``number`` of what runs within ``at_work``; counts the statements."""

    row: Model
    number: int
    passed: int = 0

    @contextmanager
    def at_work(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        read_together = prepared.read_together

        def read(queries: prepared.Query) -> Any:
            self._step()
            return read_together(queries)

        def execute(run: Callable[..., Any], sql: str, *args: Any) -> Any:
            if "SAVEPOINT" not in sql:
                self._step()
            return run(sql, *args)

        with monkeypatch.context() as patch, connection.execute_wrapper(execute):
            patch.setattr(prepared, "read_together", read)
            yield

    def _step(self) -> None:
        self.passed += 1
        if self.passed == self.number:
            type(self.row)._base_manager.filter(pk=self.row.pk).delete()  # more statements, each of which is a step


def statuses(row: Model, call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The statuses of ``call`` with ``row`` deleted before its first statement, its second, and so on."""
    found: set[int] = set()
    number = 0
    while True:
        number += 1
        deletion = Deletion(row, number)
        with transaction.atomic():
            with deletion.at_work(monkeypatch):
                status = call().status_code
            transaction.set_rollback(True)
        if deletion.passed < number:
            assert number > 3
            assert status == 200  # undisturbed
            return found
        found.add(status)


def is_answered(
    client: ApiClient, question: tuple[str, str, Any], deleted: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, address, body = question
    path, _, query = address.partition("?")

    def call() -> Any:
        browser = deepcopy(client)
        return browser.get(path) if method == "GET" else browser.post(path, body, query, content_type=FORM)

    client.get("/session")  # which has the fast path cache the deployment and the session
    found = statuses(deleted, call, monkeypatch)
    assert found <= {200, 401, 403, 404, 503}
    assert found & {401, 403, 404}


@pytest.fixture(scope="module")
def shared_firm(shared_rows: None) -> Firm:
    return Firm()


@pytest.fixture
def firm(shared_firm: Firm, db: None) -> Firm:
    return deepcopy(shared_firm)


@pytest.mark.parametrize(("endpoint", "deleted"), DELETED)
def test_a_row_that_goes_in_the_midst_of_a_request_is_no_internal_error(
    firm: Firm, endpoint: str, deleted: Callable[[Firm], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_answered(firm.client(firm.admin), question(firm, endpoint), deleted(firm), monkeypatch)


def test_so_may_ones_session_and_the_place_that_one_switches_to(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    join(firm.admin, firm.workspace)
    client = firm.client(firm.admin)
    is_answered(client, ("POST", "/me", {"first_name": "Ada"}), SignIn.objects.get(user=firm.admin), monkeypatch)
    switch = f"/session/switch-workspace?workspace_id={firm.workspace.pk}"
    is_answered(client, ("POST", switch, None), firm.organization, monkeypatch)
