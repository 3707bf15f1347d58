"""Changes of many users or sessions at once. Each is to be called in a transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.models import Session, SignIn, User
from config.bulk import Change


def set_disabled(users: Sequence[User], disabled: bool) -> list[Change]:
    """Disable or enable ``users``. A disabled user can use no session, old or new."""
    changed = [user for user in users if user.disabled is not disabled]
    User.objects.filter(pk__in=[user.pk for user in changed]).update(disabled=disabled)
    text = "is disabled" if disabled else "is enabled"
    return [Change(user, text if user.disabled is not disabled else "") for user in users]


def end_sign_ins(users: Sequence[User]) -> list[Change]:
    """Sign ``users`` out everywhere; a session that nobody else is signed in to ends."""
    now = timezone.now()
    live = SignIn.objects.filter(ended_at__isnull=True, expires_at__gt=now)
    ended = list(live.filter(user__in=users).select_for_update().values_list("pk", "user_id", "session_id"))
    SignIn.objects.filter(pk__in=[pk for pk, _, _ in ended]).update(ended_at=now)
    Session.objects.filter(pk__in={session_id for _, _, session_id in ended}, ended_at__isnull=True).exclude(
        Exists(live.filter(session=OuterRef("pk")))
    ).update(ended_at=now)
    numbers = Counter(user_id for _, user_id, _ in ended)
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
