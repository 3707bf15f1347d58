"""Polled endpoints asked by the fast path and by Django alone."""

from __future__ import annotations

import re
from typing import Any

import jwt
from django.test import Client

from accounts.models import User
from tests.support.api import MEMBERSHIPS, ApiClient
from tests.support.factories import token_of

ORIGIN = "https://app.example.com"
TOKEN = "/session/token"
POLLED = [MEMBERSHIPS, "/session", "/me/organization-memberships", "/me", "/deployment", TOKEN]
FOR_VISITORS = ["/session", "/deployment"]


class Ways:
    """Asks both ways with the same headers, in one session."""

    def __init__(self, user: User, path: str, token: str | None = None) -> None:
        self.token = token or token_of(user)
        self.path = path
        self.deployment = user.deployment
        self._django = Client(raise_request_exception=False)
        self._application = ApiClient(user.deployment, token=self.token)
        for _ in range(2):
            self._application.get(path)

    def ask(self, query: str = "", **headers: Any) -> tuple[Any, Any]:
        """The answer of the application, which went the fast path if it could, and that of the long way."""
        headers = {"HTTP_HOST": self.deployment.host, "HTTP_COOKIE": f"__session={self.token}", **headers}
        fast = self._application.get(self.path, query, **headers)
        long = self._django.get(self.path, QUERY_STRING=query, **headers)
        if self.path == TOKEN:  # each is another
            for response in (fast, long):
                response.headers.pop("ETag", None)
        return fast, long


def took_the_fast_path(response: Any) -> bool:
    return hasattr(response, "took_the_fast_path")


def seen(response: Any) -> Any:
    headers = dict(response.headers)
    if response.status_code == 304:  # which has no content: Django calls that one of length 0
        headers.pop("Content-Length", None)
    cookies = {name: (morsel["samesite"], morsel["path"]) for name, morsel in response.cookies.items()}
    content = response.content
    if b'"token":' in content:  # each is another, and its time may be the next second
        claims = jwt.decode(response.json()["data"]["token"], options={"verify_signature": False})
        content = {name: claims[name] for name in claims.keys() - {"jti", "iat", "nbf", "exp"}}, sorted(response.json())
    return response.status_code, content, headers, cookies


def without_new_session(response: Any) -> Any:
    """The visible parts of an answer, without the new session that a visitor gets if theirs is no good."""
    status, content, headers, cookies = seen(response)
    if cookies or "X-Development-Session" in headers:
        if status != 304:  # which "*" gets, whatever the answer is
            new_id = response.json()["session"]["id"].encode()
            content = re.sub(rb'"session":.*', b"", content.replace(new_id, b"new"))
        headers = {name: value for name, value in headers.items() if name not in ("ETag", "X-Development-Session")}
    return status, content, headers, cookies
