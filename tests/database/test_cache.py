"""The cache of a process is bounded, and never holds a value that the invalidation log names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest
from django.db import connection, transaction

from accounts.models import User
from database import cache
from database.cache import CHANGES, Cache, Changes, LogRead
from database.models import Invalidation
from database.prepared import Statement, read
from organizations.models import Workspace
from tests.support.api import memberships
from tests.support.factories import member_of_new_workspace
from tests.support.server import own_postgres, wait_until

SELECT_CHANGES = Statement(CHANGES)


@dataclass(eq=False)
class Thing:
    deployment_id: int = 1
    is_current: bool = True


@pytest.fixture
def things() -> Iterator[Cache[Thing]]:
    things: Cache[Thing] = Cache("workspace", bound=3)
    yield things
    cache._caches["workspace"].remove(things)


def put(things: Cache[Thing], key: bytes) -> Thing:
    thing = Thing()
    things.put(key, thing, as_of=cache.as_of_now())
    return thing


def applied(entries: str | None, log: LogRead | None = None, *, snapshot: str = "10:10:") -> int:
    changes = Changes(snapshot.encode(), None, None, None if entries is None else entries.encode())
    return cache.apply(log or cache.begin(), changes)


def test_it_is_bounded_first_in_first_out(things: Cache[Thing]) -> None:
    first, *others = [put(things, key) for key in (b"1", b"2", b"3", b"4")]
    assert things.get(b"1") is None
    assert not first.is_current
    assert [things.get(key) for key in (b"2", b"3", b"4")] == others


def test_an_item_that_is_heavier_than_the_bound_is_not_cached() -> None:
    things: Cache[Thing] = Cache("answer", bound=3, weigh=lambda _: 4)
    assert not put(things, b"1").is_current
    assert things.get(b"1") is None


def test_an_item_that_replaces_another_replaces_its_weight_too(things: Cache[Thing]) -> None:
    for _ in range(5):
        newest = put(things, b"1")
    others = [put(things, key) for key in (b"2", b"3")]
    assert all(thing.is_current for thing in (newest, *others))


def test_only_items_that_the_log_names_are_evicted(things: Cache[Thing]) -> None:
    applied(None)
    gone, kept = put(things, b"1"), put(things, b"2")
    applied("workspace:1,organization:2,unknown kind:2")
    assert (gone.is_current, kept.is_current) == (False, True)
    applied("everything:0")
    assert not kept.is_current


def test_a_deployments_contents_are_evicted_alone_and_without_itself(things: Cache[Thing]) -> None:
    deployments: Cache[Thing] = Cache("deployment", bound=3)
    applied(None)
    deployment = put(deployments, b"1")
    theirs = Thing(deployment_id=2)
    things.put(b"1", theirs, as_of=cache.as_of_now())
    own = put(things, b"2")
    applied("contents:1")
    cache._caches["deployment"].remove(deployments)
    assert (own.is_current, theirs.is_current, deployment.is_current) == (False, True, True)


def test_the_first_statement_evicts_items_that_may_have_changed_before_it(things: Cache[Thing]) -> None:
    cache.clear()
    thing = put(things, b"1")
    as_of = applied(None)
    assert not thing.is_current
    things.put(b"2", Thing(), as_of=as_of)
    applied(None)
    assert things.get(b"2") is not None


def test_a_row_that_was_read_before_another_thread_applied_a_change_is_not_put(things: Cache[Thing]) -> None:
    log = cache.begin()
    applied("organization:9")
    thing = Thing()
    things.put(b"1", thing, as_of=applied(None, log))
    assert not thing.is_current
    assert things.get(b"1") is None


def test_a_row_that_was_read_together_with_a_change_is_cached(things: Cache[Thing]) -> None:
    thing = Thing()
    things.put(b"1", thing, as_of=applied("workspace:1"))
    assert things.get(b"1") is thing


def test_a_thread_that_saw_less_does_not_move_the_position_back(things: Cache[Thing]) -> None:
    applied(None)
    early, late = cache.begin(), cache.begin()
    applied(None, late, snapshot="12:15:13")
    assert applied(None, early, snapshot="10:11:") == cache.OVERTAKEN
    assert cache.begin().position[1:3] == (b"15", b"{13}")


def test_a_thread_that_saw_more_moves_the_position_on_after_another(things: Cache[Thing]) -> None:
    applied(None)
    early, late = cache.begin(), cache.begin()
    applied(None, early, snapshot="10:11:")
    assert cache.holds(applied(None, late, snapshot="12:15:13"))
    assert cache.begin().position[1:3] == (b"15", b"{13}")


def test_a_standby_that_lists_no_running_transactions_is_read_from_its_xmin() -> None:
    applied(None, snapshot="12:15:")
    assert cache.begin().position[1:3] == (b"12", b"{}")


def test_on_a_standby_a_thread_that_saw_less_does_not_take_the_horizon_back() -> None:
    applied(None, snapshot="12:15:")
    early, late = cache.begin(), cache.begin()
    applied("workspace:1", late, snapshot="12:20:")
    assert applied(None, early, snapshot="12:15:") == cache.OVERTAKEN


def test_on_a_standby_nobody_knows_which_of_two_equal_snapshots_saw_more() -> None:
    applied(None, snapshot="12:20:")
    early, late = cache.begin(), cache.begin()
    applied("workspace:1", late, snapshot="12:20:")  # 14 has ended, which no list said was running
    assert applied(None, early, snapshot="12:20:") == cache.OVERTAKEN


def test_what_an_overtaken_thread_has_read_evicts_nothing(things: Cache[Thing]) -> None:
    newer = put(things, b"1")
    older = Thing()
    things.put(b"1", older, as_of=cache.OVERTAKEN)
    assert things.get(b"1") is newer
    assert (newer.is_current, older.is_current) == (True, False)


def test_a_first_statement_does_not_move_the_position_of_another_thread() -> None:
    first, second = cache.begin(), cache.begin()
    applied(None, first, snapshot="10:10:")
    applied(None, second, snapshot="20:20:")  # the changes from transaction 10 on were not read
    assert cache.begin().position.since == b"10"


def test_on_another_server_nothing_of_the_former_one_counts(things: Cache[Thing]) -> None:
    applied(None, snapshot="900:900:")
    log = cache.begin()
    thing = put(things, b"1")
    cache.clear()
    assert not thing.is_current
    applied(None, log, snapshot="901:901:")
    applied(None, snapshot="10:10:")
    assert cache.begin().position.since == b"10"


def test_after_a_long_gap_everything_is_evicted(things: Cache[Thing], monkeypatch: pytest.MonkeyPatch) -> None:
    thing = put(things, b"1")
    monkeypatch.setattr(cache._state, "applied_at", cache._state.applied_at - cache.LONGEST_GAP - 1)
    applied(None)
    assert not thing.is_current


def changes_since(read_: LogRead) -> Changes:
    return Changes.of(read(SELECT_CHANGES, read_.values))


@pytest.mark.django_db
@pytest.mark.parametrize("another_runs", [False, True])
def test_a_transaction_reads_each_change_of_its_own_once(another_runs: bool) -> None:
    with psycopg.connect(**connection.get_connection_params()) as other:
        if another_runs:
            other.execute("SELECT pg_current_xact_id()")
            with psycopg.connect(**connection.get_connection_params()) as third:
                third.execute("SELECT pg_current_xact_id()")  # ends, so that the one that runs is in the list
        log = cache.begin()
        before = changes_since(log)
        assert before.entries is None, "an empty cache has nothing to evict"
        cache.apply(log, before)
        for key in (7, 8):
            Invalidation.objects.create(kind="user", key=key)
            log = cache.begin()
            after = changes_since(log)
            assert after.entries == b"user:%d" % key
            cache.apply(log, after)


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_has_read_in_between_is_read_once_it_has_committed() -> None:
    cache.apply(log := cache.begin(), changes_since(log))
    with transaction.atomic():
        Invalidation.objects.create(kind="user", key=7)
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("SELECT pg_current_xact_id()")  # a later transaction ends before this one
        cache.apply(log := cache.begin(), changes_since(log))
        Invalidation.objects.create(kind="user", key=8)
    assert b"user:8" in (changes_since(cache.begin()).entries or b"")


def test_on_a_standby_changes_are_read_in_any_order_of_commits() -> None:
    """A real one: its snapshots list no running transactions, whatever runs on the primary."""
    with own_postgres() as primary, primary.standby() as standby_url, ExitStack() as stack:
        first, last, standby = (
            stack.enter_context(psycopg.connect(url)) for url in (primary.url, primary.url, standby_url)
        )
        standby.autocommit = True
        first.execute(
            """
            CREATE TABLE database_invalidation (
                id bigserial, kind text, key bigint, transaction xid8 DEFAULT pg_current_xact_id()
            )
            """
        )
        first.commit()

        def read_on_the_standby() -> Changes:
            (end,) = first.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone() or ("",)
            first.rollback()
            wait_until(
                lambda: standby.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [end]).fetchone() == (True,),
                "the standby has caught up",
            )
            row = standby.execute(
                CHANGES, {name: value.decode() for name, value in cache.begin().values.items()}
            ).fetchone()
            return Changes._make(None if value is None else value.encode() for value in row or ())

        cache.apply(cache.begin(), read_on_the_standby())
        for writer, key in ((last, 1), (first, 2)):
            writer.execute("INSERT INTO database_invalidation (kind, key) VALUES ('user', %s)", [key])
        first.commit()
        seen = read_on_the_standby()
        assert (seen.entries, seen.snapshot.endswith(b":")) == (b"user:2", True)
        cache.apply(cache.begin(), seen)
        last.commit()
        assert b"user:1" in (read_on_the_standby().entries or b"").split(b",")


@pytest.mark.django_db(transaction=True)
def test_log_rows_in_a_dump_of_another_server_are_not_read() -> None:
    cache.apply(log := cache.begin(), changes_since(log))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO database_invalidation (kind, key, transaction)
            VALUES ('user', 1, (pg_current_xact_id()::text::bigint + 1000)::text::xid8)
            """
        )
    assert changes_since(cache.begin()).entries is None


def test_the_answer_after_a_change_in_the_same_transaction_shows_it(user: User) -> None:
    membership = member_of_new_workspace(user)
    for name in ("One", "Two", "Three"):
        Workspace.objects.filter(pk=membership.workspace_id).update(name=name)
        assert [item["workspace"]["name"] for item in memberships(user)] == [name]
