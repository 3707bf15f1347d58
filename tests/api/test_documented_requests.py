"""A request is valid in the OpenAPI document if and only if the server accepts it."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from accounts.models import Deployment, User
from api.errors import ApiError, Problem
from api.requests import MAX_ID, id_parameter
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, document, error_code
from tests.support.cases import each, undone
from tests.support.factories import UserFactory

MALFORMED = (400, 415)
CHALLENGE_FAILED = 40006
"""The solution of an example is understood, but its challenge is long over."""
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]
NONE: dict[str, Any] = {"examples": {}}
"""The content of a body that takes a file: it does not come as JSON."""
KINDS_OF_BODY = (JSON, FORM, MULTIPART)


@pytest.fixture
def browser(user: User) -> ApiClient:
    return ApiClient(user.deployment, user)


def parameters() -> list[tuple[str, str, dict[str, Any]]]:
    """All parameters in a query, each with its operation."""
    return [
        (method, path, parameter)
        for method, path, operation in OPERATIONS
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query"
    ]


def query_of(operation: dict[str, Any]) -> str:
    """A query with what the operation requires."""
    return "&".join(
        f"{parameter['name']}=1"
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and "required" in parameter
    )


def is_valid(schema: dict[str, Any], value: Any) -> bool:
    return Draft202012Validator(schema | {"components": document()["components"]}).is_valid(value)


def send(browser: ApiClient, method: str, path: str, query: str, body: Any = None, content_type: str = JSON) -> int:
    client = deepcopy(browser)
    path = re.sub(r"\{\w+\}", "1", path)
    response = client.get(path, query) if method == "GET" else client.post(path, body, query, content_type=content_type)
    status: int = response.status_code
    if status == 400 and error_code(response) == CHALLENGE_FAILED:
        return 200
    return status


@each(
    ("method", "path", "parameter"),
    parameters(),
    ids=[f"{path} {parameter['name']}" for _, path, parameter in parameters()],
)
def test_a_parameter_is_understood_if_the_document_says_so(
    browser: ApiClient, method: str, path: str, parameter: dict[str, Any]
) -> None:
    operation = document()["paths"][path][method.lower()]
    name = parameter["name"]
    others = "&".join(pair for pair in query_of(operation).split("&") if pair and not pair.startswith(f"{name}="))
    body = {"verification_code": "000000"} if "requestBody" in operation else None
    for value in ("", "1", "007", str(MAX_ID), str(MAX_ID + 1), "abc", "-1", "signin", "default"):
        with undone(value):
            status = send(browser, method, path, f"{name}={value}&{others}".rstrip("&"), body)
            if name == "template":  # there is no such template: 404
                assert (status == 200) == is_valid(parameter["schema"], value)
            else:
                assert (status not in MALFORMED) == is_valid(parameter["schema"], value), status


@given(st.one_of(st.text("0123456789", max_size=25), st.text(max_size=5), st.integers(MAX_ID - 9, MAX_ID + 9).map(str)))
def test_the_pattern_of_an_id_is_the_rule_of_the_server(text: str) -> None:
    (pattern,) = {
        parameter["schema"]["pattern"]
        for _, _, operation in OPERATIONS
        for parameter in operation.get("parameters", [])
        if parameter["name"] in ("org_id", "sign_in_id", "organization_id", "workspace_id")
    }
    try:
        id_parameter(Request(APIRequestFactory().get("/", {"id": text})), "id")
        is_taken = True
    except ApiError:
        is_taken = False
    assert (re.fullmatch(pattern, text) is not None) == is_taken


def documented_bodies() -> list[tuple[str, dict[str, Any], Any]]:
    return [
        (path, operation, example["value"])
        for _, path, operation in OPERATIONS
        if "requestBody" in operation
        for example in operation["requestBody"]["content"].get("application/json", NONE)["examples"].values()
    ]


@each(
    ("path", "operation", "body"),
    documented_bodies(),
    ids=[f"{path} {body}" for path, _, body in documented_bodies()],
)
def test_every_example_of_a_body_is_understood(
    browser: ApiClient, path: str, operation: dict[str, Any], body: Any
) -> None:
    Deployment.objects.update(sign_in_by_code=True)
    for content_type in KINDS_OF_BODY:
        with undone(content_type):
            assert send(browser, "POST", path, query_of(operation), body, content_type) not in MALFORMED


@each(
    "body",
    [
        {"strategy": "plain_email", "email": "ada@example.com", "password": "secret"},
        {"strategy": "plain_username", "username": "ada", "password": "secret"},
        {"strategy": "plain_username", "username": "ada", "password": "secret", "email": "", "phone": ""},
        {"strategy": "outside_token", "token": "x"},
        {"strategy": "plain_email", "email": "ada@example.com", "password": " "},
        {"strategy": "plain_email", "username": "ada", "password": "secret"},
        {"strategy": "plain_email", "email": "ada@example.com"},
        {"strategy": "plain_email", "email": "", "password": "secret"},
        {"strategy": "plain_email", "email": "a" * 1000, "password": "secret"},
        {"strategy": "plain_email", "email": "a" * 1001, "password": "secret"},
        {"strategy": "plain_username", "username": "a\0", "password": "secret"},
        {"strategy": "plain_username", "email": "ada@example.com", "password": "secret"},
        {"strategy": "outside_token", "email": "ada@example.com", "password": "secret"},
        {"strategy": "magic", "email": "ada@example.com", "password": "secret"},
        {"email": "ada@example.com", "password": "secret"},
    ],
)
def test_a_sign_in_is_understood_if_the_document_says_so(deployment: Deployment, body: dict[str, str]) -> None:
    browser = ApiClient(deployment, UserFactory.create(deployment=deployment, email="ada@example.com", username="ada"))
    content = document()["paths"]["/auth/signin"]["post"]["requestBody"]["content"]
    for content_type in KINDS_OF_BODY:
        with undone(content_type):
            status = send(browser, "POST", "/auth/signin", "", body, content_type)
            schema = content[content_type.partition(";")[0]]["schema"]
            assert (status not in MALFORMED) == is_valid(schema, body), status


def test_an_operation_says_that_it_needs_a_session_if_it_does(deployment: Deployment) -> None:
    for method, path, operation in OPERATIONS:
        with undone(method, path):
            answer = ApiClient(deployment).request(method, re.sub(r"\{\w+\}", "1", path), query_of(operation))
            refuses_strangers = answer.status_code == 401 and error_code(answer) == Problem.NO_SESSION.code
            assert refuses_strangers == (operation["security"] != [] and {} not in operation["security"])
