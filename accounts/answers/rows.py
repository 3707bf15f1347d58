"""Users, sign-ins and attempts to sign in or up as rows, and the SQL that reads each as a JSON array.

A polled statement reads many of them as one value: JSON text, of which ``orjson.loads`` makes the arguments of a row.
Times are RFC 3339 in UTC.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from accounts.models.attempts import awaits_mailed_code
from database.prepared import time_text


class AddressRow(NamedTuple):
    """An e-mail address of a user."""

    id: str
    email: str
    is_primary: bool
    verified_at: str
    """"" for an address that is not verified."""


class PublicUserRow(NamedTuple):
    """The columns of a user that other members may read."""

    id: str
    username: str
    first_name: str
    last_name: str
    picture: str
    addresses: list[list[Any]]
    """Each has the fields of an ``AddressRow``. The primary one comes first, if there is one; others are not shown."""


class UserRow(NamedTuple):
    """The columns that users may read of themselves. Fields named ``*_json`` are JSON text, ready to be sent."""

    id: str
    username: str
    first_name: str
    last_name: str
    picture: str
    addresses: list[list[Any]]
    """As in ``PublicUserRow``, but all of them."""
    has_password: bool
    public_metadata_json: str
    authenticator: tuple[str, str] | None
    """The id of the confirmed one, and when it was made."""
    has_backup_codes: bool
    """Whether any are left; they count only beside an authenticator."""
    segments_json: str


class SignInRow(NamedTuple):
    id: str
    user_id: str
    expires_at: str
    last_active_at: str
    ip_address: str
    user_agent: str


class SignInAttemptRow(NamedTuple):
    """A sign-in that awaits the code of a mail or an MFA code, or is completed."""

    id: str
    email: str
    session_id: str
    method: str
    expires_at: str
    has_authenticator: bool
    has_backup_codes: bool
    user_id: str
    is_completed: bool = False
    awaits_mailed_code: bool = False
    """With that, the row says no more than the client does: nobody need have the address."""


class SignUpAttemptRow(NamedTuple):
    """A sign-up that awaits the code of a mail, or is completed."""

    id: str
    session_id: str
    first_name: str
    last_name: str
    email: str
    username: str
    is_completed: bool = False
    missing: tuple[str, ...] = ()
    """The fields that the user has to give anew."""


def public_user(user: str) -> str:
    """The SQL of a ``PublicUserRow``; ``user`` is the name of the table's row, as in all of these."""
    return f"json_build_array({_names(user)}, {_addresses(user, 'AND address.is_primary')})"


def user(user: str, *, segments: str) -> str:
    """The SQL of a ``UserRow``; ``segments`` is that of the JSON text of their segments."""
    return f"""
        json_build_array(
            {_names(user)}, {_addresses(user)}, {user}.password <> '', {user}.public_metadata::text,
            (
                SELECT json_build_array(authenticator.id::text, {time_text("authenticator.created_at")})
                FROM accounts_authenticator authenticator
                WHERE authenticator.user_id = {user}.id AND authenticator.confirmed_at IS NOT NULL
                ORDER BY authenticator.id LIMIT 1
            ),
            {_has_backup_codes(user)}, {segments}
        )
    """


def sign_in(sign_in: str) -> str:
    """The SQL of a ``SignInRow``."""
    return f"""
        json_build_array(
            {sign_in}.id::text, {sign_in}.user_id::text, {time_text(f"{sign_in}.expires_at")},
            {time_text(f"coalesce({sign_in}.last_active_at, {sign_in}.created_at)")},
            coalesce(host({sign_in}.ip_address), ''), {sign_in}.user_agent
        )
    """


def sign_in_attempt(attempt: str, user: str) -> str:
    """The SQL of a ``SignInAttemptRow`` that is not completed."""
    awaits = awaits_mailed_code(attempt)
    return f"""
        json_build_array(
            {attempt}.id::text, coalesce(nullif({attempt}.email, ''), {user}.email), {attempt}.session_id::text,
            {attempt}.method, {time_text(f"{attempt}.expires_at")},
            NOT ({awaits}) AND EXISTS (
                SELECT 1 FROM accounts_authenticator authenticator
                WHERE authenticator.user_id = {user}.id AND authenticator.confirmed_at IS NOT NULL
            ),
            NOT ({awaits}) AND {_has_backup_codes(user)},
            CASE WHEN {awaits} THEN '' ELSE {user}.id::text END, false, {awaits}
        )
    """


def sign_up_attempt(attempt: str) -> str:
    """The SQL of a ``SignUpAttemptRow`` that is not completed."""
    names = ", ".join(f"{attempt}.{name}" for name in ("first_name", "last_name", "email", "username"))
    return f"json_build_array({attempt}.id::text, {attempt}.session_id::text, {names})"


def _names(user: str) -> str:
    return f"{user}.id::text, {user}.username, {user}.first_name, {user}.last_name, {user}.picture"


def _addresses(user: str, condition: str = "") -> str:
    return f"""
        coalesce((
            SELECT json_agg(
                json_build_array(
                    address.id::text, address.email, address.is_primary,
                    coalesce({time_text("address.verified_at")}, '')
                )
                ORDER BY NOT address.is_primary, address.id
            )
            FROM accounts_emailaddress address WHERE address.user_id = {user}.id {condition}
        ), '[]')
    """


def _has_backup_codes(user: str) -> str:
    return f"EXISTS (SELECT 1 FROM accounts_backupcode code WHERE code.user_id = {user}.id AND code.used_at IS NULL)"
