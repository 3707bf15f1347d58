"""Counts a day are those that a plain query over the rows gives, whichever process has counted."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import Sum

from accounts import counting
from accounts.authentication import sessions
from accounts.counting import Kind
from accounts.models import CountedUser, DailyCount, Deployment, Session, SignIn
from accounts.sign_in import signing_in
from tests.support.api import ApiClient, error_code
from tests.support.factories import DeploymentFactory, UserFactory, session_of
from tests.support.sign_in import SIGN_IN, attempt_of, sign_in, totp, user_with_mfa, user_with_password, verify

Commits = Callable[..., AbstractContextManager[Any]]
TODAY = date(2026, 3, 1)
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is pending, and the day does not end during a test."""
    monkeypatch.setattr(counting, "_pending", deque(maxlen=counting.MAX_PENDING))
    set_day(monkeypatch, TODAY)


def set_day(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    monkeypatch.setattr(counting, "today", lambda: day)


def counts(deployment: Deployment, day: date = TODAY) -> dict[str, int]:
    """The numbers of the day once everything is written, by kind."""
    counting.flush()
    rows = DailyCount.objects.filter(deployment=deployment, day=day).values("kind").annotate(sum=Sum("number"))
    return {row["kind"]: row["sum"] for row in rows}


def test_sign_ins_and_active_users_are_those_of_the_rows(
    deployment: Deployment, django_capture_on_commit_callbacks: Commits
) -> None:
    other = DeploymentFactory.create()
    ada, bo = (user_with_password(deployment) for _ in range(2))
    grace, elsewhere = user_with_mfa(deployment), user_with_password(other)
    with django_capture_on_commit_callbacks(execute=True):
        for user in (ada, ada, bo, elsewhere):
            sign_in(ApiClient(user.deployment), user)
        client = ApiClient(deployment)
        attempt = attempt_of(sign_in(client, grace))
        verify(client, attempt, totp())
        sign_in(ApiClient(deployment), user_with_mfa(deployment))  # who gives no code, and is not in
    for of in (deployment, other):
        rows = SignIn.objects.filter(deployment=of)
        assert counts(of) == {
            Kind.SIGN_INS: rows.count(),
            Kind.ACTIVE_USERS: rows.values("user").distinct().count(),
        }


def test_every_refused_try_to_sign_in_is_counted_and_nothing_else(deployment: Deployment) -> None:
    ada, gus = user_with_password(deployment), user_with_password(deployment, disabled=True)
    grace = user_with_mfa(deployment)
    client = ApiClient(deployment)
    sign_in(client, ada, "wrong")
    sign_in(client, gus)
    sign_in(client, UserFactory.build(deployment=deployment))
    client.post(SIGN_IN, {"strategy": "outside_token", "token": "no.token.atall"})
    verify(client, attempt_of(sign_in(client, grace)), "000000")
    assert error_code(client.post(SIGN_IN, {"strategy": "plain_email", "email": ada.email})) == 40004
    assert counts(deployment) == {Kind.FAILED_SIGN_INS: 5}


def test_a_sign_in_that_is_rolled_back_does_not_count(
    deployment: Deployment, django_capture_on_commit_callbacks: Commits
) -> None:
    user = user_with_password(deployment)
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        signing_in.complete(sessions.visitor(deployment), session_of(user), user, signing_in.Client(None, ""))
        transaction.set_rollback(True)
    assert counts(deployment) == {}


def test_a_renewed_session_makes_its_user_active_on_that_day(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Commits
) -> None:
    user = user_with_password(deployment)
    with django_capture_on_commit_callbacks(execute=True):
        sign_in(ApiClient(deployment), user)
    set_day(monkeypatch, TODAY + timedelta(days=1))
    session = Session.objects.get()
    for _ in range(3):
        with django_capture_on_commit_callbacks(execute=True):
            sessions.replace_token(session, session.token_serial)
        counting.flush()
    assert counts(deployment) == {Kind.SIGN_INS: 1, Kind.ACTIVE_USERS: 1}
    assert counts(deployment, TODAY + timedelta(days=1)) == {Kind.ACTIVE_USERS: 1}


def test_counts_wait_for_the_database_and_the_oldest_give_way(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_pending", deque(maxlen=5))
    monkeypatch.setattr(counting, "_BATCH", 2)
    counting.count(Kind.SIGN_INS, deployment.pk)
    for _ in range(5):
        counting.count(Kind.FAILED_SIGN_INS, deployment.pk)

    def away(*_: Any) -> None:
        raise OperationalError("away")

    with connection.execute_wrapper(away):
        for _ in range(3):
            with pytest.raises(DatabaseError):
                counting.flush()
    assert counts(deployment) == {Kind.FAILED_SIGN_INS: 5}


def test_counts_wait_whatever_the_failure_and_only_the_oldest_give_way(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_pending", deque(maxlen=3))
    for _ in range(3):
        counting.count(Kind.SIGN_INS, deployment.pk)

    def fail(*_: Any) -> None:
        for __ in range(2):
            counting.count(Kind.FAILED_SIGN_INS, deployment.pk)
        raise ValueError("not of the database")

    with connection.execute_wrapper(fail), pytest.raises(ValueError, match="not of the database"):
        counting.flush()
    assert counts(deployment) == {Kind.SIGN_INS: 1, Kind.FAILED_SIGN_INS: 2}


def test_those_that_are_deleted_meanwhile_stop_no_count(deployment: Deployment) -> None:
    gone, user = DeploymentFactory.create(), UserFactory.create(deployment=deployment)
    counting.count(Kind.SIGN_INS, gone.pk)
    counting.count_user(Kind.ACTIVE_USERS, user.pk)
    counting.count(Kind.SIGN_INS, deployment.pk)
    gone.delete()
    user.delete()
    assert counts(deployment) == {Kind.SIGN_INS: 1}


def test_counts_go_with_their_deployment_or_user(deployment: Deployment) -> None:
    user = UserFactory.create(deployment=deployment)
    counting.count_user(Kind.ACTIVE_USERS, user.pk)
    assert counts(deployment) == {Kind.ACTIVE_USERS: 1}
    user.delete()
    assert not CountedUser.objects.exists()
    deployment.delete()
    assert not DailyCount.objects.exists()


def test_the_sweep_keeps_90_days_and_joins_the_rows_of_past_ones(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = UserFactory.create(deployment=deployment)
    for ago in (0, 1, 2, 89, 90):
        set_day(monkeypatch, TODAY - timedelta(days=ago))
        counting.count_user(Kind.MFA_REQUIRED, user.pk)
        counting.count(Kind.SIGN_INS, deployment.pk)
        DailyCount.objects.bulk_create(
            DailyCount(deployment=deployment, day=counting.today(), kind=Kind.SIGN_INS, slot=slot, number=slot)
            for slot in (5, 7)
        )
    counting.flush()
    set_day(monkeypatch, TODAY)
    call_command("sweep_sessions")
    kept = {ago: counts(deployment, TODAY - timedelta(days=ago)) for ago in (0, 1, 2, 89, 90)}
    assert kept == {ago: {Kind.SIGN_INS: 13, Kind.MFA_REQUIRED: 1} for ago in (0, 1, 2, 89)} | {90: {}}
    assert set(CountedUser.objects.values_list("day", flat=True)) == {TODAY, YESTERDAY}
    assert set(DailyCount.objects.exclude(slot=0).values_list("day", flat=True)) == {TODAY, YESTERDAY}


@pytest.mark.django_db(transaction=True)
def test_threads_that_count_and_write_at_once_lose_nothing() -> None:
    deployment = DeploymentFactory.create()
    users = UserFactory.create_batch(20, deployment=deployment)
    done = threading.Event()

    def add(_: int) -> None:
        for user in users * 5:
            counting.count(Kind.SIGN_INS, deployment.pk)
            counting.count_user(Kind.ACTIVE_USERS, user.pk)

    def write(_: int) -> None:
        try:
            while not done.is_set():
                counting.flush()
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(write, number) for number in range(2)]
        list(pool.map(add, range(4)))
        done.set()
    assert [future.result() for future in writing] == [None, None]
    assert counts(deployment) == {Kind.SIGN_INS: 4 * 5 * 20, Kind.ACTIVE_USERS: 20}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("of", ["user", "deployment"])
@pytest.mark.parametrize("is_late", [False, True])
def test_a_deletion_succeeds_while_its_counts_are_written(of: str, is_late: bool) -> None:
    """They are written, in another connection, just before or just after the statement that deletes their owner."""
    user = UserFactory.create()
    row: Any = user if of == "user" else user.deployment
    counting.count(Kind.SIGN_INS, user.deployment_id)
    counting.count_user(Kind.ACTIVE_USERS, user.pk)
    writers: list[threading.Thread] = []

    def write() -> None:
        try:
            counting.flush()
        finally:
            connection.close()

    def interrupt(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        is_owner = f'DELETE FROM "{row._meta.db_table}"' in sql
        result = execute(sql, params, many, context) if is_late or not is_owner else None
        if is_owner and not writers:
            writers.append(threading.Thread(target=write))
            writers[0].start()
            writers[0].join(0.5 if is_late else 10)
        return execute(sql, params, many, context) if is_owner and not is_late else result

    with connection.execute_wrapper(interrupt):
        row.delete()
    (writer,) = writers
    writer.join(10)
    assert not writer.is_alive()
    assert not counting._pending
    assert not type(row)._default_manager.filter(pk=row.pk).exists()
    counting.sweep()
    assert not CountedUser.objects.exists()
    assert DailyCount.objects.exists() is (of == "user")
