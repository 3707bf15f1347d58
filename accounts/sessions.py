"""Starting sessions, and finding the one that a token names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from accounts.models import Authenticator, BackupCode, Deployment, Session, User
from config.api.answers import SessionSummary, timestamp
from config.api.errors import ApiError, Problem

SESSION_LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks: a live session of a deployment, and the enabled user of its active sign-in."""

    deployment: Deployment
    session: Session
    user: User
    has_second_factor: bool

    @property
    def session_summary(self) -> SessionSummary:
        return {
            "id": str(self.session.pk),
            "created_at": timestamp(self.session.created_at),
            "updated_at": timestamp(self.session.updated_at),
        }


@transaction.atomic
def start_session(*, user: User, expires_at: datetime) -> Session:
    """A new session in which ``user`` is signed in, until ``expires_at``."""
    session = Session.objects.create(deployment=user.deployment, expires_at=expires_at)
    session.active_sign_in = session.sign_ins.create(deployment=user.deployment, user=user, expires_at=expires_at)
    session.save(update_fields=["active_sign_in"])
    return session


def signed_in(deployment: Deployment, session_id: int) -> SignedIn:
    """Who is signed in to a session of ``deployment``, in one query.

    Raises ``ApiError`` (401) if the session does not exist there, has ended or expired, has no active sign-in, or its
    user is disabled. A session of another deployment does not exist here.
    """
    now = timezone.now()
    user = OuterRef("active_sign_in__user")
    session = (
        Session.objects.filter(pk=session_id, deployment=deployment)
        .select_related("active_sign_in__user")
        .annotate(
            has_second_factor=Q(Exists(Authenticator.objects.filter(user=user, confirmed_at__isnull=False)))
            | Q(Exists(BackupCode.objects.filter(user=user, used_at__isnull=True)))
        )
        .first()
    )
    if session is None or session.ended_at is not None:
        raise ApiError(Problem.SESSION_ENDED)
    if session.expires_at <= now:
        raise ApiError(Problem.SESSION_EXPIRED)
    sign_in = session.active_sign_in
    if sign_in is None or sign_in.ended_at is not None or sign_in.expires_at <= now:
        raise ApiError(Problem.NO_ACTIVE_SIGN_IN)
    if sign_in.user.disabled:
        raise ApiError(Problem.USER_DISABLED)
    return SignedIn(deployment, session, sign_in.user, session.has_second_factor)
