"""Reads settings from the environment; what it leaves unset, from the file that ENV_FILE names, else from ``.env``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate
from environs.exceptions import EnvError
from marshmallow import ValidationError

from config.networks import parse_network

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
env.read_env(os.environ.get("ENV_FILE") or BASE_DIR / ".env", recurse=False)

NAMES = {"ENV_FILE"}
"""Every variable that was asked for."""


def read(kind: str, name: str, default: Any = ..., **options: Any) -> Any:
    """The variable ``name`` as a ``kind`` of environs ("int", "bool", "list" ...).

    Raises ``ImproperlyConfigured`` with one line that names the variable if it is required and unset, or unreadable.
    An empty variable counts as unset, as it does in most shells' and containers' templates.
    """
    NAMES.add(name)
    reader = getattr(env, kind)
    try:
        if default is ...:
            value = reader(name, **options)
            if value == "" or value == []:
                raise ImproperlyConfigured(f"{name} must not be empty; see docs/configuration.md")
            return value
        if env.str(name, "") == "":
            return default
        return reader(name, default, **options)
    except EnvError as error:
        raise ImproperlyConfigured(f"{' '.join(str(error).split())}; see docs/configuration.md") from error


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


def between(low: int, high: int) -> Any:
    return validate.Range(min=low, max=high)


def one_of(*choices: str) -> Any:
    return validate.OneOf(choices)
