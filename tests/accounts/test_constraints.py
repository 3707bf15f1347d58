"""The database's refusals for deployments, users, sessions and sign-ins, whoever writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import models
from django.utils import timezone

from accounts.models import Authenticator, BackupCode, Deployment, DeploymentAlias, Session, SignIn, User
from tests.support.cases import each
from tests.support.database import Insert, Update, each_insert, each_update, execute, refused, update_by_sql
from tests.support.factories import DeploymentFactory, UserFactory, backup_code, confirmed_authenticator, session_of


@pytest.fixture
def session(user: User) -> Session:
    return session_of(user)


@pytest.fixture
def foreign(db: None) -> User:
    """A user of another deployment."""
    return UserFactory.create()


def sign_in_of(session: Session) -> SignIn:
    return session.sign_ins.get()


def soon() -> datetime:
    return timezone.now() + timedelta(hours=1)


@each_update
@each(
    ("column", "constraint"),
    [
        ("mode", "accounts_deployment_mode_is_known"),
        ("private_metadata_audience", "accounts_deployment_audience_is_known"),
    ],
)
@each("value", ["", "unknown", "Production", "MEMBERS"])
def test_a_choice_is_one_of_those_offered(
    deployment: Deployment, update: Update, column: str, constraint: str, value: str
) -> None:
    with refused(constraint):
        update(deployment, **{column: value})


@each_insert
def test_a_deployment_is_strict_by_default(db: None, insert: Insert) -> None:
    insert(Deployment, {"name": "Deployment", "host": "d.example.com"})
    deployment = Deployment.objects.get(host="d.example.com")
    assert deployment.mode == "production"
    assert deployment.ip_allowlist_per_org_enabled
    assert deployment.ip_allowlist_per_workspace_enabled
    assert deployment.enforce_mfa_per_org_enabled
    assert deployment.enforce_mfa_per_workspace_enabled
    assert deployment.private_metadata_audience == "members"
    assert deployment.allowed_origins == []


# Users


@each_insert
@pytest.mark.parametrize("email", ["ada@example.com", "ADA@example.com"])
def test_an_e_mail_address_is_one_users_within_a_deployment(deployment: Deployment, insert: Insert, email: str) -> None:
    UserFactory.create(deployment=deployment, email="Ada@example.com")
    with refused("accounts_user_email_is_unique"):
        insert(User, {"deployment_id": deployment.pk, "email": email})


@each_insert
@pytest.mark.parametrize("username", ["ada", "ADA"])
def test_a_username_is_one_users_within_a_deployment(deployment: Deployment, insert: Insert, username: str) -> None:
    UserFactory.create(deployment=deployment, username="Ada")
    with refused("accounts_user_username_is_unique"):
        insert(User, {"deployment_id": deployment.pk, "username": username})


@each_insert
@pytest.mark.parametrize("column", ["email", "username"])
def test_another_deployment_may_have_a_user_of_the_same_name(foreign: User, insert: Insert, column: str) -> None:
    User.objects.filter(pk=foreign.pk).update(username="ada")
    foreign.refresh_from_db()
    insert(User, {"deployment_id": DeploymentFactory.create().pk, column: getattr(foreign, column)})
    assert User.objects.filter(**{column: getattr(foreign, column)}).count() == 2


@each_insert
def test_two_users_may_be_without_an_e_mail_address_or_a_username(deployment: Deployment, insert: Insert) -> None:
    insert(
        User,
        {"deployment_id": deployment.pk, "email": "", "username": "ada"},
        {"deployment_id": deployment.pk, "email": "", "username": "bo"},
        {"deployment_id": deployment.pk, "email": "ada@example.com", "username": ""},
        {"deployment_id": deployment.pk, "email": "bo@example.com", "username": ""},
    )
    assert User.objects.count() == 4


@each_insert
def test_a_user_has_an_e_mail_address_or_a_username(deployment: Deployment, insert: Insert) -> None:
    with refused("accounts_user_has_an_identifier"):
        insert(User, {"deployment_id": deployment.pk, "email": "", "username": ""})


@each_update
@each("value", [[], [{}], "text", 1, True])
@each("column", ["public_metadata", "private_metadata"])
def test_a_users_metadata_is_an_object(user: User, update: Update, column: str, value: Any) -> None:
    with refused(f"accounts_user_{column}_is_object"):
        update(user, **{column: value})


@pytest.mark.parametrize("column", ["public_metadata", "private_metadata"])
def test_a_users_metadata_is_not_jsons_null(user: User, column: str) -> None:
    with refused(f"accounts_user_{column}_is_object"):
        User.objects.update(**{column: models.Value(None, models.JSONField())})
    with refused(f"accounts_user_{column}_is_object"):
        update_by_sql(user, **{column: None})


# Who is signed in where


def sign_in_columns(session: Session, user: User, deployment: Deployment) -> dict[str, Any]:
    return {
        "deployment_id": deployment.pk,
        "session_id": session.pk,
        "user_id": user.pk,
        "expires_at": soon(),
    }


@each_insert
def test_a_sign_ins_user_is_of_the_sessions_deployment(session: Session, foreign: User, insert: Insert) -> None:
    with refused("accounts_signin_user_is_of_deployment"):
        insert(SignIn, sign_in_columns(session, foreign, session.deployment))


@each_insert
def test_a_sign_ins_session_is_of_the_users_deployment(session: Session, foreign: User, insert: Insert) -> None:
    with refused("accounts_signin_session_is_of_deployment"):
        insert(SignIn, sign_in_columns(session, foreign, foreign.deployment))


@each_insert
def test_a_sign_in_may_not_claim_a_third_deployment(session: Session, user: User, insert: Insert) -> None:
    with refused("accounts_signin_session_is_of_deployment"):
        insert(SignIn, sign_in_columns(session, user, DeploymentFactory.create()))


@each_update
@pytest.mark.parametrize("whose", ["the same user's", "a foreign user's"])
def test_a_sessions_active_sign_in_is_one_of_its_own(
    session: Session, user: User, foreign: User, update: Update, whose: str
) -> None:
    other = sign_in_of(session_of(user if whose == "the same user's" else foreign))
    with refused("accounts_session_active_sign_in_is_its_own"):
        update(session, active_sign_in_id=other.pk)


def delete_by_sql(row: models.Model) -> None:
    execute(f"DELETE FROM {row._meta.db_table} WHERE id = %s", [row.pk])


def delete_by_django(row: models.Model) -> None:
    row.delete()


each_delete = each("delete", [delete_by_sql, delete_by_django])


@each_delete
def test_a_session_without_its_active_sign_in_is_nobodys(
    session: Session, user: User, delete: Callable[[models.Model], None]
) -> None:
    other = session.sign_ins.create(deployment=session.deployment, user=user, expires_at=soon())
    active = session.active_sign_in
    assert active is not None
    delete(active)
    session.refresh_from_db()
    assert session.active_sign_in is None
    assert list(session.sign_ins.all()) == [other]


@each_delete
def test_a_sign_in_that_is_not_active_leaves_the_active_one(
    session: Session, user: User, delete: Callable[[models.Model], None]
) -> None:
    active = session.active_sign_in
    delete(session.sign_ins.create(deployment=session.deployment, user=user, expires_at=soon()))
    session.refresh_from_db()
    assert session.active_sign_in == active


# What a row is does not change


def other_value(row: models.Model, column: str) -> Any:
    """Something that the column could hold as well, if only it might change."""
    if column == "code_hash":
        return "another"
    return {
        "deployment_id": lambda: DeploymentFactory.create().pk,
        "user_id": lambda: UserFactory.create().pk,
        "session_id": lambda: session_of(UserFactory.create()).pk,
    }[column]()


@each_update
@each(
    ("make", "column"),
    [
        (lambda user: user, "deployment_id"),
        (session_of, "deployment_id"),
        (lambda user: sign_in_of(session_of(user)), "deployment_id"),
        (lambda user: sign_in_of(session_of(user)), "session_id"),
        (lambda user: sign_in_of(session_of(user)), "user_id"),
        (confirmed_authenticator, "user_id"),
        (backup_code, "user_id"),
        (backup_code, "code_hash"),
    ],
    ids=[
        "a user's deployment",
        "a session's deployment",
        "a sign-in's deployment",
        "a sign-in's session",
        "a sign-in's user",
        "an authenticator's user",
        "a backup code's user",
        "a backup code's hash",
    ],
)
def test_the_parents_of_a_row_do_not_change(
    user: User, update: Update, make: Callable[[User], models.Model], column: str
) -> None:
    row = make(user)
    with refused("immutable"):
        update(row, **{column: other_value(row, column)})


def test_a_backup_code_can_be_used(user: User) -> None:
    code = backup_code(user)
    update_by_sql(code, used_at=timezone.now())
    assert BackupCode.objects.get().used_at is not None


# When a row was made and last changed

CHANGES: dict[type[models.Model], tuple[Callable[[User], Any], dict[str, Any]]] = {
    Deployment: (lambda user: user.deployment, {"name": "Renamed"}),
    DeploymentAlias: (
        lambda user: DeploymentAlias.objects.create(deployment=user.deployment, host="alias.example.com"),
        {"host": "renamed.example.com"},
    ),
    User: (lambda user: user, {"first_name": "Ada"}),
    Authenticator: (confirmed_authenticator, {"confirmed_at": None}),
    Session: (session_of, {"ended_at": "2030-01-01T00:00:00Z"}),
    SignIn: (lambda user: sign_in_of(session_of(user)), {"ended_at": "2030-01-01T00:00:00Z"}),
}


each_time_stamped_model = each("model", CHANGES)


@each_update
@each_time_stamped_model
def test_every_way_to_change_a_row_dates_the_change(user: User, update: Update, model: type[models.Model]) -> None:
    make, change = CHANGES[model]
    row = make(user)
    row.refresh_from_db()
    before = row.updated_at
    update(row, **change)
    row.refresh_from_db()
    assert before < row.updated_at <= timezone.now()
    assert row.created_at < row.updated_at


@each_update
@each_time_stamped_model
def test_the_database_dates_a_change_by_its_own_clock(user: User, update: Update, model: type[models.Model]) -> None:
    make, change = CHANGES[model]
    row = make(user)
    update(row, **change, updated_at="2001-01-01T00:00:00Z")
    row.refresh_from_db()
    assert row.created_at < row.updated_at


@each_update
@each_time_stamped_model
def test_an_update_that_changes_nothing_is_no_change(user: User, update: Update, model: type[models.Model]) -> None:
    make, change = CHANGES[model]
    row = make(user)
    update(row, **change)
    row.refresh_from_db()
    before = row.updated_at
    update(row, **change)
    row.refresh_from_db()
    assert row.updated_at == before


@each_insert
def test_a_new_row_is_dated_now_and_not_changed_since(deployment: Deployment, insert: Insert) -> None:
    before = timezone.now()
    insert(User, {"deployment_id": deployment.pk, "email": "ada@example.com"})
    user = User.objects.get()
    assert before <= user.created_at == user.updated_at <= timezone.now()
