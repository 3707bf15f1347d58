"""Limits on failed sign-ins, and on codes sent by mail, per account and per address, counted in the database: they
hold over all processes.

The window of a count begins with its first failure. A user is one account, whichever of their names is typed; a name
that no user has is an account of its own, under the same limits, so that these do not say who exists. An attempt counts
before it is checked, so that no number of attempts at once gets more of them; the count of a success is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import Deployment, FailureCount, User
from accounts.values.names import normal_name
from api.errors import ApiError, Problem
from api.networks import Address

MAX_CORRECTIONS = 4
"""Wrong passwords that give a challenge's token back."""
MAX_UPLOADS = 30
"""Pictures that one user sends in a window: each takes a processor for up to a second."""


@dataclass(frozen=True, slots=True)
class Limit:
    key: str
    failures: int


@dataclass(frozen=True, slots=True)
class Count:
    number: int
    window_ends_at: datetime


def limits(
    deployment: Deployment, *, account: User | str, address: Address | None, kind: str = "account"
) -> list[Limit]:
    """The limits for a sign-in to ``account`` (a user, or a name that no user has) from ``address``.

    An IPv6 network (/64) counts as one address; accounts of each ``kind`` are counted apart.
    """
    name = f"user {account.pk}" if isinstance(account, User) else f"name {folded(account)}"
    return _limits(str(deployment.pk), kind, name, address)


def staff_limits(*, account: str, address: Address | None) -> list[Limit]:
    """The limits for a sign-in of staff, apart from those of all users."""
    return _limits("staff", "account", folded(account), address)


def code_limits(deployment: Deployment, *, subject: str, address: Address | None) -> list[Limit]:
    """The limits on codes that are sent by mail: for one ``subject``, and on behalf of one client ``address``.

    Without an address, as where staff send them, only the subject's.
    """
    by_subject, by_address = _limits(str(deployment.pk), "code", subject, address, source_kind="code address")
    found = [Limit(by_subject.key, settings.CODES_PER_ACCOUNT)]
    return found if address is None else [*found, Limit(by_address.key, settings.CODES_PER_ADDRESS)]


def change_limits(deployment: Deployment, *, account: User | None, address: Address | None) -> list[Limit]:
    """The limits on changes that ``account``, None for a visitor, makes to places, or to their names and addresses."""
    name = "" if account is None else f"user {account.pk}"
    by_account, by_address = _limits(str(deployment.pk), "change", name, address, source_kind="change address")
    found = [Limit(by_address.key, settings.CHANGES_PER_ADDRESS)]
    return found if account is None else [Limit(by_account.key, settings.CHANGES_PER_ACCOUNT), *found]


def upload_limits(account: User) -> list[Limit]:
    """The limit on pictures that ``account`` sends."""
    return [Limit(_key(str(account.deployment_id), "upload", f"user {account.pk}"), MAX_UPLOADS)]


def corrections(challenge: str) -> list[Limit]:
    """The limit on wrong passwords with one token of a ``challenge``."""
    return [Limit(_key("challenge", "corrections", challenge), MAX_CORRECTIONS)]


def _limits(realm: str, kind: str, account: str, address: Address | None, source_kind: str = "address") -> list[Limit]:
    source = "" if address is None else str(address)
    if address is not None and address.version == 6:
        source = str(int(address) >> 64)
    return [
        Limit(_key(realm, kind, account), settings.SIGN_IN_FAILURES_PER_ACCOUNT),
        Limit(_key(realm, source_kind, source), settings.SIGN_IN_FAILURES_PER_ADDRESS),
    ]


def folded(account: str) -> str:
    """One text for all spellings that PostgreSQL compares as equal: its lower case of İ is i."""
    return normal_name(account).replace("İ", "i").casefold()


def _key(realm: str, kind: str, value: str) -> str:
    return salted_hmac("accounts.throttling", f"{realm}:{kind}:{value}", algorithm="sha256").hexdigest()


@contextmanager
def attempt(limits: list[Limit]) -> Iterator[None]:
    """Count the block as a failure against each of ``limits``, unless it comes to its end.

    Raises ``ApiError`` (429, with Retry-After) in place of the block if that is one too many, which does not count.
    """
    counts = _count(limits)
    try:
        _refuse_above(limits, counts)
    except ApiError:
        _take_back(counts)
        raise
    yield
    _take_back(counts)


def require_within(limits: list[Limit]) -> None:
    """Raise ``ApiError`` (429, with Retry-After) if one of ``limits`` is reached.

    For attempts in a transaction that holds their account: there is one at a time, and to count it first would have
    everybody at the same address wait for its end.
    """
    now = timezone.now()
    kept = FailureCount.objects.filter(key__in=[limit.key for limit in limits], window_ends_at__gt=now)
    counts = {count.key: Count(count.failures + 1, count.window_ends_at) for count in kept}
    _refuse_above([limit for limit in limits if limit.key in counts], counts)


def count_failure(limits: list[Limit]) -> None:
    """Count one failure against each of ``limits``, at the end of such a transaction."""
    _count(limits)


def count_use(limits: list[Limit]) -> None:
    """Count one use against each of ``limits``; raises ``ApiError`` (429, with Retry-After) if that is one too many.

    One too many counts as well.
    """
    _refuse_above(limits, _count(limits))


def is_within(limits: list[Limit]) -> bool:
    """Count one use against each of ``limits``; whether that was not one too many."""
    counts = _count(limits)
    return all(counts[limit.key].number <= limit.failures for limit in limits)


def _refuse_above(limits: list[Limit], counts: dict[str, Count]) -> None:
    """Raise ``ApiError`` (429) if one of ``counts`` is above its limit, until the last of these windows ends."""
    above = (counts[limit.key] for limit in limits if counts[limit.key].number > limit.failures)
    end = max((count.window_ends_at for count in above), default=None)
    if end is not None:
        seconds = max(1, ceil((end - timezone.now()).total_seconds()))
        raise ApiError(Problem.TOO_MANY_REQUESTS, headers={"Retry-After": str(seconds)})


def _count(limits: list[Limit]) -> dict[str, Count]:
    """Count one more against each of ``limits``, in one atomic statement; gives the counts by key."""
    now = timezone.now()
    rows = [
        value for key in sorted(limit.key for limit in limits) for value in (key, now + settings.SIGN_IN_FAILURE_WINDOW)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO accounts_failurecount AS count (key, window_ends_at, failures)
            VALUES {", ".join(["(%s, %s, 1)"] * len(limits))}
            ON CONFLICT (key) DO UPDATE SET
                failures = CASE WHEN count.window_ends_at <= %s THEN 1 ELSE count.failures + 1 END,
                window_ends_at = CASE
                    WHEN count.window_ends_at <= %s THEN excluded.window_ends_at ELSE count.window_ends_at
                END
            RETURNING key, failures, window_ends_at
            """,
            [*rows, now, now],
        )
        return {key: Count(*count) for key, *count in cursor.fetchall()}


def _take_back(counts: dict[str, Count]) -> None:
    """Count one less in each of the windows of ``counts``; nothing in one that began since.

    A count of nothing goes: the window begins with the first failure.
    """
    windows = [value for key, count in counts.items() for value in (key, count.window_ends_at)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH counted AS (
                SELECT key, failures FROM accounts_failurecount
                WHERE (key, window_ends_at) IN ({", ".join(["(%s, %s)"] * len(counts))})
                ORDER BY key FOR UPDATE  -- in the order of _count, against deadlocks
            ),
            gone AS (
                DELETE FROM accounts_failurecount count USING counted
                WHERE count.key = counted.key AND counted.failures = 1
            )
            UPDATE accounts_failurecount count SET failures = count.failures - 1 FROM counted
            WHERE count.key = counted.key AND counted.failures > 1
            """,
            windows,
        )


def sweep() -> int:
    """Delete the counts whose window is over; gives their number."""
    return FailureCount.objects.filter(window_ends_at__lte=timezone.now()).delete()[0]
