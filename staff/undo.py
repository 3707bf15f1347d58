"""Undo for staff: of an action, or of one entry of the audit log, within what they may change themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import OperationalError, connection, transaction

from accounts.models import User
from api.errors import LAST_ADMIN
from api.exceptions import violated_by
from audit import groups
from audit.undo import TABLE, CannotUndo, LeftOut, Undo
from audit.undo_reasons import is_busy
from memberships import last_admin
from memberships.models import OrganizationMembership
from staff.access.permissions import access_of
from staff.account_changes import EXTERNAL_ID, follow_up
from staff.bulk_changes import Refused
from staff.toolkit.refusals import refusal_of

REVERSES = {"added": "delete", "changed": "change", "deleted": "add"}
"""The permission that reversing each kind of entry takes."""
BUSY = "Somebody else is changing rows that these belong to, or it takes too long: try again in a moment."
ELSEWHERE = "This action has also changed rows that you may not change. Ask staff of all deployments to undo it."
_FOR_SUPERUSERS = "only superusers give permissions back"
_ENDED_MARKS = f"""
    DELETE FROM memberships_endedmembership mark
    USING {TABLE} u JOIN memberships_organizationmembership membership ON membership.id = u.object_id
    WHERE u.model = %s AND u.action = 'deleted' AND u.left_out IS NULL
        AND mark.organization_id = membership.organization_id AND mark.user_id = membership.user_id
        AND mark.ended_at = u.at
"""


class Outcome(NamedTuple):
    """The result of an undo, or of its preview; ``shown`` are the ids of the first entries that it reverses."""

    number: int
    shown: list[int]
    left_out: list[LeftOut]
    without_secrets: list[LeftOut]


@contextmanager
def _says_if_busy() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if not is_busy(error):
            raise
        raise Refused([BUSY]) from error


@_says_if_busy()
@transaction.atomic
def undo(
    staff: AbstractBaseUser | AnonymousUser | None,
    title: str,
    *,
    group_id: UUID | None = None,
    entry_id: int | None = None,
    saves: bool,
    without_admin: bool = False,
) -> Outcome:
    """Undo a group of entries, or one of them with its ``group_id``; a command does it as nobody.

    Without ``saves`` it is done and rolled back. Raises ``Refused``; then nothing has changed.
    """
    if without_admin:
        last_admin.let_go()
    plan = Undo(group_id=None if entry_id else group_id, entry_id=entry_id)
    if staff is not None:
        _check_permissions(staff, plan)
    outcome = Outcome(plan.number(), plan.shown(), plan.left_out(), plan.without_secrets())
    users = _users(plan)
    try:
        plan.run()
    except CannotUndo as refusal:
        raise _refused(refusal) from refusal.__cause__
    _remove_marks()
    groups.name(f"Undo of {title}", undoes=group_id)
    if saves:
        _follow_up(users)
    else:
        transaction.set_rollback(True)
    return outcome


def _check_permissions(staff: Any, plan: Undo) -> None:
    access = access_of(staff)
    for model, action in plan.kinds():
        if not hasattr(model, "deployment_path") and not staff.is_superuser:
            plan.leave_out(model._meta.label_lower, _FOR_SUPERUSERS)
        elif not staff.has_perm(f"{model._meta.app_label}.{REVERSES[action]}_{model._meta.model_name}"):
            raise Refused([f"You may not {REVERSES[action]} {model._meta.verbose_name_plural}."])
    if access.deployments is not None and not plan.deployments() <= access.deployments:
        raise Refused([ELSEWHERE])


def _refused(refusal: CannotUndo) -> Refused:
    """The refusal, with the database's own sentence where that is the reason."""
    error: Any = refusal.__cause__
    if error is None or (all(reason.endswith(".") for reason in refusal.reasons) and refusal.reasons):
        return Refused(refusal.reasons)
    sentence = f"{last_admin.refusal(error)}." if violated_by(error) == LAST_ADMIN else refusal_of(error)
    return Refused([" ".join([*refusal.reasons, sentence])])


def _users(plan: Undo) -> dict[int, User]:
    """The users whose changes ``plan`` reverses, as they are now, by id."""
    return User.objects.in_bulk(plan.changed(User))


def _follow_up(before: dict[int, User]) -> None:
    """Sign out and inform users of ``before`` as the form does, whoever made the changes that are undone."""
    now = list(User.objects.filter(pk__in=before).select_related("deployment").order_by("pk"))
    signs_out = [user for user in now if any(getattr(user, c) != getattr(before[user.pk], c) for c in EXTERNAL_ID)]
    follow_up([(user, before[user.pk].email) for user in now], signs_out=signs_out)


def _remove_marks() -> None:
    """Memberships that are there again have not ended: a domain may bring their users back."""
    with connection.cursor() as cursor:
        cursor.execute(_ENDED_MARKS, [OrganizationMembership._meta.label_lower])
