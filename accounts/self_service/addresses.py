"""The e-mail addresses of users: several, each verified by a code, one of them the primary one.

An address that is primary or verified is one user's in the deployment. Adding one does not show whether it is
somebody's: the answers and the mail are the same, and only whoever has proven to read its mail is told.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from accounts.authentication.sessions import SignedIn
from accounts.credentials import codes, mfa, step_up, throttling
from accounts.credentials.step_up import Demand, Proof
from accounts.credentials.users import address_of, set_verified
from accounts.mail import notices, outbox
from accounts.models import EmailAddress, User
from accounts.values.mail_texts import Template
from api.errors import ApiError, Problem
from api.networks import Address

MAX_ADDRESSES = 10


def addresses_of(user: User) -> QuerySet[EmailAddress]:
    """The primary one first."""
    return EmailAddress.objects.filter(user=user).order_by("-is_primary", "pk")


def add(caller: SignedIn, proof: Proof, email: str) -> EmailAddress:
    """A new address of the caller's user, not verified; the one that they have already if it is that.

    Raises ``ApiError``: 400 if they have too many; 429 after too many changes; 401, 403, 429 for the ``proof``, without
    which anybody who has a copy of the session could have passwords sent to an address of their own.
    """
    throttling.count_use(throttling.change_limits(caller.deployment, account=caller.user, address=proof.address))

    def make(user: User) -> EmailAddress:
        present = address_of(user, email).first()
        if present is not None:
            return present
        if addresses_of(user).count() >= MAX_ADDRESSES:
            raise ApiError(Problem.INVALID_FIELD, f"You have {MAX_ADDRESSES} addresses; remove one first.")
        address = EmailAddress.objects.create(deployment=caller.deployment, user=user, email=email)
        address.refresh_from_db(fields=["is_primary"])
        return address

    return step_up.change(caller, proof, make, demand=Demand.RECENT)


def mail_code(caller: SignedIn, address_id: int, *, client: Address | None) -> EmailAddress:
    """Mail a code to the address, be it somebody else's or not; the one before is void.

    Raises ``ApiError``: 404 if the user has no such address, 400 if it is verified, 429 if too many codes were asked
    for, by whomever for this mailbox.
    """
    address = _own(caller.user, address_id)
    if address.verified_at is not None:
        raise ApiError(Problem.INVALID_FIELD, "This address is verified already.")
    with transaction.atomic():
        code = codes.new(
            caller.deployment,
            codes.Purpose.ADDRESS,
            _subject(address),
            address=client,
            limited_by=throttling.folded(address.email),
        )
        outbox.send(
            caller.deployment,
            to=address.email,
            template=Template.VERIFY_ADDRESS,
            values={"code": code, "minutes": str(codes.MINUTES)},
            good_for=codes.LIFETIME,
        )
    return address


def verify(caller: SignedIn, address_id: int, code: str, *, client: Address | None) -> EmailAddress:
    """The address, verified by the code that was sent to it.

    Raises ``ApiError``: 404 if the user has no such address, 401 if the code is wrong, 400 if it is right and the
    address belongs to somebody else: whoever reads its mail may know.
    """
    address = _own(caller.user, address_id)
    if not codes.take(caller.deployment, codes.Purpose.ADDRESS, _subject(address), code):
        raise ApiError(Problem.WRONG_CODE, "The code is wrong or too old; have a new one sent.")
    with transaction.atomic():
        user = mfa.lock(caller.user)
        set_verified(user, address.email)
        if not address.is_primary:
            _tell(user, f"The address {address.email} was added.", client)
    return _own(caller.user, address_id)


def make_primary(caller: SignedIn, proof: Proof, address_id: int) -> EmailAddress:
    """The address, which must be verified, as the primary one; the mail goes to the one that was.

    Raises ``ApiError``: 404 if the user has no such address, 400 if it is not verified; 401, 403, 429 for the
    ``proof``.
    """

    def make(user: User) -> None:
        address = _own(user, address_id)
        if address.verified_at is None:
            raise ApiError(Problem.INVALID_FIELD, "Verify this address first.")
        if not address.is_primary:
            _tell(user, f"Your main address is {address.email} now.", proof.address, to=user.email or address.email)
            user.email = address.email
            user.save(update_fields=["email"])

    step_up.change(caller, proof, make, demand=Demand.RECENT)
    return _own(caller.user, address_id)


def remove(caller: SignedIn, proof: Proof, address_id: int) -> None:
    """Delete an address that is not the primary one; one that is not verified without any ``proof``.

    Raises ``ApiError``: 404 if the user has no such address, 400 if it is the primary one; 401, 403, 429 for the
    ``proof``.
    """

    def make(user: User) -> None:
        address = _own(user, address_id)
        if address.is_primary:
            raise ApiError(Problem.INVALID_FIELD, "Make another address your main one first.")
        address.delete()
        if address.verified_at is not None:
            _tell(user, f"The address {address.email} was removed.", proof.address)

    if _own(caller.user, address_id).verified_at is None:
        with transaction.atomic():
            make(mfa.lock(caller.user))
    else:
        step_up.change(caller, proof, make, demand=Demand.RECENT)


def _own(user: User, address_id: int) -> EmailAddress:
    address = EmailAddress.objects.filter(user=user, pk=address_id).first()
    if address is None:
        raise ApiError(Problem.NOT_FOUND, "You have no such address.")
    return address


def _subject(address: EmailAddress) -> str:
    """The subject of the codes for an address: another one for another row, user or mailbox."""
    return f"{address.user_id} {address.pk} {throttling.folded(address.email)}"


def _tell(user: User, change: str, client: Address | None, *, to: str = "") -> None:
    notices.send(user, Template.ADDRESS_CHANGED, address=client, to=to, change=change)
