"""Sentences for staff about a change that the database refused."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import DatabaseError, models
from django.utils.text import capfirst

from database.triggers import CHECK_VIOLATION


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
