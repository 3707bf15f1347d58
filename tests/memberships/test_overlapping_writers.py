"""No answer is stale when transactions overlap, whatever order they begin, write and end in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event
from typing import Any, NamedTuple

import psycopg
import pytest
from django.db import connection, connections, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from memberships.models import OrganizationMembershipRole, WorkspaceMembershipRole
from organizations.models import Organization, OrganizationSegment, Segment, WorkspaceSegment
from tests.support.api import ApiClient, warm_up
from tests.support.factories import (
    OrganizationRoleFactory,
    SegmentFactory,
    UserFactory,
    WorkspaceRoleFactory,
    join_organization,
    member_of_new_workspace,
)

pytestmark = pytest.mark.django_db(transaction=True)


class Poll:
    """A tab that polls: it sends the ETag of the answer that it has, and keeps that answer for a 304."""

    def __init__(self, user: User) -> None:
        self._client = ApiClient(user.deployment, user)
        warm_up(self._client)
        self._etag = ""
        self._data: list[dict[str, Any]] = []

    def __call__(self) -> list[dict[str, Any]]:
        response = self._client.get(HTTP_IF_NONE_MATCH=self._etag)
        if response.status_code != 304:
            self._etag, self._data = response.headers["ETag"], response.json()["data"]
        return self._data


class Place(NamedTuple):
    """The ids of a viewer's membership of a workspace, and of all that its part of the answer is made of."""

    membership: int
    workspace: int
    organization: int
    role: int
    workspace_segment: int
    organization_segment: int
    role_given: int


def place_of(user: User) -> Place:
    membership = member_of_new_workspace(user)
    workspace = membership.workspace
    organization = workspace.organization
    Organization.objects.filter(pk=organization.pk).update(private_metadata={"plan": "team"})
    role = WorkspaceRoleFactory.create(deployment=user.deployment)
    organization_role = OrganizationRoleFactory.create(deployment=user.deployment)
    given = WorkspaceMembershipRole.objects.create(membership=membership, role=role)
    OrganizationMembershipRole.objects.create(membership=join_organization(user, organization), role=organization_role)
    segments = [
        SegmentFactory.create(deployment=user.deployment, type=kind)
        for kind in (Segment.Type.WORKSPACE, Segment.Type.ORGANIZATION)
    ]
    WorkspaceSegment.objects.create(workspace=workspace, segment=segments[0])
    OrganizationSegment.objects.create(organization=organization, segment=segments[1])
    return Place(membership.pk, workspace.pk, organization.pk, role.pk, segments[0].pk, segments[1].pk, given.pk)


CHANGES = {
    "a workspace's name": "UPDATE organizations_workspace SET name = %(text)s WHERE id = %(workspace)s",
    "an organization's text": "UPDATE organizations_organization SET name = %(text)s WHERE id = %(organization)s",
    "a role's name": "UPDATE organizations_workspacerole SET name = %(text)s WHERE id = %(role)s",
    "a workspace's segment": "UPDATE organizations_segment SET name = %(text)s WHERE id = %(workspace_segment)s",
    "an organization's segment": "UPDATE organizations_segment SET name = %(text)s WHERE id = %(organization_segment)s",
    "a segment that is left": "DELETE FROM organizations_workspacesegment WHERE workspace_id = %(workspace)s",
    "a membership's metadata": """
        UPDATE memberships_workspacemembership SET public_metadata = jsonb_build_object('text', %(text)s::text)
        WHERE id = %(membership)s
    """,
    "a role that is taken": "DELETE FROM memberships_workspacemembershiprole WHERE id = %(role_given)s",
    "a membership that ends": "DELETE FROM memberships_workspacemembership WHERE id = %(membership)s",
    "a rule": "UPDATE organizations_workspace SET enforce_2fa = NOT enforce_2fa WHERE id = %(workspace)s",
    "who sees private metadata": """
        UPDATE accounts_deployment
        SET private_metadata_audience = CASE private_metadata_audience WHEN 'nobody' THEN 'members' ELSE 'nobody' END
        WHERE id = (SELECT deployment_id FROM organizations_organization WHERE id = %(organization)s)
    """,
}
IN_COMMON = "who sees private metadata"
"""The change of a row that all places share."""
COMMITTED = """
    SELECT
        membership.id::text, workspace.name, workspace.enforce_2fa, organization.name,
        membership.public_metadata->>'text',
        (
            SELECT organization.private_metadata->>'plan' FROM accounts_deployment
            WHERE id = organization.deployment_id AND private_metadata_audience <> 'nobody'
        ),
        ARRAY (
            SELECT role.name FROM memberships_workspacemembershiprole given
            JOIN organizations_workspacerole role ON role.id = given.role_id WHERE given.membership_id = membership.id
        ),
        ARRAY (
            SELECT segment.name FROM organizations_workspacesegment
            JOIN organizations_segment segment ON segment.id = segment_id WHERE workspace_id = workspace.id
        ),
        ARRAY (
            SELECT segment.name FROM organizations_organizationsegment
            JOIN organizations_segment segment ON segment.id = segment_id WHERE organization_id = organization.id
        )
    FROM memberships_workspacemembership membership
    JOIN organizations_workspace workspace ON workspace.id = workspace_id
    JOIN organizations_organization organization ON organization.id = workspace.organization_id
    WHERE membership.user_id = %s ORDER BY membership.id
"""


def committed(user: User, reader: psycopg.Connection) -> list[tuple[Any, ...]]:
    """All that ``CHANGES`` change of the answer, as the database holds it: the oracle, which caches nothing."""
    return reader.execute(COMMITTED, [user.pk]).fetchall()


def shown(data: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The same of an answer."""
    return [
        (
            item["id"],
            item["workspace"]["name"],
            item["workspace"]["enforce_2fa"],
            item["organization"]["name"],
            item["public_metadata"].get("text"),
            item["organization"]["private_metadata"].get("plan"),
            [role["name"] for role in item["roles"]],
            [segment["name"] for segment in item["workspace"]["segments"]],
            [segment["name"] for segment in item["organization"]["segments"]],
        )
        for item in data
    ]


@pytest.mark.parametrize("first_to_commit", [0, 1])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_once_it_is_committed(
    writers: list[psycopg.Connection], reader: psycopg.Connection, change: str, first_to_commit: int
) -> None:
    """The transaction that begins last makes the change, before the other one writes something else."""
    user = UserFactory.create()
    places = [place_of(user) for _ in range(2)]
    poll = Poll(user)
    for writer in writers[:2]:
        writer.execute("SELECT pg_current_xact_id()")
    before = shown(poll())
    writers[1].execute(CHANGES[change], {**places[1]._asdict(), "text": "changed"})
    writers[0].execute(CHANGES["a workspace's name"], {**places[0]._asdict(), "text": "other"})
    writers[first_to_commit].commit()
    assert shown(poll()) == committed(user, reader)
    writers[1 - first_to_commit].commit()
    assert shown(poll()) == committed(user, reader) != before


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_transaction_has_read_of_its_own_is_not_cached(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may yet roll back, which the invalidation log does not show."""
    monkeypatch.undo()  # the fixture that lets tests cache what they have written themselves
    user = UserFactory.create()
    place = place_of(user)
    poll = Poll(user)
    before = shown(poll())
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(CHANGES[change], {**place._asdict(), "text": "never"})
        for _ in range(2):
            assert shown(Poll(user)()) != before
        transaction.set_rollback(True)
    assert shown(poll()) == shown(Poll(user)()) == before


@st.composite
def interleavings(draw: st.DrawFn, names: list[str], in_common: str) -> list[tuple[int, str]]:
    """The steps of two to four transactions in any order, with polls in between: the writer's number, and the step.

    Each transaction begins, makes one or two changes, and ends. One may change the row that they have in common.
    """
    ends = st.sampled_from(["commit", "commit", "roll back"])
    changes = st.lists(st.sampled_from(names), min_size=1, max_size=2)
    scripts = [["begin", *draw(changes), draw(ends)] for _ in range(draw(st.integers(2, 4)))]
    if draw(st.booleans()):
        scripts[-1].insert(1, in_common)
    turns = draw(st.permutations([number for number, script in enumerate(scripts) for _ in script]))
    steps = []
    for number in turns:
        steps.append((number, scripts[number].pop(0)))
        if draw(st.booleans()):
            steps.append((number, "poll"))
    return steps


def taken(
    steps: list[tuple[int, str]],
    writers: list[psycopg.Connection],
    change: Callable[[psycopg.Connection, int, str, str], None],
) -> Iterator[None]:
    """Take the steps, and yield where there is to be a poll: for its steps, and at the end."""
    for text, (number, step) in enumerate(steps):
        writer = writers[number]
        if step == "begin":
            writer.execute("SELECT pg_current_xact_id()")
        elif step == "commit":
            writer.commit()
        elif step == "roll back":
            writer.rollback()
        elif step == "poll":
            yield
        else:
            change(writer, number, step, str(text))
    yield


@settings(max_examples=30)
@given(steps=interleavings(sorted(CHANGES.keys() - {IN_COMMON}), IN_COMMON))
def test_each_poll_shows_the_committed_state_under_any_interleaving(
    writers: list[psycopg.Connection], reader: psycopg.Connection, steps: list[tuple[int, str]]
) -> None:
    """Each writer has a place of its own, so none waits for another.

    No savepoints: with one, a transaction that ends has a newer id than those that go on, and these are in the
    snapshot's list, where a fault about newer ones would not show.
    """
    for writer in writers:
        writer.rollback()  # what an example that failed left behind
    user = UserFactory.create()
    places = {number: place_of(user) for number in sorted({number for number, _ in steps})}
    poll = Poll(user)

    def change(writer: psycopg.Connection, number: int, name: str, text: str) -> None:
        writer.execute(CHANGES[name], {**places[number]._asdict(), "text": text})

    for _ in taken(steps, writers, change):
        assert shown(poll()) == committed(user, reader)


def test_everything_in_one_answer_is_of_one_moment() -> None:
    """Each transaction writes one number to all that an answer is made of, so no answer has two numbers."""
    user = UserFactory.create()
    place = place_of(user)
    Poll(user)()  # what is built once for a process is built by one thread
    params = {**connection.get_connection_params(), "autocommit": False}
    stop = Event()

    def write() -> None:
        with psycopg.connect(**params) as writer:
            for number in count():
                if stop.is_set():
                    break
                for change in (
                    "a workspace's name",
                    "an organization's text",
                    "a role's name",
                    "a membership's metadata",
                ):
                    writer.execute(CHANGES[change], {**place._asdict(), "text": str(number)})
                writer.commit()

    def numbers_seen(_: int) -> list[set[str]]:
        try:
            poll = Poll(user)
            return [
                {item["workspace"]["name"], item["organization"]["name"], item["roles"][0]["name"], text}
                for _ in range(200)
                for item in poll()
                if (text := item["public_metadata"].get("text"))
            ]
        finally:
            connections.close_all()

    with ThreadPoolExecutor() as threads:
        writing = threads.submit(write)
        try:
            seen = [numbers for of_poll in threads.map(numbers_seen, range(2)) for numbers in of_poll]
        finally:
            stop.set()
        writing.result()
    assert [numbers for numbers in seen if len(numbers) > 1] == []
    assert len(seen) > 100
