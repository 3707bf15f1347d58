"""MFA: authenticators (TOTP, RFC 6238) and the backup codes that stand in for one.

No code of either is ever taken twice. Backup codes can neither be made nor do they count without a confirmed
authenticator.
"""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Any, Protocol

import pyotp
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.authentication import sessions
from accounts.mail import notices
from accounts.models import Authenticator, BackupCode, Session, User
from accounts.values import encryption
from accounts.values.mail_texts import Template
from accounts.values.names import normal_code
from api.errors import ApiError, Problem
from api.networks import Address

SECOND_FACTOR_POLICY = "optional"
"""Of every user: signing in takes a code if they have an authenticator. They set one up or remove it instead."""
PERIOD = 30
"""Seconds in the period of a TOTP code."""
DRIFT = 1
"""Periods by which a client's clock may be early or late."""
ENROLMENT_LIFETIME = timedelta(minutes=10)
"""How long a new authenticator can be confirmed; the proof that was given for it is no older then."""
BACKUP_CODES = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_BACKUP_CODE_LENGTH = 10


class TotpSecret(Protocol):
    """A row with an encrypted TOTP secret and the time step of the last code that was taken, of users or staff."""

    secret: Any
    last_step: Any
    _default_manager: Any

    @property
    def pk(self) -> Any: ...


def available_methods(user: User) -> list[str]:
    """The MFA methods that ``user`` has, by the names of the API; none without a confirmed authenticator."""
    has_mfa = has_authenticator(user)
    has_backup_codes = has_mfa and user.backup_codes.filter(used_at__isnull=True).exists()
    return method_names(has_authenticator=has_mfa, has_backup_codes=has_backup_codes)


def method_names(*, has_authenticator: bool, has_backup_codes: bool) -> list[str]:
    """The same for a user who has these."""
    if not has_authenticator:
        return []
    return ["authenticator", "backup_code"] if has_backup_codes else ["authenticator"]


def has_authenticator(user: User) -> bool:
    """Whether ``user`` has a confirmed authenticator, and thus MFA."""
    return user.authenticators.filter(confirmed_at__isnull=False).exists()


def take_code(user: User, code: str) -> bool:
    """Whether ``code`` is good, from ``user``'s authenticator or an unused backup code; if so, it is spent."""
    code = normal_code(code)
    authenticators = list(user.authenticators.filter(confirmed_at__isnull=False))
    if code.isdigit() and len(code) == 6:
        return any(take_totp(authenticator, code) for authenticator in authenticators)
    return bool(authenticators) and _take_backup_code(user, code)


def new_authenticator(user: User) -> tuple[Authenticator, str]:
    """An authenticator that still has to be confirmed, and its secret (base32); replaces earlier unconfirmed ones."""
    secret = pyotp.random_base32()
    authenticator = Authenticator(user=user)
    authenticator.set_secret(secret)
    with transaction.atomic():
        lock(user)
        user.authenticators.filter(confirmed_at__isnull=True).delete()
        authenticator.save()
    return authenticator, secret


def otp_url(user: User, secret: str) -> str:
    """The otpauth:// address for a QR code that authenticator apps scan."""
    return pyotp.TOTP(secret).provisioning_uri(name=str(user), issuer_name=user.deployment.name)


def unconfirmed(user: User, authenticator_id: str) -> Authenticator | None:
    """The user's authenticator of this id that still has to be confirmed, if it was made a moment ago."""
    if not (authenticator_id.isascii() and authenticator_id.isdigit() and int(authenticator_id) < 2**63):
        return None
    waiting = user.authenticators.filter(
        pk=authenticator_id, confirmed_at__isnull=True, created_at__gt=timezone.now() - ENROLMENT_LIFETIME
    )
    return waiting.select_related("user").first()


def confirm_authenticator(
    authenticator: Authenticator, codes: list[str], *, keep: Session | None = None, address: Address | None = None
) -> bool:
    """Confirm ``authenticator`` if ``codes`` are two successive codes of it, current ones; return whether they were.

    It replaces an earlier one. The user is signed out everywhere but in the session ``keep``, and informed by mail.
    """
    if len(codes) != 2:
        return False
    first, second = (normal_code(code) for code in codes)
    totp = _totp(authenticator)
    now = _step()
    for step in range(now - DRIFT - 1, now + DRIFT + 1):
        if _same(totp, step, first) and _same(totp, step + 1, second):
            return _confirm(authenticator, step + 1, keep, address)
    return False


def _confirm(authenticator: Authenticator, last_step: int, keep: Session | None, address: Address | None) -> bool:
    """Confirm ``authenticator`` and delete its predecessors; false if it was replaced meanwhile.

    Backup codes pass on from one authenticator to the next. A first one finds none: codes left over from a removed
    authenticator do not come back to life.
    """
    with transaction.atomic():
        user = lock(authenticator.user)
        if not has_authenticator(user):
            user.backup_codes.all().delete()
        waiting = Authenticator.objects.filter(pk=authenticator.pk, confirmed_at__isnull=True)
        if waiting.update(confirmed_at=timezone.now(), last_step=last_step) == 0:
            return False
        user.authenticators.exclude(pk=authenticator.pk).delete()
        sessions.sign_out_everywhere([user], keep=keep)
        _tell(user, "An authenticator was set up.", address)
    return True


def remove_authenticator(
    user: User, authenticator_id: int, *, keep: Session | None = None, address: Address | None = None
) -> None:
    """Delete an authenticator of ``user``; with the confirmed one the backup codes go; the user is informed by mail.

    They are signed out everywhere but in the session ``keep``. Raises ``ApiError`` (404) if they have no such one.
    """
    with transaction.atomic():
        user = lock(user)
        authenticator = user.authenticators.filter(pk=authenticator_id).first()
        if authenticator is None:
            raise ApiError(Problem.NOT_FOUND, "You have no such authenticator.")
        authenticator.delete()
        if authenticator.confirmed_at is not None:
            sessions.sign_out_everywhere([user], keep=keep)
            _tell(user, "Your authenticator was removed. Signing in takes no code any more.", address)


def new_backup_codes(user: User, *, keep: Session | None = None, address: Address | None = None) -> list[str]:
    """Fresh backup codes, in clear for this once; those before them are void. The user is informed by mail.

    They are signed out everywhere but in the session ``keep``. Raises ``ApiError`` (403) if they have no
    authenticator that the codes could stand in for.
    """
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_BACKUP_CODE_LENGTH)) for _ in range(BACKUP_CODES)]
    with transaction.atomic():
        lock(user)
        if not has_authenticator(user):
            raise ApiError(Problem.AUTHENTICATOR_REQUIRED)
        user.backup_codes.all().delete()
        BackupCode.objects.bulk_create(BackupCode(user=user, code_hash=_backup_hash(user, code)) for code in codes)
        sessions.sign_out_everywhere([user], keep=keep)
        _tell(user, "New backup codes were made. Earlier ones are good no longer.", address)
    return codes


def _tell(user: User, change: str, address: Address | None) -> None:
    notices.send(user, Template.MFA_CHANGED, address=address, change=change)


def lock(user: User) -> User:
    """The row of ``user`` as it is now; until the transaction ends nobody else changes it or their MFA.

    Raises ``ApiError`` (401) if the user was deleted meanwhile.
    """
    row = User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()
    if row is None:
        raise ApiError(Problem.SESSION_ENDED)
    return row


def take_totp(authenticator: TotpSecret, code: str) -> bool:
    """Whether ``code`` is a current code of ``authenticator``, newer than the last one taken; if so, it is spent."""
    totp = _totp(authenticator)
    now = _step()
    for step in range(now - DRIFT, now + DRIFT + 1):
        if _same(totp, step, code):
            unused = Q(last_step__isnull=True) | Q(last_step__lt=step)
            rows: QuerySet[Any] = type(authenticator)._default_manager.filter(unused, pk=authenticator.pk)
            return rows.update(last_step=step) == 1
    return False


def _take_backup_code(user: User, code: str) -> bool:
    unused = BackupCode.objects.filter(user=user, code_hash=_backup_hash(user, code), used_at__isnull=True)
    return unused.update(used_at=timezone.now()) == 1


def _backup_hash(user: User, code: str) -> str:
    """A keyed hash. A slow one would add nothing: a code has 49 random bits and can be tried a few times only."""
    return salted_hmac("accounts.backup-code", f"{user.pk}:{code}", algorithm="sha256").hexdigest()


def _totp(authenticator: TotpSecret) -> pyotp.TOTP:
    return pyotp.TOTP(secret_of(authenticator), interval=PERIOD)


def secret_of(authenticator: TotpSecret) -> str:
    """The secret in base32."""
    return encryption.decrypt(authenticator.secret).decode()


def _same(totp: pyotp.TOTP, step: int, code: str) -> bool:
    return secrets.compare_digest(totp.generate_otp(step).encode(), code.encode())


def _step() -> int:
    return int(time.time()) // PERIOD
