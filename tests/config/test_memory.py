"""What processes remember: bounded, and never what a note has told them is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Session, User
from config.database import memory
from config.database.memory import NEWS, Memory, Question
from config.database.reading import Statement, read
from config.models import Invalidation
from memberships.listing import read_listing
from memberships.pieces import find
from memberships.read import parse_memberships
from organizations.models import Workspace, WorkspaceSegment
from tests.api import memberships
from tests.factories import SegmentFactory, UserFactory, WorkspaceFactory, member_of_new_workspace, session_of

SELECT_NEWS = Statement(f"SELECT {NEWS}")


@dataclass(eq=False)
class Thing:
    is_current: bool = True


@pytest.fixture
def things() -> Iterator[Memory[Thing]]:
    things: Memory[Thing] = Memory("workspace", bound=3)
    yield things
    memory._memories["workspace"].remove(things)


def remember(things: Memory[Thing], key: bytes) -> Thing:
    thing = Thing()
    things.remember(key, thing, as_of=memory.as_of_now())
    return thing


def hear(notes: str | None, question: Question | None = None, *, snapshot: str = "10:10:", newest: int = 1) -> int:
    return memory.hear(question or memory.ask(), newest, snapshot, notes)


def test_it_is_bounded_and_who_came_first_goes_first(things: Memory[Thing]) -> None:
    first, *others = [remember(things, key) for key in (b"1", b"2", b"3", b"4")]
    assert things.get(b"1") is None
    assert not first.is_current
    assert [things.get(key) for key in (b"2", b"3", b"4")] == others


def test_a_thing_that_is_heavier_than_the_bound_is_not_remembered() -> None:
    things: Memory[Thing] = Memory("answer", bound=3, weigh=lambda _: 4)
    assert not remember(things, b"1").is_current
    assert things.get(b"1") is None


def test_what_takes_the_place_of_another_takes_its_weight_too(things: Memory[Thing]) -> None:
    for _ in range(5):
        newest = remember(things, b"1")
    others = [remember(things, key) for key in (b"2", b"3")]
    assert all(thing.is_current for thing in (newest, *others))


def test_what_a_note_names_is_forgotten_and_nothing_else(things: Memory[Thing]) -> None:
    hear(None)
    gone, kept = remember(things, b"1"), remember(things, b"2")
    hear("workspace:1,organization:2,unheard of:2")
    assert (gone.is_current, kept.is_current) == (False, True)
    hear("everything:0")
    assert not kept.is_current


def test_who_was_told_nothing_yet_forgets_what_may_have_changed_meanwhile(things: Memory[Thing]) -> None:
    memory.begin_anew()
    thing = remember(things, b"1")
    as_of = hear(None)
    assert not thing.is_current
    things.remember(b"2", Thing(), as_of=as_of)
    hear(None)
    assert things.get(b"2") is not None


def test_what_was_read_before_another_thread_heard_news_is_not_remembered(things: Memory[Thing]) -> None:
    question = memory.ask()
    hear("organization:9")
    thing = Thing()
    things.remember(b"1", thing, as_of=hear(None, question))
    assert not thing.is_current
    assert things.get(b"1") is None


def test_what_was_read_with_ones_own_news_is_remembered(things: Memory[Thing]) -> None:
    thing = Thing()
    things.remember(b"1", thing, as_of=hear("workspace:1"))
    assert things.get(b"1") is thing


def test_a_thread_that_saw_less_does_not_take_the_position_back(things: Memory[Thing]) -> None:
    hear(None)
    early, late = memory.ask(), memory.ask()
    hear(None, late, snapshot="12:15:13", newest=8)
    hear(None, early, snapshot="10:11:", newest=5)
    assert memory.ask().position[1:] == (8, b"{13}")


def test_who_asked_before_anything_was_remembered_does_not_move_the_position_of_who_knows_more() -> None:
    first, second = memory.ask(), memory.ask()
    hear(None, first, snapshot="10:10:", newest=5)
    hear(None, second, snapshot="20:20:", newest=9)  # nothing was told of what came after note 5
    assert memory.ask().position.heard_id == 5


def test_on_another_server_nothing_that_an_earlier_one_said_counts(things: Memory[Thing]) -> None:
    hear(None, snapshot="900:900:", newest=900)
    question = memory.ask()
    thing = remember(things, b"1")
    memory.begin_anew()
    assert not thing.is_current
    hear(None, question, snapshot="901:901:", newest=901)
    hear(None, snapshot="10:10:", newest=3)
    assert memory.ask().position.heard_id == 3


def test_after_a_long_silence_everything_is_forgotten(things: Memory[Thing], monkeypatch: pytest.MonkeyPatch) -> None:
    thing = remember(things, b"1")
    monkeypatch.setattr(memory._heard, "at", memory._heard.at - memory.LONGEST_SILENCE - 1)
    hear(None)
    assert not thing.is_current


# The notes


def notes_since(position: int) -> set[tuple[str, int]]:
    return set(Invalidation.objects.filter(pk__gt=position).values_list("kind", "key"))


def test_what_is_new_is_noted_only_if_it_is_part_of_something_else(user: User) -> None:
    workspace = WorkspaceFactory.create(organization__deployment=user.deployment)
    newest = Invalidation.objects.latest("pk").pk if Invalidation.objects.exists() else 0
    WorkspaceFactory.create(organization=workspace.organization)
    assert notes_since(newest) == set()
    WorkspaceSegment.objects.create(
        workspace=workspace, segment=SegmentFactory.create(deployment=user.deployment, type="workspace")
    )
    assert notes_since(newest) == {("workspace", workspace.pk)}


def test_a_statement_that_changes_many_rows_is_noted_once(user: User) -> None:
    organization = WorkspaceFactory.create(organization__deployment=user.deployment).organization
    Workspace.objects.bulk_create(Workspace(organization=organization, name=str(number)) for number in range(100))
    newest = Invalidation.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    Workspace.objects.filter(organization=organization).update(description="changed")
    assert notes_since(newest) == {("everything", 0)}


@pytest.mark.django_db
def test_notes_are_kept_for_a_day() -> None:
    Invalidation.objects.all().delete()  # those of tests that committed: the oldest are tidied up first
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO config_invalidation (kind, key, created_at) VALUES
            ('old', 1, now() - interval '25 hours'), ('young', 1, now() - interval '23 hours')
            """
        )
        for _ in range(2000):  # one in a hundred tidies up
            cursor.execute("INSERT INTO config_invalidation (kind, key) VALUES ('new', 1)")
    kinds = Invalidation.objects.values_list("kind", flat=True)
    assert "old" not in kinds
    assert "young" in kinds
    assert kinds.filter(kind="new").count() == 2000


@pytest.mark.django_db
def test_the_news_is_what_came_after_the_position() -> None:
    question = memory.ask()
    (before,) = read(SELECT_NEWS, question.values).rows()
    assert before[2] is None, "who remembers nothing has nothing to forget"
    memory.hear(question, *before)
    Invalidation.objects.create(kind="user", key=7)
    (after,) = read(SELECT_NEWS, memory.ask().values).rows()
    assert after[2] == "user:7"


# All together: transactions that begin and end in any order, and a reader in between.

WRITERS = 3


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, WRITERS - 1), st.sampled_from(["commit", "commit", "rollback"])),
        min_size=4,
        max_size=20,
    )
)
def test_whatever_order_transactions_end_in_what_is_read_is_what_is_committed(steps: list[tuple[int, str]]) -> None:
    """Each writer has a workspace, which it changes and then commits or rolls back, in turn."""
    user = UserFactory.create()
    workspaces = [member_of_new_workspace(user).workspace.pk for _ in range(WRITERS)]
    session = session_of(user)
    writing: set[int] = set()
    with ExitStack() as stack:
        writers = [stack.enter_context(psycopg.connect(**connection.get_connection_params())) for _ in range(WRITERS)]
        for number, (writer, end) in enumerate(steps):
            assert descriptions_read(session) == descriptions_committed(workspaces)
            if writer in writing:
                getattr(writers[writer], end)()
            else:
                writers[writer].execute(
                    "UPDATE organizations_workspace SET description = %s WHERE id = %s",
                    [str(number), workspaces[writer]],
                )
            writing ^= {writer}
        assert descriptions_read(session) == descriptions_committed(workspaces)
        for each in writers:
            each.rollback()


def descriptions_read(session: Session) -> dict[int, str]:
    reading = read_listing(session.deployment, session_id=session.pk, organization_id=None)
    rows = parse_memberships(reading.memberships).rows
    found = find({row[1] for row in rows}, set(), set(), reading.known)
    return {int(id_): json.loads(place.shown)["description"] for id_, place in found.workspaces.items()}


def descriptions_committed(workspaces: list[int]) -> dict[int, str]:
    with transaction.atomic():
        return dict(Workspace.objects.filter(pk__in=workspaces).values_list("pk", "description"))


def test_the_answer_after_a_change_in_the_same_transaction_shows_it(user: User) -> None:
    membership = member_of_new_workspace(user)
    for name in ("One", "Two", "Three"):
        Workspace.objects.filter(pk=membership.workspace_id).update(name=name)
        assert [item["workspace"]["name"] for item in memberships(user)] == [name]
