"""Finding users by id, e-mail address or username."""

from __future__ import annotations

from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower

from accounts.models import Deployment, EmailAddress, User
from accounts.models.addresses import IS_HELD
from accounts.names import normal_name


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
    held = EmailAddress.objects.filter(IS_HELD, deployment=deployment).annotate(lowered=Lower("email"))
    return held.filter(lowered=Lower(Value(normal_name(email)))).select_related("user").first()


def users_called(name: str, *, deployment: Deployment | None = None) -> QuerySet[User]:
    """The users whose id, e-mail address or username ``name`` is, in ``deployment`` or anywhere."""
    name = normal_name(name)
    called = Q(email__iexact=name) | Q(username__iexact=name)
    if name.isascii() and name.isdigit() and len(name) <= 18:
        called |= Q(pk=int(name))
    users = User.objects.filter(called).select_related("deployment").order_by("pk")
    return users if deployment is None else users.filter(deployment=deployment)
