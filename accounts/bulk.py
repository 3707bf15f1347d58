"""Changes of many users, sessions or signing keys at once. Each is to be called in a transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.utils import timezone

from accounts.keys import create_signing_key, published_keys
from accounts.models import Deployment, Session, SignIn, SigningKey, User
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


def sign_with_new_keys(deployments: Sequence[Deployment]) -> list[Change]:
    """Make a new signing key for each of ``deployments``; those before it go on verifying."""
    return [Change(deployment, _sign_with_new_key(deployment)) for deployment in deployments]


def _sign_with_new_key(deployment: Deployment) -> str:
    former = published_keys(deployment).first()
    create_signing_key(deployment=deployment)
    if former is None:
        return "signs with its first key from now on"
    return (
        f"signs with a new key from now on. The key {former.kid} goes on verifying: nobody is signed out. "
        "Whoever keeps a copy of the JWKS must fetch it anew"
    )


def retire_keys(keys: Sequence[SigningKey]) -> list[Change]:
    """Have ``keys`` sign no more; what they signed stays good."""
    return _end(keys, "retired_at", "signs no more; tokens that it signed are good until they expire")


def revoke_keys(keys: Sequence[SigningKey]) -> list[Change]:
    """Have nothing that ``keys`` signed be good any more."""
    text = "is revoked: its tokens are refused from the next request on, and whoever has one must sign in again"
    return _end(keys, "revoked_at", text)


def _end(keys: Sequence[SigningKey], field: str, text: str) -> list[Change]:
    """Write now into ``field`` of the ``keys`` that have nothing there yet: what has ended stays ended when it did."""
    ends = [key for key in keys if getattr(key, field) is None]
    rows = SigningKey.objects.filter(pk__in=[key.pk for key in ends], **{f"{field}__isnull": True})
    rows.update(**{field: timezone.now()})
    return [Change(key, text if key in ends else "") for key in keys]
