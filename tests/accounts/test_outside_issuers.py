"""A user signs in by the token of an outside issuer: which tokens are good, and for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.utils import timezone

from accounts.models import Session, User
from accounts.tokens.session_tokens import sign
from tests.support.admin import errors, saved, send, url
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.database import refused
from tests.support.factories import DeploymentFactory, UserFactory, confirmed_authenticator
from tests.support.outside_issuers import ISSUER, OTHER_ISSUER, outside_token, trusted_key, with_token
from tests.support.sign_in import session_data, user_with_password

INVALID_FIELD = 40004
INVALID_SESSION_TOKEN = 40102
SESSION_EXPIRED = 40103
USER_DISABLED = 40106
WRONG_CREDENTIALS = 40108


def test_a_trusted_issuer_signs_its_user_in(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    visitor = session_data(browser)["id"]
    data = data_of(with_token(browser, outside_token(outside_key, browser.deployment)))
    assert data["active_signin"]["user_id"] == str(sso_user.pk)
    assert data["id"] != visitor
    assert data_of(browser.get("/me"))["id"] == str(sso_user.pk)


def test_mfa_is_up_to_the_issuer(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    confirmed_authenticator(sso_user)
    data = data_of(with_token(browser, outside_token(outside_key, browser.deployment)))
    assert data["active_signin"]["user_id"] == str(sso_user.pk)


@each(
    ("claims", "code"),
    [
        ({"aud": "https://elsewhere.example.com"}, INVALID_SESSION_TOKEN),
        ({"aud": ["https://elsewhere.example.com"]}, INVALID_SESSION_TOKEN),
        ({"aud": None}, INVALID_SESSION_TOKEN),
        ({"iss": "https://evil.example.com"}, INVALID_SESSION_TOKEN),
        ({"iss": None}, INVALID_SESSION_TOKEN),
        ({"sub": None}, INVALID_SESSION_TOKEN),
        ({"exp": None}, INVALID_SESSION_TOKEN),
        ({"iat": None}, INVALID_SESSION_TOKEN),
        ({"iat": 1, "nbf": 1, "exp": 61}, SESSION_EXPIRED),
        ({"nbf": 2**40}, INVALID_SESSION_TOKEN),
        ({"sub": "idp|43"}, WRONG_CREDENTIALS),
        ({"sub": "IDP|42"}, WRONG_CREDENTIALS),
        ({"sub": ""}, WRONG_CREDENTIALS),
        ({"sub": "idp|42\0"}, WRONG_CREDENTIALS),
        ({"sub": "\ud800"}, WRONG_CREDENTIALS),
    ],
)
def test_a_claim_that_does_not_fit_is_refused(
    browser: ApiClient, sso_user: User, outside_key: Any, claims: dict[str, Any], code: int
) -> None:
    assert error_code(with_token(browser, outside_token(outside_key, browser.deployment, **claims))) == code
    assert not Session.objects.exists()


def test_the_issuer_cannot_speak_in_the_deployments_own_name(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    token = outside_token(outside_key, browser.deployment, iss=browser.deployment.issuer)
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


def test_another_key_under_a_trusted_name_is_refused(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    token = outside_token(ec.generate_private_key(ec.SECP256R1()), browser.deployment)
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


def test_one_issuer_cannot_speak_for_another(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    token = outside_token(other, browser.deployment, kid="other-1")
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


def test_a_revoked_key_signs_nobody_in(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    token = outside_token(outside_key, browser.deployment)
    browser.deployment.signing_keys.filter(kid="outside-1").update(revoked_at=timezone.now())
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


def test_an_issuer_is_trusted_by_its_deployment_only(browser: ApiClient, sso_user: User) -> None:
    elsewhere = trusted_key(DeploymentFactory.create())
    assert error_code(with_token(browser, outside_token(elsewhere, browser.deployment))) == INVALID_SESSION_TOKEN


def test_an_own_token_is_no_outside_token(browser: ApiClient, sso_user: User) -> None:
    """Not even one of the very claims that an outside issuer would put there."""
    claims = {"aud": browser.deployment.issuer, "sub": "idp|42", "sess": "1"}
    token = sign(browser.deployment, claims, expires_at=timezone.now() + timedelta(minutes=1))
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN
    assert error_code(with_token(browser, ApiClient(browser.deployment, sso_user).token)) == INVALID_SESSION_TOKEN


def test_a_disabled_user_is_kept_out_of_their_issuers_sign_in(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    User.objects.update(disabled=True)
    assert error_code(with_token(browser, outside_token(outside_key, browser.deployment))) == USER_DISABLED


def test_an_external_id_of_another_deployment_is_nobody_here(browser: ApiClient, outside_key: Any) -> None:
    user_with_password(DeploymentFactory.create(), external_id="idp|42")
    token = outside_token(outside_key, browser.deployment)
    assert error_code(with_token(browser, token)) == WRONG_CREDENTIALS


@each("token", [None, "", 7, ["x"], "x" * 4097, "\0"])
def test_an_outside_token_is_a_text(browser: ApiClient, token: Any) -> None:
    assert error_code(with_token(browser, token)) == INVALID_FIELD


@each("token", ["x", "a.b.c", "\ud83d\ude00", "..", "e30.e30."])
def test_a_text_that_is_no_token_is_refused(browser: ApiClient, token: str) -> None:
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN


def test_a_subject_of_another_issuer_is_somebody_else(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    token = outside_token(other, browser.deployment, kid="other-1", iss=OTHER_ISSUER)
    assert error_code(with_token(browser, token)) == WRONG_CREDENTIALS
    data = data_of(with_token(browser, outside_token(outside_key, browser.deployment)))
    assert data["active_signin"]["user_id"] == str(sso_user.pk)


def test_an_issuer_that_comes_after_another_signs_in_no_users_of_that_one(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    """Though not one key of the first is trusted any more."""
    browser.deployment.signing_keys.exclude(issuer="").update(revoked_at=timezone.now())
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    token = outside_token(other, browser.deployment, kid="other-1", iss=OTHER_ISSUER)
    assert error_code(with_token(browser, token)) == WRONG_CREDENTIALS


def test_two_users_may_have_one_subject_of_two_issuers(browser: ApiClient, sso_user: User, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "outside-1", OTHER_ISSUER)
    twin = user_with_password(browser.deployment, external_id="idp|42", external_issuer=OTHER_ISSUER)
    for key, issuer, user in ((outside_key, ISSUER, sso_user), (other, OTHER_ISSUER, twin)):
        client = ApiClient(browser.deployment)
        data = data_of(with_token(client, outside_token(key, browser.deployment, iss=issuer)))
        assert data["active_signin"]["user_id"] == str(user.pk)


def test_two_users_of_one_subject_and_issuer_are_refused(sso_user: User) -> None:
    with refused("accounts_user_external_id_is_unique"):
        UserFactory.create(deployment=sso_user.deployment, external_id="idp|42")


def test_an_id_without_issuer_among_several_signs_nobody_in(browser: ApiClient, outside_key: Any) -> None:
    other = trusted_key(browser.deployment, "other-1", OTHER_ISSUER)
    user_with_password(browser.deployment, external_id="idp|42")
    for key, kid, issuer in ((outside_key, "outside-1", ISSUER), (other, "other-1", OTHER_ISSUER)):
        token = outside_token(key, browser.deployment, kid=kid, iss=issuer)
        assert error_code(with_token(browser, token)) == WRONG_CREDENTIALS


def test_one_issuers_key_of_the_same_name_does_not_verify_for_the_other(
    browser: ApiClient, sso_user: User, outside_key: Any
) -> None:
    other = trusted_key(browser.deployment, "outside-1", OTHER_ISSUER)
    assert error_code(with_token(browser, outside_token(other, browser.deployment))) == INVALID_SESSION_TOKEN


def test_staff_choose_the_issuer_of_an_external_id_among_several(
    admin_client: Client, sso_user: User, outside_key: Any
) -> None:
    change = url(sso_user, "change")
    assert saved(send(admin_client, change, external_id="idp|43"))
    trusted_key(sso_user.deployment, "other-1", OTHER_ISSUER)
    sso_user.refresh_from_db()
    assert (sso_user.external_id, sso_user.external_issuer) == ("idp|43", ISSUER)
    refusal = errors(send(admin_client, change, external_id="idp|44", external_issuer=""))
    assert f"The deployment trusts {ISSUER}, {OTHER_ISSUER}." in refusal
    assert "does not trust this issuer" in errors(send(admin_client, change, external_issuer="https://typo.example"))
    assert saved(send(admin_client, change, external_id="idp|44", external_issuer=OTHER_ISSUER))


@each("audience", [[], ["https://elsewhere.example"], [1], {"{ours}": 1}, 7, ""])
def test_another_audience_is_refused(browser: ApiClient, sso_user: User, outside_key: Any, audience: Any) -> None:
    token = outside_token(outside_key, browser.deployment, aud=audience)
    assert error_code(with_token(browser, token)) == INVALID_SESSION_TOKEN
