"""Step-up authentication: a session alone changes no MFA.

Users with an authenticator give one of its codes, or a backup code; users without one give their password, unless they
signed in a moment ago. A wrong one counts against the account and the address as it does when signing in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from django.contrib.auth import hashers
from django.db import transaction
from django.utils import timezone

from accounts import mfa, throttling
from accounts.models import User
from accounts.sessions import SignedIn
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


def change(caller: SignedIn, proof: Proof, make: Callable[[User], T], *, ends_enrolment: bool = False) -> T:
    """Return ``make(user)`` for the caller's user; raises ``ApiError`` (401, 403, 429) unless ``proof`` is good.

    Both happen in one transaction that holds the user's row: simultaneous tries are checked one after the other, each
    counted before the next, and the proof still holds when the change is made. If ``make`` fails, no code is
    spent. With ``ends_enrolment`` the confirmation of an authenticator in this sign-in just now is proof enough.
    """
    with transaction.atomic():
        user = mfa.lock(caller.user)
        is_proven = ends_enrolment and not proof.code and _has_just_enrolled(caller, user)
        refusal = None if is_proven else _refusal(caller, user, proof)
        if refusal is None:
            return make(user)
    raise refusal  # not within the transaction, which has counted the failure


def _has_just_enrolled(caller: SignedIn, user: User) -> bool:
    """Whether ``user`` confirmed their authenticator in this sign-in just now and has made no backup codes yet."""
    since = max(caller.sign_in.created_at, timezone.now() - RECENT)
    return user.authenticators.filter(confirmed_at__gt=since).exists() and not user.backup_codes.exists()


def _refusal(caller: SignedIn, user: User, proof: Proof) -> ApiError | None:
    """The problem with ``proof``, or None; a wrong one is counted."""
    is_right: Callable[[User, str], bool]
    if mfa.has_authenticator(user):
        sent, kind = proof.code, "mfa"
        missing, wrong = ApiError(Problem.CODE_REQUIRED), ApiError(Problem.WRONG_CODE)
        is_right = mfa.take_code
    else:
        sent, kind = proof.password, "account"
        missing, wrong = ApiError(Problem.RECENT_SIGN_IN_REQUIRED), ApiError(Problem.WRONG_PASSWORD)
        is_right = _has_password
        if not sent and caller.sign_in.created_at > timezone.now() - RECENT:
            return None
    if not sent:
        return missing
    limits = throttling.limits(caller.deployment, kind=kind, account=user, address=proof.address)
    throttling.require_within(limits)
    if is_right(user, sent):
        return None
    throttling.count_failure(limits)
    return wrong


def _has_password(user: User, password: str) -> bool:
    return user.password != "" and hashers.check_password(password, user.password)
