"""Limits on failed sign-ins, and on codes sent by mail, per account and per address, counted in the database: they
hold over all processes.

The window of a count begins with its first failure. A user is one account, whichever of their names is typed; a name
that no user has is an account of its own, under the same limits, so that these do not say who exists. Successes do not
count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import Deployment, FailureCount, User
from accounts.names import normal_name
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
    """The limits on codes that are sent by mail: for one ``subject``, and on behalf of one client ``address``."""
    by_subject, by_address = _limits(str(deployment.pk), "code", subject, address, source_kind="code address")
    return [
        Limit(by_subject.key, settings.CODES_PER_ACCOUNT),
        Limit(by_address.key, settings.CODES_PER_ADDRESS),
    ]


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


def require_within(limits: list[Limit]) -> None:
    """Raise ``ApiError`` (429, with Retry-After) if one of ``limits`` is reached."""
    now = timezone.now()
    counts = {
        count.key: count
        for count in FailureCount.objects.filter(key__in=[limit.key for limit in limits], window_ends_at__gt=now)
    }
    _refuse_until(
        counts[limit.key].window_ends_at
        for limit in limits
        if limit.key in counts and counts[limit.key].failures >= limit.failures
    )


def count_failure(limits: list[Limit]) -> None:
    """Count one failure against each of ``limits``."""
    _count(limits)


def count_use(limits: list[Limit]) -> None:
    """Count one use against each of ``limits``; raises ``ApiError`` (429, with Retry-After) if that is one too many.

    Counted first and then looked at, so that no number of uses at once gets more of them. One too many counts as well.
    """
    counts = _count(limits)
    _refuse_until(counts[limit.key][1] for limit in limits if counts[limit.key][0] > limit.failures)


def is_within(limits: list[Limit]) -> bool:
    """Count one use against each of ``limits``; whether that was not one too many."""
    counts = _count(limits)
    return all(counts[limit.key][0] <= limit.failures for limit in limits)


def _refuse_until(ends: Iterable[datetime]) -> None:
    """Raise ``ApiError`` (429) until the last of ``ends``, if there are any."""
    end = max(ends, default=None)
    if end is not None:
        seconds = max(1, ceil((end - timezone.now()).total_seconds()))
        raise ApiError(Problem.TOO_MANY_REQUESTS, headers={"Retry-After": str(seconds)})


def _count(limits: list[Limit]) -> dict[str, tuple[int, datetime]]:
    """Count one more against each of ``limits``, in one atomic statement; gives the counts and the ends of their
    windows by key.
    """
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
        return {key: (failures, window_ends_at) for key, failures, window_ends_at in cursor.fetchall()}


def sweep() -> int:
    """Delete the counts whose window is over; gives their number."""
    return FailureCount.objects.filter(window_ends_at__lte=timezone.now()).delete()[0]
