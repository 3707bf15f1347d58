"""Signing up: an attempt, a code by mail to prove the address, and then the user.

Nothing here says whether anybody has an address: it is looked up only when the code is to be sent, and whoever has an
account gets a mail that says so in place of the code. Usernames are as silent: one that is taken shows only to people
who have proven an address, and costs them nothing but that username.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.contrib.auth import hashers
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.authentication import sessions
from accounts.authentication.sessions import Caller
from accounts.credentials import codes, passwords, throttling, users
from accounts.credentials.users import user_with
from accounts.mail import outbox
from accounts.models import Deployment, Invitation, SignUpAttempt, SignUpInvitation, User
from accounts.sign_in import invitations, signing_in
from accounts.sign_in.invitations import Refusal
from accounts.sign_in.signing_in import Client, SignInResult
from accounts.values.mail_texts import Template
from api.errors import ApiError, Problem
from api.exceptions import violated_by

_EMAIL_TAKEN = {"accounts_user_email_is_unique", "accounts_emailaddress_is_one_users"}
_USERNAME_TAKEN = "accounts_user_username_is_unique"


@dataclass(frozen=True, slots=True)
class Person:
    """The names and the password that somebody signs up with, names in their stored forms."""

    email: str
    username: str
    first_name: str
    last_name: str
    password: str = field(repr=False)
    invitation: Invitation | Refusal | None = None
    """The one whose token they have sent along."""


Join = Callable[[User, str], bool]
"""Accepts, for the new user, the invitation whose token has that hash; whether it was still good."""


def check(deployment: Deployment, person: Person) -> Invitation | None:
    """The invitation of ``person``, if they need or have one.

    Raises ``ApiError`` (400, 403) if they may not sign up, or not with this password.
    """
    if deployment.sign_up_mode == Deployment.SignUpMode.CLOSED:
        raise ApiError(Problem.SIGN_UP_CLOSED)
    invitation = _invitation(deployment, person)
    names = {"email": person.email, "username": person.username}
    passwords.require_good(person.password, User(first_name=person.first_name, last_name=person.last_name, **names))
    return invitation


def _invitation(deployment: Deployment, person: Person) -> Invitation | None:
    """The invitation that ``person`` has sent along, for their address.

    Where everybody may sign up, one that is not good is as good as none. Raises ``ApiError`` (403) elsewhere.
    """
    found = person.invitation
    if isinstance(found, Invitation) and invitations.is_for(found, person.email):
        return found
    if deployment.sign_up_mode == Deployment.SignUpMode.OPEN:
        return None
    if found is None:
        raise ApiError(Problem.INVITATION_REQUIRED)
    text = found.value if isinstance(found, Refusal) else "Sign up with the address to which the invitation was sent."
    raise ApiError(Problem.INVITATION_REQUIRED, text)


def begin(caller: Caller, client: Client, person: Person, invitation: Invitation | None) -> SignInResult:
    """The session with an attempt that awaits the code of a mail; ``check`` gives the ``invitation``.

    Raises ``ApiError`` (429) if sign-ups were begun too often with the address, or by this client.
    """
    signing_in.count_use(caller, client, f"begin to sign up: {throttling.folded(person.email)}")
    password = hashers.make_password(person.password)
    to_sign_up = invitation if isinstance(invitation, SignUpInvitation) else None
    with transaction.atomic():
        session = signing_in.own_session(caller)
        session.sign_up_attempts.create(
            deployment_id=session.deployment_id,
            invitation=to_sign_up,
            invitation_hash="" if invitation is None or to_sign_up else invitation.token_hash,
            email=person.email,
            username=person.username,
            first_name=person.first_name,
            last_name=person.last_name,
            password=password,
            expires_at=timezone.now() + sessions.PENDING_LIFETIME,
        )
    return SignInResult(session, is_complete=False)


def mail_code(caller: Caller, client: Client, *, attempt_id: int) -> SignUpAttempt:
    """Mail the code that the attempt awaits; if its address has an account, a mail that says so, without the code.

    Raises ``ApiError``: 401 if there is no such attempt in the caller's session, 429 if too many were asked for.
    """
    attempt = _open_attempt(caller, attempt_id)
    deployment = caller.deployment
    with transaction.atomic():
        code = codes.new(
            deployment,
            codes.Purpose.SIGN_UP,
            str(attempt.pk),
            address=client.address,
            limited_by=throttling.folded(attempt.email),
        )
        if user_with(deployment, "email", attempt.email) is None:
            values = {"code": code, "minutes": str(codes.MINUTES)}
            outbox.send(
                deployment,
                to=attempt.email,
                template=Template.VERIFY_ADDRESS,
                values=values,
                good_for=codes.LIFETIME,
            )
        else:
            outbox.send(deployment, to=attempt.email, template=Template.ADDRESS_TAKEN, values={})
    return attempt


def complete(caller: Caller, client: Client, *, attempt_id: int, code: str, join: Join) -> SignInResult:
    """The session in which the new user is signed in now, a member by ``join`` of what they were invited to.

    A username that somebody has got meanwhile, or had before, is left out, and is among the ``missing`` fields. Raises
    ``ApiError``: 401 if there is no such attempt in the caller's session, or ``code`` is wrong; 429 after too many.
    """
    attempt = _open_attempt(caller, attempt_id)
    limits = throttling.limits(caller.deployment, kind="sign up", account=attempt.email, address=client.address)
    with throttling.attempt(limits):
        if not codes.take(caller.deployment, codes.Purpose.SIGN_UP, str(attempt.pk), code):
            raise ApiError(Problem.WRONG_CODE)
    wanted, password = attempt.username, attempt.password
    with transaction.atomic():
        attempt.completed_at = timezone.now()
        waiting = _open(attempt.completed_at).filter(pk=attempt.pk)
        if waiting.update(completed_at=attempt.completed_at, password="") == 0:
            raise ApiError(Problem.SIGN_UP_ATTEMPT_OVER)
        if attempt.invitation_id is not None and not invitations.accept(attempt.invitation_id):
            raise ApiError(Problem.SIGN_UP_ATTEMPT_OVER)
        user = _new_user(attempt, password)
        result = signing_in.complete(caller, caller.session, user, client)
        # After the sign-in, so that the audit log names the user.
        has_joined = attempt.invitation_hash == "" or join(user, attempt.invitation_hash)
        if not has_joined and caller.deployment.sign_up_mode == Deployment.SignUpMode.INVITATION:
            raise ApiError(Problem.SIGN_UP_ATTEMPT_OVER)
    attempt.username = user.username
    return replace(result, attempt=attempt, missing=() if user.username == wanted else ("username",))


def sweep() -> int:
    """Delete the attempts that have expired, so that nothing is kept of people who did not prove their address."""
    return SignUpAttempt.objects.filter(expires_at__lte=timezone.now()).delete()[0]


def is_open(attempt: str) -> str:
    """SQL: whether a row is among ``_open``."""
    return f"{attempt}.completed_at IS NULL AND {attempt}.expires_at > statement_timestamp()"


def _open(now: datetime) -> QuerySet[SignUpAttempt]:
    return SignUpAttempt.objects.filter(completed_at__isnull=True, expires_at__gt=now)


def _open_attempt(caller: Caller, attempt_id: int) -> SignUpAttempt:
    mode = caller.deployment.sign_up_mode
    if mode == Deployment.SignUpMode.CLOSED:
        raise ApiError(Problem.SIGN_UP_CLOSED)
    attempt = None
    if not caller.is_visitor:
        attempt = _open(timezone.now()).filter(pk=attempt_id, session=caller.session).first()
    if attempt is None:
        raise ApiError(Problem.SIGN_UP_ATTEMPT_OVER)
    if mode == Deployment.SignUpMode.INVITATION and attempt.invitation_id is None and attempt.invitation_hash == "":
        raise ApiError(Problem.INVITATION_REQUIRED)
    return attempt


def _new_user(attempt: SignUpAttempt, password: str) -> User:
    """The user that ``attempt`` makes, without their username if somebody has it.

    The database decides, so that of sign-ups at once one gets a name. Raises ``ApiError`` (401) if somebody has the
    address: this person has proven it, and may know.
    """
    user = User(
        deployment_id=attempt.deployment_id,
        email=attempt.email,
        username=attempt.username,
        first_name=attempt.first_name,
        last_name=attempt.last_name,
        password=password,
    )
    while True:
        try:
            with transaction.atomic():
                user.save(force_insert=True)
                users.set_verified(user, user.email)
        except IntegrityError as error:
            violated = violated_by(error)
            if violated in _EMAIL_TAKEN:
                text = "Sign in: you have an account with this e-mail address already."
                raise ApiError(Problem.SIGN_UP_ATTEMPT_OVER, text) from error
            if violated != _USERNAME_TAKEN:
                raise
            user.username = ""
        else:
            return user
