"""The keys of an outside issuer: trusted by a command, taken whole or not at all, and revoked when they are gone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.management import CommandError, call_command
from jwt.algorithms import ECAlgorithm

from accounts.models import Deployment, Session, User
from accounts.tokens.keys import private_key_of, rotate_keys
from accounts.tokens.outside_issuers import trust_outside_keys
from tests.support.api import ApiClient
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, session_of, token_of
from tests.support.keys import JWKS, is_good, kid_of, published
from tests.support.outside_issuers import ISSUER


class OutsideKey:
    """A key pair of somebody else's sign-in service."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private_key = ec.generate_private_key(ec.SECP256R1())

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """The public half; ``changes`` replace its members, None removes one."""
        numbers = ECAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        members = numbers | {"kid": self.kid, "use": "sig", "alg": "ES256"} | changes
        return {name: value for name, value in members.items() if value is not None}

    def session_token(self, session: Session, *, issuer: str) -> str:
        now = int(time.time())
        claims = {"iss": issuer, "sess": str(session.pk), "iat": now, "nbf": now, "exp": now + 60}
        return jwt.encode(claims, self.private_key, algorithm="ES256", headers={"kid": self.kid})


Trust = Callable[..., str]


@pytest.fixture
def trust(deployment: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Trust:
    """Run ``trust_issuer`` with a file of these keys, or of this text; gives what it prints."""

    def run(*keys: dict[str, Any], text: str | None = None, issuer: str = ISSUER) -> str:
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps({"keys": keys}) if text is None else text)
        call_command("trust_issuer", deployment.host, issuer, str(file))
        return capsys.readouterr().out

    return run


def test_a_kid_that_several_deployments_trust_needs_the_host(deployment: Deployment) -> None:
    other = DeploymentFactory.create()
    document = json.dumps({"keys": [OutsideKey("shared").jwk()]})
    for either in (deployment, other):
        trust_outside_keys(deployment=either, issuer=ISSUER, jwks=document)
    with pytest.raises(CommandError, match=r"give --host: .*example\.com .*, .*example\.com "):
        call_command("revoke_key", "shared")
    call_command("revoke_key", "shared", "--host", other.host)
    assert deployment.signing_keys.get(kid="shared").revoked_at is None
    assert other.signing_keys.get(kid="shared").revoked_at is not None


def test_trust_issuer_says_which_keys_it_trusts(deployment: Deployment, trust: Trust) -> None:
    printed = trust(OutsideKey("one").jwk(), OutsideKey("two").jwk(use=None, alg=None))
    assert printed == f"{deployment.host} trusts {ISSUER}: one, two\n"


def test_an_own_key_cannot_sign_in_the_name_of_an_outside_issuer(user: User, trust: Trust) -> None:
    trust(OutsideKey("outside").jwk())
    key = user.deployment.signing_keys.get(issuer="")
    own = OutsideKey(key.kid)
    own.private_key = private_key_of(key)
    assert is_good(user.deployment, own.session_token(session_of(user), issuer=user.deployment.issuer))
    assert not is_good(user.deployment, own.session_token(session_of(user), issuer=ISSUER))


def test_outside_keys_are_never_published_and_never_sign(user: User, trust: Trust) -> None:
    own = user.deployment.signing_keys.get()
    trust(OutsideKey("newest").jwk())
    assert published(user.deployment) == [own.kid]
    assert kid_of(token_of(user)) == own.kid


def test_a_deployment_with_outside_keys_only_makes_a_key_of_its_own(user: User, trust: Trust) -> None:
    trust(OutsideKey("outside").jwk())
    user.deployment.signing_keys.filter(issuer="").delete()
    assert published(user.deployment) == [kid_of(token_of(user))] != ["outside"]


def test_a_rotation_leaves_outside_keys_alone(user: User, trust: Trust) -> None:
    trust(OutsideKey("outside").jwk())
    rotate_keys(user.deployment)
    assert user.deployment.signing_keys.get(kid="outside").retired_at is None


def test_keys_of_other_kinds_are_passed_over(deployment: Deployment, trust: Trust) -> None:
    curve = ec.generate_private_key(ec.SECP384R1()).public_key()
    trust(
        ECAlgorithm.to_jwk(curve, as_dict=True) | {"kid": "p-384"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
        {"kty": "kind of the future", "kid": "future"},
        OutsideKey("for encryption").jwk(use="enc", kid="encryption"),
        OutsideKey("other algorithm").jwk(alg="ECDH-ES", kid="agreement"),
        OutsideKey("number").jwk(kid=7),
        OutsideKey("space").jwk(kid="a space"),
        OutsideKey("good").jwk(),
    )
    assert list(deployment.signing_keys.exclude(issuer="").values_list("kid", flat=True)) == ["good"]


def test_a_key_that_is_missing_when_the_file_is_loaded_again_is_revoked(user: User, trust: Trust) -> None:
    leaving, staying, coming = OutsideKey("leaving"), OutsideKey("staying"), OutsideKey("coming")
    trust(leaving.jwk(), staying.jwk())
    trust(staying.jwk(), coming.jwk())
    trusted = user.deployment.signing_keys.exclude(issuer="").filter(revoked_at__isnull=True)
    assert set(trusted.values_list("kid", flat=True)) == {"staying", "coming"}


def test_a_reload_for_one_issuer_leaves_the_others_and_the_own_keys(user: User, trust: Trust) -> None:
    other = OutsideKey("other")
    trust(other.jwk(), issuer="https://other.example.net")
    trust(OutsideKey("one").jwk())
    trust(OutsideKey("two").jwk())
    revoked = user.deployment.signing_keys.filter(revoked_at__isnull=False)
    assert list(revoked.values_list("kid", flat=True)) == ["one"]


GOOD = OutsideKey("good").jwk()


@each(
    ("text", "message"),
    [
        ("", "no JWKS document"),
        ("not JSON", "no JWKS document"),
        ("[]", "no JWKS document"),
        ("null", "no JWKS document"),
        ('{"keys": null}', "no JWKS document"),
        ('{"keys": ["key"]}', "no JWKS document"),
        (json.dumps(GOOD), "no JWKS document"),
        (json.dumps({"keys": [GOOD | {"x": "AAAA"}]}), "no JWKS document"),
        (json.dumps({"keys": [GOOD | {"y": GOOD["x"]}]}), "no JWKS document"),
        (json.dumps({"keys": [{name: GOOD[name] for name in ("kty", "crv", "kid")}]}), "no JWKS document"),
        ('{"keys": []}', "no key in the document"),
        (json.dumps({"keys": [GOOD | {"use": "enc"}]}), "no key in the document"),
        (json.dumps({"keys": [GOOD | {"d": GOOD["x"]}]}), "private key"),
    ],
)
def test_a_file_that_is_no_key_set_is_refused_and_changes_nothing(
    deployment: Deployment, trust: Trust, text: str, message: str
) -> None:
    trust(OutsideKey("known").jwk())
    with pytest.raises(CommandError, match=message):
        trust(text=text)
    assert deployment.signing_keys.get(kid="known").revoked_at is None
    assert deployment.signing_keys.count() == 2


def test_a_file_that_is_no_text_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError):
        call_command("trust_issuer", deployment.host, ISSUER, str(file))


def test_a_file_that_is_not_there_is_an_error(deployment: Deployment, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        call_command("trust_issuer", deployment.host, ISSUER, str(tmp_path / "nothing.json"))


def test_trusting_at_an_unknown_host_is_an_error(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [GOOD]}))
    with pytest.raises(CommandError, match="No deployment answers"):
        call_command("trust_issuer", "nowhere.example.com", ISSUER, str(file))


@each("issuer", ["", "the deployment's own", "x" * 501, "https://login.example.net/\0"])
def test_an_issuer_without_a_usable_name_of_its_own_is_refused(
    deployment: Deployment, trust: Trust, issuer: str
) -> None:
    with pytest.raises(CommandError, match="An outside issuer"):
        trust(GOOD, issuer=deployment.issuer if "own" in issuer else issuer)
    assert deployment.signing_keys.count() == 1


def test_a_kid_with_other_numbers_is_refused_and_nothing_of_the_file_is_taken(
    deployment: Deployment, trust: Trust
) -> None:
    trust(OutsideKey("stable").jwk(), OutsideKey("other").jwk())
    with pytest.raises(CommandError, match="'stable' is known with other numbers"):
        trust(OutsideKey("new").jwk(), OutsideKey("stable").jwk())
    outside = deployment.signing_keys.exclude(issuer="")
    assert set(outside.filter(revoked_at__isnull=True).values_list("kid", flat=True)) == {"stable", "other"}


def test_one_kid_for_two_keys_of_a_file_is_refused(deployment: Deployment, trust: Trust) -> None:
    with pytest.raises(CommandError, match="'twice' is known with other numbers"):
        trust(OutsideKey("twice").jwk(), OutsideKey("twice").jwk())
    assert deployment.signing_keys.count() == 1


def test_a_revoked_outside_key_does_not_come_back(deployment: Deployment, trust: Trust) -> None:
    key = OutsideKey("stolen")
    trust(key.jwk())
    call_command("revoke_key", "stolen")
    with pytest.raises(CommandError, match="'stolen' was revoked"):
        trust(key.jwk())


def test_a_kid_that_several_issuers_use_needs_the_issuer(deployment: Deployment, trust: Trust) -> None:
    trust(OutsideKey("shared").jwk())
    trust(OutsideKey("shared").jwk(), issuer="https://other.example.net")
    with pytest.raises(CommandError, match=r"give --issuer: .*login.example.net.*other.example.net"):
        call_command("revoke_key", "shared")
    call_command("revoke_key", "shared", "--issuer", ISSUER)
    revoked = deployment.signing_keys.filter(revoked_at__isnull=False)
    assert list(revoked.values_list("issuer", flat=True)) == [ISSUER]


def test_a_published_document_is_one_that_can_be_trusted(user: User) -> None:
    elsewhere = DeploymentFactory.create()
    trust_outside_keys(
        deployment=user.deployment,
        issuer=elsewhere.issuer,
        jwks=ApiClient(elsewhere).get(JWKS).content.decode(),
    )
    outside = user.deployment.signing_keys.get(issuer=elsewhere.issuer)
    assert outside.public_key == elsewhere.signing_keys.get().public_key
    assert outside.private_key is None
