"""Erases one person: their user, all that was sent to their addresses, and their data in the audit log."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models.functions import Lower

from accounts.authentication import sessions
from accounts.models import EmailAddress, Mail, SignInAttempt, SignUpAttempt, SignUpInvitation, User
from accounts.self_service import picture
from audit import erasure
from memberships.models import OrganizationInvitation

_SENT_TO: list[tuple[type[Any], str]] = [
    (Mail, "to"),
    (SignInAttempt, "email"),
    (SignUpAttempt, "email"),
    (SignUpInvitation, "email"),
    (OrganizationInvitation, "email"),
]
"""The tables that have the address of a person, whether or not they are a user."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The numbers of rows that were deleted, by the names of their models, and of the log's entries without names."""

    deleted: dict[str, int]
    entries: int


@transaction.atomic
def erase(user: User) -> Erasure:
    """Erase the person; raises ``IntegrityError``, by the end of the transaction, if they are a last administrator."""
    names = [
        name for name in (user.email, user.username, *user.email_addresses.values_list("email", flat=True)) if name
    ]
    lowered = list(user.email_addresses.annotate(lowered=Lower("email")).values_list("lowered", flat=True))
    pk, deployment_id = user.pk, user.deployment_id
    deleted: Counter[str] = Counter()
    sessions.sign_out_everywhere([user])
    picture.discard(user)
    for model, field in _SENT_TO:
        rows = model._default_manager.filter(deployment=deployment_id).annotate(lowered=Lower(field))
        deleted.update(_numbers(rows.filter(lowered__in=lowered).delete()[1]))
    deleted.update(_numbers(user.delete()[1]))
    user.pk = pk  # which the deletion has taken, and the log still has
    entries = erasure.erase(
        user,
        deployment_id=deployment_id,
        names=names,
        names_in=(User, EmailAddress),
        sent_to=(SignUpInvitation, OrganizationInvitation),
    )
    return Erasure(dict(deleted), entries)


def _numbers(by_label: dict[str, int]) -> dict[str, int]:
    return {apps.get_model(label)._meta.verbose_name_plural: number for label, number in by_label.items() if number}
