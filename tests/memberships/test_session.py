"""GET /session, switching between sign-ins, and signing out."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.utils import timezone

from accounts.models import Deployment, Session, SignIn, User
from accounts.tokens.session_tokens import sign_session_token
from tests.support.api import ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, session_of
from tests.support.sign_in import session_data, sign_in, signed_in, user_with_password

REPEATED_PARAMETER = 40002
INVALID_PARAMETER = 40003
NO_SESSION = 40101
INVALID_SESSION_TOKEN = 40102
SESSION_EXPIRED = 40103
SESSION_ENDED = 40104
NO_ACTIVE_SIGN_IN = 40105
NOT_FOUND = 40404

SIGN_OUT = "/session/sign-out"
SWITCH = "/session/switch-sign-in"


class People(NamedTuple):
    ada: User
    bob: User
    both: ApiClient
    """A browser in which Ada and then Bob signed in."""


@pytest.fixture(scope="module")
def shared_people(shared_deployment: Deployment) -> People:
    ada, bob = (user_with_password(shared_deployment) for _ in range(2))
    both = signed_in(ada)
    sign_in(both, bob)
    return People(ada, bob, both)


@pytest.fixture
def people(shared_people: People, db: None) -> People:
    return deepcopy(shared_people)


@pytest.fixture
def ada(people: People) -> User:
    return people.ada


@pytest.fixture
def bob(people: People) -> User:
    return people.bob


@pytest.fixture
def both(people: People) -> ApiClient:
    return people.both


def sign_in_id(user: User) -> str:
    """The id of the user's live sign-in."""
    return str(SignIn.objects.get(user=user, ended_at__isnull=True).pk)


def active_user(data: dict[str, Any]) -> str | None:
    active = data["active_signin"]
    return None if active is None else str(active["user_id"])


# Visitors


def test_a_visitor_gets_a_session_in_which_nobody_is_signed_in(deployment: Deployment) -> None:
    visitor = ApiClient(deployment)
    response = visitor.get("/session")
    data = data_of(response)
    assert data == {
        "id": data["id"],
        "active_signin": None,
        "signins": [],
        "signin_attempts": [],
        "signup_attempts": [],
    }
    assert response.json()["session"]["id"] == data["id"]
    assert "__session" in response.cookies


@pytest.mark.parametrize("path", ["/session", "/deployment"])
def test_a_visitor_keeps_their_session(deployment: Deployment, path: str) -> None:
    visitor = ApiClient(deployment)
    first = visitor.get(path)
    for again in (visitor.get("/session"), visitor.get("/deployment")):
        assert again.json()["session"]["id"] == first.json()["session"]["id"]
        assert "__session" not in again.cookies
    assert ApiClient(deployment).get(path).json()["session"]["id"] != first.json()["session"]["id"]


def test_an_unchanged_visitors_session_is_not_sent_again(deployment: Deployment) -> None:
    visitor = ApiClient(deployment)
    visitor.get("/session")
    etag = visitor.get("/session").headers["ETag"]
    assert visitor.get("/session", HTTP_IF_NONE_MATCH=etag).status_code == 304


def row_counts() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in apps.get_models()}


def test_visitors_cost_no_row(deployment: Deployment) -> None:
    ApiClient(deployment).get("/session")  # the hour of the key's first token is stored
    before = row_counts()
    for _ in range(50):
        for path in ("/session", "/deployment"):
            assert ApiClient(deployment).get(path).status_code == 200
        ApiClient(deployment).post(SIGN_OUT)
    assert row_counts() == before


def test_a_visitors_session_is_over_after_a_day(deployment: Deployment) -> None:
    visitor = ApiClient(deployment)
    cookie = visitor.get("/session").cookies["__session"]
    assert 23 * 3600 < int(cookie["max-age"]) <= 24 * 3600


@each("path", ["/me", "/me/workspace-memberships", "/me/organization-memberships", "/session/token"])
def test_a_visitor_is_asked_to_sign_in_where_a_user_is_needed(deployment: Deployment, path: str) -> None:
    visitor = ApiClient(deployment)
    assert error_code(visitor.get(path)) == NO_SESSION
    visitor.get("/session")
    assert error_code(visitor.get(path)) == NO_ACTIVE_SIGN_IN


def forged(user: User) -> str:
    token = ApiClient(user.deployment, user).token
    assert token is not None
    return token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")


def foreign(user: User) -> str:
    token = ApiClient(DeploymentFactory.create()).get("/session").cookies["__session"].value
    return str(token)


def expired(user: User) -> str:
    return sign_session_token(session_of(user), expires_at=timezone.now() - timedelta(minutes=1))


def of_ended_session(user: User) -> str:
    session = session_of(user, ended_at=timezone.now())
    return sign_session_token(session, expires_at=session.expires_at)


def of_expired_session(user: User) -> str:
    session = session_of(user, expires_at=timezone.now() - timedelta(minutes=1))
    return sign_session_token(session, expires_at=timezone.now() + timedelta(hours=1))


def expired_visitor(user: User) -> str:
    session = Session(pk=2**62 + 1, deployment=user.deployment)
    return sign_session_token(session, expires_at=timezone.now() - timedelta(minutes=1), anonymous=True)


@each(
    ("token_for", "code"),
    [
        (forged, INVALID_SESSION_TOKEN),
        (foreign, INVALID_SESSION_TOKEN),
        (lambda _: "x", INVALID_SESSION_TOKEN),
        (expired, SESSION_EXPIRED),
        (expired_visitor, SESSION_EXPIRED),
        (of_expired_session, SESSION_EXPIRED),
        (of_ended_session, SESSION_ENDED),
    ],
    ids=["forged", "foreign", "nonsense", "expired", "expired visitor", "session expired", "session ended"],
)
@each("path", ["/session", "/deployment"])
def test_a_page_with_a_bad_token_starts_as_a_new_visitor(
    ada: User, path: str, token_for: Callable[[User], str], code: int
) -> None:
    """A 401 here would leave it loading for ever."""
    client = ApiClient(ada.deployment, token=token_for(ada))
    assert error_code(client.get("/me")) == code
    response = client.get(path)
    assert response.status_code == 200
    assert "__session" in response.cookies
    assert session_data(client)["active_signin"] is None
    assert session_data(client)["id"] == response.json()["session"]["id"]


def test_a_visitors_token_for_a_real_session_opens_nothing(ada: User) -> None:
    session = session_of(ada)
    token = sign_session_token(session, expires_at=session.expires_at, anonymous=True)
    client = ApiClient(ada.deployment, token=token)
    assert error_code(client.get("/me")) == NO_ACTIVE_SIGN_IN
    assert session_data(client)["signins"] == []
    client.post(SIGN_OUT)
    session.refresh_from_db()
    assert session.ended_at is None


def test_a_repeated_parameter_is_a_mistake_even_for_visitors(db: None) -> None:
    client = ApiClient(DeploymentFactory.create(mode=Deployment.Mode.STAGING))
    assert error_code(client.get("/session", "__dev_session__=a&__dev_session__=b")) == REPEATED_PARAMETER


# Signed in


def test_the_session_shows_the_signed_in_user(both: ApiClient, ada: User, bob: User) -> None:
    data = session_data(both)
    assert [item["user"]["id"] for item in data["signins"]] == [str(ada.pk), str(bob.pk)]
    assert data["active_signin"]["id"] == sign_in_id(bob)
    assert data["active_signin"]["active_organization_membership_id"] == ""
    assert data["active_signin"]["active_workspace_membership_id"] == ""


@each(
    "ends",
    [
        lambda user: SignIn.objects.filter(user=user).update(ended_at=timezone.now()),
        lambda user: SignIn.objects.filter(user=user).update(expires_at=timezone.now()),
        lambda user: User.objects.filter(pk=user.pk).update(disabled=True),
        lambda user: User.objects.filter(pk=user.pk).delete(),
    ],
    ids=["ended", "expired", "user disabled", "user deleted"],
)
def test_a_dead_sign_in_is_not_shown(both: ApiClient, ada: User, bob: User, ends: Callable[[User], Any]) -> None:
    """The session goes on: the other user's is offered."""
    ends(bob)
    data = session_data(both)
    assert data["active_signin"] is None
    assert [item["user_id"] for item in data["signins"]] == [str(ada.pk)]
    assert active_user(data_of(both.post(SWITCH, None, f"sign_in_id={sign_in_id(ada)}"))) == str(ada.pk)


def test_another_sign_in_can_be_made_the_active_one(both: ApiClient, ada: User) -> None:
    data = data_of(both.post(SWITCH, None, f"sign_in_id={sign_in_id(ada)}"))
    assert active_user(data) == str(ada.pk)
    assert len(data["signins"]) == 2
    assert data_of(both.get("/me"))["id"] == str(ada.pk)


@pytest.mark.parametrize("query", ["sign_in_id=", ""])
def test_an_empty_sign_in_id_makes_none_active(both: ApiClient, query: str) -> None:
    data = data_of(both.post(SWITCH, None, query))
    assert data["active_signin"] is None
    assert len(data["signins"]) == 2
    assert error_code(both.get("/me")) == NO_ACTIVE_SIGN_IN


@pytest.mark.parametrize("path", [SWITCH, SIGN_OUT])
def test_a_sign_in_that_is_not_there_is_not_found(
    both: ApiClient, deployment: Deployment, bob: User, path: str
) -> None:
    """Nor is it told whether it exists elsewhere."""
    signed_in(stranger := user_with_password(deployment))
    signed_in(foreigner := user_with_password(DeploymentFactory.create()))
    elsewhere = [sign_in_id(stranger), sign_in_id(foreigner), "0", str(2**63 - 1)]
    sign_in(both, bob)
    ended = SignIn.objects.filter(user=bob, ended_at__isnull=False).get().pk
    answers = {both.post(path, None, f"sign_in_id={id_}").content for id_ in [*elsewhere, ended]}
    assert len(answers) == 1
    assert error_code(both.post(path, None, "sign_in_id=0")) == NOT_FOUND
    assert SignIn.objects.get(user=stranger).ended_at is None
    assert len(session_data(both)["signins"]) == 2


@each("path", [SWITCH, SIGN_OUT])
@each(
    ("query", "code"),
    [
        ("sign_in_id=x", INVALID_PARAMETER),
        ("sign_in_id=-1", INVALID_PARAMETER),
        ("sign_in_id=1.0", INVALID_PARAMETER),
        ("sign_in_id=%201", INVALID_PARAMETER),
        ("sign_in_id=%00", INVALID_PARAMETER),
        ("sign_in_id=%D9%A1", INVALID_PARAMETER),
        ("sign_in_id=9223372036854775808", INVALID_PARAMETER),
        ("sign_in_id=1&sign_in_id=1", REPEATED_PARAMETER),
        ("sign_in_id=&sign_in_id=", REPEATED_PARAMETER),
    ],
)
def test_a_sign_in_id_is_one_number(both: ApiClient, path: str, query: str, code: int) -> None:
    assert error_code(both.post(path, None, query)) == code
    assert len(session_data(both)["signins"]) == 2


def test_a_visitor_has_nothing_to_switch_to(deployment: Deployment) -> None:
    assert error_code(ApiClient(deployment).post(SWITCH)) == NO_ACTIVE_SIGN_IN


# Signing out


@pytest.mark.parametrize("path", [SWITCH, SIGN_OUT])
def test_the_answer_to_a_change_is_as_new_as_the_next(both: ApiClient, ada: User, bob: User, path: str) -> None:
    changed = both.post(path, None, f"sign_in_id={sign_in_id(ada if path == SWITCH else bob)}")
    assert changed.json() == both.get("/session").json()


def test_signing_out_one_leaves_the_other(both: ApiClient, ada: User, bob: User) -> None:
    data = data_of(both.post(SIGN_OUT, None, f"sign_in_id={sign_in_id(ada)}"))
    assert active_user(data) == str(bob.pk)
    assert [item["user_id"] for item in data["signins"]] == [str(bob.pk)]


def test_signing_out_the_active_one_makes_the_other_active(both: ApiClient, ada: User, bob: User) -> None:
    data = data_of(both.post(SIGN_OUT, None, f"sign_in_id={sign_in_id(bob)}"))
    assert active_user(data) == str(ada.pk)
    assert data_of(both.get("/me"))["id"] == str(ada.pk)


@pytest.mark.parametrize("query", ["sign_in_id=", ""])
def test_signing_out_all_leaves_a_new_visitor(both: ApiClient, query: str) -> None:
    before, token = session_data(both)["id"], both.token
    response = both.post(SIGN_OUT, None, query)
    data = data_of(response)
    assert data == {
        "id": data["id"],
        "active_signin": None,
        "signins": [],
        "signin_attempts": [],
        "signup_attempts": [],
    }
    assert data["id"] != before
    assert session_data(both)["id"] == data["id"]
    assert error_code(ApiClient(both.deployment, token=token).get("/me")) == SESSION_ENDED
    assert not SignIn.objects.filter(ended_at__isnull=True).exists()


def test_the_last_sign_in_takes_the_session_with_it(deployment: Deployment) -> None:
    user = user_with_password(deployment)
    client = signed_in(user)
    token = client.token
    assert data_of(client.post(SIGN_OUT, None, f"sign_in_id={sign_in_id(user)}"))["signins"] == []
    assert error_code(ApiClient(deployment, token=token).get("/me")) == SESSION_ENDED


def test_signing_out_ends_the_session_even_when_its_token_is_due(both: ApiClient, settings: Any) -> None:
    """The visitor's token must not be overtaken by a renewed one."""
    settings.USER_SESSION_RENEW_AFTER = timedelta(0)
    data = data_of(both.post(SIGN_OUT))
    assert session_data(both)["id"] == data["id"]
    assert error_code(both.get("/me")) == NO_ACTIVE_SIGN_IN


def test_signing_out_in_one_browser_leaves_the_other(ada: User) -> None:
    here, there = signed_in(ada), signed_in(ada)
    here.post(SIGN_OUT)
    assert there.get("/me").status_code == 200


def test_a_visitor_may_sign_out_of_nothing(deployment: Deployment) -> None:
    visitor = ApiClient(deployment)
    before = session_data(visitor)
    assert data_of(visitor.post(SIGN_OUT)) == before
    assert error_code(visitor.post(SIGN_OUT, None, "sign_in_id=1")) == NOT_FOUND


@pytest.mark.parametrize("path", [SIGN_OUT, SWITCH])
def test_a_page_of_another_origin_cannot_do_it(both: ApiClient, path: str) -> None:
    for origin in ("https://evil.example", "null", ""):
        assert error_code(both.post(path, HTTP_ORIGIN=origin)) == 40302
    assert session_data(both)["active_signin"] is not None
