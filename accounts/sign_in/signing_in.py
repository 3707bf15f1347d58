"""Signing in: a password or an outside issuer's token, then an MFA code from users who have MFA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial, wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib.auth import hashers
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts import counting
from accounts.authentication import sessions
from accounts.authentication.sessions import Caller
from accounts.credentials import codes, mfa, throttling, users
from accounts.credentials.users import user_with
from accounts.mail import outbox
from accounts.models import Session, SignInAttempt, SignUpAttempt, User
from accounts.models.attempts import awaits_mailed_code
from accounts.tokens import outside_issuers
from accounts.values.mail_texts import Template
from accounts.values.names import normal_name
from api.errors import ApiError, Problem
from api.networks import Address

MAX_CODE_FAILURES = 5
"""Wrong codes after which the attempt is over and the password is asked for again."""


@dataclass(frozen=True, slots=True)
class Client:
    """The address and browser that a sign-in comes from."""

    address: Address | None
    user_agent: str


@dataclass(frozen=True, slots=True)
class SignInResult:
    """The session, and whether the user is signed in to it now; otherwise it awaits a code.

    ``attempt`` is the attempt to sign in or up that is completed with that, unless an outside issuer's token was
    enough. ``missing`` are the fields of a sign-up that the user has to give anew.
    """

    session: Session
    is_complete: bool
    attempt: SignInAttempt | SignUpAttempt | None = None
    missing: tuple[str, ...] = ()


P = ParamSpec("P")
SignIn = Callable[Concatenate[Caller, P], SignInResult]


def _counts_failures(sign_in: SignIn[P]) -> SignIn[P]:
    """Count the tries that are refused."""

    @wraps(sign_in)
    def counted(caller: Caller, /, *args: P.args, **kwargs: P.kwargs) -> SignInResult:
        try:
            return sign_in(caller, *args, **kwargs)
        except ApiError:
            counting.count(counting.Kind.FAILED_SIGN_INS, caller.deployment.pk)
            raise

    return counted


@_counts_failures
def sign_in_with_password(
    caller: Caller, client: Client, *, method: SignInAttempt.Method, name: str, password: str
) -> SignInResult:
    """The session in which the user called ``name`` is signed in now, or which awaits their MFA code.

    Raises ``ApiError``: 429 after too many failures, else 401 for a wrong name or password. An unknown name takes as
    long and reads as a wrong password.
    """
    name = normal_name(name)
    user = user_with(caller.deployment, "email" if method == SignInAttempt.Method.EMAIL else "username", name)
    limits = throttling.limits(caller.deployment, account=user or name, address=client.address)
    with throttling.attempt(limits):
        if not _has_password(user, password) or user is None:
            raise ApiError(Problem.WRONG_CREDENTIALS)
    if user.disabled:
        raise ApiError(Problem.USER_DISABLED)
    return go_on(caller, client, user, method)


@transaction.atomic
def go_on(caller: Caller, client: Client, user: User, method: SignInAttempt.Method) -> SignInResult:
    """The session in which ``user``, whose password is proven, is signed in now, or which awaits their MFA code.

    Raises ``ApiError`` (401) if the password has changed since ``user`` was read: it proves nothing any more.
    """
    _require_unchanged(user)
    if mfa.available_methods(user):
        session = caller.session if not caller.is_visitor and _may_join(caller) else _new_session(caller)
        _new_attempt(session, user, method)
        return SignInResult(session, is_complete=False)
    result = complete(caller, own_session(caller), user, client)
    return replace(result, attempt=_new_attempt(result.session, user, method, completed_at=timezone.now()))


def _new_attempt(
    session: Session,
    user: User | None,
    method: SignInAttempt.Method,
    *,
    email: str = "",
    completed_at: datetime | None = None,
) -> SignInAttempt:
    return session.sign_in_attempts.create(
        deployment_id=session.deployment_id,
        user=user,
        email=email,
        method=method,
        expires_at=timezone.now() + sessions.PENDING_LIFETIME,
        completed_at=completed_at,
    )


def begin_with_mailed_code(caller: Caller, client: Client, *, email: str) -> SignInResult:
    """The session with an attempt that awaits the code of a mail to ``email``, whether or not anybody has that.

    Raises ``ApiError``: 400 if the deployment does not allow it, 429 if it was begun too often.
    """
    if not caller.deployment.sign_in_by_code:
        raise ApiError(Problem.INVALID_FIELD, "Sign in with your password: codes by e-mail are switched off here.")
    email = normal_name(email)
    count_use(caller, client, f"begin to sign in: {throttling.folded(email)}")
    session = own_session(caller)
    user = user_with(caller.deployment, "email", email)
    _new_attempt(session, user, SignInAttempt.Method.EMAIL_CODE, email=email)
    return SignInResult(session, is_complete=False)


def mail_code(caller: Caller, client: Client, *, attempt_id: int) -> SignInAttempt:
    """Mail the code that the attempt awaits, if anybody has its address; the work is the same if nobody has.

    Raises ``ApiError``: 401 if no attempt in the caller's session awaits one, 429 if too many were asked for.
    """
    attempt = _open_attempt(caller, attempt_id)
    if not attempt.awaits_mailed_code:
        raise ApiError(Problem.SIGN_IN_ATTEMPT_OVER)
    with transaction.atomic():
        code = codes.new(
            caller.deployment,
            codes.Purpose.SIGN_IN,
            str(attempt.pk),
            address=client.address,
            limited_by=throttling.folded(attempt.email),
        )
        outbox.send_if(
            _has_address(caller, attempt) and not cast(User, attempt.user).disabled,
            caller.deployment,
            to=attempt.email,
            template=Template.SIGN_IN_CODE,
            values={"code": code, "minutes": str(codes.MINUTES)},
            good_for=codes.LIFETIME,
        )
    return attempt


def count_use(caller: Caller, client: Client, subject: str) -> None:
    throttling.count_use(throttling.code_limits(caller.deployment, subject=subject, address=client.address))


def _has_address(caller: Caller, attempt: SignInAttempt) -> bool:
    """Whether the user of the attempt, if there is one, still has the address that it is for.

    It is looked up in any case, so that the time reveals nothing.
    """
    owner = user_with(caller.deployment, "email", attempt.email)
    return owner is not None and owner == attempt.user


@_counts_failures
def sign_in_with_code(caller: Caller, client: Client, *, attempt_id: int, code: str) -> SignInResult:
    """The session in which the user of the attempt is signed in now, or awaits their MFA code after that of a mail.

    Raises ``ApiError`` (401) if there is no such attempt in the caller's session or ``code`` is wrong; 429 after too
    many.
    """
    attempt = _open_attempt(caller, attempt_id)
    account = attempt.user or attempt.email
    limits = throttling.limits(caller.deployment, kind="mfa", account=account, address=client.address)
    awaited_mail = attempt.awaits_mailed_code
    tries = SignInAttempt.objects.filter(pk=attempt.pk, completed_at__isnull=True, failures__lt=MAX_CODE_FAILURES)
    with throttling.attempt(limits):
        # One try is taken before the code is looked at, so that no number of tries at once gets more of them.
        if tries.update(failures=F("failures") + 1) == 0:
            raise ApiError(Problem.SIGN_IN_ATTEMPT_OVER)
        if not _takes(caller, attempt, code) or attempt.user is None:
            raise ApiError(Problem.WRONG_CODE)
    now = timezone.now()
    goes_on = awaited_mail and not attempt.user.disabled and bool(mfa.available_methods(attempt.user))
    changed: dict[str, Any] = {"code_taken_at": now, "failures": 0} if goes_on else {"completed_at": now}
    waiting = SignInAttempt.objects.filter(pk=attempt.pk, completed_at__isnull=True, expires_at__gt=now)
    if waiting.update(**changed) == 0:
        raise ApiError(Problem.SIGN_IN_ATTEMPT_OVER)
    if goes_on:
        return SignInResult(caller.session, is_complete=False)
    attempt.completed_at = now
    return replace(complete(caller, caller.session, attempt.user, client), attempt=attempt)


def _takes(caller: Caller, attempt: SignInAttempt, code: str) -> bool:
    """Whether ``code`` is the one that the attempt awaits; with that it is spent."""
    if attempt.awaits_mailed_code:
        is_right = codes.take(caller.deployment, codes.Purpose.SIGN_IN, str(attempt.pk), code)
        if not (is_right and _has_address(caller, attempt)):
            return False
        users.set_verified(cast(User, attempt.user), attempt.email)
        return True
    return attempt.user is not None and mfa.take_code(attempt.user, code)


@_counts_failures
def sign_in_with_outside_token(caller: Caller, client: Client, *, token: str) -> SignInResult:
    """The session in which the user whom a trusted outside issuer names is signed in now.

    A token is good once. MFA is up to the issuer. Raises ``ApiError`` (401).
    """
    said = outside_issuers.verify_outside_token(token, caller.deployment)
    user = outside_issuers.user_of(said, caller.deployment)
    if user is None:
        raise ApiError(Problem.WRONG_CREDENTIALS)
    if user.disabled:
        raise ApiError(Problem.USER_DISABLED)
    with transaction.atomic():
        outside_issuers.spend(said)
        return complete(caller, own_session(caller), user, client)


def _has_password(user: User | None, password: str) -> bool:
    """Whether ``password`` is the user's. Hashes once whatever happens, so that the time reveals nothing."""
    encoded = user.password if user is not None and user.password else _no_ones_password()
    is_right = hashers.check_password(password, encoded)
    return is_right and user is not None and user.password != ""


@cache
def _no_ones_password() -> str:
    return hashers.make_password("nobody has this password")


def own_session(caller: Caller) -> Session:
    """The caller's session if it is in the database, else a new one: a visitor's id is never the id of a real session.

    So nobody can plant a session on somebody who then signs in to it.
    """
    return _new_session(caller) if caller.is_visitor else caller.session


def _new_session(caller: Caller) -> Session:
    expires_at = timezone.now() + sessions.PENDING_LIFETIME
    return Session.objects.create(deployment=caller.deployment, expires_at=expires_at)


def complete(caller: Caller, session: Session, user: User, client: Client) -> SignInResult:
    """Sign ``user`` in to ``session``, or to a new one if the caller's token is no longer good for that one."""
    with transaction.atomic():
        _require_unchanged(user)
        if not (caller.is_visitor or _may_join(caller)):
            session = _new_session(caller)
        sessions.sign_in(
            session,
            user=user,
            expires_at=timezone.now() + settings.USER_SESSION_MAX_LIFETIME,
            address=client.address,
            user_agent=client.user_agent,
        )
        sessions.supersede_tokens(session)
        transaction.on_commit(partial(counting.count_sign_in, user))
    return SignInResult(session, is_complete=True)


def _require_unchanged(user: User) -> None:
    """Raise ``ApiError`` (401) if the credentials with which ``user`` signs in have changed since they were read.

    The row is locked from here on: a change waits, and ends this sign-in with the others.
    """
    row = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if row is None or _credentials(row) != _credentials(user):
        raise ApiError(Problem.WRONG_CREDENTIALS)
    if row.disabled:
        raise ApiError(Problem.USER_DISABLED)


def _credentials(user: User) -> tuple[str, ...]:
    return user.password, user.external_issuer, user.external_id


def _may_join(caller: Caller) -> bool:
    """Whether the caller's session, locked from here on, is alive and the caller's token not from before a sign-in.

    It may have changed since the request began: while its body was awaited, or its password hashed. A token without a
    serial would outlive the sign-in, so nobody is added to its session.
    """
    row = Session.objects.select_for_update().filter(pk=caller.session.pk, ended_at__isnull=True).first()
    return row is not None and caller.token_serial is not None and row.token_floor <= caller.token_serial


def _open() -> QuerySet[SignInAttempt]:
    return SignInAttempt.objects.filter(
        # What says no more than the client does must not say either that a user is disabled.
        Q(user__disabled=False) | Q(method=SignInAttempt.Method.EMAIL_CODE, code_taken_at__isnull=True),
        completed_at__isnull=True,
        expires_at__gt=timezone.now(),
        failures__lt=MAX_CODE_FAILURES,
    )


def is_open(attempt: str, user: str) -> str:
    """SQL: whether a row is among ``_open``."""
    return f"""
        {attempt}.completed_at IS NULL AND {attempt}.expires_at > statement_timestamp()
        AND {attempt}.failures < {MAX_CODE_FAILURES} AND ({awaits_mailed_code(attempt)} OR NOT {user}.disabled)
    """


def _open_attempt(caller: Caller, attempt_id: int) -> SignInAttempt:
    attempt = None
    if not caller.is_visitor:
        attempt = _open().filter(pk=attempt_id, session=caller.session).select_related("user__deployment").first()
    if attempt is None:
        raise ApiError(Problem.SIGN_IN_ATTEMPT_OVER)
    return attempt
