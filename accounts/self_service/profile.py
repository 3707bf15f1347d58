"""The names that users give themselves."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from django.db import IntegrityError, transaction

from accounts.credentials import mfa, throttling
from accounts.credentials.mfa import SECOND_FACTOR_POLICY
from accounts.models import User
from accounts.values.names import normal_name
from accounts.values.person_fields import person_field, username_field
from api.errors import ApiError, Problem
from api.exceptions import violated_by
from api.networks import Address


def update(user: User, body: Mapping[str, Any], *, address: Address | None) -> None:
    """Change those of the names that ``body`` has; ``address`` is the client's.

    Raises ``ApiError``: 400 if one cannot be taken, or is taken; 429 after too many changes, or taken usernames.
    """
    if body.get("second_factor_policy", SECOND_FACTOR_POLICY) != SECOND_FACTOR_POLICY:
        raise ApiError(
            Problem.INVALID_FIELD,
            "Set up an authenticator or remove it: signing in takes a code as long as you have one.",
        )
    throttling.count_use(throttling.change_limits(user.deployment, account=user, address=address))
    names = _names(user, body)
    limits = throttling.limits(user.deployment, kind="username", account=user, address=address)
    with throttling.attempt(limits) if "username" in names else nullcontext(), transaction.atomic():
        user = mfa.lock(user)
        changed = {name: value for name, value in names.items() if value != getattr(user, name)}
        if not (changed.get("username", user.username) or user.email):
            raise ApiError(Problem.INVALID_FIELD, "You need a username, because you have no e-mail address.")
        if not _save(user, changed):
            raise ApiError(Problem.INVALID_FIELD, "This username is taken; choose another.")


def _save(user: User, changed: Mapping[str, str]) -> bool:
    """Whether nobody else has the username in ``changed``; with that the names are saved."""
    for name, value in changed.items():
        setattr(user, name, value)
    try:
        with transaction.atomic():
            user.save(update_fields=list(changed))
    except IntegrityError as error:
        if violated_by(error) != "accounts_user_username_is_unique":
            raise
        return False
    return True


def _names(user: User, body: Mapping[str, Any]) -> dict[str, str]:
    names = {name: person_field(body, name) for name in ("first_name", "last_name") if name in body}
    # Staff may have given a username that users cannot choose; forms send it back.
    sent = body.get("username")
    if "username" in body and not (isinstance(sent, str) and normal_name(sent) == user.username):
        names["username"] = username_field(body)
    return names
