"""The authenticators and backup codes of staff."""

from __future__ import annotations

import secrets
from typing import Any

import pyotp
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User as Staff
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp.models import Device

from accounts.credentials import mfa
from accounts.credentials.mfa import BACKUP_CODES
from accounts.values.names import normal_code
from staff.models import StaffAuthenticator, StaffBackupCodes


def unconfirmed(user: Staff) -> StaffAuthenticator:
    """The authenticator that ``user`` has still to confirm; the same one until it is confirmed or discarded."""
    device = StaffAuthenticator.objects.filter(user=user, confirmed=False).first()
    if device is None:
        device = StaffAuthenticator(user=user, confirmed=False, name="authenticator")
        device.set_secret(pyotp.random_base32())
        device.save()
    return device


def discard_unconfirmed(user: Any) -> None:
    StaffAuthenticator.objects.filter(user=user, confirmed=False).delete()


@transaction.atomic
def confirm(device: StaffAuthenticator) -> list[str]:
    """Replace the user's MFA by ``device``; gives their new backup codes, which nobody can read again."""
    StaffAuthenticator.objects.filter(user=device.user).exclude(pk=device.pk).delete()
    StaffBackupCodes.objects.filter(user=device.user).delete()
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    codes = [secrets.token_hex(6) for _ in range(BACKUP_CODES)]
    hashes = [_hash(device.user, code) for code in codes]
    StaffBackupCodes.objects.create(user=device.user, name="backup codes", code_hashes=hashes)
    return codes


@transaction.atomic
def take_code(user: Staff, code: str) -> Device | None:
    """The device of ``user`` that ``code`` belongs to; the code is spent."""
    code = normal_code(code)
    for authenticator in StaffAuthenticator.objects.filter(user=user, confirmed=True):
        if mfa.take_totp(authenticator, code):
            return authenticator
    code_hash = _hash(user, code)
    rows = StaffBackupCodes.objects.select_for_update().filter(user=user, code_hashes__contains=[code_hash])
    for codes in rows:
        codes.code_hashes.remove(code_hash)
        codes.save(update_fields=["code_hashes"])
        return codes
    return None


def _hash(user: Staff, code: str) -> str:
    """A keyed hash. A slow one would add nothing: a code has 48 random bits, and failures are limited."""
    return salted_hmac("accounts.staff.backup-code", f"{user.pk}:{code.lower()}", algorithm="sha256").hexdigest()


@transaction.atomic
def reset(user: Staff) -> None:
    """Delete the MFA devices of ``user``, and end their sessions."""
    StaffAuthenticator.objects.filter(user=user).delete()
    StaffBackupCodes.objects.filter(user=user).delete()
    sign_out(user)


def sign_out(user: Staff, *, but: str | None = None) -> None:
    """End the sessions of ``user``, but the one with the key ``but``.

    This reads all sessions of staff: they are few, and only their content names the user.
    """
    for session in Session.objects.exclude(session_key=but or "").filter(expire_date__gt=timezone.now()):
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
