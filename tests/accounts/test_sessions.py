"""A good token is not enough: its session must live, and somebody be signed in to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Session, SignIn, User
from accounts.tokens.session_tokens import sign_session_token
from tests.support.api import ApiClient, error_code, warm_up
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory, member_of_new_workspace, session_of

SESSION_EXPIRED = 40103
SESSION_ENDED = 40104
NO_ACTIVE_SIGN_IN = 40105
USER_DISABLED = 40106


def a_minute_ago() -> dict[str, object]:
    return {"expires_at": timezone.now() - timedelta(minutes=1)}


def change_session(session: Session, **values: object) -> None:
    Session.objects.filter(pk=session.pk).update(**values)


def change_sign_in(session: Session, **values: object) -> None:
    SignIn.objects.filter(session=session).update(**values)


def sign_in_another(session: Session, user: User) -> SignIn:
    """A second sign-in of ``session``, alive but not the active one."""
    return session.sign_ins.create(deployment=session.deployment, user=user, expires_at=session.expires_at)


@pytest.fixture
def session(user: User) -> Session:
    return session_of(user)


@pytest.fixture
def client(session: Session) -> ApiClient:
    """A client with a token that is good for an hour, and was so before the test began to change the session."""
    expires_at = timezone.now() + timedelta(hours=1)
    client = ApiClient(session.deployment, token=sign_session_token(session, expires_at=expires_at))
    assert client.get().status_code == 200
    return client


def test_the_answer_names_the_session(client: ApiClient, session: Session) -> None:
    session.refresh_from_db()
    assert client.get().json()["session"] == {
        "id": str(session.pk),
        "created_at": session.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "updated_at": session.updated_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


@each(
    ("happen", "code"),
    [
        (lambda session: change_session(session, ended_at=timezone.now()), SESSION_ENDED),
        (lambda session: session.delete(), SESSION_ENDED),
        (lambda session: change_session(session, **a_minute_ago()), SESSION_EXPIRED),
        (lambda session: change_session(session, active_sign_in=None), NO_ACTIVE_SIGN_IN),
        (lambda session: change_sign_in(session, ended_at=timezone.now()), NO_ACTIVE_SIGN_IN),
        (lambda session: change_sign_in(session, **a_minute_ago()), NO_ACTIVE_SIGN_IN),
        (lambda session: SignIn.objects.filter(session=session).delete(), NO_ACTIVE_SIGN_IN),
        (lambda _: User.objects.update(disabled=True), USER_DISABLED),
        (lambda _: User.objects.all().delete(), NO_ACTIVE_SIGN_IN),
    ],
    ids=[
        "session ended",
        "session deleted",
        "session expired",
        "nobody active",
        "sign-in ended",
        "sign-in expired",
        "sign-in deleted",
        "user disabled",
        "user deleted",
    ],
)
def test_a_token_issued_before_stops_at_once(
    client: ApiClient, session: Session, happen: Callable[[Session], object], code: int
) -> None:
    warm_up(client)
    happen(session)
    assert error_code(client.get()) == code


def test_a_session_that_ended_and_expired_has_ended(client: ApiClient, session: Session) -> None:
    change_session(session, ended_at=timezone.now(), **a_minute_ago())
    assert error_code(client.get()) == SESSION_ENDED


def test_a_disabled_user_who_is_enabled_again_may_go_on(client: ApiClient, user: User) -> None:
    User.objects.filter(pk=user.pk).update(disabled=True)
    assert error_code(client.get()) == USER_DISABLED
    User.objects.filter(pk=user.pk).update(disabled=False)
    assert client.get().status_code == 200


def test_another_session_of_the_user_goes_on(client: ApiClient, session: Session, user: User) -> None:
    other = ApiClient(user.deployment, user)
    change_session(session, ended_at=timezone.now())
    assert other.get().status_code == 200


def test_a_session_of_another_deployment_does_not_exist(user: User) -> None:
    """Although the token is this deployment's own: its key would sign whatever a bug asked it to."""
    foreign = session_of(UserFactory.create())
    foreign.deployment = user.deployment
    token = sign_session_token(foreign, expires_at=foreign.expires_at)
    assert error_code(ApiClient(user.deployment, token=token).get()) == SESSION_ENDED


def test_a_foreign_session_looks_like_a_deleted_one(user: User) -> None:
    foreign = session_of(UserFactory.create())
    foreign.deployment = user.deployment
    client = ApiClient(user.deployment, token=sign_session_token(foreign, expires_at=foreign.expires_at))
    before = client.get().content
    Session.objects.filter(pk=foreign.pk).delete()
    assert client.get().content == before


def test_a_token_is_of_no_use_at_another_deployment(user: User) -> None:
    token = ApiClient(user.deployment, user).token
    assert error_code(ApiClient(DeploymentFactory.create(), token=token).get()) == 40102


def test_the_active_sign_in_identifies_the_viewer(client: ApiClient, session: Session, user: User) -> None:
    other = UserFactory.create(deployment=user.deployment)
    member_of_new_workspace(user)
    member_of_new_workspace(other)
    assert [item["user_id"] for item in client.get().json()["data"]] == [str(user.pk)]
    change_session(session, active_sign_in=sign_in_another(session, other))
    assert [item["user_id"] for item in client.get().json()["data"]] == [str(other.pk)]


def test_a_sign_in_that_is_not_active_does_not_count(client: ApiClient, session: Session, user: User) -> None:
    sign_in_another(session, UserFactory.create(deployment=user.deployment))
    SignIn.objects.filter(session=session, user=user).update(ended_at=timezone.now())
    assert error_code(client.get()) == NO_ACTIVE_SIGN_IN


def test_the_end_of_a_sign_in_that_is_not_active_changes_nothing(
    client: ApiClient, session: Session, user: User
) -> None:
    other = sign_in_another(session, UserFactory.create(deployment=user.deployment, disabled=True))
    SignIn.objects.filter(pk=other.pk).update(ended_at=timezone.now())
    assert client.get().status_code == 200
