"""The answers that a client takes (RFC 9110, 12.5.1), and the encodings of its JSON (RFC 8259, 8.1)."""

from __future__ import annotations

import codecs
import json

from accounts.models import User
from tests.support.api import FORM, ApiClient, error_code, warm_up
from tests.support.cases import each
from tests.support.sign_in import PASSWORD, user_with_password

TAKES_JSON = [
    "",
    " ",
    "*/*",
    "application/json",
    "Application/JSON",
    "application/*",
    "application/json;q=0.001",
    "application/json; charset=utf-8",
    "application/json;indent=4;q=0.1",
    "text/html, */*;q=0.1",
    "application/*;q=0, application/json",
    "*/*;q=0, application/json",
    "*/*;q=0, application/*;q=0.5",
    "application/json, application/*;q=0, */*;q=0",
    "application/json;indent=4;q=0, application/json",
    "application/json;q=0.000, application/json;q=1",
    "application/json;q=nonsense",
    "application/json;q=00",
    ",,application/json,",
]
TAKES_NONE = [
    "application/json;q=0",
    "application/json;q=0.0",
    "application/json ; Q=0.000",
    "application/json; q = 0",
    "*/*;q=0",
    "application/*;q=0, */*",
    "application/json;q=0, */*",
    "application/json;q=0, application/*, */*",
    "*/*, application/json;q=0",
    "text/html",
    "text/html, */*;q=0",
    "text/*",
    "application/jsonx",
    "application/json-seq, text/html",
    "xapplication/json",
    "application/problem+json",
    "application/json;indent=4;q=0",
]


@each("accept", TAKES_JSON)
def test_a_client_that_takes_json_gets_it(user: User, accept: str) -> None:
    client = ApiClient(user.deployment, user)
    warm_up(client)
    answer = client.get(HTTP_ACCEPT=accept)
    assert answer.status_code == 200
    assert hasattr(answer, "took_the_fast_path")
    assert client.get("/session", HTTP_ACCEPT=accept).status_code == 200


@each("accept", TAKES_NONE)
def test_the_error_for_another_media_type_says_that_there_is_only_json(user: User, accept: str) -> None:
    client = ApiClient(user.deployment, user)
    warm_up(client)
    for path in ("/me/workspace-memberships", "/session", "/deployment", "/.well-known/jwks.json"):
        assert error_code(client.get(path, HTTP_ACCEPT=accept)) == 40601
    assert error_code(client.post("/auth/signin", {}, HTTP_ACCEPT=accept)) == 40601


def test_an_unknown_accept_header_hides_no_other_error(user: User) -> None:
    assert error_code(ApiClient(user.deployment).request("PUT", HTTP_ACCEPT="text/html")) == 40501


def sign_in_body(user: User) -> str:
    return json.dumps({"strategy": "plain_email", "email": user.email, "password": PASSWORD})


def test_json_may_begin_with_a_byte_order_mark(user: User) -> None:
    user = user_with_password(user.deployment)
    body = codecs.BOM_UTF8 + sign_in_body(user).encode()
    for kind in ("application/json", "application/json; charset=utf-8", "application/json; charset=UTF8"):
        client = ApiClient(user.deployment)
        assert client.post("/auth/signin", body, content_type=kind).status_code == 200


@each("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_json_in_another_encoding_is_refused_with_the_right_one(user: User, encoding: str) -> None:
    response = ApiClient(user.deployment).post("/auth/signin", sign_in_body(user).encode(encoding))
    assert error_code(response) == 40000
    assert "UTF-8" in response.json()["errors"][0]["message"]


@each("body", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf{}", b"\xef\xbb", b"\xff", b'{"a": "\xff"}'])
def test_a_body_that_is_no_json_stays_refused(user: User, body: bytes) -> None:
    assert error_code(ApiClient(user.deployment).post("/auth/signin", body)) == 40000


def test_a_form_is_read_as_ever(user: User) -> None:
    user = user_with_password(user.deployment)
    response = ApiClient(user.deployment).post("/auth/signin", json.loads(sign_in_body(user)), content_type=FORM)
    assert response.status_code == 200
