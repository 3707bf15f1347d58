"""A session token is good for what it claims: by whom, about which session, and from when to when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import DeploymentAlias
from accounts.tokens.session_tokens import LEEWAY, sign_session_token
from tests.support.api import ApiClient, error_code
from tests.support.cases import each, undone
from tests.support.tokens import Mint, answer, refusal

INVALID = 40102
EXPIRED = 40103
ENDED = 40104
NOT_YET_VALID = 40112


@each("claim", ["iss", "sess", "iat", "nbf", "exp"])
def test_no_claim_may_be_missing(mint: Mint, claim: str) -> None:
    assert refusal(mint, mint.token(claims=mint.claims(without=claim))) == INVALID


@each("claim", ["iss", "sess", "iat", "nbf", "exp"])
def test_no_claim_may_be_null(mint: Mint, claim: str) -> None:
    assert refusal(mint, mint.token(claims=mint.claims(f'"{claim}": null'))) == INVALID


@each(
    "issuer",
    [
        '"https://other.example.com"',
        '"http://{host}"',
        '"https://{host}/"',
        '"https://{host}:443"',
        '"https://{host}."',
        '"HTTPS://{host}"',
        '"https://{host}@attacker.example"',
        '" https://{host}"',
        '"{host}"',
        '["https://{host}"]',
        '""',
        "[]",
        "0",
        "true",
    ],
)
def test_the_issuer_is_the_deployments_own_url_to_the_letter(mint: Mint, issuer: str) -> None:
    claim = issuer.replace("{host}", mint.deployment.host)
    assert refusal(mint, mint.token(claims=mint.claims(f'"iss": {claim}'))) == INVALID


def test_an_alias_is_no_issuer(mint: Mint) -> None:
    alias = DeploymentAlias.objects.create(deployment=mint.deployment, host="alias.example.com")
    token = mint.token(claims=mint.claims(f'"iss": "https://{alias.host}"'))
    assert error_code(ApiClient(mint.deployment, token=token).get(HTTP_HOST=alias.host)) == INVALID


@each("value", ["[1]", "{}", "[]", '""', '"soon"', "1e400", "-1e400", "NaN", "Infinity"])
@each("claim", ["exp", "nbf", "iat"])
def test_a_time_that_is_no_finite_number_is_refused(mint: Mint, claim: str, value: str) -> None:
    assert refusal(mint, mint.token(claims=mint.claims(f'"{claim}": {value}'))) == INVALID


@each(("claim", "value"), [("exp", '"9999999999"'), ("nbf", '"1"'), ("iat", '"1"')])
def test_a_time_in_quotes_is_refused(mint: Mint, claim: str, value: str) -> None:
    """RFC 7519, 2: a NumericDate is a number. As numbers, these would be good."""
    assert refusal(mint, mint.token(claims=mint.claims(f'"{claim}": {value}'))) == INVALID


@each("value", ["true", "false"])
@each("claim", ["nbf", "iat"])
def test_a_truth_value_is_no_time(mint: Mint, claim: str, value: str) -> None:
    assert refusal(mint, mint.token(claims=mint.claims(f'"{claim}": {value}'))) == INVALID


@each("value", ["-1", "-1e300", "0", "true", "false"])
def test_an_expiry_before_all_times_is_one(mint: Mint, value: str) -> None:
    assert refusal(mint, mint.token(claims=mint.claims(f'"exp": {value}'))) == EXPIRED


@each("value", ["1e300", "9" * 2000])
@each("claim", ["nbf", "iat"])
def test_a_start_after_all_times_is_refused(mint: Mint, claim: str, value: str) -> None:
    assert refusal(mint, mint.token(claims=mint.claims(f'"{claim}": {value}'))) == INVALID


TIMES = [
    *("0", "-0.0", "-1", "1.5", "1e3", "1e15", "1e300", "-1e300", "1e400", "NaN", "Infinity", "-Infinity", "9" * 400),
    *(str(number) for number in (2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64)),
    *(
        "253402300795",
        "253402300799",
        "253402300799.9",
        "253402300800",
        "-62135596800",
        "-62135596801",
        "true",
        "false",
    ),
]
"""253402300799 is the last second of the year 9999, -62135596800 the first of the year 1."""


@each("claim", ["exp", "nbf", "iat", "ser"])
@each("kind", ["session", "visitor"])
def test_no_number_makes_any_endpoint_fail(mint: Mint, claim: str, kind: str) -> None:
    for value in TIMES:
        members = f'"{claim}": {value}' + (', "anon": true' if kind == "visitor" else "")
        client = ApiClient(mint.deployment, token=mint.token(claims=mint.claims(members)))
        with undone(value):
            for path in ("/me/workspace-memberships", "/me/workspace-memberships", "/me", "/session", "/session/token"):
                token = client.token
                assert client.get(path).status_code in (200, 401)
                client.token = token
            assert client.post("/session/sign-out").status_code in (200, 401)


@each("value", ["253402300794", "253402300795", "253402300799", str(2**32), str(2**33)])
def test_a_token_may_live_to_the_end_of_all_times(mint: Mint, value: str) -> None:
    token = mint.token(claims=mint.claims(f'"exp": {value}'))
    for _ in range(3):
        assert answer(mint.deployment, token).status_code == 200
    assert ApiClient(mint.deployment, token=token).get("/me").status_code == 200


def test_a_session_may_live_to_the_end_of_all_times(mint: Mint, settings: Any) -> None:
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    mint.session.expires_at = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    mint.session.save()
    client = ApiClient(
        mint.deployment, token=sign_session_token(mint.session, expires_at=mint.session.expires_at, serial=1)
    )
    for path in ("/me/workspace-memberships", "/me", "/session"):
        assert client.get(path).status_code == 200


# The clock goes on during a test. Where that could change the outcome, a slow machine has three seconds.


def test_an_expired_token_is_refused(mint: Mint) -> None:
    assert refusal(mint, mint.token(claims=mint.claims(f'"exp": {mint.now - LEEWAY - 1}'))) == EXPIRED


def test_a_token_is_still_good_within_the_leeway(mint: Mint) -> None:
    token = mint.token(claims=mint.claims(f'"exp": {mint.now - LEEWAY + 3}'))
    assert answer(mint.deployment, token).status_code == 200


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_of_the_future_is_refused(mint: Mint, claim: str) -> None:
    token = mint.token(claims=mint.claims(f'"{claim}": {mint.now + LEEWAY + 4}'))
    assert refusal(mint, token) == NOT_YET_VALID


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_is_good_already_within_the_leeway(mint: Mint, claim: str) -> None:
    token = mint.token(claims=mint.claims(f'"{claim}": {mint.now + LEEWAY - 1}'))
    assert answer(mint.deployment, token).status_code == 200


def test_the_leeway_is_five_seconds() -> None:
    assert LEEWAY == 5


def test_fractions_of_a_second_are_times(mint: Mint) -> None:
    """RFC 7519, 2 allows them."""
    token = mint.token(claims=mint.claims(f'"nbf": {mint.now}.25, "exp": {mint.now + 600}.75'))
    assert answer(mint.deployment, token).status_code == 200


@each(
    "value",
    [
        "1",
        "1.0",
        "true",
        "[]",
        "{}",
        '["1"]',
        '""',
        '"abc"',
        '"-1"',
        '"+1"',
        '"0"',
        '"1 "',
        '" 1"',
        '"1\\n"',
        '"1\\u0000"',
        '"1.0"',
        '"1e3"',
        '"0x1"',
        '"1_000"',
        f'"{2**63}"',
        f'"{2**64}"',
        f'"{"9" * 2000}"',
        '"\uff11"',  # a full-width digit
        '"\u0661"',  # an Arabic-Indic digit
        '"\\ud800"',
    ],
)
def test_a_session_id_is_decimal_digits_within_64_bits(mint: Mint, value: str) -> None:
    assert refusal(mint, mint.token(claims=mint.claims(f'"sess": {value}'))) == INVALID


@each("disguise", ["{id}", '"0{id}"', '"{id} "', '"{id}\\n"', '["{id}"]', '"{wide}"'])
def test_the_id_of_a_live_session_in_another_spelling_is_refused(mint: Mint, disguise: str) -> None:
    id_ = str(mint.session.pk)
    wide = "".join(chr(ord(digit) - ord("0") + 0xFF10) for digit in id_)
    value = disguise.replace("{id}", id_).replace("{wide}", wide)
    assert refusal(mint, mint.token(claims=mint.claims(f'"sess": {value}'))) == INVALID


def test_the_greatest_session_id_is_looked_up(mint: Mint) -> None:
    assert refusal(mint, mint.token(claims=mint.claims(f'"sess": "{2**63 - 1}"'))) == ENDED


def test_claims_of_other_services_do_not_matter(mint: Mint) -> None:
    token = mint.token(claims=mint.claims('"sub": "1", "jti": "1", "roles": ["admin"]'))
    assert answer(mint.deployment, token).status_code == 200


def test_a_token_for_another_audience_is_refused(mint: Mint) -> None:
    assert refusal(mint, mint.token(claims=mint.claims('"aud": "https://other.example.com"'))) == INVALID
