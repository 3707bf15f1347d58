"""A session token that the deployment's own key has not signed with ES256 is refused (RFC 8725, 3.1 and 3.2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from accounts.tokens.keys import create_signing_key, private_key_of
from tests.support.cases import each
from tests.support.factories import DeploymentFactory
from tests.support.tokens import Mint, base64url, der_signature, es256, refusal

INVALID = 40102


@pytest.fixture
def attacker() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@each("algorithm", ["none", "None", "nOnE", "NONE"])
@each("signed", [True, False], ids=["with signature", "without signature"])
def test_a_token_that_asks_for_no_algorithm_is_refused(mint: Mint, algorithm: str, signed: bool) -> None:
    token = mint.token(header=mint.header(f'"alg": "{algorithm}"'))
    assert refusal(mint, token if signed else token.rpartition(".")[0] + ".") == INVALID


@each(
    "algorithm",
    [
        '"ES384"',
        '"ES256K"',
        '"es256"',
        '"ES256 "',
        '"EdDSA"',
        '"RS256"',
        '""',
        "null",
        "1",
        '["ES256"]',
        '{"ES256": 1}',
    ],
)
def test_a_token_of_another_algorithm_is_refused(mint: Mint, algorithm: str) -> None:
    assert refusal(mint, mint.token(header=mint.header(f'"alg": {algorithm}'))) == INVALID


def test_a_token_that_names_no_algorithm_is_refused(mint: Mint) -> None:
    assert refusal(mint, mint.token(header=mint.header(without="alg"))) == INVALID


@each("encoding", ["PEM", "PEM without final newline", "DER"])
def test_a_public_key_is_no_hmac_secret(mint: Mint, encoding: str) -> None:
    pem = mint.key.public_key.encode()
    secret = {
        "PEM": pem,
        "PEM without final newline": pem.rstrip(),
        "DER": mint.private_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    }[encoding]
    signing_input = mint.signing_input(header=mint.header('"alg": "HS256"'))
    signature = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    assert refusal(mint, f"{signing_input}.{base64url(signature)}") == INVALID


@pytest.mark.parametrize("kid", ["its own", "ours"])
def test_a_token_signed_by_another_deployment_is_refused(mint: Mint, kid: str) -> None:
    their_key = DeploymentFactory.create().signing_keys.get()
    header = mint.header(f'"kid": "{their_key.kid}"') if kid == "its own" else mint.header()
    assert refusal(mint, mint.token(header=header, key=private_key_of(their_key))) == INVALID


def test_a_key_must_be_the_one_that_the_token_names(mint: Mint) -> None:
    """Even among the deployment's own: keys are looked up, not tried."""
    other = create_signing_key(deployment=mint.deployment)
    assert refusal(mint, mint.token(key=private_key_of(other))) == INVALID


def public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    x, y = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "x": x, "y": y}


@each("name", ["jwk", "jku", "x5u", "x5c"])
@each("kid", ["our kid", "a new kid", "no kid"])
def test_a_key_out_of_the_token_is_never_used(
    mint: Mint, attacker: ec.EllipticCurvePrivateKey, name: str, kid: str
) -> None:
    value = {
        "jwk": public_jwk(attacker),
        "jku": "https://attacker.example/jwks.json",
        "x5u": "https://attacker.example/certificate.pem",
        "x5c": [base64.b64encode(b"certificate").decode()],
    }[name]
    members = f'"{name}": {json.dumps(value)}'
    header = {
        "our kid": mint.header(members),
        "a new kid": mint.header(f'{members}, "kid": "attacker"'),
        "no kid": mint.header(members, without="kid"),
    }[kid]
    assert refusal(mint, mint.token(header=header, key=attacker)) == INVALID


def test_a_token_without_kid_is_refused(mint: Mint) -> None:
    """Even from a deployment's only key, and rightly signed."""
    assert refusal(mint, mint.token(header=mint.header(without="kid"))) == INVALID


@each(
    "kid",
    [
        "0",
        "1.5",
        "true",
        "null",
        "[]",
        "{}",
        '""',
        '" "',
        '"unknown"',
        json.dumps("k" * 64),
        json.dumps("k" * 65),
        json.dumps("k" * 2000),
        '"../../../../dev/null"',
        '"\' OR 1=1 --"',
        '"%"',
        '"\\u0000"',
        '"key\\u0000"',
        '"\\ud800"',
        '"\\udfff\\ud800"',
        '"\\n"',
        '"\u00e9"',
    ],
)
def test_a_kid_that_names_no_key_of_the_deployment_is_refused(mint: Mint, kid: str) -> None:
    assert refusal(mint, mint.token(header=mint.header(f'"kid": {kid}'))) == INVALID


@each(
    "disguise",
    [
        lambda kid: json.dumps([kid]),
        lambda kid: json.dumps({"kid": kid}),
        lambda kid: json.dumps(f"{kid}\n"),
        lambda kid: json.dumps(f" {kid}"),
        lambda kid: json.dumps(f"{kid}\0"),
        lambda kid: json.dumps(kid.swapcase()),
    ],
    ids=["list", "object", "newline after", "space before", "NUL after", "other case"],
)
def test_a_kid_is_compared_as_it_stands(mint: Mint, disguise: Callable[[str], str]) -> None:
    assert refusal(mint, mint.token(header=mint.header(f'"kid": {disguise(mint.key.kid)}'))) == INVALID


@each(
    "crit",
    [
        '"crit": ["exp"]',
        '"crit": ["https://example.com/unknown"], "https://example.com/unknown": true',
        '"crit": []',
        '"crit": "exp"',
        '"crit": null',
        '"crit": [1]',
        '"crit": ["b64"]',
    ],
)
def test_a_critical_extension_that_is_not_understood_is_refused(mint: Mint, crit: str) -> None:
    """RFC 7515, 4.1.11."""
    assert refusal(mint, mint.token(header=mint.header(crit))) == INVALID


@each("members", ['"b64": false', '"b64": false, "crit": ["b64"]'], ids=["quietly", "critical"])
@each("payload", ["encoded", "as it is", "detached"])
def test_an_unencoded_payload_is_refused(mint: Mint, members: str, payload: str) -> None:
    """RFC 7797; RFC 7519 needs none of it."""
    header = base64url(mint.header(members).encode())
    signed, sent = {
        "encoded": (base64url(mint.claims().encode()), base64url(mint.claims().encode())),
        "as it is": (mint.claims(), mint.claims().replace(" ", "")),
        "detached": (mint.claims(), ""),
    }[payload]
    signature = base64url(es256(f"{header}.{signed}", mint.private_key))
    assert refusal(mint, f"{header}.{sent}.{signature}") == INVALID


def test_a_der_signature_is_refused(mint: Mint) -> None:
    assert refusal(mint, mint.signed_with(der_signature(mint.signing_input(), mint.private_key))) == INVALID


@each("length", [0, 1, 32, 63])
def test_a_truncated_signature_is_refused(mint: Mint, length: int) -> None:
    assert refusal(mint, mint.signed_with(es256(mint.signing_input(), mint.private_key)[:length])) == INVALID


@each(
    "signature",
    [bytes(64), bytes(63) + b"\1", bytes(31) + b"\1" + bytes(32), b"\xff" * 64, bytes(32), bytes(128)],
    ids=["all zero", "r is zero", "s is zero", "all ones", "half", "double"],
)
def test_a_signature_that_needs_no_key_is_refused(mint: Mint, signature: bytes) -> None:
    """Zero for r or s satisfies the bare equation of ECDSA for every message and key."""
    assert refusal(mint, mint.signed_with(signature)) == INVALID


def test_a_signature_with_bytes_after_it_is_refused(mint: Mint) -> None:
    assert refusal(mint, mint.signed_with(es256(mint.signing_input(), mint.private_key) + b"\0")) == INVALID


def test_a_signature_is_good_for_its_own_claims_only(mint: Mint) -> None:
    signature = es256(mint.signing_input(), mint.private_key)
    others = mint.signing_input(claims=mint.claims(f'"exp": {mint.now + 601}'))
    assert refusal(mint, f"{others}.{base64url(signature)}") == INVALID


def test_a_forged_token_does_not_reveal_that_its_claims_have_expired(
    mint: Mint, attacker: ec.EllipticCurvePrivateKey
) -> None:
    claims = mint.claims(f'"exp": {mint.now - 600}')
    assert refusal(mint, mint.token(claims=claims, key=attacker)) == INVALID
