"""Text that is no session token at all, or one of another type, is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.models import Deployment
from accounts.tokens.session_tokens import MAX_LENGTH
from tests.support.api import ApiClient, error_code
from tests.support.cases import each
from tests.support.tokens import Mint, answer, base64url, refusal

# Clients may rely on the numbers, so they are written out.
NO_SESSION = 40101
INVALID = 40102


def test_the_mint_of_these_tests_makes_good_tokens(mint: Mint) -> None:
    """Otherwise all refusals below would be of something else than they say."""
    response = answer(mint.deployment, mint.token())
    assert response.status_code == 200
    assert response.json()["session"]["id"] == str(mint.session.pk)


@each("cookie", ["", "__session=", "__session", "session=x", "__SESSION=x"])
def test_without_a_token_there_is_no_session(deployment: Deployment, cookie: str) -> None:
    response = ApiClient(deployment).get(HTTP_COOKIE=cookie)
    assert error_code(response) == NO_SESSION


@each(
    "token",
    [
        "garbage",
        ".",
        "..",
        "...",
        "null",
        "e30.e30.",
        "e30.e30.e30",
        "a.b.c",
        "%00",
        '"',
        '"\\000.\\000.\\000"',
        "=.=.=",
        "\xff\xfe",  # the server hands on bytes as Latin-1; these are no UTF-8
        "\xed\xa0\x80.\xed\xa0\x80.\xed\xa0\x80",  # a surrogate in UTF-8
        "\xc3\xa9.\xc3\xa9.\xc3\xa9",
        "\x00.\x00.\x00",
        base64url(b"\xff\xfe") + ".e30.e30",  # a header of half a UTF-16 text
    ],
)
def test_garbage_is_refused(deployment: Deployment, token: str) -> None:
    assert error_code(answer(deployment, token)) == INVALID


@pytest.mark.parametrize("size", [MAX_LENGTH + 1, 2**20])
def test_an_overlong_cookie_is_refused(mint: Mint, size: int) -> None:
    """Although the signature is good: claims that nobody asked for fill it up."""
    room = size * 3 // 4
    assert refusal(mint, mint.token(claims=mint.claims(f'"x": "{"x" * room}"'))) == INVALID


@each(
    "alter",
    [
        lambda token: f"{token}.",
        lambda token: f".{token}",
        lambda token: f"{token}.{token.rpartition('.')[2]}",
        lambda token: token.replace(".", "..", 1),
        lambda token: token.replace(".", ". "),
        lambda token: token[:10] + " " + token[10:],
        lambda token: token[:-10] + "\t" + token[-10:],
        lambda token: token + "\xc3\xa9",
        lambda token: token + "\xff",
        lambda token: token.rpartition(".")[0],
        lambda token: token.rpartition(".")[0] + ".",
        lambda token: token.partition(".")[2],
    ],
    ids=[
        "dot after",
        "dot before",
        "four parts",
        "empty part",
        "space after dots",
        "space within the header",
        "tab within the signature",
        "letter beyond ASCII after",
        "byte beyond UTF-8 after",
        "two parts",
        "no signature",
        "no header",
    ],
)
def test_a_good_token_with_something_more_or_less_is_refused(mint: Mint, alter: Callable[[str], str]) -> None:
    assert refusal(mint, alter(mint.token())) == INVALID


@each("header", ["[]", '"ES256"', "1", "null", "true", "", "{", "NaN", "[" * 2000, '{"a":' * 400])
def test_a_header_that_is_no_object_is_refused(mint: Mint, header: str) -> None:
    assert refusal(mint, mint.token(header=header)) == INVALID


@each("claims", ["[]", '"exp"', "1", "null", "true", "", "{", "NaN", "[" * 2000, '{"a":' * 400])
def test_claims_that_are_no_object_are_refused(mint: Mint, claims: str) -> None:
    assert refusal(mint, mint.token(claims=claims)) == INVALID


@each("typ", ['"at+jwt"', '"AT+JWT"', '"application/at+jwt"', '"id_token"', '""', "null", "1", "[]"])
def test_a_token_of_another_type_is_refused(mint: Mint, typ: str) -> None:
    """RFC 8725, 3.11: an access token is signed by the same key."""
    assert refusal(mint, mint.token(header=mint.header(f'"typ": {typ}'))) == INVALID


@pytest.mark.parametrize("header", [{"members": '"typ": "jwt"'}, {"without": "typ"}], ids=["lower case", "none"])
def test_a_type_may_be_missing_or_in_lower_case(mint: Mint, header: dict[str, str]) -> None:
    """RFC 7519, 5.1."""
    assert answer(mint.deployment, mint.token(header=mint.header(**header))).status_code == 200
