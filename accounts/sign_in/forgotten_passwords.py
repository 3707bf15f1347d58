"""Forgotten passwords: a code by mail gives a token, and the token a new password, once.

The address may be any with which its user signs in: the primary one, or another that is verified. With the code it is
verified, whoever typed it: that proves that somebody reads its mail. Nobody gets a code whose account is
disabled, or has no password that could be forgotten: staff or an outside issuer decide how such a user signs in. An
answer shows nothing of this.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core import signing
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.authentication.sessions import Caller
from accounts.credentials import codes, passwords, throttling, users
from accounts.credentials.users import held_address
from accounts.mail import outbox
from accounts.models import Deployment, EmailAddress, SignInAttempt, User
from accounts.sign_in import signing_in
from accounts.sign_in.signing_in import Client, SignInResult
from accounts.values.mail_texts import Template
from api.errors import ApiError, Problem

LIFETIME = timedelta(minutes=10)
"""How long a token is good."""
MAX_TOKEN = 300
_SALT = "accounts.forgotten_passwords"


def mail_code(deployment: Deployment, client: Client, *, email: str) -> None:
    """Mail a code to the user of this address; if there is none, or one who may not have it, do the same work.

    Raises ``ApiError`` (429) if too many were asked for, for the address or by this client.
    """
    address = _address_of(deployment, email)
    with transaction.atomic():
        code = codes.new(
            deployment,
            codes.Purpose.RESET_PASSWORD,
            _subject(address, email),
            address=client.address,
            limited_by=throttling.folded(email),
        )
        outbox.send_if(
            address is not None,
            deployment,
            to=email if address is None else address.email,  # as stored: never another that only looks like it
            template=Template.RESET_PASSWORD,
            values={"code": code, "minutes": str(codes.MINUTES)},
            good_for=codes.LIFETIME,
        )


def token_for(deployment: Deployment, client: Client, *, email: str, code: str) -> str:
    """The token for ``reset``, in exchange for the code.

    Raises ``ApiError``: 401 if the code is wrong, or nobody may have one; 429 after too many.
    """
    limits = throttling.limits(deployment, kind="reset", account=email, address=client.address)
    with throttling.attempt(limits):
        address = _address_of(deployment, email)
        is_right = codes.take(deployment, codes.Purpose.RESET_PASSWORD, _subject(address, email), code)
        if address is None or not is_right:
            raise ApiError(Problem.WRONG_CODE, "The code is wrong or too old; have a new one sent.")
    users.set_verified(address.user, address.email)
    return signing.dumps([deployment.pk, address.pk, _state_of(address.user, address)], salt=_SALT)


def reset(caller: Caller, client: Client, *, token: str, password: str) -> SignInResult:
    """The session in which the user of ``token`` is signed in with their new password, or which awaits their MFA code.

    They are signed out everywhere else, and told by mail. Raises ``ApiError``: 401 if the token is not good any more,
    400 if the password is too weak, which leaves the token good.
    """
    address_id, state = _read(caller.deployment, token)
    with transaction.atomic():
        # Of several uses at once the first changes the password, and with it the state that the others need.
        owner = User.objects.filter(deployment=caller.deployment, email_addresses=address_id)
        user = owner.select_for_update(of=("self",), no_key=True).first()
        # Read once the user is locked: until then they may remove it.
        address = None if user is None else user.email_addresses.filter(pk=address_id).first()
        if user is None or address is None or user.disabled:
            raise ApiError(Problem.RESET_OVER)
        if not constant_time_compare(_state_of(user, address), state):
            raise ApiError(Problem.RESET_OVER)
        passwords.require_good(password, user)
        passwords.change(user, password, address=client.address)
        return signing_in.go_on(caller, client, user, SignInAttempt.Method.EMAIL)


def _address_of(deployment: Deployment, email: str) -> EmailAddress | None:
    address = held_address(deployment, email)
    return None if address is None or address.user.disabled or address.user.password == "" else address


def _subject(address: EmailAddress | None, email: str) -> str:
    """The subject of the codes for an address: its row, since names that fold to one text may have two owners."""
    return f"name {throttling.folded(email)}" if address is None else f"address {address.pk}"


def _state_of(user: User, address: EmailAddress) -> str:
    """Stands for what a token is good for: with a new password or address it is another."""
    state = f"{address.pk}:{address.email}:{user.email}:{user.password}"
    return salted_hmac(_SALT, state, algorithm="sha256").hexdigest()


def _read(deployment: Deployment, token: str) -> tuple[int, str]:
    """The address's id and the state in ``token``; raises ``ApiError`` (401) if it is forged, old or not for here."""
    try:
        content: list[Any] = signing.loads(token, salt=_SALT, max_age=LIFETIME)
    except signing.BadSignature as error:
        raise ApiError(Problem.RESET_OVER) from error
    issued_by, address_id, state = content
    if issued_by != deployment.pk:
        raise ApiError(Problem.RESET_OVER)
    return address_id, state
