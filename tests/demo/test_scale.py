"""``manage.py load_scale``: data to measure with, the same for the same seed."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, F

from accounts.models import Deployment, User
from demo import scale
from memberships.models import WorkspaceMembership
from organizations.models import Organization, Workspace
from tests.support.api import memberships

pytestmark = pytest.mark.django_db(transaction=True)


FEW = {1: 3, 10: 3, 50: 3, 200: 2, 1000: 1}
"""Users by their number of memberships, of whom many are loaded alike."""


def load(host: str, *, seed: int) -> Deployment:
    call_command("load_scale", "--users", "60", "--seed", str(seed), "--host", host)
    return Deployment.objects.get(host=host)


def data_of(deployment: Deployment) -> list[Any]:
    """The loaded rows, without ids."""
    rows = WorkspaceMembership.objects.filter(user__deployment=deployment).order_by("pk")
    organizations = Organization.objects.filter(deployment=deployment).order_by("pk")
    return [
        list(rows.values_list("user__email", "workspace__name", "public_metadata", "created_at")),
        list(organizations.values_list("name", "whitelisted_ips", "private_metadata", "member_count")),
    ]


def test_it_loads_the_same_exact_memberships_for_the_same_seed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(scale.EXACTLY) == set(FEW)
    monkeypatch.setattr(scale, "EXACTLY", FEW)
    one, same, other = load("one.test", seed=7), load("same.test", seed=7), load("other.test", seed=8)
    assert "rows" in capsys.readouterr().err  # the progress bar
    counted = User.objects.filter(deployment=one).annotate(number=Count("workspace_memberships"))
    for number, of_them in FEW.items():
        users = counted.filter(email__startswith=f"exactly-{number}-")
        assert list(users.values_list("number", flat=True)) == [number] * of_them
    ordinary = counted.filter(email__startswith="user-")
    assert ordinary.count() == 60
    assert {user.number for user in ordinary} == set(range(1, 10))
    assert data_of(one) == data_of(same) != data_of(other)

    counted_workspaces = Workspace.objects.annotate(number=Count("memberships"))
    assert not counted_workspaces.exclude(number=F("member_count")).exists()
    answer = memberships(User.objects.get(deployment=one, email="exactly-50-00@scale.example"))
    assert len(answer) == 50
    assert {len(item["workspace"]["segments"]) for item in answer} > {0, 1}

    with pytest.raises(CommandError, match=r"one\.test already"):
        load("one.test", seed=7)


@pytest.mark.parametrize("users", ["0", "-1", "many", "1.5"])
def test_it_takes_a_positive_number_of_users_only(users: str) -> None:
    with pytest.raises(CommandError, match="positive number"):
        call_command("load_scale", "--users", users)
    assert not Deployment.objects.exists()
