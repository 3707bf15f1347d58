"""A client of the API that holds every answer against the OpenAPI document."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from functools import cache, lru_cache
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http import HttpResponse
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, ClientHandler, encode_multipart
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker

from accounts.models import Deployment, User
from server import at_once
from tests.support.factories import token_of

MEMBERSHIPS = "/me/workspace-memberships"


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = MULTIPART_CONTENT


class ApiClient:
    """Calls the API of one deployment as a browser does, in the session of one user if given.

    It keeps the session cookie that an answer sets: ``token``. A POST says that it comes from a page of the deployment.
    """

    def __init__(self, deployment: Deployment, user: User | None = None, *, token: str | None = None) -> None:
        self.deployment = deployment
        self.client = Client(raise_request_exception=False)
        self.token = token_of(user) if user is not None else token

    def __deepcopy__(self, memo: dict[int, Any]) -> ApiClient:
        """Another browser with the same cookie."""
        return ApiClient(deepcopy(self.deployment, memo), token=self.token)

    def get(self, path: str = MEMBERSHIPS, query: str = "", **headers: Any) -> Any:
        """GET ``path``?``query``; ``headers`` are WSGI names (HTTP_..., REMOTE_ADDR). The answer is checked."""
        return self.request("GET", path, query, **headers)

    def post(self, path: str, body: Any = None, query: str = "", *, content_type: str = JSON, **headers: Any) -> Any:
        """POST ``path``?``query`` with ``body``: None for none, bytes as they are, else encoded as ``content_type``."""
        data = b"" if body is None else body if isinstance(body, bytes) else encode(body, content_type)
        return self.request("POST", path, query, data=data, content_type=content_type, **headers)

    def request(self, method: str, path: str = MEMBERSHIPS, query: str = "", **headers: Any) -> Any:
        headers.setdefault("HTTP_COOKIE", f"__session={self.token}" if self.token is not None else "")
        headers.setdefault("HTTP_HOST", self.deployment.host)
        if method == "POST":
            headers.setdefault("HTTP_ORIGIN", f"http://{headers['HTTP_HOST']}")
        self.client.handler = _handler()
        response = self.client.generic(method, path, QUERY_STRING=query, **headers)
        check_answer(method, path, response)
        if (cookie := response.cookies.get("__session")) is not None:
            self.token = cookie.value
        return response


def warm_up(client: ApiClient) -> None:
    """Have the process cache the fragments of answers to ``client``.

    After the first request it has a position in the invalidation log; it can cache fragments that it reads later.
    """
    for _ in range(2):
        client.get()


def encode(body: Any, content_type: str) -> bytes:
    """``body`` as JSON, or its fields as one of the two kinds of form."""
    if content_type == MULTIPART:
        return encode_multipart(BOUNDARY, body)
    if content_type == FORM:
        return urlencode(body, doseq=True).encode()
    return json.dumps(body).encode()


class _Handler(ClientHandler):
    """The application as the server has it: probes, the fast path, else Django."""

    def __call__(self, environ: dict[str, Any]) -> Any:
        answer = at_once.answer(environ)
        if answer is None:
            return super().__call__(environ)
        response: Any = HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))
        if "Content-Type" not in dict(answer.headers):
            del response.headers["Content-Type"]
        response.wsgi_request = WSGIRequest(environ)
        response.took_the_fast_path = True
        return response


@cache
def _handler() -> ClientHandler:
    """The middleware and what is below, shared: to build it takes ten times as long as to answer a request."""
    return _Handler(enforce_csrf_checks=False)


@receiver(setting_changed)
def _forget_the_handler(**_: Any) -> None:
    """Middleware reads settings when it is built."""
    _handler.cache_clear()


def memberships(user: User, query: str = "", **headers: Any) -> list[dict[str, Any]]:
    """The ``data`` of a successful answer to ``user``."""
    response = ApiClient(user.deployment, user).get(query=query, **headers)
    assert response.status_code == 200, response.content
    data: list[dict[str, Any]] = response.json()["data"]
    return data


def data_of(response: Any) -> Any:
    """``data`` of a successful answer."""
    assert response.status_code == 200, response.content
    return response.json()["data"]


def error_code(response: Any) -> int:
    """The code of an error's answer, whose status must be the one that the code says."""
    (error,) = response.json()["errors"]
    assert error["code"] // 100 == response.status_code
    code: int = error["code"]
    return code


def document() -> dict[str, Any]:
    """The OpenAPI document, which one thread makes."""
    with _MAKING:
        return _document()


_MAKING = Lock()


@cache
def _document() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return generated


def check_answer(method: str, path: str, response: Any) -> None:
    """Fail unless the document describes this answer of ``path``, and fully: an unknown field is an error."""
    operation = document()["paths"].get(_template(path), {}).get(method.lower())
    if response.status_code >= 400:
        schema: dict[str, Any] = {"$ref": "#/components/schemas/ErrorResponse"}
        if operation is not None:
            assert f"`{error_code(response)}`" in operation["responses"][str(response.status_code)]["description"]
    elif method == "HEAD" or response.status_code in (204, 304):
        assert response.content == b""
        return
    else:
        schema = operation["responses"][str(response.status_code)]["content"]["application/json"]["schema"]
    assert response.headers["Content-Type"] == "application/json"
    if method != "HEAD":
        _validate(schema["$ref"], response.content)


def _template(path: str) -> str:
    """The path of the document that ``path`` is of: ids in the place of its parameters."""
    fitting = (
        template for template in document()["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[0-9]+", template), path)
    )
    return next(fitting, path)


@lru_cache(100)
def _validate(reference: str, body: bytes) -> None:
    """Many answers are the same as the last one, and to check one takes longer than to answer."""
    _validator(reference).validate(json.loads(body))


@cache
def _validator(reference: str) -> Draft202012Validator:
    return Draft202012Validator(_component(reference), format_checker=FormatChecker(["date-time"]))


@cache
def _component(reference: str) -> Any:
    return _closed(document()["components"]["schemas"][reference.removeprefix("#/components/schemas/")])


def _closed(schema: Any) -> Any:
    """The schema with every object that lists its properties closed to others.

    Components stand in the place of references, which are half the work of checking an answer.
    """
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if "$ref" in closed:
        return _component(closed["$ref"])
    if isinstance(closed.get("properties"), dict) and closed.get("type") == "object":
        closed["additionalProperties"] = False
    return closed


RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
