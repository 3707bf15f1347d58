"""Is any answer of a polled endpoint stale, or made of two moments, while writers overlap?

Each of several users has a place of their own: memberships of an organization and a workspace, with a role in each. A
writer writes one number to all of that in one transaction, slowly, so that transactions overlap and end in another
order than they began or wrote in; some are rolled back. One more writes to the deployment. Every answer is then held
against what is known outside of the service: it shows no older number than the last one whose commit had returned when
the request was sent, none that nobody had begun to commit when the answer came, and only one number.
"""

from __future__ import annotations

import random
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from ipaddress import IPv4Address
from itertools import count
from typing import Any

import jwt
import orjson
import psycopg

from benchmarks.data import Data, Member, signed_in
from benchmarks.endpoints import DEPLOYMENT, LIST, ME, ORGANIZATIONS, SESSION, TOKEN
from benchmarks.servers import running

PLACES = 8
LONGEST = 3.0
"""Seconds that a transaction stays open at most. Nine of ten are a hundred times as quick."""
OF_A_USER = [
    "UPDATE organizations_workspace SET description = %(number)s WHERE id = %(workspace)s",
    "UPDATE organizations_organization SET description = %(number)s WHERE id = %(organization)s",
    """
    UPDATE memberships_workspacemembership SET public_metadata = jsonb_build_object('number', %(number)s::text)
    WHERE id = %(membership)s
    """,
    """
    UPDATE memberships_organizationmembership SET public_metadata = jsonb_build_object('number', %(number)s::text)
    WHERE id = %(organization_membership)s
    """,
    "UPDATE organizations_workspacerole SET permissions = ARRAY['number:' || %(number)s::text] WHERE id = %(role)s",
    """
    UPDATE organizations_organizationrole SET permissions = ARRAY['number:' || %(number)s::text]
    WHERE id = %(organization_role)s
    """,
    """
    UPDATE accounts_user
    SET first_name = %(number)s::text, public_metadata = jsonb_build_object('number', %(number)s::text)
    WHERE id = %(user)s
    """,
    "UPDATE accounts_signin SET ip_address = '0.0.0.0'::inet + %(number)s::bigint WHERE user_id = %(user)s",
]
OF_THE_DEPLOYMENT = [
    """
    UPDATE accounts_deployment
    SET name = %(number)s::text, ui_settings = jsonb_build_object('signup_terms_statement', %(number)s::text)
    WHERE id = %(deployment)s
    """
]


@dataclass
class Place:
    """Rows that one writer writes, and which numbers may be seen there."""

    ids: dict[str, int]
    statements: list[str]
    pause: float = 0
    """Seconds between two transactions."""
    committed: int = 0
    """The last number whose commit has returned."""
    begun: int = 0
    """The last number whose commit has begun."""


def soak(data: Data, *, requests: int) -> Counter[str]:
    """Send ``requests`` to the service while all writers write; gives how many of them were what."""
    places = [_new_place(data) for _ in range(PLACES)]
    # Each of its changes sends the next request of all to Django.
    common = Place({"deployment": data.deployment_id}, OF_THE_DEPLOYMENT, pause=0.5)
    members = _members(places)
    with psycopg.connect(data.url) as connection:
        for place in (*places, common):
            for statement in place.statements:
                connection.execute(statement, {**place.ids, "number": "0"})
    stop = threading.Event()
    with running("rollcall", env=data.env) as server, ThreadPoolExecutor(2 * PLACES + 1) as threads:
        writers = [threads.submit(_write, data.url, place, stop) for place in (*places, common)]
        try:
            pollers = [
                threads.submit(_poll, server.port, member, place, common, requests // PLACES)
                for member, place in zip(members, places, strict=True)
            ]
            found = Counter[str]()
            for poller in pollers:
                found.update(poller.result())
        finally:
            stop.set()
        found["commits"] = sum(writer.result() for writer in writers)
    return found


def _new_place(data: Data) -> Place:
    from accounts.models import User
    from memberships.models import (
        OrganizationMembership,
        OrganizationMembershipRole,
        WorkspaceMembership,
        WorkspaceMembershipRole,
    )
    from organizations.models import Organization, OrganizationRole, Workspace, WorkspaceRole

    of_deployment: dict[str, Any] = {"deployment_id": data.deployment_id}
    user = User.objects.create(**of_deployment, email=f"soak-{secrets.token_hex(8)}@example.com")
    organization = Organization.objects.create(**of_deployment, name="Soak")
    workspace = Workspace.objects.create(organization=organization, name="Soak")
    organization_role = OrganizationRole.objects.create(**of_deployment, organization=organization, name="Soak")
    role = WorkspaceRole.objects.create(**of_deployment, organization=organization, name="Soak")
    organization_membership = OrganizationMembership.objects.create(organization=organization, user=user)
    membership = WorkspaceMembership.objects.create(workspace=workspace, user=user)
    OrganizationMembershipRole.objects.create(membership=organization_membership, role=organization_role)
    WorkspaceMembershipRole.objects.create(membership=membership, role=role)
    rows = {
        "user": user,
        "organization": organization,
        "workspace": workspace,
        "organization_role": organization_role,
        "role": role,
        "organization_membership": organization_membership,
        "membership": membership,
    }
    return Place({name: row.pk for name, row in rows.items()}, OF_A_USER)


def _members(places: list[Place]) -> list[Member]:
    from accounts.models import User

    users = User.objects.in_bulk([place.ids["user"] for place in places])
    return signed_in([users[place.ids["user"]] for place in places])


def _write(url: str, place: Place, stop: threading.Event) -> int:
    """Write until ``stop``; gives the number of commits."""
    chance = random.Random(str(place.ids))
    commits = 0
    with psycopg.connect(url) as connection:
        for number in count(1):
            if stop.wait(place.pause):
                return commits
            longest = LONGEST if chance.random() < 0.1 else LONGEST / 100
            for statement in chance.sample(place.statements, len(place.statements)):
                connection.execute(statement, {**place.ids, "number": str(number)})
                stop.wait(chance.uniform(0, longest / len(place.statements)))
            if chance.random() < 0.1:
                connection.rollback()
                continue
            place.begun = number
            connection.commit()
            place.committed = number
            commits += 1
    raise AssertionError("there is no last number")


def _poll(port: int, member: Member, own: Place, common: Place, requests: int) -> Counter[str]:
    found: Counter[str] = Counter()
    chance = random.Random(member.session_id)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    etags: dict[str, str] = {}
    shown: dict[str, set[int]] = {}
    for _ in range(requests):
        path = chance.choice(list(_NUMBERS))
        place = common if path == DEPLOYMENT else own
        headers = {"Host": member.host, "Cookie": f"__session={member.token}"}
        if chance.random() < 0.8 and path in etags:
            headers["If-None-Match"] = etags[path]
        oldest = place.committed
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        newest = place.begun
        found["requests"] += 1
        found["unchanged"] += response.status == 304
        found["failed"] += response.status not in (200, 304)
        if response.status == 200:
            etags[path] = str(response.headers["ETag"])
            shown[path] = {int(text.rpartition(":")[2]) for text in _NUMBERS[path](orjson.loads(body)["data"])}
        if path in shown:
            found["mixed"] += len(shown[path]) > 1
            found["stale"] += min(shown[path]) < oldest
            found["too new"] += max(shown[path]) > newest
    return found


def _of_list(data: Any) -> list[str]:
    (item,) = data
    texts = [item["workspace"]["description"], item["organization"]["description"], item["public_metadata"]["number"]]
    return [*texts, *item["roles"][0]["permissions"]]


def _of_organizations(data: Any) -> list[str]:
    (item,) = data
    texts = [item["organization"]["description"], item["public_metadata"]["number"], item["user"]["first_name"]]
    return [*texts, *item["roles"][0]["permissions"]]


def _of_user(data: Any) -> list[str]:
    return [data["first_name"], data["public_metadata"]["number"]]


def _of_session(data: Any) -> list[str]:
    active = data["active_signin"]
    return [str(int(IPv4Address(active["ipAddress"]))), *_of_user(active["user"])]


def _of_deployment(data: Any) -> list[str]:
    return [data["ui_settings"]["app_name"], data["ui_settings"]["signup_terms_statement"]]


def _of_token(data: Any) -> list[str]:
    claims = jwt.decode(data["token"], options={"verify_signature": False})
    return [*claims["organization_permissions"], *claims["workspace_permissions"]]


_NUMBERS: dict[str, Callable[[Any], list[str]]] = {
    LIST: _of_list,
    ORGANIZATIONS: _of_organizations,
    ME: _of_user,
    SESSION: _of_session,
    DEPLOYMENT: _of_deployment,
    TOKEN: _of_token,
}
"""The numbers in ``data`` of the endpoints' answers."""
