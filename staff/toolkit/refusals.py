"""Sentences for staff about a change that the database refused."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import DatabaseError, models
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from api.errors import LAST_ADMIN
from api.exceptions import violated_by
from database.triggers import CHECK_VIOLATION
from memberships import last_admin

WITHOUT_ADMIN = "without_admin"
"""The checkbox by which staff let an organization lose its last administrator."""


def settle(request: HttpRequest) -> None:
    """Check in a transaction, before it ends, the rules that hold at its end; raises ``IntegrityError``."""
    if request.POST.get(WITHOUT_ADMIN):
        last_admin.let_go()
    last_admin.check()


def way_out(error: DatabaseError) -> SafeString | str:
    """The checkbox that lets the change be made nevertheless, "" if nothing does."""
    if violated_by(error) != LAST_ADMIN:
        return ""
    return format_html(
        '<label><input type="checkbox" name="{}"> Leave the organization without an administrator</label>',
        WITHOUT_ADMIN,
    )


def refusal_of(error: DatabaseError) -> str:
    """The sentence for staff about a change that the database refused with ``error``."""
    diagnostics: Any = getattr(error.__cause__, "diag", None)
    if diagnostics is not None:
        for model in apps.get_models():
            for constraint in model._meta.constraints:
                if constraint.name == diagnostics.constraint_name:
                    return _violation(model, constraint)
        if diagnostics.sqlstate == CHECK_VIOLATION and not diagnostics.table_name:  # raised by a trigger of ours
            return f"{capfirst(diagnostics.message_primary)}."
    return "The database refused this. Somebody may have changed the same data meanwhile: check it, and save again."


def _violation(model: type[models.Model], constraint: models.BaseConstraint) -> str:
    if constraint.violation_error_message == constraint.default_violation_error_message and isinstance(
        constraint, models.UniqueConstraint
    ):
        return model().unique_error_message(model, constraint.fields).messages[0]
    return str(constraint.get_violation_error_message())
