"""Every mistake in the body of a sign-in is refused and named."""

from __future__ import annotations

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, encode, error_code
from tests.support.cases import each
from tests.support.sign_in import PASSWORD, SIGN_IN, by_email

MALFORMED_REQUEST = 40000
INVALID_FIELD = 40004
BODY_TOO_LARGE = 41301
UNSUPPORTED_MEDIA_TYPE = 41501


ODD_VALUES: list[Any] = [
    None,
    "",
    1,
    True,
    [],
    ["ada@example.com"],
    {},
    "\0",
    "ada\0@example.com",
    "\ud800",
    "x" * 1001,
]


@each("value", ODD_VALUES)
@each("field", ["strategy", "email", "password"])
def test_a_field_that_is_no_text_is_a_mistake(browser: ApiClient, ada: User, field: str, value: Any) -> None:
    response = browser.post(SIGN_IN, by_email(ada) | {field: value})
    assert error_code(response) == INVALID_FIELD
    assert field in response.json()["errors"][0]["message"]


@each("content_type", [JSON, FORM, MULTIPART])
@each("field", ["strategy", "email", "password"])
def test_a_field_that_is_missing_is_a_mistake(browser: ApiClient, ada: User, field: str, content_type: str) -> None:
    body = by_email(ada)
    del body[field]
    assert error_code(browser.post(SIGN_IN, body, content_type=content_type)) == INVALID_FIELD


@each("strategy", ["PLAIN_EMAIL", "phone_otp", "magic_link", "plain_email ", "__class__"])
def test_an_unknown_strategy_is_a_mistake(browser: ApiClient, ada: User, strategy: str) -> None:
    assert error_code(browser.post(SIGN_IN, by_email(ada) | {"strategy": strategy})) == INVALID_FIELD


def test_a_file_is_no_password(browser: ApiClient, ada: User) -> None:
    body = by_email(ada) | {"password": SimpleUploadedFile("password", PASSWORD.encode())}
    assert error_code(browser.post(SIGN_IN, body, content_type=MULTIPART)) == INVALID_FIELD


def test_the_query_is_no_place_for_a_password(browser: ApiClient, ada: User) -> None:
    query = f"strategy=plain_email&email={ada.email}&password={PASSWORD.replace(' ', '+')}"
    assert error_code(browser.post(SIGN_IN, None, query)) in (MALFORMED_REQUEST, INVALID_FIELD)


@each(
    "body",
    [
        b"[]",
        b'"plain_email"',
        b"null",
        b"7",
        b"{",
        b'{"strategy": "plain_email",}',
        b"\xff\xfe",
        b'{"strategy": "\xff"}',
        b'{"strategy": NaN}',
        b"[" * 30_000,
        b'{"a":' * 10_000,
    ],
)
def test_a_body_that_is_no_object_is_a_mistake(browser: ApiClient, body: bytes) -> None:
    assert error_code(browser.post(SIGN_IN, body)) == MALFORMED_REQUEST


@each("content_type", [JSON, FORM])
@each("charset", ["hex", "zlib", "rot13", "base64", "idna", "undefined", "nonsense", '"'])
def test_an_odd_charset_is_no_failure_of_ours(browser: ApiClient, ada: User, content_type: str, charset: str) -> None:
    body = encode(by_email(ada), content_type)
    response = browser.post(SIGN_IN, body, content_type=f"{content_type}; charset={charset}")
    assert response.status_code in (200, 400)


def test_a_malformed_multipart_form_is_a_mistake(browser: ApiClient) -> None:
    response = browser.post(SIGN_IN, b"no part at all", content_type="multipart/form-data")
    assert error_code(response) == MALFORMED_REQUEST


@each("content_type", ["text/plain", "application/xml", "application/octet-stream"])
def test_a_body_of_another_kind_is_not_read(browser: ApiClient, ada: User, content_type: str) -> None:
    body = json.dumps(by_email(ada)).encode()
    assert error_code(browser.post(SIGN_IN, body, content_type=content_type)) == UNSUPPORTED_MEDIA_TYPE


def test_a_body_of_more_than_64_kib_is_not_read(browser: ApiClient, ada: User) -> None:
    body = json.dumps(by_email(ada)).encode()
    assert error_code(browser.post(SIGN_IN, body.ljust(64 * 1024 + 1))) == BODY_TOO_LARGE
    assert browser.post(SIGN_IN, body.ljust(64 * 1024)).status_code == 200
