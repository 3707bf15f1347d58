"""Loading the demo data again after staff have edited it: nothing that is there changes, and `make run` goes on."""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.models import Model

from accounts.models import Deployment, DeploymentAlias, User
from demo import data
from demo.management.commands.quickstart import banner
from memberships.last_admin import let_go
from memberships.models import OrganizationMembership, OrganizationMembershipRole, WorkspaceMembership
from organizations.models import Organization, OrganizationRole, Segment, Workspace, WorkspaceRole
from tests.support.api import ApiClient

pytestmark = [pytest.mark.usefixtures("demo_rows"), pytest.mark.django_db]

EDITED: dict[type[Model], list[str]] = {
    Deployment: ["host", "name", "mode"],
    DeploymentAlias: ["host"],
    User: ["email", "username", "disabled", "first_name"],
    Organization: ["name", "auto_assigned_workspace"],
    Workspace: ["name"],
    OrganizationRole: ["name"],
    WorkspaceRole: ["name"],
    Segment: ["name"],
    OrganizationMembership: [],
    OrganizationMembershipRole: [],
    WorkspaceMembership: [],
}
"""The rows that an edit may change or delete."""


@pytest.fixture(autouse=True)
def _few_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many rows that are loaded alike, two say as much as ten."""
    monkeypatch.setattr(data, "HOUSES", 2)
    monkeypatch.setattr(data, "ROOMS", 2)


@pytest.fixture(autouse=True)
def _without_administrators(db: None) -> None:
    """Staff may let the last administrators of organizations go."""
    let_go()


def values() -> dict[type[Model], dict[int, dict[str, Any]]]:
    """All that staff may have edited."""
    return {model: {row["id"]: row for row in model._base_manager.values()} for model in EDITED}


def edit(dice: random.Random) -> None:
    """One edit as staff make it in the admin; what the database refuses, they leave."""
    model = dice.choice(list(EDITED))
    rows = list(model._base_manager.order_by("pk"))
    if not rows:
        return
    row: Any = dice.choice(rows)
    field = dice.choice([*EDITED[model], "delete"])
    try:
        with transaction.atomic():
            if field == "delete":
                row.delete()
                return
            other = getattr(dice.choice(rows), field)
            new = {"disabled": True, "mode": "staging", "auto_assigned_workspace": None}
            setattr(row, field, new.get(field, dice.choice([f"renamed-{dice.randrange(99)}.example", other])))
            row.save()
    except IntegrityError:
        pass


def assert_it_runs() -> None:
    """Load again, which changes nothing that is there; each curl line of the banner works."""
    before = values()
    call_command("load_demo")
    for model, rows in values().items():
        for pk, row in before[model].items():
            counted = {"member_count", "updated_at"}
            assert {k: v for k, v in rows[pk].items() if k not in counted} == {
                k: v for k, v in row.items() if k not in counted
            }
    lines = [line.strip() for line in banner().splitlines() if "__session=" in line or "__dev_session__=" in line]
    assert bool(lines) == User.objects.filter(disabled=False).exists()
    for line in lines:
        words = shlex.split(line)
        host = next((word.removeprefix("Host: ") for word in words if word.startswith("Host: ")), "127.0.0.1")
        cookie = next((word for word in words if word.startswith("__session=")), "")
        query = re.search(r"\?(\S+)", words[-1])
        client = ApiClient(Deployment.objects.all()[0])
        answer = client.get(query=query[1] if query else "", HTTP_HOST=host, HTTP_COOKIE=cookie)
        assert answer.status_code == 200, line


@pytest.mark.parametrize("seed", range(12))
def test_it_runs_after_any_edits(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(3):
        for _ in range(dice.randrange(1, 12)):
            edit(dice)
        assert_it_runs()


def _update(model: type[Model], **changes: Any) -> Callable[[], Any]:
    def change() -> None:
        row = model._base_manager.order_by("pk")[0]
        for name, value in changes.items():
            setattr(row, name, value)
        row.save()

    return change


@pytest.mark.parametrize(
    "change",
    [
        _update(User, email="ada.lindqvist@demo.example"),
        _update(User, username="lovelace"),
        _update(User, disabled=True),
        lambda: User.objects.filter(username="chioma").update(email="ada2@demo.example", username="bo2"),
        lambda: User.objects.all().delete(),
        lambda: User.objects.update(disabled=True),
        _update(Deployment, host="accounts.example.com"),
        _update(Deployment, mode="staging"),
        lambda: Deployment.objects.all().delete(),
        lambda: DeploymentAlias.objects.update(host="elsewhere.example.com"),
        lambda: OrganizationRole.objects.all().delete(),
        lambda: WorkspaceRole.objects.filter(name="Admin").update(name="Same"),
        lambda: WorkspaceMembership.objects.all().delete(),
        lambda: OrganizationMembership.objects.all().delete(),
        lambda: Organization.objects.update(name="Same", auto_assigned_workspace=None),
        lambda: Workspace.objects.filter(name="Kasse").update(name="Till"),
        lambda: Segment.objects.all().delete(),
    ],
)
def test_it_runs_after_this_edit(change: Callable[[], Any]) -> None:
    try:
        with transaction.atomic():
            change()
    except IntegrityError:
        pytest.fail("this is no edit")
    assert_it_runs()


def test_a_row_that_cannot_be_made_is_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    User.objects.filter(username="bo").delete()
    User.objects.filter(username="ada").update(email="bo@demo.example", username="x")
    User.objects.filter(username="chioma").update(username="ada")
    assert_it_runs()
    assert len(capsys.readouterr().err.splitlines()) <= 1


def test_an_untouched_demo_is_loaded_again_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    before = values()
    call_command("load_demo")
    assert values() == before
    assert capsys.readouterr() == ("", "")
