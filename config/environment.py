"""Reads settings from the environment, and unset ones from the file that ENV_FILE names, else from ``.env``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate
from environs.exceptions import EnvError
from marshmallow import ValidationError

from api.networks import parse_network

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
env.read_env(os.environ.get("ENV_FILE") or BASE_DIR / ".env", recurse=False)

NAMES = {"ENV_FILE"}
"""Every variable that was read."""

_HOW = {
    "SECRET_KEY": "make one by python3 -c 'import secrets; print(secrets.token_urlsafe(48))'",
    "KEY_ENCRYPTION_KEYS": (
        "make one by python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
    ),
    "DATABASE_URL": "set it to postgresql://user:password@host:port/name, or install requirements/local.txt",
}
"""Hints for making the variables that have no default."""

_problems: dict[str, str] = {}


def read(kind: str, name: str, default: Any = ..., **options: Any) -> Any:
    """The variable ``name`` as a ``kind`` of environs ("int", "bool", "list" ...).

    If it is required and unset, or unreadable, ``require_sound`` says so; until then the value is the default, or None.
    An empty variable counts as unset, as it does in most shells' and containers' templates.
    """
    NAMES.add(name)
    is_required = default is ...
    value = None if is_required else default
    if env.str(name, "") == "":
        if is_required:
            _problems[name] = f"{name} is not set: {_HOW.get(name, 'it has no default')}"
        return value
    try:
        return getattr(env, kind)(name, **options)
    except EnvError as error:
        _problems[name] = " ".join(str(error).split())
        return value


def refuse(name: str, why: str) -> None:
    """Have ``require_sound`` report that the variable ``name`` is wrong."""
    _problems.setdefault(name, f"{name} is wrong: {why}")


def require_sound() -> None:
    """Raise ``ImproperlyConfigured`` with one line for each variable that is missing or wrong, if any is."""
    if _problems:
        raise ImproperlyConfigured("\n".join(f"{problem}; see docs/configuration.md" for problem in _problems.values()))


def networks(values: list[str]) -> None:
    """Validates a list of CIDR networks."""
    for value in values:
        try:
            parse_network(value)
        except ValueError as error:
            raise ValidationError(f"{value!r} is no address or CIDR network") from error


def secret(value: str) -> None:
    """Validates a key that nobody can guess: it is long, and no few characters over and over."""
    if len(value) < 32 or len(set(value)) < 10 or value.startswith("django-insecure-"):
        raise ValidationError(
            "32 or more random characters are needed; make a key by "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )


def fernet_keys(values: list[str]) -> None:
    """Validates a list of Fernet keys."""
    for value in values:
        try:
            Fernet(value)
        except ValueError as error:
            raise ValidationError("each key must be 32 bytes in url-safe base64") from error


def email_address(value: str) -> None:
    """Validates an address that mail can come from."""
    validate.Email(error="it must be an address such as no-reply@example.com")(value)


def mail_settings(url: str) -> dict[str, Any]:
    """Django's settings for the mail server that ``url`` names: ``smtp://``, ``smtps://``, ``console:`` or ``file:///``.

    ``smtp://`` means STARTTLS unless ``?starttls=no`` or the server is on this machine. Raises ``ValueError`` with the
    reason if it is none of these.
    """
    parts = urlsplit(url)
    if parts.scheme == "console" and url.rstrip("/") == "console:":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        backend = "django.core.mail.backends.filebased.EmailBackend"
        return {"EMAIL_BACKEND": backend, "EMAIL_FILE_PATH": unquote(parts.path)}
    if parts.scheme not in ("smtp", "smtps") or parts.hostname is None or parts.path not in ("", "/"):
        raise ValueError(
            "it must look like smtp://user:password@host:587, smtps://user:password@host:465, console: or file:///folder"
        )
    is_tls = parts.scheme == "smtps"
    if parts.query and (is_tls or parts.query != "starttls=no"):
        raise ValueError("after the ? only starttls=no can stand, and only with smtp://")
    is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if is_tls else 25 if is_local else 587),  # raises ValueError, too
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": not (is_tls or is_local or parts.query),
        "EMAIL_USE_SSL": is_tls,
    }


def between(low: int, high: int) -> Any:
    return validate.Range(min=low, max=high)


def one_of(*choices: str) -> Any:
    return validate.OneOf(choices)
