"""Nobody who knows a session's token from before a sign-in gets at what is signed in there afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from accounts.authentication import sessions
from accounts.authentication.sessions import Caller
from accounts.models import Deployment, Session
from accounts.sign_in import signing_in
from accounts.sign_in.signing_in import Client
from api.errors import ApiError, Problem
from tests.support.api import ApiClient, data_of, error_code
from tests.support.factories import token_of
from tests.support.sign_in import (
    by_email,
    read_token,
    session_data,
    sign_in,
    signed_in,
    user_with_mfa,
    user_with_password,
)

NOWHERE = Client(None, "")


def copy_of(client: ApiClient) -> ApiClient:
    """Somebody else who has the token that ``client`` has now."""
    return ApiClient(client.deployment, token=client.token)


def caller_of(client: ApiClient) -> Caller:
    """The caller behind ``client``, as found by a request that begins now and ends later."""
    assert client.token is not None
    token = read_token(client.token, client.deployment)
    session = Session.objects.get(pk=token.session_id)
    return Caller(client.deployment, session, token_serial=token.serial)


def users_of(session: Session) -> list[Any]:
    return [row.user for row in sessions.live_sign_ins(session).select_related("user")]


def test_a_sign_in_that_began_before_anothers_ends_in_a_session_of_its_own(deployment: Deployment) -> None:
    attacker, victim = user_with_password(deployment), user_with_password(deployment)
    planted = signed_in(attacker)
    stalled = caller_of(planted)
    sign_in(planted, victim)
    result = signing_in.complete(stalled, stalled.session, attacker, NOWHERE)
    assert result.session.pk != stalled.session.pk
    assert users_of(result.session) == [attacker]


def test_a_sign_in_to_a_session_that_ended_meanwhile_gets_a_new_one(deployment: Deployment) -> None:
    user = user_with_password(deployment)
    stalled = caller_of(signed_in(user))
    sessions.end_session(stalled.session)
    result = signing_in.complete(stalled, stalled.session, user, NOWHERE)
    assert result.session.ended_at is None
    assert users_of(result.session) == [user]


def test_a_renewal_that_began_before_a_sign_in_brings_nothing(deployment: Deployment, settings: Settings) -> None:
    planted = signed_in(user_with_password(deployment))
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    assert planted.token is not None
    token = read_token(planted.token, deployment)
    session = Session.objects.get(pk=token.session_id)
    sign_in(planted, user_with_password(deployment))
    with pytest.raises(ApiError) as refusal:
        sessions.renew(session, token)
    assert refusal.value.problem is Problem.TOKEN_REPLACED


def test_nobody_is_added_to_a_session_whose_token_is_never_replaced(deployment: Deployment) -> None:
    victim = user_with_password(deployment)
    planted = ApiClient(deployment, token=token_of(user_with_password(deployment)))
    attacker = copy_of(planted)
    sign_in(planted, victim)
    assert session_data(planted)["active_signin"]["user_id"] == str(victim.pk)
    assert session_data(attacker)["active_signin"]["user_id"] != str(victim.pk)


def test_a_second_account_that_needs_a_code_is_not_shown_as_done(deployment: Deployment) -> None:
    client = signed_in(user_with_password(deployment))
    before = copy_of(client)
    answer = data_of(client.post("/auth/signin", by_email(user_with_mfa(deployment))))
    assert answer["active_signin"] is None
    assert answer["signin_attempts"][-1]["current_step"] == "verify_second_factor"
    assert session_data(before)["active_signin"] is not None, "the first account is still signed in, with its token"


def test_a_navigation_takes_no_cookie_away(deployment: Deployment) -> None:
    """A browser withholds a strict cookie when another site leads to a page; the answer must not replace it."""
    response = ApiClient(deployment).get("/session", HTTP_SEC_FETCH_MODE="navigate")
    assert response.status_code == 200
    assert not response.cookies
    assert error_code(ApiClient(deployment).get("/me")) == 40101
