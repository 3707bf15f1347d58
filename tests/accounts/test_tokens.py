"""Session tokens that are refused, one way of being wrong at a time, and the few that are accepted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from django.utils import timezone

from accounts.models import Deployment, DeploymentAlias, Session, SigningKey
from accounts.tokens.keys import create_signing_key, private_key_of
from accounts.tokens.session_tokens import LEEWAY, MAX_LENGTH, sign_session_token
from tests.support.api import ApiClient, error_code
from tests.support.cases import each, undone
from tests.support.factories import DeploymentFactory, UserFactory, session_of

# Clients may rely on the numbers, so they are written out.
NO_SESSION = 40101
INVALID = 40102
EXPIRED = 40103
ENDED = 40104
NOT_YET_VALID = 40112


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def der_signature(signing_input: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256()))


def es256(signing_input: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The signature as RFC 7518, 3.4 wants it: r and s, 32 bytes each."""
    r, s = decode_dss_signature(der_signature(signing_input, key))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Mint:
    """Makes tokens of one session without the help of a JWT library, which would refuse to make most of these.

    Headers and claims are JSON texts, for Python cannot write all that JSON (or Python's parser of it) can say.
    """

    def __init__(self, session: Session) -> None:
        self.deployment = session.deployment
        self.session = session
        self.key = self.deployment.signing_keys.get()
        self.private_key = private_key_of(self.key)
        self.now = int(time.time())

    def header(self, members: str = "", *, without: str = "") -> str:
        """A good header; ``members`` are added as they stand, and win over those of the same name."""
        return self._object({"alg": "ES256", "typ": "JWT", "kid": self.key.kid}, members, without)

    def claims(self, members: str = "", *, without: str = "") -> str:
        """Good claims; ``members`` are added as they stand, and win over those of the same name."""
        good = {
            "iss": self.deployment.issuer,
            "sess": str(self.session.pk),
            "iat": self.now,
            "nbf": self.now,
            "exp": self.now + 600,
        }
        return self._object(good, members, without)

    def signing_input(self, header: str | None = None, claims: str | None = None) -> str:
        header = self.header() if header is None else header
        claims = self.claims() if claims is None else claims
        return f"{base64url(header.encode())}.{base64url(claims.encode())}"

    def token(
        self,
        header: str | None = None,
        claims: str | None = None,
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> str:
        """A token with a signature that is good for ``key``, the deployment's own unless told otherwise."""
        signing_input = self.signing_input(header, claims)
        return f"{signing_input}.{base64url(es256(signing_input, key or self.private_key))}"

    def signed_with(self, signature: bytes) -> str:
        """A token that is good but for its ``signature``."""
        return f"{self.signing_input()}.{base64url(signature)}"

    @staticmethod
    def _object(good: dict[str, Any], members: str, without: str) -> str:
        kept = json.dumps({name: value for name, value in good.items() if name != without})
        return f"{kept[:-1]}, {members}}}" if members else kept


@pytest.fixture(scope="module")
def shared_session(shared_deployment: Deployment) -> Session:
    return session_of(UserFactory.create(deployment=shared_deployment))


@pytest.fixture
def mint(shared_session: Session, db: None) -> Mint:
    return Mint(deepcopy(shared_session))


@pytest.fixture
def attacker() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def answer(deployment: Deployment, token: str) -> Any:
    return ApiClient(deployment, token=token).get()


def refusal(mint: Mint, token: str) -> int:
    """The code with which ``token`` is refused at its deployment."""
    response = answer(mint.deployment, token)
    assert response.status_code == 401
    return error_code(response)


def test_the_mint_of_these_tests_makes_good_tokens(mint: Mint) -> None:
    """Otherwise all refusals below would be of something else than they say."""
    response = answer(mint.deployment, mint.token())
    assert response.status_code == 200
    assert response.json()["session"]["id"] == str(mint.session.pk)


# What is no token at all


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


# Who signed, and how (RFC 8725, 3.1 and 3.2)


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


@each("typ", ['"at+jwt"', '"AT+JWT"', '"application/at+jwt"', '"id_token"', '""', "null", "1", "[]"])
def test_a_token_of_another_type_is_refused(mint: Mint, typ: str) -> None:
    """RFC 8725, 3.11: an access token is signed by the same key."""
    assert refusal(mint, mint.token(header=mint.header(f'"typ": {typ}'))) == INVALID


@pytest.mark.parametrize("header", [{"members": '"typ": "jwt"'}, {"without": "typ"}], ids=["lower case", "none"])
def test_a_type_may_be_missing_or_in_lower_case(mint: Mint, header: dict[str, str]) -> None:
    """RFC 7519, 5.1."""
    assert answer(mint.deployment, mint.token(header=mint.header(**header))).status_code == 200


# What it says


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


# Keys come and go


def issued(mint: Mint) -> str:
    """A token as the service itself makes it, now."""
    return sign_session_token(mint.session, expires_at=mint.session.expires_at)


def kid_of(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def stop(key: SigningKey, **moments: Any) -> None:
    SigningKey.objects.filter(pk=key.pk).update(**moments)


def test_tokens_have_the_header_and_the_claims_of_the_contract(mint: Mint) -> None:
    token = issued(mint)
    assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "ES256", "kid": mint.key.kid}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["iat"] == claims["nbf"]
    assert mint.now <= claims["iat"] <= time.time()
    del claims["iat"], claims["nbf"]
    assert claims == {
        "iss": f"https://{mint.deployment.host}",
        "sess": str(mint.session.pk),
        "exp": int(mint.session.expires_at.timestamp()),
    }


def test_a_token_of_a_revoked_key_is_refused(mint: Mint) -> None:
    token = issued(mint)
    stop(mint.key, revoked_at=timezone.now())
    assert refusal(mint, token) == INVALID


def test_a_key_that_is_retired_and_then_revoked_is_refused(mint: Mint) -> None:
    token = issued(mint)
    stop(mint.key, retired_at=timezone.now() - timedelta(days=1), revoked_at=timezone.now())
    assert refusal(mint, token) == INVALID


def test_a_token_of_a_retired_key_is_still_good(mint: Mint) -> None:
    token = issued(mint)
    stop(mint.key, retired_at=timezone.now())
    assert answer(mint.deployment, token).status_code == 200


def test_a_token_of_an_older_key_is_still_good(mint: Mint) -> None:
    token = issued(mint)
    create_signing_key(deployment=mint.deployment)
    assert answer(mint.deployment, token).status_code == 200


def test_the_newest_key_signs(mint: Mint) -> None:
    newest = create_signing_key(deployment=mint.deployment)
    create_signing_key(deployment=DeploymentFactory.create())
    assert kid_of(issued(mint)) == newest.kid


@pytest.mark.parametrize("end", ["retired_at", "revoked_at"])
def test_a_key_that_was_stopped_signs_no_more(mint: Mint, end: str) -> None:
    newest = create_signing_key(deployment=mint.deployment)
    stop(newest, **{end: timezone.now()})
    assert kid_of(issued(mint)) == mint.key.kid


@pytest.mark.parametrize("end", ["retired_at", "revoked_at"])
def test_a_key_is_made_where_none_is_left(mint: Mint, end: str) -> None:
    stop(mint.key, **{end: timezone.now()})
    token = issued(mint)
    assert kid_of(token) != mint.key.kid
    assert kid_of(token) == kid_of(issued(mint))
    assert answer(mint.deployment, token).status_code == 200
