"""The names and addresses that users give for themselves, as fields of a request's body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.values.names import ABNORMAL, INVISIBLE, normal_name, trimmed
from api.errors import ApiError, Problem
from api.requests import optional_text_field, text_field

MAX_NAME = 150
MAX_EMAIL = 254


def email_field(body: Mapping[str, Any], name: str = "email") -> str:
    """The e-mail address in its stored form; raises ``ApiError`` (400) if there is none, or it is none."""
    email = normal_name(text_field(body, name, max_length=MAX_EMAIL))
    try:
        validate_email(email)
    except ValidationError as error:
        raise _not_an_address(name) from error
    if len(email) > MAX_EMAIL or re.search(ABNORMAL, email):
        raise _not_an_address(name)
    return email


def username_field(body: Mapping[str, Any], name: str = "username") -> str:
    """The username in its stored form, "" for none; raises ``ApiError`` (400) if it could be taken for another name.

    Staff find users by address and by id too, so a username has no @ and is no number.
    """
    username = normal_name(optional_text_field(body, name, max_length=MAX_NAME))
    if "@" in username or username.isdigit() or re.search(INVISIBLE, username):
        raise ApiError(Problem.INVALID_FIELD, f"{name} must have no spaces and no @, and must not be a number.")
    return username


def person_field(body: Mapping[str, Any], name: str) -> str:
    """A first or last name without white space around it, "" for none; raises ``ApiError`` (400)."""
    text = trimmed(optional_text_field(body, name, max_length=MAX_NAME))
    if re.search(r"[\x00-\x1F\x7F-\x9F\u2028\u2029\u202A-\u202E\u2066-\u2069]", text):
        raise ApiError(Problem.INVALID_FIELD, f"{name} must be a text on one line.")
    return text


def _not_an_address(name: str) -> ApiError:
    return ApiError(Problem.INVALID_FIELD, f"{name} must be an e-mail address, such as ada@example.com.")
