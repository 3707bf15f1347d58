"""Finding users by id, e-mail address or username."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts.models import Deployment, User
from accounts.names import normal_name


def users_called(name: str, *, deployment: Deployment | None = None) -> QuerySet[User]:
    """The users whose id, e-mail address or username ``name`` is, in ``deployment`` or anywhere."""
    name = normal_name(name)
    called = Q(email__iexact=name) | Q(username__iexact=name)
    if name.isascii() and name.isdigit() and len(name) <= 18:
        called |= Q(pk=int(name))
    users = User.objects.filter(called).select_related("deployment").order_by("pk")
    return users if deployment is None else users.filter(deployment=deployment)
