"""Finding users by id, e-mail address or username, and noting that an address is theirs."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Deployment, EmailAddress, User
from accounts.models.addresses import IS_HELD
from accounts.values.names import normal_name
from api.errors import ApiError, Problem


def user_with(deployment: Deployment, field: str, name: str) -> User | None:
    """The user whose ``field``, email or username, is ``name``, compared in lower case as in the unique indexes.

    An address may be the primary one or any other that is verified. ``iexact`` compares in upper case, where ı is I:
    it would read all rows, and may find several users.
    """
    if field == "email":
        address = held_address(deployment, name)
        return None if address is None else address.user
    users = User.objects.filter(deployment=deployment).exclude(username="").annotate(lowered=Lower("username"))
    return users.filter(lowered=Lower(Value(normal_name(name)))).first()


def held_address(deployment: Deployment, email: str) -> EmailAddress | None:
    """The address, with its user, that is ``email`` in any case and is primary or verified; it is one user's."""
    return _held(deployment, email).select_related("user").first()


def holder_id(deployment: Deployment, email: str) -> int:
    """The id of the user who holds the address, 0 if nobody does.

    For those who must not learn which: with it they do the same in either case, and it takes as long.
    """
    return _held(deployment, email).values_list("user_id", flat=True).first() or 0


def _held(deployment: Deployment, email: str) -> QuerySet[EmailAddress]:
    held = EmailAddress.objects.filter(IS_HELD, deployment=deployment).annotate(lowered=Lower("email"))
    return held.filter(lowered=Lower(Value(normal_name(email))))


def users_called(name: str, *, deployment: Deployment | None = None) -> QuerySet[User]:
    """The users whose id, e-mail address or username ``name`` is, in ``deployment`` or anywhere."""
    name = normal_name(name)
    called = Q(email__iexact=name) | Q(username__iexact=name)
    if name.isascii() and name.isdigit() and len(name) <= 18:
        called |= Q(pk=int(name))
    users = User.objects.filter(called).select_related("deployment").order_by("pk")
    return users if deployment is None else users.filter(deployment=deployment)


def address_of(user: User, email: str) -> QuerySet[EmailAddress]:
    """The address of ``user`` that is ``email`` in any case of its letters."""
    return EmailAddress.objects.filter(user=user).annotate(lowered=Lower("email")).filter(lowered=Lower(Value(email)))


def set_verified(user: User, email: str) -> None:
    """Note that a code that was sent to ``email`` came back, if that is an address of ``user``.

    Raises ``ApiError`` (400) if it belongs to another user.
    """
    try:
        with transaction.atomic():
            address_of(user, email).filter(verified_at__isnull=True).update(verified_at=timezone.now())
    except IntegrityError as error:
        raise ApiError(Problem.ADDRESS_TAKEN) from error
