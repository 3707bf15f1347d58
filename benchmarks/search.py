"""The database's time for a search of everything in the admin, as staff of all deployments and of one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.report import Verdict

if TYPE_CHECKING:
    from benchmarks.data import Data

MOST_MS = 50.0
RUNS = 5
SEARCHES = {
    "an address": "exactly-1000-00@scale.example",
    "half an address": "user-0012",
    "a first name": "ada",
    "one thing in another": "ada brewery",
    "a place": "brewery",
    "two letters": "us",
    "what all have": "example",
    "what nobody has": "zzzz",
    "an id": "12345",
    "an IP address": "198.51.100.7",
    "a page": "audit log",
}


def measure(data: Data) -> Iterator[Verdict]:
    """A verdict for each search: the time of its statements, with their way to a server on the same machine."""
    from django.contrib.auth import get_user_model
    from django.db import connection, transaction

    from accounts.models import Deployment, SignIn
    from staff.models import StaffAccess

    newest = SignIn.objects.order_by("-pk").values("pk")[:1000]
    with transaction.atomic():
        SignIn.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).update(ip_address="198.51.100.7")
        everywhere = get_user_model()(is_active=True, is_staff=True, is_superuser=True)
        own = get_user_model().objects.create(username="benchmark of search", is_staff=True)
        access = StaffAccess.objects.create(user=own, role=StaffAccess.Role.SUPPORT)
        access.deployments.add(Deployment.objects.get(pk=data.deployment_id))
        for whose, staff in {"all deployments": everywhere, "one deployment": own}.items():
            for name, text in SEARCHES.items():
                took, statements, found = min(_search(connection, staff, text) for _ in range(RUNS))
                told = f"{whose}: {name} ({text}): {took:.1f} ms (at most {MOST_MS:.0f} ms)"
                yield Verdict(took <= MOST_MS, f"{told}, {statements} statements, {found} results")
        transaction.set_rollback(True)


def _search(connection: Any, staff: Any, text: str) -> tuple[float, int, int]:
    """The milliseconds and the number of the statements of a search, and of its results."""
    from django.test import RequestFactory

    from staff.search import search_page

    request = RequestFactory().get("/admin/search/", {"q": text})
    request.user = staff
    times: list[float] = []

    def timed(execute: Any, *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            times.append((time.perf_counter() - started) * 1000)

    with connection.execute_wrapper(timed):
        response: Any = search_page(request)
    return sum(times), len(times), response.context_data["number"]
