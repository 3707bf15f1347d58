"""The plots of the home page: what happened on each of the last days, in one deployment or in all that one may see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Sum
from django.http import Http404, HttpRequest

from accounts import counting
from accounts.counting import Kind
from accounts.models import DailyCount, Deployment
from staff.access.permissions import access_of, visible_to
from staff.toolkit.search import is_id

PERIODS = (7, 30, counting.DAYS)
USUAL = 30
OFFERED = 500
"""Deployments that the page offers; it shows any other one by its id in the address."""

Counts = dict[tuple[str, date], int]


@dataclass(frozen=True)
class Series:
    """Colours have a contrast of 3 to 1 on the light and on the dark background (WCAG 2.2, 1.4.11)."""

    kind: Kind
    label: str
    color: str = "#3b82f6"


@dataclass(frozen=True)
class Plot:
    title: str
    meaning: str
    series: tuple[Series, ...]


PLOTS = [
    Plot(
        "Active users",
        "Users who signed in or used their session that day, each counted once.",
        (Series(Kind.ACTIVE_USERS, "Active users"),),
    ),
    Plot(
        "Sign-ins",
        "Sign-ins that succeeded, and tries that were refused: a wrong name, password or code, a disabled user, "
        "or too many tries.",
        (Series(Kind.SIGN_INS, "Succeeded"), Series(Kind.FAILED_SIGN_INS, "Failed", "#d97706")),
    ),
    Plot(
        "Users kept out by a rule",
        "Users whom a rule kept out of an organization or a workspace that day, each counted once for each kind.",
        (
            Series(Kind.IP_NOT_ALLOWED, "IP"),
            Series(Kind.MFA_REQUIRED, "MFA", "#d97706"),
            Series(Kind.IP_AND_MFA_REQUIRED, "IP and MFA", "#a855f7"),
        ),
    ),
    Plot(
        "New members",
        "Memberships in organizations that began that day, those included that have ended since.",
        (Series(Kind.NEW_MEMBERS, "New members"),),
    ),
]


def plots(request: HttpRequest) -> dict[str, Any] | None:
    """The context of the plots that the address names, None for those who may see no deployment; raises ``Http404``."""
    if access_of(request.user).deployments == frozenset():
        return None
    days = _number(request, "days") or USUAL
    chosen = _number(request, "deployment")
    offered = visible_to(request.user, Deployment.objects.all())
    if days not in PERIODS or (chosen is not None and not offered.filter(pk=chosen).exists()):
        raise Http404
    last = counting.today()
    dates = [last - timedelta(days=ago) for ago in reversed(range(days))]
    rows = visible_to(request.user, DailyCount.objects.filter(day__gte=dates[0]))
    if chosen is not None:
        rows = rows.filter(deployment=chosen)
    sums = rows.order_by().values_list("kind", "day").annotate(Sum("number"))
    counts = {(kind, day): number for kind, day, number in sums}
    return {
        "days": days,
        "periods": PERIODS,
        "chosen": chosen,
        "deployments": list(offered.order_by("name", "pk").values_list("pk", "name")[:OFFERED]),
        "plots": [_shown(plot, dates, counts) for plot in PLOTS],
    }


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    if text == "":
        return None
    if not is_id(text):
        raise Http404
    return int(text)


def _shown(plot: Plot, dates: list[date], counts: Counts) -> dict[str, Any]:
    columns = [[counts.get((series.kind, day), 0) for day in dates] for series in plot.series]
    data = {
        "labels": [f"{day.day} {day:%b}" for day in dates],
        "datasets": [
            {"label": series.label, "data": numbers, "backgroundColor": series.color}
            for series, numbers in zip(plot.series, columns, strict=True)
        ],
    }
    return {
        "title": plot.title,
        "meaning": plot.meaning,
        "series": [series.label for series in plot.series],
        "rows": list(zip(reversed(dates), *map(reversed, columns), strict=True)),
        "is_empty": not any(map(any, columns)),
        "data": json.dumps(data),
        "options": json.dumps(_options(has_legend=len(plot.series) > 1)),
    }


def _options(*, has_legend: bool) -> dict[str, Any]:
    """Of Chart.js, in the place of unfold's, which have no numbers beside the axis."""
    legend = {"display": has_legend, "align": "end", "labels": {"boxWidth": 10, "boxHeight": 10}}
    return {
        "animation": False,
        "maintainAspectRatio": False,
        "maxBarThickness": 24,
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {"legend": legend},
        "scales": {
            "x": {"stacked": True, "grid": {"display": False}, "ticks": {"maxRotation": 0, "maxTicksLimit": 7}},
            "y": {
                "stacked": True,
                "beginAtZero": True,
                "suggestedMax": 5,
                "grid": {"display": True},
                "ticks": {"precision": 0, "maxTicksLimit": 6},
            },
        },
    }
