"""Is any answer stale, or made of two moments, while writers overlap?

Each of several users has a place of their own: a membership, its workspace and its organization. A writer writes one
number to all three in one transaction, slowly, so that transactions overlap and end in another order than they began
or wrote in; some are rolled back. Every answer is then held against what is known outside of the service: it shows no
older number than the last one whose commit had returned when the request was sent, none that nobody had begun to
commit when the answer came, and the same number in all three.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson
import psycopg

from benchmarks.data import Data, Member, signed_in
from benchmarks.endpoints import LIST
from benchmarks.servers import running

if TYPE_CHECKING:
    from accounts.models import User

PLACES = 8
LONGEST = 3.0
"""Seconds that a transaction stays open at most. Nine of ten are a hundred times as quick."""
STATEMENTS = [
    "UPDATE organizations_workspace SET description = %(number)s WHERE id = %(workspace)s",
    "UPDATE organizations_organization SET description = %(number)s WHERE id = %(organization)s",
    """
    UPDATE memberships_workspacemembership SET public_metadata = jsonb_build_object('number', %(number)s::text)
    WHERE id = %(membership)s
    """,
]


@dataclass
class Place:
    """A user's own, and which numbers may be seen there."""

    user: User
    ids: dict[str, int]
    committed: int = 0
    """The last number whose commit has returned."""
    begun: int = 0
    """The last number whose commit has begun."""


def soak(data: Data, *, requests: int) -> Counter[str]:
    """Send ``requests`` to the service while all writers write; gives how many of them were what."""
    places = [_new_place(data, number) for number in range(PLACES)]
    members = signed_in([place.user for place in places])
    stop = threading.Event()
    with running("rollcall", env=data.env) as server, ThreadPoolExecutor(2 * PLACES) as threads:
        writers = [threads.submit(_write, data.url, place, stop) for place in places]
        try:
            pollers = [
                threads.submit(_poll, server.port, member, place, requests // PLACES)
                for member, place in zip(members, places, strict=True)
            ]
            found = Counter[str]()
            for poller in pollers:
                found.update(poller.result())
        finally:
            stop.set()
        found["commits"] = sum(writer.result() for writer in writers)
    return found


def _new_place(data: Data, number: int) -> Place:
    from accounts.models import User
    from memberships.models import OrganizationMembership, WorkspaceMembership
    from organizations.models import Organization, Workspace

    user, _ = User.objects.get_or_create(deployment_id=data.deployment_id, email=f"soak-{number}@example.com")
    organization = Organization.objects.create(deployment_id=data.deployment_id, name="Soak", description="0")
    workspace = Workspace.objects.create(organization=organization, name="Soak", description="0")
    OrganizationMembership.objects.create(organization=organization, user=user)
    membership = WorkspaceMembership.objects.create(workspace=workspace, user=user, public_metadata={"number": "0"})
    return Place(user, {"workspace": workspace.pk, "organization": organization.pk, "membership": membership.pk})


def _write(url: str, place: Place, stop: threading.Event) -> int:
    """Write until ``stop``; gives the number of commits."""
    chance = random.Random(place.ids["workspace"])  # noqa: S311
    with psycopg.connect(url) as connection:
        for number in count(1):
            if stop.is_set():
                return place.committed
            longest = LONGEST if chance.random() < 0.1 else LONGEST / 100
            for statement in chance.sample(STATEMENTS, len(STATEMENTS)):
                connection.execute(statement, {**place.ids, "number": str(number)})
                stop.wait(chance.uniform(0, longest / len(STATEMENTS)))
            if chance.random() < 0.1:
                connection.rollback()
                continue
            place.begun = number
            connection.commit()
            place.committed = number
    raise AssertionError("there is no last number")


def _poll(port: int, member: Member, place: Place, requests: int) -> Counter[str]:
    found: Counter[str] = Counter()
    chance = random.Random(member.session_id)  # noqa: S311
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    etag, shown = "", set[int]()
    for _ in range(requests):
        headers = {"Host": member.host, "Cookie": f"__session={member.token}"}
        if chance.random() < 0.8:
            headers["If-None-Match"] = etag
        oldest = place.committed
        connection.request("GET", LIST, headers=headers)
        response = connection.getresponse()
        body = response.read()
        newest = place.begun
        found["requests"] += 1
        if response.status == 200:
            etag, shown = str(response.headers["ETag"]), _numbers(orjson.loads(body)["data"], place)
        found["unchanged"] += response.status == 304
        found["failed"] += response.status not in (200, 304)
        found["mixed"] += len(shown) > 1
        found["stale"] += min(shown) < oldest
        found["too new"] += max(shown) > newest
    return found


def _numbers(data: list[dict[str, Any]], place: Place) -> set[int]:
    (item,) = [item for item in data if item["id"] == str(place.ids["membership"])]
    texts = item["workspace"]["description"], item["organization"]["description"], item["public_metadata"]["number"]
    return {int(text) for text in texts}
