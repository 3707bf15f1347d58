"""manage.py issue_session USER [--host HOST] [--expires-in SECONDS]"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import DeploymentAlias, Session, User
from tests.support.api import ApiClient, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory, member_of_new_workspace

TEN_YEARS = 10 * 365 * 24 * 3600


@pytest.fixture
def ada(db: None) -> User:
    return UserFactory.create(email="Ada@Example.com", username="Ada.L")


@pytest.fixture
def issued(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command; gives what it printed, if that is one line on standard output and nothing besides."""

    def run(*arguments: str) -> str:
        call_command("issue_session", *arguments)
        output, errors = capsys.readouterr()
        assert errors == ""
        assert output.endswith("\n")
        return output[:-1]

    return run


def asked_by(token: str, user: User) -> Any:
    return ApiClient(user.deployment, token=token).get()


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def failure(*arguments: str) -> str:
    """The message with which the command refuses; it must have started no session."""
    before = Session.objects.count()
    with pytest.raises(CommandError) as caught:
        call_command("issue_session", *arguments)
    assert Session.objects.count() == before
    return str(caught.value)


@each(
    "name",
    [
        "Ada@Example.com",
        "ada@example.com",
        "ADA@EXAMPLE.COM",
        " ada@example.com\u200b",
        "Ada.L",
        "ada.l",
        "{id}",
        "{id} ",
    ],
)
def test_it_prints_a_token_alone_that_works(ada: User, issued: Any, name: str) -> None:
    membership = member_of_new_workspace(ada)
    UserFactory.create(deployment=ada.deployment)
    token = issued(name.format(id=ada.pk))
    assert token.count(".") == 2
    assert not set(token) & set(" \t\r\n")
    (item,) = asked_by(token, ada).json()["data"]
    assert item["id"] == str(membership.pk)


def test_each_call_starts_a_session_of_its_own(ada: User, issued: Any) -> None:
    assert claims_of(issued(str(ada.pk)))["sess"] != claims_of(issued(str(ada.pk)))["sess"]
    assert Session.objects.count() == 2


def test_a_host_chooses_among_deployments(ada: User, issued: Any) -> None:
    namesake = UserFactory.create(email=ada.email)
    for user in (ada, namesake):
        token = issued("ada@example.com", "--host", user.deployment.host)
        assert Session.objects.get(pk=claims_of(token)["sess"]).deployment == user.deployment
        assert asked_by(token, user).status_code == 200


@each("host", ["alias.example.com", "ALIAS.example.com", "alias.example.com."])
def test_the_host_may_be_an_alias(ada: User, issued: Any, host: str) -> None:
    DeploymentAlias.objects.create(deployment=ada.deployment, host="alias.example.com")
    token = issued("ada@example.com", "--host", host)
    assert claims_of(token)["iss"] == f"https://{ada.deployment.host}"
    assert asked_by(token, ada).status_code == 200


def test_a_name_in_several_deployments_is_refused_and_they_are_named(ada: User) -> None:
    namesake = UserFactory.create(email="ADA@example.com")
    message = failure("ada@example.com")
    for user in (ada, namesake):
        assert str(user.pk) in message
        assert user.deployment.host in message
    assert "--host" in message


def test_an_e_mail_address_that_is_anothers_username_is_refused(ada: User) -> None:
    other = UserFactory.create(deployment=ada.deployment, username="ada@example.com")
    message = failure("ada@example.com", "--host", ada.deployment.host)
    assert str(ada.pk) in message
    assert str(other.pk) in message


@each("name", ["nobody@example.com", "", "-1", "0", "9" * 18, "9" * 30, "%", "' OR 1=1 --"])
def test_an_unknown_user_is_refused(ada: User, name: str) -> None:
    assert failure("--", name) == f"No user is called {name!r}."


def test_an_id_is_decimal_digits_of_ascii(ada: User) -> None:
    wide = "".join(chr(ord(digit) - ord("0") + 0xFF10) for digit in str(ada.pk))
    assert failure(wide) == f"No user is called {wide!r}."


def test_a_user_is_unknown_at_another_deployments_host(ada: User) -> None:
    host = DeploymentFactory.create().host
    assert failure(str(ada.pk), "--host", host) == f"No user is called '{ada.pk}'."


@each("host", ["nobody.example.com", "", "https://example.com"])
def test_an_unknown_host_is_refused(ada: User, host: str) -> None:
    assert repr(host) in failure("ada@example.com", "--host", host)


def test_a_disabled_user_is_refused(ada: User) -> None:
    User.objects.update(disabled=True)
    assert "disabled" in failure("ada@example.com")


@each("seconds", ["0", "-1", str(TEN_YEARS + 1), "9" * 30, "soon", "1.5", ""])
def test_a_life_out_of_bounds_is_refused(ada: User, seconds: str) -> None:
    assert "--expires-in" in failure(str(ada.pk), f"--expires-in={seconds}")


@each(
    ("arguments", "seconds"),
    [
        ([], 7 * 24 * 3600),
        (["--expires-in", "1"], 1),
        (["--expires-in", "600"], 600),
        (["--expires-in", str(TEN_YEARS)], TEN_YEARS),
    ],
)
def test_session_sign_in_and_token_end_together(ada: User, issued: Any, arguments: list[str], seconds: int) -> None:
    before = time.time()
    claims = claims_of(issued(str(ada.pk), *arguments))
    session = Session.objects.select_related("active_sign_in").get(pk=claims["sess"])
    assert before + seconds <= session.expires_at.timestamp() <= time.time() + seconds
    assert claims["exp"] == int(session.expires_at.timestamp())
    assert session.active_sign_in is not None
    assert session.active_sign_in.expires_at == session.expires_at


def test_the_leeway_for_clocks_does_not_lengthen_a_session(ada: User, issued: Any) -> None:
    """The token may be a second old and within its leeway; the session's own end has none."""
    token = issued(str(ada.pk), "--expires-in", "1")
    Session.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))
    assert error_code(asked_by(token, ada)) == 40103
