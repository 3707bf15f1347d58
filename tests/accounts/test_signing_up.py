"""Signing up: an attempt, the code of a mail, and then a user."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts.mail import outbox
from accounts.models import Deployment, Mail, Session, SignUpAttempt, User
from audit.models import AuditEntry
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.challenges import redeemed
from tests.support.factories import DeploymentFactory, UserFactory
from tests.support.mail import mail_server
from tests.support.sign_in import PASSWORD, SIGN_IN, mailed_code, session_data, signed_in, user_with_password
from tests.support.sign_up import attempt_of, begin, prepare, sign_up, verify

SHAPE = {
    "id": str,
    "session_id": str,
    "first_name": str,
    "last_name": str,
    "email": str,
    "username": str,
    "phone_number": str,
    "password": str,
    "required_fields": list,
    "missing_fields": list,
    "current_step": str,
    "remaining_steps": list,
    "completed": bool,
}
"""``SignupAttempt`` of the public document."""
INVALID_FIELD, CHALLENGE_REQUIRED, CHALLENGE_FAILED, WEAK_PASSWORD = 40004, 40005, 40006, 40007
WRONG_CODE, SIGN_UP_ATTEMPT_OVER, SIGN_UP_CLOSED = 40109, 40116, 40308
INVITATION_REQUIRED, TOO_MANY_REQUESTS = 40309, 42901


@pytest.fixture
def opened(db: None) -> Deployment:
    return DeploymentFactory.create(sign_up_mode="open")


@pytest.fixture
def browser(opened: Deployment) -> ApiClient:
    return ApiClient(opened)


@each("content_type", [MULTIPART, FORM, JSON])
def test_somebody_signs_up_and_is_signed_in(browser: ApiClient, opened: Deployment, content_type: str) -> None:
    begun = data_of(begin(browser, content_type))
    assert begun["active_signin"] is None
    (attempt,) = begun["signup_attempts"]
    assert {name: type(value) for name, value in attempt.items()} == SHAPE
    assert attempt == {
        "id": attempt["id"],
        "session_id": begun["id"],
        "first_name": "Ada",
        "last_name": "Lindqvist",
        "email": "ada@example.com",
        "username": "ada",
        "phone_number": "",
        "password": "",
        "required_fields": ["email", "password"],
        "missing_fields": [],
        "current_step": "verify_email",
        "remaining_steps": ["verify_email"],
        "completed": False,
    }
    assert not User.objects.exists()
    assert not Mail.objects.exists()
    assert data_of(prepare(browser, attempt)) == {
        "otp_sent": True,
        "masked_email": "a***@example.com",
        "verification_method": "email_otp",
    }
    code = mailed_code()
    assert django_mail.outbox[-1].to == ["ada@example.com"]
    data = data_of(verify(browser, attempt, code))
    (completed,) = data["signup_attempts"]
    assert completed == attempt | {"current_step": "", "remaining_steps": [], "completed": True}
    user = User.objects.get()
    assert data["active_signin"]["user_id"] == str(user.pk)
    assert (user.email, user.username, user.first_name, user.last_name) == (
        *("ada@example.com", "ada", "Ada"),
        "Lindqvist",
    )
    me = data_of(browser.get("/me"))
    assert (me["id"], me["primary_email_address"]["verified"]) == (str(user.pk), True)
    assert session_data(browser)["signup_attempts"] == []
    signed_in(user)  # with the password that was given
    assert SignUpAttempt.objects.get().password == ""


def test_the_least_that_is_needed_is_an_address_and_a_password(browser: ApiClient) -> None:
    """The form of client libraries sends empty fields along."""
    sign_up(browser, first_name="", last_name="", username="", phone_number="")
    assert (User.objects.get().username, User.objects.get().first_name) == ("", "")


def test_nothing_says_whether_anybody_has_the_address_or_username(opened: Deployment) -> None:
    user_with_password(opened, email="Taken@example.com", username="taken")
    user_with_password(opened, email="gone@example.com", username="gone", disabled=True)
    seen = set()
    for name in ("taken", "gone", "nobody"):
        client = ApiClient(opened)
        begun = begin(client, email=f"{name}@example.com", username=name)
        attempt = attempt_of(begun)
        answers = [begun, client.get("/session"), prepare(client, attempt), verify(client, attempt, "wrong")]
        text = repr([(answer.status_code, answer.json(), dict(answer.headers)) for answer in answers])
        text = re.sub(r"\d{4}-\d\d-\d\dT[^']*", "TIME", text.replace(name, "NAME").replace(f"{name[0]}***", "N***"))
        seen.add(re.sub(r"'ETag': '[^']*'|'\d+'", "ID", text))
    assert len(seen) == 1, seen
    templates = dict(Mail.objects.values_list("to", "template"))
    assert templates == {
        "taken@example.com": "address_taken",
        "gone@example.com": "address_taken",
        "nobody@example.com": "verify_address",
    }


def test_a_sign_up_with_a_known_address_never_completes(opened: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even for somebody who guesses the code that nobody has been sent."""
    known = user_with_password(opened, email="ada@example.com")
    monkeypatch.setattr("secrets.randbelow", lambda _: 123456)
    client = ApiClient(opened)
    attempt = attempt_of(begin(client))
    prepare(client, attempt)
    assert error_code(verify(client, attempt, "123456")) == SIGN_UP_ATTEMPT_OVER
    assert list(User.objects.all()) == [known]
    outbox.deliver_due()
    (message,) = django_mail.outbox
    assert "You have an account there already" in str(message.body)
    assert "123456" not in str(message.body)


def test_a_code_sent_before_somebody_got_the_address_makes_no_second_user(browser: ApiClient, opened: Any) -> None:
    attempt = attempt_of(begin(browser))
    prepare(browser, attempt)
    code = mailed_code()
    UserFactory.create(deployment=opened, email="ADA@example.com")
    response = verify(browser, attempt, code)
    assert error_code(response) == SIGN_UP_ATTEMPT_OVER
    assert response.json()["errors"][0]["message"] == "Sign in: you have an account with this e-mail address already."
    assert User.objects.count() == 1


def test_a_username_that_is_taken_is_left_out_and_missing(browser: ApiClient, opened: Deployment) -> None:
    UserFactory.create(deployment=opened, username="ADA")
    data = sign_up(browser)
    (attempt,) = data["signup_attempts"]
    assert (attempt["username"], attempt["missing_fields"], attempt["completed"]) == ("", ["username"], True)
    assert User.objects.get(email="ada@example.com").username == ""


def test_an_attempt_keeps_neither_address_nor_username_from_others(opened: Deployment) -> None:
    begin(ApiClient(opened))
    data = sign_up(ApiClient(opened))
    assert data["active_signin"]["user"]["username"] == "ada"


def test_the_code_of_one_attempt_is_good_for_no_other(opened: Deployment) -> None:
    """Somebody who reads out the code that they got has it complete nothing but their own sign-up."""
    thief, browser = ApiClient(opened), ApiClient(opened)
    other, own = attempt_of(begin(thief)), attempt_of(begin(browser))
    prepare(thief, other)
    prepare(browser, own)
    code = mailed_code()
    assert error_code(verify(thief, other, code)) == WRONG_CODE
    assert error_code(verify(thief, own, code)) == SIGN_UP_ATTEMPT_OVER
    assert error_code(prepare(thief, own)) == SIGN_UP_ATTEMPT_OVER
    assert verify(browser, own, code).status_code == 200


@pytest.mark.parametrize(("mode", "code"), [("closed", SIGN_UP_CLOSED), ("invitation", INVITATION_REQUIRED)])
def test_nobody_signs_up_unless_the_deployment_allows_it(deployment: Deployment, mode: str, code: int) -> None:
    Deployment.objects.update(sign_up_mode=mode)
    assert error_code(begin(ApiClient(deployment))) == code
    assert not SignUpAttempt.objects.exists()


def test_a_sign_up_ends_when_the_deployment_stops_allowing_it(browser: ApiClient) -> None:
    attempt = attempt_of(begin(browser))
    prepare(browser, attempt)
    Deployment.objects.update(sign_up_mode="closed")
    assert error_code(verify(browser, attempt, mailed_code())) == SIGN_UP_CLOSED
    assert not User.objects.exists()


@each(
    ("password", "told"),
    [("short", "too short"), ("1q2w3e4r5t6y7u8i9o0p", "too common"), ("ada@example.com", "too similar to the email")],
)
def test_a_poor_password_is_refused_with_the_reason(browser: ApiClient, password: str, told: str) -> None:
    response = begin(browser, password=password)
    assert error_code(response) == WEAK_PASSWORD
    assert told in response.json()["errors"][0]["message"]


@each(
    ("field", "value"),
    [
        ("email", ""),
        ("email", "ada"),
        ("email", "x" * 250 + "@a.example"),
        ("password", ""),
        ("username", "a b"),
        ("username", "a@b"),
        ("username", "12"),
        ("last_name", "x" * 151),
    ],
)
def test_a_field_that_is_no_good_is_named(browser: ApiClient, field: str, value: str) -> None:
    response = begin(browser, **{field: value})
    assert error_code(response) == INVALID_FIELD
    assert response.json()["errors"][0]["message"].startswith(field)
    assert not SignUpAttempt.objects.exists()


def test_a_challenge_is_spent_by_a_sign_up_but_not_by_a_poor_password(browser: ApiClient, opened: Any) -> None:
    Deployment.objects.update(challenge_demanded=True, challenge_difficulty=1)
    assert error_code(begin(browser)) == CHALLENGE_REQUIRED
    token = redeemed(browser)
    assert error_code(begin(browser, password="short", challenge_token=token)) == WEAK_PASSWORD
    attempt = attempt_of(begin(browser, challenge_token=token))
    assert error_code(begin(browser, challenge_token=token)) == CHALLENGE_FAILED
    assert prepare(browser, attempt).status_code == 200
    assert verify(browser, attempt, mailed_code()).status_code == 200


def test_sign_ups_and_mails_for_one_address_are_limited(opened: Deployment) -> None:
    clients = [ApiClient(opened) for _ in range(7)]
    begun = [begin(client) for client in clients]
    assert [response.status_code for response in begun] == [200] * 5 + [429] * 2
    assert SignUpAttempt.objects.count() == 5
    sent = [prepare(clients[n % 5], attempt_of(begun[n % 5])).status_code for n in range(7)]
    assert sent == [200] * 5 + [429] * 2
    assert Mail.objects.count() == 5


def test_sign_ups_by_one_client_are_limited(opened: Deployment, settings: Any) -> None:
    settings.CODES_PER_ADDRESS = 3
    codes = [begin(ApiClient(opened), email=f"a{n}@example.com").status_code for n in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    assert Session.objects.count() == 3


def test_wrong_codes_are_limited_per_code_and_per_address(browser: ApiClient) -> None:
    attempt = attempt_of(begin(browser))
    prepare(browser, attempt)
    code = mailed_code()
    wrong = "000000" if code != "000000" else "1"
    assert [error_code(verify(browser, attempt, wrong)) for _ in range(5)] == [WRONG_CODE] * 5
    assert error_code(verify(browser, attempt, code)) == WRONG_CODE  # it is void
    prepare(browser, attempt)
    assert [error_code(verify(browser, attempt, wrong)) for _ in range(4)] == [WRONG_CODE] * 4
    assert error_code(verify(browser, attempt, mailed_code())) == TOO_MANY_REQUESTS


def test_an_attempt_expires_and_is_swept(browser: ApiClient) -> None:
    attempt = attempt_of(begin(browser))
    prepare(browser, attempt)
    SignUpAttempt.objects.update(expires_at=timezone.now())
    assert error_code(verify(browser, attempt, mailed_code())) == SIGN_UP_ATTEMPT_OVER
    assert session_data(browser)["signup_attempts"] == []
    call_command("sweep_sessions")
    assert not SignUpAttempt.objects.exists()


def test_an_attempt_that_goes_on_is_not_swept(browser: ApiClient) -> None:
    begin(browser)
    call_command("sweep_sessions")
    assert SignUpAttempt.objects.exists()


def test_the_attempt_survives_a_reload_of_the_page(browser: ApiClient) -> None:
    begun = data_of(begin(browser))["signup_attempts"]
    assert session_data(browser)["signup_attempts"] == begun


def test_a_second_account_joins_the_session_of_the_first(opened: Deployment) -> None:
    grace = user_with_password(opened, email="grace@example.com")
    client = signed_in(grace)
    data = sign_up(client)
    assert [sign_in["user"]["primary_email_address"]["email"] for sign_in in data["signins"]] == [
        *("grace@example.com", "ada@example.com"),
    ]


def test_a_mail_server_that_refuses_loses_nothing(browser: ApiClient, settings: Any) -> None:
    attempt = attempt_of(begin(browser))
    with mail_server(settings) as server:
        server.refusals["ada@example.com"] = "451 Later"
        prepare(browser, attempt)
        outbox.deliver_due()
        assert server.messages == []
        server.refusals.clear()
        Mail.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
        outbox.deliver_due()
        body = server.messages[0].get_body(("plain",))
    assert body is not None
    (code,) = re.findall(r"(?m)^(\d{6})\r?$", body.get_content())
    assert verify(browser, attempt, code).status_code == 200


def test_the_new_user_is_in_the_audit_log_without_the_password(browser: ApiClient) -> None:
    sign_up(browser)
    entry = AuditEntry.objects.get(model="accounts.user", action="added")
    assert entry.actor_kind == "visitor"
    assert entry.after is not None
    assert (entry.after["email"], entry.after["password"]) == ("ada@example.com", "(secret)")
    assert not AuditEntry.objects.filter(model="accounts.signupattempt").exists()


@pytest.mark.django_db(transaction=True)
def test_of_fifty_uses_of_one_code_at_once_one_makes_a_user(settings: Any) -> None:
    settings.SIGN_IN_FAILURES_PER_ACCOUNT = 1000
    deployment = DeploymentFactory.create(sign_up_mode="open")
    client = ApiClient(deployment)
    attempt = attempt_of(begin(client))
    prepare(client, attempt)
    code = mailed_code()

    def use(_: int) -> bool:
        try:
            return bool(verify(ApiClient(deployment, token=client.token), attempt, code).status_code == 200)
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(use, range(50))) == 1
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_ten_sign_ups_at_once_with_one_username_one_gets_it() -> None:
    deployment = DeploymentFactory.create(sign_up_mode="open")
    clients = [ApiClient(deployment) for _ in range(10)]
    attempts, codes = [], []
    for number, client in enumerate(clients):
        attempts.append(attempt_of(begin(client, email=f"a{number}@example.com")))
        prepare(client, attempts[-1])
        codes.append(mailed_code())

    def use(number: int) -> list[str]:
        try:
            data = data_of(verify(clients[number], attempts[number], codes[number]))
            missing: list[str] = data["signup_attempts"][-1]["missing_fields"]
            return missing
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(use, range(10))) == [[]] + [["username"]] * 9
    assert User.objects.filter(username="ada").count() == 1


def test_a_user_signs_in_by_the_chosen_username(browser: ApiClient, opened: Deployment) -> None:
    sign_up(browser)
    body = {"strategy": "plain_username", "username": "Ada", "password": PASSWORD}
    assert data_of(ApiClient(opened).post(SIGN_IN, body))["active_signin"] is not None
