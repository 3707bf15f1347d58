"""Helpers that sign up as people do: an attempt, and the code of the mail."""

from __future__ import annotations

from typing import Any

from tests.support.api import MULTIPART, ApiClient, data_of
from tests.support.sign_in import PASSWORD, VERIFY, mailed_code

SIGN_UP, PREPARE = "/auth/signup", "/auth/prepare-verification"
ADA = {
    "first_name": "Ada",
    "last_name": "Lindqvist",
    "email": "ada@example.com",
    "username": "ada",
    "password": PASSWORD,
}


def begin(client: ApiClient, content_type: str = MULTIPART, **values: str) -> Any:
    return client.post(SIGN_UP, ADA | values, content_type=content_type)


def attempt_of(response: Any) -> Any:
    return data_of(response)["signup_attempts"][-1]


def prepare(client: ApiClient, attempt: Any) -> Any:
    query = f"attempt_identifier={attempt['id']}&strategy=email_otp&identifier_type=signup"
    return client.post(PREPARE, {}, query, content_type=MULTIPART)


def verify(client: ApiClient, attempt: Any, code: str) -> Any:
    query = f"attempt_identifier={attempt['id']}&identifier_type=signup"
    return client.post(VERIFY, {"verification_code": code}, query, content_type=MULTIPART)


def sign_up(client: ApiClient, **values: str) -> Any:
    """The data of the answer with which the user of ADA, with ``values``, is signed up."""
    attempt = attempt_of(begin(client, **values))
    prepare(client, attempt)
    return data_of(verify(client, attempt, mailed_code()))
