"""The database's time for a search of everything in the admin, as staff of all deployments and of one.

The transaction that searches has just written tens of thousands of rows, so their entries in the indexes are new.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.report import Verdict

if TYPE_CHECKING:
    from benchmarks.data import Data

MOST_MS = 50.0
MOST_STATEMENTS = 15
SIGN_INS = 1_000_000
RUNS = 5
SEARCHES = {
    "an address": "exactly-1000-00@scale.example",
    "half an address": "user-0012",
    "a first name": "ada",
    "one thing in another": "ada brewery",
    "two words that a tenth have": "são paulo",
    "two words that all have": "scale example",
    "a place": "brewery",
    "two letters": "us",
    "what all have": "example",
    "what nobody has": "zzzz",
    "an id": "12345",
    "an IP address": "100.64.48.57",
    "an IP address that many have": "198.51.100.7",
    "an IP address that nobody has": "203.0.113.99",
    "a page": "audit log",
}


def measure(data: Data) -> Iterator[Verdict]:
    """A verdict for each search: the time of its statements, with their way to a server on the same machine."""
    from django.contrib.auth import get_user_model
    from django.db import connection, transaction

    from accounts.models import Deployment
    from benchmarks.admin_data import fill_sign_ins
    from staff.models import StaffAccess

    deployment = Deployment.objects.get(pk=data.deployment_id)
    fill_sign_ins(deployment, SIGN_INS)
    with transaction.atomic():
        _write(connection)
        everywhere = get_user_model()(is_active=True, is_staff=True, is_superuser=True)
        own = get_user_model().objects.create(username="benchmark of search", is_staff=True)
        access = StaffAccess.objects.create(user=own, role=StaffAccess.Role.SUPPORT)
        access.deployments.add(deployment)
        for whose, staff in {"all deployments": everywhere, "one deployment": own}.items():
            for name, text in SEARCHES.items():
                took, statements, found = min(_search(connection, staff, text) for _ in range(RUNS))
                told = f"{whose}: {name} ({text}): {took:.1f} ms (at most {MOST_MS:.0f} ms)"
                is_met = took <= MOST_MS and statements <= MOST_STATEMENTS
                yield Verdict(is_met, f"{told}, {statements} statements (of {MOST_STATEMENTS}), {found} results")
        transaction.set_rollback(True)


def _write(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # without triggers
        cursor.execute("UPDATE organizations_workspace SET name = name WHERE id % 2 = 0")
        cursor.execute("UPDATE accounts_user SET email = email WHERE id % 5 = 0")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


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
