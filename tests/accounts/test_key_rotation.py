"""A deployment's own keys over their lifetime: published, rotated and revoked."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Deployment, SigningKey, User
from accounts.tokens.keys import revoke_key, rotate_keys, signing_key
from accounts.tokens.session_tokens import sign_session_token
from tests.support.api import ApiClient
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, session_of, token_of
from tests.support.keys import JWKS, is_good, kid_of, published

# Publishing


def test_the_jwks_holds_the_public_half_and_nothing_else(deployment: Deployment) -> None:
    key = deployment.signing_keys.get()
    (item,) = ApiClient(deployment).get(JWKS).json()["keys"]
    assert set(item) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert item | {"x": "", "y": ""} == {
        "kty": "EC",
        "crv": "P-256",
        "x": "",
        "y": "",
        "kid": key.kid,
        "use": "sig",
        "alg": "ES256",
    }


def test_the_jwks_verifies_the_deployments_tokens(user: User) -> None:
    token = token_of(user)
    keys = jwt.PyJWKSet.from_dict(ApiClient(user.deployment).get(JWKS).json())
    claims = jwt.decode(token, keys[kid_of(token)].key, algorithms=["ES256"], issuer=user.deployment.issuer)
    assert claims["iss"] == f"https://{user.deployment.host}"


def test_a_deployment_publishes_its_own_keys_only(deployment: Deployment) -> None:
    other = DeploymentFactory.create()
    assert published(deployment) == [deployment.signing_keys.get().kid]
    assert published(other) == [other.signing_keys.get().kid]


def test_a_deployment_without_a_key_gets_one_that_stays(deployment: Deployment) -> None:
    deployment.signing_keys.all().delete()
    first = published(deployment)
    assert len(first) == 1
    assert published(deployment) == first == [signing_key(deployment).kid]


def test_a_deployment_whose_keys_are_all_revoked_gets_a_new_one(deployment: Deployment) -> None:
    old = deployment.signing_keys.get()
    revoke_key(old)
    (kid,) = published(deployment)
    assert kid != old.kid


def test_the_jwks_needs_no_session_and_gives_none(deployment: Deployment) -> None:
    assert not ApiClient(deployment).get(JWKS).cookies


# Rotation


def test_after_a_rotation_the_new_key_signs_and_tokens_of_the_old_still_work(user: User) -> None:
    before = token_of(user)
    new = rotate_keys(user.deployment)
    after = token_of(user)
    assert kid_of(before) != kid_of(after) == new.kid
    assert is_good(user.deployment, before)
    assert is_good(user.deployment, after)


def test_a_rotated_key_stays_in_the_jwks_while_a_token_of_it_may_live(user: User) -> None:
    old = user.deployment.signing_keys.get()
    session = session_of(user)
    last = timezone.now() + timedelta(days=20)
    sign_session_token(session, expires_at=last)
    sign_session_token(session, expires_at=timezone.now() + timedelta(seconds=30))  # takes nothing back
    new = rotate_keys(user.deployment)
    assert published(user.deployment) == [new.kid, old.kid]
    old.refresh_from_db()
    assert old.tokens_until is not None
    assert last <= old.tokens_until <= last + timedelta(hours=2)


def test_a_rotated_key_leaves_the_jwks_when_its_last_token_is_over(user: User) -> None:
    token_of(user)
    new = rotate_keys(user.deployment)
    user.deployment.signing_keys.exclude(pk=new.pk).update(tokens_until=timezone.now())
    assert published(user.deployment) == [new.kid]


def test_a_rotated_key_verifies_until_its_last_token_is_over_and_no_longer(user: User) -> None:
    session = session_of(user)
    token = sign_session_token(session, expires_at=session.expires_at)
    rotate_keys(user.deployment)
    assert is_good(user.deployment, token)
    # From here on only a thief of the private key could still make tokens with it.
    user.deployment.signing_keys.filter(retired_at__isnull=False).update(tokens_until=timezone.now())
    assert not is_good(user.deployment, token)


def test_a_rotated_key_that_never_signed_leaves_the_jwks_at_once(deployment: Deployment) -> None:
    assert published(deployment) != [rotate_keys(deployment).kid] == published(deployment)


def test_a_second_rotation_leaves_the_date_of_the_first(deployment: Deployment) -> None:
    first = deployment.signing_keys.get()
    rotate_keys(deployment)
    first.refresh_from_db()
    retired_at = first.retired_at
    rotate_keys(deployment)
    first.refresh_from_db()
    assert first.retired_at == retired_at is not None


@pytest.mark.django_db
def test_the_command_rotates_every_deployment_and_prints_the_new_kids(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = DeploymentFactory.create(host="a.example.com"), DeploymentFactory.create(host="b.example.com")
    call_command("rotate_keys")
    everybody = Deployment.objects.order_by("host")
    assert {one, two} <= {*everybody}
    assert capsys.readouterr().out.splitlines() == [
        f"{deployment.host}: {signing_key(deployment).kid}" for deployment in everybody
    ]
    assert SigningKey.objects.filter(retired_at__isnull=False).count() == len(everybody)


def test_the_command_rotates_only_the_hosts_that_are_named(deployment: Deployment) -> None:
    other = DeploymentFactory.create()
    call_command("rotate_keys", deployment.host)
    assert deployment.signing_keys.count() == 2
    assert other.signing_keys.count() == 1


def test_an_unknown_host_among_others_rotates_nothing(deployment: Deployment) -> None:
    with pytest.raises(CommandError, match=r"No deployment answers at the host 'nowhere\.example\.com'"):
        call_command("rotate_keys", deployment.host, "nowhere.example.com")
    assert deployment.signing_keys.count() == 1


# Revocation


def test_a_revoked_key_is_refused_and_unpublished_at_once(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = user.deployment
    old = deployment.signing_keys.get()
    bad = token_of(user)
    assert is_good(deployment, bad)
    call_command("revoke_key", old.kid)
    assert capsys.readouterr().out == f"{deployment.host}: {old.kid} is revoked\n"
    assert not is_good(deployment, bad)
    assert old.kid not in published(deployment)
    good = token_of(user)
    assert kid_of(good) != old.kid
    assert is_good(deployment, good)


def test_revoking_a_rotated_key_leaves_the_tokens_of_the_new_one(user: User) -> None:
    before = token_of(user)
    rotate_keys(user.deployment)
    after = token_of(user)
    call_command("revoke_key", kid_of(before), "--host", user.deployment.host)
    assert not is_good(user.deployment, before)
    assert is_good(user.deployment, after)


@each("why", ["unknown", "revoked already", "of another deployment"])
def test_a_key_that_cannot_be_revoked_is_an_error(deployment: Deployment, why: str) -> None:
    key = deployment.signing_keys.get()
    kid, host = key.kid, deployment.host
    if why == "unknown":
        kid = "nothing"
    elif why == "revoked already":
        revoke_key(key)
    else:
        host = DeploymentFactory.create().host
    with pytest.raises(CommandError, match=f"There is no key '{kid}' that could be revoked"):
        call_command("revoke_key", kid, "--host", host)


def test_revoking_again_keeps_the_first_date(deployment: Deployment) -> None:
    key = deployment.signing_keys.get()
    revoke_key(key)
    key.refresh_from_db()
    first = key.revoked_at
    revoke_key(key)
    key.refresh_from_db()
    assert key.revoked_at == first is not None


def test_revoking_at_an_unknown_host_is_an_error(deployment: Deployment) -> None:
    with pytest.raises(CommandError, match="No deployment answers"):
        call_command("revoke_key", deployment.signing_keys.get().kid, "--host", "nowhere.example.com")
