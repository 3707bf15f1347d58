"""Signing keys, and what of them somebody with a copy of the database would hold."""

from __future__ import annotations

import base64
import re

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from accounts.credentials import mfa
from accounts.models import Authenticator, Deployment, SigningKey, User
from accounts.tokens.keys import create_signing_key, load_public_key, private_key_of
from accounts.tokens.session_tokens import sign_session_token
from accounts.values import encryption
from tests.support.admin import saved, send, url
from tests.support.api import ApiClient
from tests.support.cases import each
from tests.support.database import Update, each_update, everything_stored, execute, refused
from tests.support.factories import TOTP_SECRET, DeploymentFactory, confirmed_authenticator, session_of, token_of


@pytest.fixture
def key(deployment: Deployment) -> SigningKey:
    return deployment.signing_keys.get()


def stored_private_key(key: SigningKey) -> bytes:
    stored = SigningKey.objects.values_list("private_key", flat=True).get(pk=key.pk)
    assert stored is not None
    return bytes(stored)


def test_a_key_pair_is_of_the_curve_of_es256(key: SigningKey) -> None:
    private_key = private_key_of(key)
    assert isinstance(private_key.curve, ec.SECP256R1)
    assert private_key.public_key() == load_public_key(key.public_key)


def test_each_key_pair_is_another(key: SigningKey) -> None:
    other = create_signing_key(deployment=key.deployment)
    assert other.kid != key.kid
    assert other.public_key != key.public_key


def test_no_kid_looks_like_an_option_of_a_command(key: SigningKey) -> None:
    assert re.fullmatch("[0-9a-f]{32}", key.kid)


def test_no_private_key_can_be_read_in_the_database(key: SigningKey) -> None:
    stored = stored_private_key(key)
    plain = encryption.decrypt(stored)
    assert b"-----BEGIN PRIVATE KEY-----" in plain
    assert b"-----BEGIN" not in stored
    assert b"PRIVATE" not in stored
    secret = private_key_of(key).private_numbers().private_value.to_bytes(32, "big")
    assert secret not in stored
    for load in (serialization.load_pem_private_key, serialization.load_der_private_key):
        with pytest.raises(ValueError):  # noqa: PT011 -- the message is the library's
            load(stored, password=None)


def test_the_public_half_holds_no_private_key(key: SigningKey) -> None:
    assert "PRIVATE" not in key.public_key


def test_no_authenticators_secret_can_be_read_in_the_database(user: User) -> None:
    authenticator = confirmed_authenticator(user)
    stored = bytes(Authenticator.objects.values_list("secret", flat=True).get(pk=authenticator.pk))
    assert TOTP_SECRET.encode() not in stored
    assert encryption.decrypt(stored) == TOTP_SECRET.encode()


def test_the_same_secret_looks_different_each_time() -> None:
    assert encryption.encrypt(b"secret") != encryption.encrypt(b"secret")


def test_a_new_encryption_key_in_front_leaves_old_secrets_readable(
    user: User, key: SigningKey, settings: Settings
) -> None:
    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.KEY_ENCRYPTION_KEYS]
    session = session_of(user)
    token = sign_session_token(session, expires_at=session.expires_at)
    assert ApiClient(user.deployment, token=token).get().status_code == 200


def test_the_encryption_key_in_front_is_the_one_that_writes(deployment: Deployment, settings: Settings) -> None:
    new = Fernet.generate_key().decode()
    settings.KEY_ENCRYPTION_KEYS = [new, *settings.KEY_ENCRYPTION_KEYS]
    written = stored_private_key(create_signing_key(deployment=deployment))
    assert b"PRIVATE KEY" in Fernet(new).decrypt(written)


@pytest.mark.parametrize("wrong", ["another encryption key", "a changed row"])
def test_a_private_key_that_cannot_be_decrypted_is_never_used(key: SigningKey, settings: Settings, wrong: str) -> None:
    if wrong == "another encryption key":
        key = create_signing_key(deployment=key.deployment)  # which the process has not decrypted before
        settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    else:
        key.private_key = stored_private_key(key)[:-1] + b"x"
    with pytest.raises(ImproperlyConfigured, match="KEY_ENCRYPTION_KEYS"):
        private_key_of(key)


def test_tokens_are_verified_without_the_encryption_keys(user: User, settings: Settings) -> None:
    """Verifying needs public keys only, so a wrong encryption key signs nobody out."""
    client = ApiClient(user.deployment, user)
    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert client.get().status_code == 200


def twin_of(key: SigningKey, deployment: Deployment) -> SigningKey:
    return SigningKey(deployment=deployment, kid=key.kid, public_key=key.public_key, private_key=key.private_key)


def test_a_kid_names_one_key_of_a_deployment(key: SigningKey) -> None:
    with refused("accounts_signingkey_kid_is_unique"):
        SigningKey.objects.bulk_create([twin_of(key, key.deployment)])


def test_two_deployments_may_trust_keys_of_one_name(key: SigningKey) -> None:
    SigningKey.objects.bulk_create([twin_of(key, DeploymentFactory.create())])
    assert SigningKey.objects.filter(kid=key.kid).count() == 2


@each_update
@each("column", ["deployment_id", "kid", "public_key"])
def test_the_identity_of_a_key_does_not_change(key: SigningKey, update: Update, column: str) -> None:
    other = DeploymentFactory.create().signing_keys.get()
    SigningKey.objects.filter(pk=other.pk).delete()  # otherwise its kid would be refused for being taken
    with refused("immutable"):
        update(key, **{column: getattr(other, column)})


def test_a_private_key_may_be_encrypted_anew(key: SigningKey) -> None:
    anew = encryption.encrypt(encryption.decrypt(stored_private_key(key)))
    assert execute("UPDATE accounts_signingkey SET private_key = %s WHERE id = %s", [anew, key.pk]) == 1
    assert private_key_of(SigningKey.objects.get(pk=key.pk)).private_numbers() == private_key_of(key).private_numbers()


def test_no_secret_of_a_user_can_be_read_in_the_database(admin_client: Client, user: User) -> None:
    """Neither in its own table nor in the audit log, the history of the admin or the sessions of staff."""
    password = "a quite unguessable phrase"
    assert saved(send(admin_client, url(user, "change"), new_password=password))
    _, secret = mfa.new_authenticator(user)
    codes = mfa.new_backup_codes(confirmed_authenticator(user).user)
    token = token_of(user)
    stored = everything_stored()
    assert user.email in stored
    raw = base64.b32decode(secret)
    for text in (password, secret, raw.hex(), base64.b64encode(raw).decode(), *codes, token, token.split(".")[2]):
        assert text.lower() not in stored.lower()
