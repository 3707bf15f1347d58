"""Counts the events of a day for the plots of staff (``accounts.models.DailyCount``).

No request writes a count: they add up in the process, and its background thread writes them every few seconds. Those of
a process that is killed meanwhile are lost; while the database is away they are kept, MAX_PENDING of them at most.
"""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.db.models import Exists, OuterRef

from accounts.models import CountedUser, DailyCount, Deployment, User

Kind = DailyCount.Kind

DAYS = 90
"""How many days are kept, with today."""
MAX_PENDING = 100_000
"""Events that a process keeps until they are written; of more, the oldest are lost."""
_BATCH = 10_000

_Event = tuple[str, date, int, int | None]
"""The kind, the day, and the id of the deployment, or 0 and that of the user who counts once a day."""

_pending: deque[_Event] = deque(maxlen=MAX_PENDING)
"""All threads add to it, which needs no lock."""

_WRITE = """
    WITH new AS (
        INSERT INTO accounts_counteduser (user_id, day, kind)
        SELECT member.id, given.day, given.kind
        FROM unnest(%s::bigint[], %s::date[], %s::text[]) given (user_id, day, kind)
        JOIN accounts_user member ON member.id = given.user_id
        ORDER BY 1, 2, 3  -- two processes must not wait for each other
        ON CONFLICT DO NOTHING
        RETURNING user_id, day, kind
    ),
    added AS (
        SELECT member.deployment_id, new.day, new.kind, 1 AS number
        FROM new JOIN accounts_user member ON member.id = new.user_id
        UNION ALL
        SELECT deployment.id, given.day, given.kind, given.number
        FROM unnest(%s::bigint[], %s::date[], %s::text[], %s::int[]) given (deployment_id, day, kind, number)
        JOIN accounts_deployment deployment ON deployment.id = given.deployment_id
    )
    INSERT INTO accounts_dailycount AS kept (deployment_id, day, kind, slot, number)
    SELECT deployment_id, day, kind, 0, sum(number) FROM added GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (deployment_id, day, kind, slot) DO UPDATE SET number = kept.number + excluded.number
"""
_JOIN_SLOTS = """
    WITH gone AS (
        DELETE FROM accounts_dailycount WHERE slot <> 0 AND day < %s RETURNING deployment_id, day, kind, number
    )
    INSERT INTO accounts_dailycount AS kept (deployment_id, day, kind, slot, number)
    SELECT deployment_id, day, kind, 0, sum(number) FROM gone GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (deployment_id, day, kind, slot) DO UPDATE SET number = kept.number + excluded.number
"""


def today() -> date:
    """The day in UTC."""
    return datetime.now(UTC).date()


def count(kind: str, deployment_id: int) -> None:
    """Count one more of ``kind`` today."""
    _pending.append((kind, today(), deployment_id, None))


def count_user(kind: str, user_id: int) -> None:
    """Count the user among those of ``kind`` today, once however often."""
    _pending.append((kind, today(), 0, user_id))


def count_sign_in(user: User) -> None:
    count(Kind.SIGN_INS, user.deployment_id)
    count_user(Kind.ACTIVE_USERS, user.pk)


def flush() -> None:
    """Write what has been counted in this process. If that fails it is kept, as far as there is room."""
    while events := _take():
        try:
            _write(events)
        except Exception:
            room = (_pending.maxlen or 0) - len(_pending)
            _pending.extendleft(reversed(events[max(len(events) - room, 0) :]))
            raise


def _take() -> list[_Event]:
    events: list[_Event] = []
    while _pending and len(events) < _BATCH:
        try:
            events.append(_pending.popleft())
        except IndexError:  # another thread has taken it
            break
    return events


def _write(events: list[_Event]) -> None:
    users = {(user_id, day, kind) for kind, day, _, user_id in events if user_id is not None}
    numbers = Counter((deployment, day, kind) for kind, day, deployment, user_id in events if user_id is None)
    columns = [
        *(list(map(list, zip(*users, strict=True))) or [[], [], []]),
        *(list(map(list, zip(*numbers, strict=True))) or [[], [], []]),
        list(numbers.values()),
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, columns)


def sweep() -> None:
    """Delete what no plot shows any more and the counts of those that are deleted, and join the slots of past days."""
    yesterday = today() - timedelta(days=1)
    CountedUser.objects.filter(day__lt=yesterday).delete()
    CountedUser.objects.filter(~Exists(User.objects.filter(pk=OuterRef("user_id")))).delete()
    DailyCount.objects.filter(day__lte=today() - timedelta(days=DAYS)).delete()
    DailyCount.objects.filter(~Exists(Deployment.objects.filter(pk=OuterRef("deployment_id")))).delete()
    with connection.cursor() as cursor:
        cursor.execute(_JOIN_SLOTS, [yesterday])
