"""The OpenAPI document, and the page that shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from api.errors import Problem
from tests.support.api import document
from tests.support.cases import each, named


def operations() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_document_is_valid_openapi() -> None:
    validate(document())


def test_generating_the_document_gives_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--fail-on-warn", "--format", "openapi-json")
    assert capsys.readouterr().err == ""


def test_the_served_document_is_the_generated_one() -> None:
    response = Client().get("/openapi.json")
    assert response.headers["Content-Type"].startswith("application/vnd.oai.openapi+json")
    assert json.loads(response.content)["paths"] == document()["paths"]


def test_the_document_is_made_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Client().get("/openapi.json", headers={"Host": "accounts.example.com"})
    monkeypatch.delattr("drf_spectacular.generators.SchemaGenerator.get_schema")
    assert Client().get("/openapi.json", headers={"Host": "other.example.com"}).content == first.content


def test_a_client_that_has_the_document_gets_304() -> None:
    etag = Client().get("/openapi.json").headers["ETag"]
    answer = Client().get("/openapi.json", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    assert Client().get("/openapi.json", headers={"If-None-Match": '"another"'}).status_code == 200


@each(
    ("accepted", "media_type"),
    [
        ("text/html, */*;q=0.8", "application/vnd.oai.openapi+json"),
        ("application/json", "application/json"),
        ("application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
    ],
)
def test_the_document_comes_as_the_media_type_that_is_asked_for(accepted: str, media_type: str) -> None:
    answer = Client().get("/openapi.json", headers={"Accept": accepted})
    assert answer.headers["Content-Type"] == media_type
    assert json.loads(answer.content)["openapi"].startswith("3.1")


@each(
    "name",
    [
        "WorkspaceMembership",
        "Workspace",
        "Organization",
        "WorkspaceRole",
        "Segment",
        "SegmentType",
        "EligibilityRestriction",
        "EligibilityRestrictionType",
    ],
)
def test_components_have_the_names_of_the_contract(name: str) -> None:
    assert name in document()["components"]["schemas"]


@each("name", ["WorkspaceMembership", "OrganizationMembership", "Workspace", "Organization"])
def test_no_field_of_a_membership_may_be_absent(name: str) -> None:
    schema = document()["components"]["schemas"][name]
    assert set(schema["properties"]) == set(schema["required"])


def test_the_page_tries_requests_at_the_host_that_serves_it() -> None:
    assert document()["servers"][0]["url"] == "/"


def test_all_ways_to_send_a_token_are_described() -> None:
    schemes = document()["components"]["securitySchemes"]
    assert schemes["sessionCookie"]["name"] == "__session"
    assert schemes["devSessionQuery"]["name"] == "__dev_session__"
    assert (schemes["sessionBearer"]["type"], schemes["sessionBearer"]["scheme"]) == ("http", "bearer")
    assert document()["paths"]["/me/workspace-memberships"]["get"]["security"] == [
        {"sessionCookie": []},
        {"devSessionQuery": []},
        {"sessionBearer": []},
    ]


def test_every_status_has_an_example_that_fits_its_schema() -> None:
    for name, operation in operations():
        for status, response in operation["responses"].items():
            if status != "304":
                with named(name, status):
                    examples_fit(response["content"]["application/json"])


def test_every_operation_documents_the_errors_that_all_can_have() -> None:
    for name, operation in operations():
        assert {"400", "404", "405", "406", "413", "414", "431", "500", "503"} <= set(operation["responses"]), name


def test_every_body_of_a_request_has_an_example_that_fits_its_schema() -> None:
    for name, operation in operations():
        for media_type, content in operation.get("requestBody", {"content": {}})["content"].items():
            with named(name, media_type):
                examples_fit(content)


def examples_fit(content: dict[str, Any]) -> None:
    """Fail if there is none, or one does not fit."""
    assert content["examples"]
    validator = Draft202012Validator(content["schema"] | {"components": document()["components"]})
    for example in content["examples"].values():
        validator.validate(example["value"])


def test_a_file_of_a_form_is_described_as_bytes() -> None:
    """Not as the address that an answer gives a file."""
    schemas = document()["components"]["schemas"]
    assert schemas["Picture"]["properties"]["file"] == {"type": "string", "format": "binary"}


def test_every_error_is_explained() -> None:
    for problem in Problem:
        assert str(problem.code) in document()["info"]["description"]
        assert problem.cause in document()["info"]["description"]


def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = Client().get("/docs/").content.decode()
    assert "//" not in page.replace("http://www.w3.org", "")
    assert finders.find("drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js")
