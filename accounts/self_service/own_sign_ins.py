"""The live sign-ins of a user, in the sessions of all their browsers."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from accounts.authentication import sessions
from accounts.authentication.sessions import Caller, SignedIn
from accounts.models import SignIn, User
from api.errors import ApiError, Problem

MAX_SHOWN = 100


def live(user: User) -> QuerySet[SignIn]:
    """The newest ones first."""
    now = timezone.now()
    return SignIn.objects.filter(
        user=user,
        ended_at__isnull=True,
        expires_at__gt=now,
        session__ended_at__isnull=True,
        session__expires_at__gt=now,
    ).order_by("-created_at", "-pk")[:MAX_SHOWN]


def end(caller: SignedIn, sign_in_id: int) -> Caller:
    """End one sign-in of the caller's user; returns the caller afterwards, a visitor if that ended their session.

    Raises ``ApiError`` (404) if the user has no such sign-in.
    """
    if not sessions.end_sign_ins(SignIn.objects.filter(user=caller.user, pk=sign_in_id)):
        raise ApiError(Problem.NOT_FOUND, "You have no such sign-in.")
    return sessions.caller_now(caller)
