"""The plots of the home page: the numbers of the deployments that one may see, and of no other."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts import counting
from accounts.counting import Kind
from accounts.models import DailyCount, Deployment
from tests.support.factories import DeploymentFactory, staff

TODAY = date(2026, 3, 1)


@pytest.fixture(autouse=True)
def the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "today", lambda: TODAY)


def fill(deployment: Deployment, factor: int) -> None:
    """Counts of all kinds for 95 days, in two slots each."""
    DailyCount.objects.bulk_create(
        DailyCount(
            deployment=deployment,
            day=TODAY - timedelta(days=ago),
            kind=kind,
            slot=slot,
            number=factor * (ago + 1) * (number + 1),
        )
        for ago in range(95)
        for number, kind in enumerate(Kind)
        for slot in (0, 17)
    )


def client_of(*deployments: Deployment, **access: Any) -> Client:
    client = Client()
    client.force_login(staff(*deployments, **access))
    return client


def drawn(response: Any) -> list[list[int]]:
    """The numbers of each series that the charts draw, which must be those of the tables, newest first."""
    assert response.status_code == 200
    series = []
    for plot in response.context["activity"]["plots"]:
        data = json.loads(plot["data"])
        columns = [dataset["data"] for dataset in data["datasets"]]
        assert [row[1:] for row in plot["rows"]] == list(zip(*[column[::-1] for column in columns], strict=True))
        series += columns
    return series


def sums(*deployments: Deployment, days: int) -> list[list[int]]:
    """The same from the rows."""
    order = [
        *(Kind.ACTIVE_USERS, Kind.SIGN_INS, Kind.FAILED_SIGN_INS),
        *(Kind.IP_NOT_ALLOWED, Kind.MFA_REQUIRED, Kind.IP_AND_MFA_REQUIRED, Kind.NEW_MEMBERS),
    ]
    rows = list(DailyCount.objects.filter(deployment__in=deployments).values_list("kind", "day", "number"))
    dates = [TODAY - timedelta(days=ago) for ago in range(days - 1, -1, -1)]
    return [[sum(number for of, at, number in rows if (of, at) == (kind, day)) for day in dates] for kind in order]


@pytest.mark.django_db
def test_staff_see_the_counts_of_their_deployments_alone() -> None:
    own, second, foreign = (DeploymentFactory.create(name=name) for name in ("daheim", "nebenan", "zwielicht"))
    for factor, deployment in enumerate((own, second, foreign), start=1):
        fill(deployment, factor**3)
    client = client_of(own, second)
    for days in (7, 90):
        assert drawn(client.get("/admin/", {"days": days})) == sums(own, second, days=days)
    page = client.get("/admin/", {"deployment": own.pk})
    assert drawn(page) == sums(own, days=30)
    assert "zwielicht" not in page.content.decode()
    assert client.get("/admin/", {"deployment": foreign.pk}).status_code == 404
    everywhere = client_of(all_deployments=True)
    assert drawn(everywhere.get("/admin/")) == sums(own, second, foreign, days=30)
    foreign.delete()
    assert drawn(everywhere.get("/admin/")) == sums(own, second, days=30)
    assert client_of().get("/admin/").context["activity"] is None


@pytest.mark.parametrize(
    "query", ["days=8", "days=-7", "days=٧", "deployment=0", "deployment=x", f"deployment={'9' * 40}"]
)
def test_an_address_of_other_plots_is_not_found(admin_client: Client, query: str) -> None:
    assert admin_client.get(f"/admin/?{query}").status_code == 404


def test_plots_without_numbers_say_so(admin_client: Client) -> None:
    page = admin_client.get("/admin/", {"days": 7}).content.decode()
    assert page.count("None in these 7 days.") == 4
    assert "<canvas" not in page
