"""Signing up by invitation."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.db import connection
from django.utils import timezone

from accounts.mail import outbox
from accounts.models import Deployment, SignUpAttempt, SignUpInvitation, User
from accounts.sign_in import invitations
from audit.models import AuditEntry
from tests.support.api import MULTIPART, ApiClient, data_of, error_code
from tests.support.factories import DeploymentFactory, invitation
from tests.support.sign_in import PASSWORD, mailed_code, user_with_password
from tests.support.sign_up import SIGN_UP, attempt_of, prepare, verify

VALIDATE = "/deployment/invitations/validate"
SIGN_UP_ATTEMPT_OVER, SIGN_UP_CLOSED, INVITATION_REQUIRED = 40116, 40308, 40309


@pytest.fixture
def inviting(db: None) -> Deployment:
    return DeploymentFactory.create(sign_up_mode="invitation", allowed_origins=["https://app.example.com"])


@pytest.fixture
def browser(inviting: Deployment) -> ApiClient:
    return ApiClient(inviting)


def mailed_link() -> str:
    outbox.deliver_due()
    (link,) = re.findall(r"(?m)^(https?://\S+)$", str(django_mail.outbox[-1].body))
    return str(link)


def mailed_token() -> str:
    return mailed_link().rpartition("invite_token=")[2]


def validated(client: ApiClient, token: str) -> Any:
    return data_of(client.get(VALIDATE, f"token={token}"))


def begin(client: ApiClient, token: str, email: str = "ada@example.com") -> Any:
    body = {"email": email, "password": PASSWORD, "invite_token": token}
    return client.post(SIGN_UP, body, content_type=MULTIPART)


def test_an_invited_person_signs_up_with_the_token_of_the_mail(browser: ApiClient, inviting: Deployment) -> None:
    row = invitation(inviting, first_name="Ada", last_name="Lindqvist")
    link = mailed_link()
    assert django_mail.outbox[-1].to == ["ada@example.com"]
    page, _, token = link.partition("?invite_token=")
    assert page == "https://app.example.com/sign-up"
    assert validated(browser, token) == {
        "valid": True,
        "first_name": "Ada",
        "last_name": "Lindqvist",
        "email": "ada@example.com",
    }
    attempt = attempt_of(begin(browser, token))
    prepare(browser, attempt)
    assert data_of(verify(browser, attempt, mailed_code()))["active_signin"] is not None
    row.refresh_from_db()
    assert row.accepted_at is not None
    assert validated(browser, token) == {
        "valid": False,
        "message": "This invitation has been accepted already; sign in.",
        "error_code": "invitation_accepted",
    }
    assert error_code(begin(ApiClient(inviting), token)) == INVITATION_REQUIRED


def test_nobody_signs_up_without_the_token_though_the_address_is_invited(inviting: Deployment) -> None:
    """Otherwise whoever likes could ask which addresses are."""
    invitation(inviting)
    client = ApiClient(inviting)
    invited, other = (begin(client, "", email) for email in ("ada@example.com", "nobody@example.com"))
    assert (error_code(invited), invited.content) == (INVITATION_REQUIRED, other.content)


def test_a_token_is_for_the_address_that_was_invited(browser: ApiClient, inviting: Deployment) -> None:
    invitation(inviting)
    token = mailed_token()
    response = begin(browser, token, "mallory@example.com")
    assert error_code(response) == INVITATION_REQUIRED
    assert "the address to which the invitation was sent" in response.json()["errors"][0]["message"]
    assert begin(browser, token, "ADA@Example.com").status_code == 200


def test_a_token_is_refused_that_is_forged_or_expired(browser: ApiClient, inviting: Deployment) -> None:
    invitation(inviting)
    token = mailed_token()
    for bad in ("", "forged", token[:-1]):
        assert validated(browser, bad)["error_code"] == "invitation_unknown"
    assert validated(ApiClient(DeploymentFactory.create(sign_up_mode="invitation")), token)["valid"] is False
    SignUpInvitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert validated(browser, token)["error_code"] == "invitation_expired"
    response = begin(browser, token)
    assert error_code(response) == INVITATION_REQUIRED
    assert "expired" in response.json()["errors"][0]["message"]
    assert not SignUpAttempt.objects.exists()


def test_a_withdrawn_invitation_ends_the_sign_up(browser: ApiClient, inviting: Deployment) -> None:
    row = invitation(inviting)
    attempt = attempt_of(begin(browser, mailed_token()))
    prepare(browser, attempt)
    row.delete()
    assert error_code(verify(browser, attempt, mailed_code())) == SIGN_UP_ATTEMPT_OVER
    assert not User.objects.exists()


def test_an_attempt_from_an_open_time_needs_an_invitation_now(browser: ApiClient, inviting: Deployment) -> None:
    Deployment.objects.update(sign_up_mode="open")
    attempt = attempt_of(begin(browser, ""))
    prepare(browser, attempt)
    Deployment.objects.update(sign_up_mode="invitation")
    assert error_code(verify(browser, attempt, mailed_code())) == INVITATION_REQUIRED


def test_where_everybody_may_sign_up_an_invitation_does_no_harm(browser: ApiClient, inviting: Deployment) -> None:
    Deployment.objects.update(sign_up_mode="open")
    row = invitation(inviting)
    token = mailed_token()
    assert begin(browser, "forged").status_code == 200
    attempt = attempt_of(begin(browser, token))
    prepare(browser, attempt)
    verify(browser, attempt, mailed_code())
    row.refresh_from_db()
    assert row.accepted_at is not None


def test_an_invitation_opens_no_closed_deployment(browser: ApiClient, inviting: Deployment) -> None:
    invitation(inviting)
    token = mailed_token()
    Deployment.objects.update(sign_up_mode="closed")
    assert error_code(begin(browser, token)) == SIGN_UP_CLOSED


def test_an_invitation_that_is_sent_again_has_a_new_token(browser: ApiClient, inviting: Deployment) -> None:
    row = invitation(inviting)
    first = mailed_token()
    SignUpInvitation.objects.update(expires_at=timezone.now())
    invitations.send(row)
    assert validated(browser, first)["error_code"] == "invitation_unknown"
    assert validated(browser, mailed_token())["valid"] is True


def test_a_link_keeps_the_query_and_fragment_of_the_page(inviting: Deployment) -> None:
    Deployment.objects.update(ui_settings={"sign_up_page_url": "https://app.example.com/join?plan=a#form"})
    invitation(Deployment.objects.get())
    assert re.fullmatch(r"https://app\.example\.com/join\?plan=a&invite_token=[\w-]{43}#form", mailed_link())


def test_the_token_is_kept_as_a_hash_and_stays_out_of_the_audit_log(inviting: Deployment) -> None:
    row = invitation(inviting)
    token = mailed_token()
    assert token not in row.token_hash
    entry = AuditEntry.objects.get(model="accounts.signupinvitation", action="added")
    assert entry.after is not None
    assert (entry.name, entry.after["token_hash"]) == ("ada@example.com", "(secret)")


def test_an_invitation_of_an_address_that_got_an_account_makes_no_second(browser: ApiClient, inviting: Any) -> None:
    invitation(inviting)
    token = mailed_token()
    user_with_password(inviting, email="ada@example.com")
    attempt = attempt_of(begin(browser, token))
    prepare(browser, attempt)
    outbox.deliver_due()
    assert "You have an account there already" in str(django_mail.outbox[-1].body)
    assert SignUpInvitation.objects.get().accepted_at is None


@pytest.mark.django_db(transaction=True)
def test_of_ten_people_at_once_with_one_invitation_one_signs_up(settings: Any) -> None:
    settings.CODES_PER_ACCOUNT = settings.SIGN_IN_FAILURES_PER_ACCOUNT = 1000
    deployment = DeploymentFactory.create(sign_up_mode="invitation")
    invitation(deployment)
    token = mailed_token()
    clients = [ApiClient(deployment) for _ in range(10)]
    attempts, codes = [], []
    for client in clients:
        attempts.append(attempt_of(begin(client, token)))
        prepare(client, attempts[-1])
        codes.append(mailed_code())

    def use(number: int) -> bool:
        try:
            return bool(verify(clients[number], attempts[number], codes[number]).status_code == 200)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(use, range(10))) == 1
    assert User.objects.count() == 1
