"""The rule that an organization keeps an administrator, for those who write: see ``memberships.triggers``."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, connection

from memberships.triggers import MAY_GO


def let_go() -> None:
    """Have the rest of the present transaction leave organizations without administrators, which staff may do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, 'on', true)", [MAY_GO])


def check() -> None:
    """Raise ``IntegrityError`` now, not only at the end of the transaction, if one of its changes breaks the rule.

    For whoever rolls back what they try, and for those who can still say what is wrong.
    """
    connection.check_constraints()


def refusal(error: DatabaseError) -> str:
    """The database's sentence about the refusal ``error``, which names the organization."""
    cause: Any = error.__cause__
    return str(cause.diag.message_primary)
