"""The steps of a user who has forgotten a password."""

from __future__ import annotations

from typing import Any

from tests.support.api import MULTIPART, ApiClient, data_of
from tests.support.sign_in import mailed_code

FORGOT, RESET = "/auth/forgot-password", "/auth/reset-password"
NEW_PASSWORD = "nine quiet owls hoot"


def forget(client: ApiClient, email: str = "ada@example.com", content_type: str = MULTIPART) -> Any:
    return client.post(FORGOT, {"email": email}, content_type=content_type)


def exchange(client: ApiClient, code: str, email: str = "ada@example.com") -> Any:
    return client.post(FORGOT, {"email": email, "otp": code}, content_type=MULTIPART)


def token_by_mail(client: ApiClient, email: str = "ada@example.com") -> str:
    forget(client, email)
    token: str = data_of(exchange(client, mailed_code(), email))["token"]
    return token


def reset(client: ApiClient, token: str, password: str = NEW_PASSWORD, content_type: str = MULTIPART) -> Any:
    return client.post(RESET, {"token": token, "password": password}, content_type=content_type)
