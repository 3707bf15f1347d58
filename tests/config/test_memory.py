"""What processes remember: bounded, and never what a note has told them is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest
from django.db import connection, transaction

from accounts.models import User
from config.database import memory
from config.database.memory import NEWS, Memory, News, Question
from config.database.reading import Statement, read
from config.models import Invalidation
from organizations.models import Workspace, WorkspaceSegment
from tests.api import memberships
from tests.factories import SegmentFactory, WorkspaceFactory, member_of_new_workspace
from tests.server import own_postgres, wait_until

SELECT_NEWS = Statement(NEWS)


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


def hear(notes: str | None, question: Question | None = None, *, snapshot: str = "10:10:") -> int:
    told = News(snapshot.encode(), None, None, None if notes is None else notes.encode())
    return memory.hear(question or memory.ask(), told)


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
    hear(None, late, snapshot="12:15:13")
    assert hear(None, early, snapshot="10:11:") == memory.OVERTAKEN
    assert memory.ask().position[1:3] == (b"15", b"{13}")


def test_a_thread_that_saw_more_takes_the_position_on_whoever_came_first(things: Memory[Thing]) -> None:
    hear(None)
    early, late = memory.ask(), memory.ask()
    hear(None, early, snapshot="10:11:")
    assert memory.holds(hear(None, late, snapshot="12:15:13"))
    assert memory.ask().position[1:3] == (b"15", b"{13}")


def test_a_standby_which_lists_no_running_transactions_is_read_from_the_first_of_them() -> None:
    hear(None, snapshot="12:15:")
    assert memory.ask().position[1:3] == (b"12", b"{}")


def test_who_asked_before_anything_was_remembered_does_not_move_the_position_of_who_knows_more() -> None:
    first, second = memory.ask(), memory.ask()
    hear(None, first, snapshot="10:10:")
    hear(None, second, snapshot="20:20:")  # nothing was told of what came from transaction 10 on
    assert memory.ask().position.since == b"10"


def test_on_another_server_nothing_that_an_earlier_one_said_counts(things: Memory[Thing]) -> None:
    hear(None, snapshot="900:900:")
    question = memory.ask()
    thing = remember(things, b"1")
    memory.begin_anew()
    assert not thing.is_current
    hear(None, question, snapshot="901:901:")
    hear(None, snapshot="10:10:")
    assert memory.ask().position.since == b"10"


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


def news(question: Question) -> News:
    result = read(SELECT_NEWS, question.values)
    return News._make(result[column] for column in range(len(News._fields)))


@pytest.mark.django_db
def test_a_transaction_reads_each_note_of_its_own_once() -> None:
    question = memory.ask()
    before = news(question)
    assert before.notes is None, "who remembers nothing has nothing to forget"
    memory.hear(question, before)
    for key in (7, 8):
        Invalidation.objects.create(kind="user", key=key)
        question = memory.ask()
        after = news(question)
        assert after.notes == b"user:%d" % key
        memory.hear(question, after)


@pytest.mark.django_db(transaction=True)
def test_notes_of_a_transaction_that_has_read_meanwhile_are_read_when_it_has_committed() -> None:
    memory.hear(question := memory.ask(), news(question))
    with transaction.atomic():
        Invalidation.objects.create(kind="user", key=7)
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("SELECT pg_current_xact_id()")  # a later transaction ends before this one
        memory.hear(question := memory.ask(), news(question))
        Invalidation.objects.create(kind="user", key=8)
    assert b"user:8" in (news(memory.ask()).notes or b"")


def test_on_a_standby_notes_are_read_whatever_order_their_transactions_end_in() -> None:
    """A real one: its snapshots list no running transactions, whatever runs on the primary."""
    with own_postgres() as primary, primary.standby() as standby_url, ExitStack() as stack:
        first, last, standby = (
            stack.enter_context(psycopg.connect(url)) for url in (primary.url, primary.url, standby_url)
        )
        standby.autocommit = True
        first.execute(
            """
            CREATE TABLE config_invalidation (
                id bigserial, kind text, key bigint, transaction xid8 DEFAULT pg_current_xact_id()
            )
            """
        )
        first.commit()

        def read_on_the_standby() -> News:
            (end,) = first.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone() or ("",)
            first.rollback()
            wait_until(
                lambda: standby.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [end]).fetchone() == (True,),
                "the standby has caught up",
            )
            row = standby.execute(
                NEWS, {name: value.decode() for name, value in memory.ask().values.items()}
            ).fetchone()
            return News._make(None if value is None else value.encode() for value in row or ())

        memory.hear(memory.ask(), read_on_the_standby())
        for writer, key in ((last, 1), (first, 2)):
            writer.execute("INSERT INTO config_invalidation (kind, key) VALUES ('user', %s)", [key])
        first.commit()
        seen = read_on_the_standby()
        assert (seen.notes, seen.snapshot.endswith(b":")) == (b"user:2", True)
        memory.hear(memory.ask(), seen)
        last.commit()
        assert b"user:1" in (read_on_the_standby().notes or b"").split(b",")


@pytest.mark.django_db(transaction=True)
def test_notes_that_came_with_the_dump_of_another_server_are_not_read() -> None:
    memory.hear(question := memory.ask(), news(question))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO config_invalidation (kind, key, transaction)
            VALUES ('user', 1, (pg_current_xact_id()::text::bigint + 1000)::text::xid8)
            """
        )
    assert news(memory.ask()).notes is None


def test_the_answer_after_a_change_in_the_same_transaction_shows_it(user: User) -> None:
    membership = member_of_new_workspace(user)
    for name in ("One", "Two", "Three"):
        Workspace.objects.filter(pk=membership.workspace_id).update(name=name)
        assert [item["workspace"]["name"] for item in memberships(user)] == [name]
