"""Codes that are sent by mail: six digits, good for a few minutes and a few tries, kept as hashes."""

from __future__ import annotations

import enum
import secrets
from datetime import timedelta

from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.credentials import throttling
from accounts.models import Deployment, MailedCode
from accounts.values.names import normal_code
from api.networks import Address

MINUTES = 10
LIFETIME = timedelta(minutes=MINUTES)
MAX_TRIES = 5
_DIGITS = 6


class Purpose(enum.Enum):
    """The purpose of a code. It is valid for that purpose alone."""

    SIGN_IN = "sign in"
    SIGN_UP = "sign up"
    RESET_PASSWORD = "reset a password"  # noqa: S105 - the name of a purpose
    ADDRESS = "verify an address"


def new(
    deployment: Deployment, purpose: Purpose, subject: str, *, address: Address | None, limited_by: str = ""
) -> str:
    """A code for ``subject``, a text that says what it is for; the code before it is void.

    Raises ``ApiError`` (429) if too many were asked for lately for the subject, or from the client's ``address``.
    If several subjects share a limit, such as all attempts with one mailbox, ``limited_by`` names it.
    """
    limit = f"{purpose.value}:{limited_by or subject}"
    throttling.count_use(throttling.code_limits(deployment, subject=limit, address=address))
    code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"
    key = _key(deployment, purpose, subject)
    MailedCode.objects.bulk_create(
        [MailedCode(key=key, code_hash=_hash(key, code), expires_at=timezone.now() + LIFETIME, tries=0)],
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["code_hash", "expires_at", "tries"],
    )
    return code


def take(deployment: Deployment, purpose: Purpose, subject: str, code: str) -> bool:
    """Whether ``code`` is the one for ``subject``; with that it is spent. After ``MAX_TRIES`` it is void.

    A try is taken before the code is looked at, so that no number of tries at once gets more of them. A caller whose
    transaction is rolled back gives the try back: so raise after the transaction.
    """
    key = _key(deployment, purpose, subject)
    alive = MailedCode.objects.filter(key=key, expires_at__gt=timezone.now())
    if alive.filter(tries__lt=MAX_TRIES).update(tries=F("tries") + 1) == 0:
        return False
    wanted = _hash(key, normal_code(code))
    stored = alive.values_list("code_hash", flat=True).first()
    if stored is None or not constant_time_compare(stored, wanted):
        return False
    return alive.filter(code_hash=wanted).delete()[0] == 1


def sweep() -> int:
    """Delete the codes that have expired; gives their number."""
    return MailedCode.objects.filter(expires_at__lte=timezone.now()).delete()[0]


def _key(deployment: Deployment, purpose: Purpose, subject: str) -> str:
    value = f"{deployment.pk}:{purpose.value}:{subject}"
    return salted_hmac("accounts.codes", value, algorithm="sha256").hexdigest()


def _hash(key: str, code: str) -> str:
    """A keyed hash. A slow one would add nothing: without the key all codes can be tried, with it five."""
    return salted_hmac("accounts.codes.code", f"{key}:{code}", algorithm="sha256").hexdigest()
