"""New passwords of users: the rules that one must meet, and the effects of a change."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

from accounts.authentication import sessions
from accounts.mail import notices
from accounts.models import Session, User
from accounts.values.mail_texts import Template
from api.errors import ApiError, Problem
from api.networks import Address


def require_good(password: str, user: User) -> None:
    """Raise ``ApiError`` (400) if ``password`` is too short, too common, or too similar to the names of ``user``.

    The rules are those for staff; the user need not be saved.
    """
    try:
        password_validation.validate_password(password, cast(Any, user))
    except ValidationError as error:
        raise ApiError(Problem.WEAK_PASSWORD, " ".join(error.messages)) from error


def change(user: User, password: str, *, address: Address | None, keep: Session | None = None) -> None:
    """Set ``password``, sign ``user`` out everywhere but in the session ``keep``, and tell them by mail.

    ``address`` is the client's. Call it in the transaction that holds the row of the user (``mfa.lock``).
    """
    user.set_password(password)
    user.save(update_fields=["password"])
    sessions.sign_out_everywhere([user], keep=keep)
    notices.send(user, Template.PASSWORD_CHANGED, address=address)
