"""Step-up authentication: a session alone changes no MFA and no password, and deletes no account.

Users with an authenticator give one of its codes, or a backup code; users without one give their password, unless they
signed in a moment ago. Some changes take the password in any case. A wrong one counts against the account and the
address as it does when signing in.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from django.contrib.auth import hashers
from django.db import transaction
from django.utils import timezone

from accounts.authentication.sessions import SignedIn
from accounts.credentials import mfa, throttling
from accounts.models import User
from api.errors import ApiError, Problem
from api.networks import Address

RECENT = timedelta(minutes=10)
"""How long a sign-in stands for the password, and the confirmation of an authenticator for one of its codes."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Proof:
    """The code and the password that prove that a request comes from the user; "" for a missing one."""

    code: str
    password: str
    address: Address | None


class Demand(enum.Enum):
    """The proof that a change takes. In the place of a password that a user has not, ``CODE`` is what it takes."""

    CODE = enum.auto()
    """A code; without authenticator the password or a recent sign-in."""
    PASSWORD = enum.auto()
    BOTH = enum.auto()
    """The password, and a code of those who have an authenticator."""
    RECENT = enum.auto()
    """A recent sign-in, which took a code of those who have an authenticator; else as ``CODE``."""


def change(
    caller: SignedIn,
    proof: Proof,
    make: Callable[[User], T],
    *,
    demand: Demand = Demand.CODE,
    ends_enrolment: bool = False,
) -> T:
    """Return ``make(user)`` for the caller's user; raises ``ApiError`` (400, 401, 403, 429) unless ``proof`` is good.

    Both happen in one transaction that holds the user's row: simultaneous tries are checked one after the other, each
    counted before the next, and the proof still holds when the change is made. If ``make`` fails, no code is
    spent. With ``ends_enrolment`` the confirmation of an authenticator in this sign-in just now is proof enough.
    """
    with transaction.atomic():
        user = mfa.lock(caller.user)
        is_proven = ends_enrolment and not proof.code and _has_just_enrolled(caller, user)
        refusal = None if is_proven else _refusal(caller, user, proof, demand)
        if refusal is None:
            return make(user)
    raise refusal  # not within the transaction, which has counted the failure


def _has_just_enrolled(caller: SignedIn, user: User) -> bool:
    """Whether ``user`` confirmed their authenticator in this sign-in just now and has made no backup codes yet."""
    since = max(caller.sign_in.created_at, timezone.now() - RECENT)
    return user.authenticators.filter(confirmed_at__gt=since).exists() and not user.backup_codes.exists()


def _refusal(caller: SignedIn, user: User, proof: Proof, demand: Demand) -> ApiError | None:
    """The problem with ``proof``, or None; a wrong one is counted."""
    is_recent = caller.sign_in.created_at > timezone.now() - RECENT
    if demand is Demand.RECENT and is_recent and not (proof.code or proof.password):
        return None
    gives_password = demand in (Demand.PASSWORD, Demand.BOTH) and user.password != ""
    if gives_password:
        refusal = _refusal_of_password(caller, user, proof, ApiError(Problem.INVALID_FIELD, "Enter your password."))
        if refusal is not None or demand is Demand.PASSWORD:
            return refusal
    if mfa.has_authenticator(user):
        missing = ApiError(Problem.CODE_REQUIRED)
        if demand is Demand.RECENT:
            missing = ApiError(Problem.RECENT_SIGN_IN_REQUIRED, "Sign in again to go on, or enter a code.")
        return _refusal_of_code(caller, user, proof, missing)
    if gives_password or (is_recent and not proof.password):
        return None
    return _refusal_of_password(caller, user, proof, ApiError(Problem.RECENT_SIGN_IN_REQUIRED))


def _refusal_of_code(caller: SignedIn, user: User, proof: Proof, missing: ApiError) -> ApiError | None:
    if not proof.code:
        return missing
    return _refusal_of(caller, user, proof, "mfa", mfa.take_code, proof.code, ApiError(Problem.WRONG_CODE))


def _refusal_of_password(caller: SignedIn, user: User, proof: Proof, missing: ApiError) -> ApiError | None:
    if not proof.password:
        return missing
    wrong = ApiError(Problem.WRONG_PASSWORD)
    return _refusal_of(caller, user, proof, "account", _has_password, proof.password, wrong)


def _refusal_of(
    caller: SignedIn,
    user: User,
    proof: Proof,
    kind: str,
    is_right: Callable[[User, str], bool],
    sent: str,
    wrong: ApiError,
) -> ApiError | None:
    limits = throttling.limits(caller.deployment, kind=kind, account=user, address=proof.address)
    throttling.require_within(limits)
    if is_right(user, sent):
        return None
    throttling.count_failure(limits)
    return wrong


def _has_password(user: User, password: str) -> bool:
    return user.password != "" and hashers.check_password(password, user.password)
