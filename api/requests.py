"""Checks the parameters and fields that clients send: each is returned as its type, or refused by an ``ApiError``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, QueryDict
from rest_framework.request import Request

from api.errors import ApiError, Problem

MAX_ID = 2**63 - 1
MAX_TEXT = 1000
MAX_ITEMS = 500


def _digits_up_to(largest: int) -> str:
    """A regular expression for the decimal numbers from 0 to ``largest``, leading zeros allowed."""
    digits = str(largest)
    smaller = [
        f"{digits[:index]}[0-{int(digit) - 1}][0-9]{{{len(digits) - index - 1}}}"
        for index, digit in enumerate(digits)
        if digit != "0"
    ]
    return f"0*([0-9]{{1,{len(digits) - 1}}}|{'|'.join(smaller)}|{digits})"


ID_PATTERN = _digits_up_to(MAX_ID)
"""The ids that ``id_parameter`` takes, for the OpenAPI document; the server itself checks them more quickly."""


def django_request(request: Request | HttpRequest) -> Any:
    """Django's own request below that of Django REST framework: what is set on it, the middleware sees."""
    return request._request if isinstance(request, Request) else request


def single_parameter(request: Request, name: str) -> str:
    """The query parameter ``name``, "" if absent; raises ``ApiError`` (400) if it was given more than once."""
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise ApiError(Problem.REPEATED_PARAMETER, f"Give {name} once only.")
    return values[0] if values else ""


def id_parameter(request: Request, name: str, problem: Problem = Problem.INVALID_PARAMETER) -> int | None:
    """The id in the query parameter ``name``, None if that is absent or empty; raises ``ApiError`` (400) if it is no
    id.
    """
    value = single_parameter(request, name)
    if value == "":
        return None
    digits = value.lstrip("0") or "0"
    if not re.fullmatch(r"[0-9]+", value, re.ASCII) or len(digits) > 19 or int(digits) > MAX_ID:
        raise ApiError(problem, f"{name} must be an id: decimal digits that fit into 64 bits.")
    return int(digits)


def body_of(request: Request) -> Mapping[str, Any]:
    """The fields of the body, be it JSON or a form; raises ``ApiError`` (400) if it is no object."""
    try:
        body = request.data
    except RecursionError as error:
        raise ApiError(Problem.MALFORMED_REQUEST) from error
    if not isinstance(body, Mapping):
        raise ApiError(Problem.MALFORMED_REQUEST, "The JSON must be an object.")
    return body


def text_field(body: Mapping[str, Any], name: str, *, max_length: int = MAX_TEXT) -> str:
    """The text in the field ``name``; raises ``ApiError`` (400) if there is none, or one that cannot be stored."""
    value = body.get(name, "")
    if not isinstance(value, str) or not value or len(value) > max_length or not is_storable(value):
        raise ApiError(Problem.INVALID_FIELD, f"{name} must be a text of 1 to {max_length} characters.")
    return value


def optional_text_field(body: Mapping[str, Any], name: str, *, max_length: int = MAX_TEXT) -> str:
    """As ``text_field``, but "" if there is none."""
    return "" if body.get(name, "") == "" else text_field(body, name, max_length=max_length)


def file_field(body: Mapping[str, Any], name: str, *, max_bytes: int) -> UploadedFile | None:
    """The file in the field ``name`` of a form, None for an empty one; raises ``ApiError`` (400) if there is none."""
    value = body.get(name)
    if value == "":
        return None
    if not isinstance(value, UploadedFile):
        raise ApiError(Problem.INVALID_FIELD, f"{name} must be a file, in a form.")
    if (value.size or 0) > max_bytes:
        raise ApiError(Problem.INVALID_FIELD, f"{name} is too large; send {max_bytes // 2**20} MB at most.")
    return value if value.size else None


def texts_field(body: Mapping[str, Any], name: str, *, number: int) -> list[str]:
    """The ``number`` texts in the field ``name``: a JSON array, or the field of a form repeated (``name`` or
    ``name[]``).
    """
    if isinstance(body, QueryDict):
        values: Any = body.getlist(name) or body.getlist(f"{name}[]")
    else:
        values = body.get(name)
    if (
        not isinstance(values, list)
        or len(values) != number
        or not all(isinstance(value, str) and is_storable(value) for value in values)
    ):
        raise ApiError(Problem.INVALID_FIELD, f"{name} must be {number} texts.")
    return values


def boolean_field(body: Mapping[str, Any], name: str) -> bool:
    """The boolean in the field ``name``, in forms ``true`` or ``false``; raises ``ApiError`` (400)."""
    value = body.get(name)
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    if not isinstance(value, bool):
        raise ApiError(Problem.INVALID_FIELD, f"{name} must be true or false.")
    return value


def list_field(body: Mapping[str, Any], name: str) -> list[str] | None:
    """The texts in the field ``name``, None if it was not sent; raises ``ApiError`` (400).

    A JSON array, or in a form the field repeated (``name`` or ``name[]``) or numbered (``name[0]``, ``name[1]``). A
    single empty one is the empty list, which a form cannot send otherwise.
    """
    values: Any = body.get(name)
    if isinstance(body, QueryDict):
        numbered = [key for key in body if re.fullmatch(rf"{name}\[[0-9]{{1,4}}\]", key)]
        numbered.sort(key=lambda key: int(key[len(name) + 1 : -1]))
        values = body.getlist(name) or body.getlist(f"{name}[]") or [body[key] for key in numbered] or None
    if values is None:
        return None
    if (
        not isinstance(values, list)
        or len(values) > MAX_ITEMS
        or not all(isinstance(value, str) and len(value) <= MAX_TEXT and is_storable(value) for value in values)
    ):
        raise ApiError(Problem.INVALID_FIELD, f"{name} must be a list of at most {MAX_ITEMS} texts.")
    return [] if values == [""] else values


def id_field(body: Mapping[str, Any], name: str) -> int | None:
    """The id in the field ``name``, a text or a number, None if there is none or it is empty; raises ``ApiError``."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(ID_PATTERN, value, re.ASCII):
        raise ApiError(Problem.INVALID_FIELD, f"{name} must be an id: decimal digits that fit into 64 bits.")
    return int(value)


def number_parameter(request: Request, name: str, *, default: int, largest: int) -> int:
    """The number from 1 to ``largest`` in the query parameter ``name``, ``default`` if it is absent or empty."""
    value = single_parameter(request, name)
    if value == "":
        return default
    if not re.fullmatch(_digits_up_to(largest), value, re.ASCII) or int(value) == 0:
        raise ApiError(Problem.INVALID_PARAMETER, f"{name} must be a number from 1 to {largest}.")
    return int(value)


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold ``text``: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
