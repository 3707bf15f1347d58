"""Limits on failed sign-ins, per account and per address, counted in the database: they hold over all processes.

The window of a count begins with its first failure. A user is one account, whichever of their names is typed; a name
that no user has is an account of its own, under the same limits, so that these do not say who exists. Successes do not
count.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import Deployment, FailureCount, User
from accounts.names import normal_name
from api.errors import ApiError, Problem
from api.networks import Address


@dataclass(frozen=True, slots=True)
class Limit:
    key: str
    failures: int


def limits(
    deployment: Deployment, *, account: User | str, address: Address | None, kind: str = "account"
) -> list[Limit]:
    """The limits for a sign-in to ``account`` (a user, or a name that no user has) from ``address``.

    An IPv6 network (/64) counts as one address; accounts of each ``kind`` are counted apart.
    """
    name = f"user {account.pk}" if isinstance(account, User) else f"name {_folded(account)}"
    return _limits(str(deployment.pk), kind, name, address)


def staff_limits(*, account: str, address: Address | None) -> list[Limit]:
    """The limits for a sign-in of staff, apart from those of all users."""
    return _limits("staff", "account", _folded(account), address)


def _limits(realm: str, kind: str, account: str, address: Address | None) -> list[Limit]:
    source = "" if address is None else str(address)
    if address is not None and address.version == 6:
        source = str(int(address) >> 64)
    return [
        Limit(_key(realm, kind, account), settings.SIGN_IN_FAILURES_PER_ACCOUNT),
        Limit(_key(realm, "address", source), settings.SIGN_IN_FAILURES_PER_ADDRESS),
    ]


def _folded(account: str) -> str:
    """One text for all spellings that PostgreSQL compares as equal: its lower case of İ is i."""
    return normal_name(account).replace("İ", "i").casefold()


def _key(realm: str, kind: str, value: str) -> str:
    return salted_hmac("accounts.throttling", f"{realm}:{kind}:{value}", algorithm="sha256").hexdigest()


def require_within(limits: list[Limit]) -> None:
    """Raise ``ApiError`` (429, with Retry-After) if one of ``limits`` is reached."""
    now = timezone.now()
    counts = {
        count.key: count
        for count in FailureCount.objects.filter(key__in=[limit.key for limit in limits], window_ends_at__gt=now)
    }
    waits = [
        counts[limit.key].window_ends_at - now
        for limit in limits
        if limit.key in counts and counts[limit.key].failures >= limit.failures
    ]
    if waits:
        seconds = max(1, ceil(max(waits).total_seconds()))
        raise ApiError(Problem.TOO_MANY_REQUESTS, headers={"Retry-After": str(seconds)})


def count_failure(limits: list[Limit]) -> None:
    """Count one failure against each of ``limits``, in one atomic statement."""
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
            """,
            [*rows, now, now],
        )


def sweep() -> int:
    """Delete the counts whose window is over; gives their number."""
    return FailureCount.objects.filter(window_ends_at__lte=timezone.now()).delete()[0]
