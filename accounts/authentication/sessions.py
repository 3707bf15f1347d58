"""Sessions: starting and ending them, and renewing their tokens.

A token is renewed by one with the next serial. The previous token stays good until the new one has been seen in use,
and for a grace period after that, in which it brings the same new token again: so neither a lost response nor two tabs
that renew at once sign anybody out. An older token has been copied, and either client may be the thief's: the session
ends. It goes on in staging, where tokens travel in addresses and each tab may keep its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from accounts import counting
from accounts.models import Deployment, Session, SignIn, SignInAttempt, User
from accounts.tokens.session_tokens import PassingError, SessionToken, sign_session_token
from api.answers import SessionSummary, timestamp
from api.errors import ApiError, Problem
from api.networks import Address

ANONYMOUS_LIFETIME = timedelta(days=1)
PENDING_LIFETIME = timedelta(minutes=10)
MAX_SIGN_INS = 10
"""Accounts that one session may be signed in to; the one that signed in first makes room for another."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A session of a deployment that sends a request; nobody need be signed in. A visitor's session is in no table."""

    deployment: Deployment
    session: Session
    token_serial: int | None = field(default=None, kw_only=True)
    new_token: str | None = field(default=None, kw_only=True)
    """The token that replaces the one that the client sent."""

    @property
    def is_visitor(self) -> bool:
        return self.session._state.adding

    @property
    def session_summary(self) -> SessionSummary:
        return {
            "id": str(self.session.pk),
            "created_at": timestamp(self.session.created_at),
            "updated_at": timestamp(self.session.updated_at),
        }


class TokenReusedError(ApiError):
    """The refusal (401) of a copied token of ``session``: the code that returns it to the client ends the session."""

    def __init__(self, session: Session) -> None:
        super().__init__(Problem.TOKEN_REUSED)
        self.session = session


@dataclass(frozen=True, slots=True)
class SignedIn(Caller):
    """A session with an active sign-in, whose user is enabled."""

    sign_in: SignIn
    user: User
    has_mfa: bool


def visitor(deployment: Deployment, token: SessionToken | None = None) -> Caller:
    """The visitor that ``token`` names, or a new one."""
    now = timezone.now().replace(microsecond=0)  # as precise as the token
    session = Session(
        # Positive and out of the reach of the ids that the database counts up.
        pk=token.session_id if token else secrets.randbits(62) | 2**62,
        deployment=deployment,
        created_at=token.issued_at if token else now,
        updated_at=token.issued_at if token else now,
        expires_at=token.expires_at if token else now + ANONYMOUS_LIFETIME,
    )
    return Caller(deployment, session)


def visitor_token(caller: Caller) -> str:
    return sign_session_token(caller.session, expires_at=caller.session.expires_at, anonymous=True)


def session_token(session: Session) -> str:
    """The token of the session's current serial."""
    return sign_session_token(session, expires_at=session.expires_at, serial=session.token_serial)


@transaction.atomic(savepoint=False)
def start_session(*, user: User, expires_at: datetime) -> Session:
    """A new session in which ``user`` is signed in, until ``expires_at``."""
    session = Session.objects.create(deployment=user.deployment, expires_at=expires_at)
    _add_sign_in(session, user, expires_at)
    return session


def sign_in(
    session: Session, *, user: User, expires_at: datetime, address: Address | None = None, user_agent: str = ""
) -> SignIn:
    """Sign ``user`` in to ``session`` and make that the active sign-in; an earlier one of the same user ends."""
    now = timezone.now()
    with transaction.atomic():
        Session.objects.select_for_update().get(pk=session.pk)
        session.sign_ins.filter(user=user, ended_at__isnull=True).update(ended_at=now)
        surplus = live_sign_ins(session).order_by("-created_at", "-id").values_list("pk", flat=True)[MAX_SIGN_INS - 1 :]
        session.sign_ins.filter(pk__in=list(surplus)).update(ended_at=now)
        return _add_sign_in(session, user, expires_at, address, user_agent)


def _add_sign_in(
    session: Session, user: User, expires_at: datetime, address: Address | None = None, user_agent: str = ""
) -> SignIn:
    """Make a new sign-in of ``session`` the active one."""
    session.active_sign_in = session.sign_ins.create(
        deployment=session.deployment,
        user=user,
        expires_at=expires_at,
        ip_address=None if address is None else str(address),
        user_agent=user_agent[:300],
    )
    session.save(update_fields=["active_sign_in"])
    return session.active_sign_in


def live_sign_ins(session: Session) -> QuerySet[SignIn]:
    """The live sign-ins of ``session``, neither ended nor expired and of an enabled user, in their order."""
    return session.sign_ins.filter(ended_at__isnull=True, expires_at__gt=timezone.now(), user__disabled=False).order_by(
        "created_at", "id"
    )


def is_live(sign_in: str, user: str) -> str:
    """SQL: whether a row is among the ``live_sign_ins`` of its session."""
    return f"{sign_in}.ended_at IS NULL AND {sign_in}.expires_at > statement_timestamp() AND NOT {user}.disabled"


def switch_sign_in(session: Session, sign_in_id: int | None) -> None:
    """Make another sign-in of the session the active one, None for none; raises ``ApiError`` (404) if it is not
    there.
    """
    chosen = None
    if sign_in_id is not None:
        chosen = live_sign_ins(session).filter(pk=sign_in_id).select_related("user").first()
        if chosen is None:
            raise ApiError(Problem.NOT_FOUND, "There is no such sign-in in this session.")
    _make_active(session, chosen)


def _make_active(session: Session, chosen: SignIn | None) -> None:
    session.active_sign_in = chosen
    session.save(update_fields=["active_sign_in"])
    session.refresh_from_db(fields=["updated_at"])  # the database sets it


def sign_out(caller: Caller, sign_in_id: int | None) -> Caller:
    """End one sign-in of the caller's session, or the session with all of them; returns the caller afterwards.

    Another live sign-in becomes active in the place of the active one; after the last the session ends. Raises
    ``ApiError`` (404) if the sign-in is not there.
    """
    session = caller.session
    if sign_in_id is None:
        end_session(session)
        return visitor(caller.deployment)
    if not end_sign_ins(live_sign_ins(session).filter(pk=sign_in_id)):
        raise ApiError(Problem.NOT_FOUND, "There is no such sign-in in this session.")
    return caller_now(caller)


def caller_now(caller: Caller) -> Caller:
    """``caller`` after a change of the session's sign-ins: a visitor if the session has ended with that."""
    session = caller.session
    session.refresh_from_db(fields=["active_sign_in", "ended_at", "updated_at"])
    return caller if session.ended_at is None else visitor(caller.deployment)


@transaction.atomic
def end_sign_ins(sign_ins: QuerySet[SignIn]) -> list[SignIn]:
    """End the live ones of ``sign_ins``; gives them.

    In the place of a session's active sign-in that ended, the newest live one becomes active. A session that has no
    live one any more ends.
    """
    now = timezone.now()
    live = sign_ins.filter(ended_at__isnull=True, expires_at__gt=now).order_by()
    # The rows that ``sign_in`` locks, in one order: nobody is added to these sessions meanwhile.
    list(Session.objects.filter(pk__in=live.values("session")).order_by("pk").select_for_update().values_list("pk"))
    ended = list(live)
    SignIn.objects.filter(pk__in=[row.pk for row in ended]).update(ended_at=now)
    touched = Session.objects.filter(pk__in={row.session_id for row in ended}, ended_at__isnull=True)
    remaining = SignIn.objects.filter(
        session=OuterRef("pk"), ended_at__isnull=True, expires_at__gt=now, user__disabled=False
    )
    touched.filter(active_sign_in__in=[row.pk for row in ended]).update(
        active_sign_in=Subquery(remaining.order_by("-created_at", "-id").values("pk")[:1])
    )
    end(list(touched.exclude(Exists(remaining)).values_list("pk", flat=True)))
    return ended


@transaction.atomic
def sign_out_everywhere(users: Collection[User], *, keep: Session | None = None) -> list[SignIn]:
    """End the sign-ins of ``users`` in all sessions but ``keep``, and their sign-in attempts; gives the ended sign-ins.

    Call it in the transaction that changes a password, MFA or an external id: the earlier credentials must not keep
    anybody signed in. Other users who are signed in to the same sessions stay signed in.
    """
    # A sign-in that is being completed either comes before this and ends, or sees what has changed: it locks the user.
    list(User.objects.filter(pk__in=[user.pk for user in users]).order_by("pk").select_for_update(no_key=True))
    SignInAttempt.objects.filter(user__in=users, completed_at__isnull=True, expires_at__gt=timezone.now()).update(
        expires_at=timezone.now()
    )
    sign_ins = SignIn.objects.filter(user__in=users)
    return end_sign_ins(sign_ins if keep is None else sign_ins.exclude(session=keep))


def signed_in(caller: Caller) -> SignedIn:
    """The caller as a signed-in user; raises ``ApiError`` (401) if nobody is signed in, or a disabled user is."""
    active = None if caller.is_visitor else caller.session.active_sign_in
    if active is None or active.ended_at is not None or active.expires_at <= timezone.now():
        raise ApiError(Problem.NO_ACTIVE_SIGN_IN)
    if active.user.disabled:
        raise ApiError(Problem.USER_DISABLED)
    has_mfa = caller.session.has_mfa
    return SignedIn(caller.deployment, caller.session, active, active.user, has_mfa, token_serial=caller.token_serial)


def is_signed_in(caller: Caller) -> bool:
    """Whether ``signed_in`` returns a user."""
    try:
        signed_in(caller)
    except ApiError:
        return False
    return True


def renew(session: Session, token: SessionToken, *, is_renewable: bool = True) -> str | None:
    """The token that the client should have instead of ``token``; None if it may keep it, or if none is to be sent
    because it would not be kept: the token is not ``is_renewable``.

    Raises ``ApiError`` (401): ``TokenReusedError`` if ``token`` has long been replaced, except in staging, where tokens
    travel in addresses and each tab may keep its own. A token from before a sign-in does not end the session:
    another tab may not have received the new token yet, or somebody planted the session.
    """
    if token.serial is None or keeps(token, kept_serial(session), is_renewable=is_renewable):
        return None
    if token.serial < session.token_floor:
        raise PassingError(Problem.TOKEN_REPLACED)
    if token.serial > session.token_serial:
        raise ApiError(Problem.INVALID_SESSION_TOKEN)
    if token.serial == session.token_serial:
        if session.token_seen_at is None:
            _of_serial(session, token.serial).filter(token_seen_at__isnull=True).update(token_seen_at=Now())
        if not is_renewable or _is_young(token):
            return None
        return replace_token(session, token.serial)
    if session.deployment.mode != Deployment.Mode.STAGING and _was_long_replaced(session, token.serial):
        raise TokenReusedError(session)
    return session_token(session) if is_renewable else None


def _was_long_replaced(session: Session, serial: int) -> bool:
    """By the database's clock alone: two servers' clocks may differ by more than the grace period."""
    seen_long_ago = Session.objects.filter(pk=session.pk, token_seen_at__lte=Now() - settings.USER_SESSION_REUSE_GRACE)
    return serial < session.token_serial - 1 or seen_long_ago.exists()


def kept_serial(session: Session) -> int | None:
    """The serial of the token that the client may keep while it is new; None if it is still to be seen in use."""
    return None if session.token_seen_at is None else session.token_serial


def keeps(token: SessionToken, kept_serial: int | None, *, is_renewable: bool = True) -> bool:
    """Whether ``renew`` has nothing to do for ``token``, in a session with that ``kept_serial``."""
    return token.serial is None or (token.serial == kept_serial and (not is_renewable or _is_young(token)))


def _is_young(token: SessionToken) -> bool:
    return timezone.now() - token.issued_at < settings.USER_SESSION_RENEW_AFTER


def replace_token(session: Session, serial: int) -> str:
    """The token that takes the place of the one with ``serial``, and slides the session's end.

    Of requests that replace the same token at once, one counts up; all get the same serial. Raises ``ApiError`` (401)
    if somebody signed in meanwhile: then the token is from before that.
    """
    _of_serial(session, serial).update(token_serial=serial + 1, token_seen_at=None)
    if session.active_sign_in_id is not None:
        Session.objects.filter(pk=session.pk, ended_at__isnull=True).update(expires_at=_slid_end(session))
        SignIn.objects.filter(pk=session.active_sign_in_id).update(last_active_at=timezone.now())
    _refresh(session)
    if session.token_floor > serial:
        raise PassingError(Problem.TOKEN_REPLACED)
    if session.active_sign_in is not None:
        user_id = session.active_sign_in.user_id
        transaction.on_commit(partial(counting.count_user, counting.Kind.ACTIVE_USERS, user_id))
    return session_token(session)


def supersede_tokens(session: Session) -> None:
    """Refuse every token of ``session`` but the next, which nobody has yet (session fixation; OWASP's cheat sheet).

    Call it in the transaction that signs somebody in, with the session's row locked.
    """
    following = F("token_serial") + 1
    Session.objects.filter(pk=session.pk).update(
        token_serial=following, token_floor=following, token_seen_at=None, expires_at=_slid_end(session)
    )
    _refresh(session)


def _slid_end(session: Session) -> datetime:
    newest = session.created_at + settings.USER_SESSION_MAX_LIFETIME
    return max(session.expires_at, min(timezone.now() + settings.USER_SESSION_LIFETIME, newest))


def _refresh(session: Session) -> None:
    session.refresh_from_db(fields=["token_serial", "token_floor", "token_seen_at", "expires_at", "updated_at"])


def _of_serial(session: Session, serial: int) -> QuerySet[Session]:
    """The row, if its token is still the one with ``serial``."""
    return Session.objects.filter(pk=session.pk, token_serial=serial, ended_at__isnull=True)


def end_session(session: Session) -> None:
    """End the session and its sign-ins: no request can use them any more."""
    end([session.pk])


@transaction.atomic
def end(session_ids: Collection[int]) -> None:
    """End those of the sessions that are live, and their sign-ins."""
    now = timezone.now()
    Session.objects.filter(pk__in=session_ids, ended_at__isnull=True).update(ended_at=now)
    SignIn.objects.filter(session__in=session_ids, ended_at__isnull=True).update(ended_at=now)


def sweep(*, before: datetime) -> int:
    """Delete the sessions that ended or expired before ``before``; gives their number."""
    stale = Session.objects.filter(Q(expires_at__lt=before) | Q(ended_at__lt=before))
    count = 0
    while batch := list(stale.values_list("pk", flat=True)[:1000]):
        Session.objects.filter(pk__in=batch).delete()
        count += len(batch)
    return count
