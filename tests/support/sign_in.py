"""Helpers that sign in as people do: with a password, and with codes."""

from __future__ import annotations

import re
from typing import Any

import pyotp
from django.core import mail as django_mail
from django.utils import timezone

from accounts.credentials import mfa
from accounts.mail import outbox
from accounts.models import Deployment, Mail, User
from accounts.tokens.session_tokens import SessionToken, verify_session_token
from tests.support.api import JSON, ApiClient, data_of
from tests.support.factories import TOTP_SECRET, UserFactory, confirmed_authenticator

PASSWORD = "seven lazy foxes jump"
SIGN_IN = "/auth/signin"
VERIFY = "/auth/attempt-verification"


def user_with_password(deployment: Deployment, **values: Any) -> User:
    user = UserFactory.build(deployment=deployment, **values)
    user.set_password(PASSWORD)
    user.save()
    return user


def user_with_mfa(deployment: Deployment, **values: Any) -> User:
    """A user with a password and an authenticator."""
    user = user_with_password(deployment, **values)
    confirmed_authenticator(user)
    return user


def read_token(token: str, deployment: Deployment) -> SessionToken:
    """The claims of ``token``, a good session token of ``deployment``."""
    return verify_session_token(token, deployment, find_key=lambda kid: deployment.signing_keys.filter(kid=kid).first())


def totp(steps: int = 0, *, secret: str = TOTP_SECRET) -> str:
    """The authenticator's code of now, or of so many periods later."""
    return pyotp.TOTP(secret).generate_otp(mfa._step() + steps)


def by_email(user: User, password: str = PASSWORD) -> dict[str, str]:
    return {"strategy": "plain_email", "email": user.email, "password": password}


def sign_in(
    client: ApiClient, user: User, password: str = PASSWORD, *, content_type: str = JSON, **headers: Any
) -> Any:
    """The answer to the user's e-mail address and password."""
    return client.post(SIGN_IN, by_email(user, password), content_type=content_type, **headers)


def verify(client: ApiClient, attempt_id: object, code: str, **headers: Any) -> Any:
    """The answer to the MFA code of an attempt."""
    query = f"attempt_identifier={attempt_id}&identifier_type=signin"
    return client.post(VERIFY, {"verification_code": code}, query, **headers)


def attempt_of(response: Any) -> str:
    """The id of the attempt that awaits an MFA code."""
    id_: str = data_of(response)["signin_attempts"][-1]["id"]
    return id_


def signed_in(user: User, **headers: Any) -> ApiClient:
    """A browser in which ``user`` has just signed in with their password."""
    client = ApiClient(user.deployment)
    assert data_of(sign_in(client, user, **headers))["active_signin"]["user_id"] == str(user.pk)
    return client


def deliver_mail() -> None:
    """Send what waits, also what waits for a pause to end."""
    Mail.objects.filter(state=Mail.State.WAITING).update(next_try_at=timezone.now())
    outbox.deliver_due()


def mailed_code() -> str:
    """The code of the newest mail, which is sent before."""
    deliver_mail()
    (code,) = re.findall(r"(?m)^(\d{6})$", str(django_mail.outbox[-1].body))
    return str(code)


def session_data(client: ApiClient) -> Any:
    """``data`` of the answer to ``GET /session``."""
    return data_of(client.get("/session"))
