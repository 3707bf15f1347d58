"""Changes of many users or sessions at once. Each is to be called in a transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.utils import timezone

from accounts.models import Session, SignIn, User
from accounts.sessions import sign_out_everywhere
from config.bulk import Change


def set_disabled(users: Sequence[User], disabled: bool) -> list[Change]:
    """Disable or enable ``users``. A disabled user can use no session, old or new."""
    changed = [user for user in users if user.disabled is not disabled]
    User.objects.filter(pk__in=[user.pk for user in changed]).update(disabled=disabled)
    text = "is disabled" if disabled else "is enabled"
    return [Change(user, text if user.disabled is not disabled else "") for user in users]


def end_sign_ins(users: Sequence[User]) -> list[Change]:
    """Sign ``users`` out everywhere; a session that nobody else is signed in to ends."""
    numbers = Counter(sign_in.user_id for sign_in in sign_out_everywhere(users))
    return [Change(user, _signed_out(numbers[user.pk])) for user in users]


def _signed_out(number: int) -> str:
    return f"is signed out of {number} session{'' if number == 1 else 's'}" if number else ""


def end_sessions(sessions: Sequence[Session]) -> list[Change]:
    """End ``sessions``, with all sign-ins in them. What has ended stays ended when it did."""
    now = timezone.now()
    live = [session for session in sessions if session.ended_at is None]
    Session.objects.filter(pk__in=[session.pk for session in live], ended_at__isnull=True).update(ended_at=now)
    SignIn.objects.filter(session__in=live, ended_at__isnull=True).update(ended_at=now)
    return [Change(session, "ends" if session.ended_at is None else "") for session in sessions]
