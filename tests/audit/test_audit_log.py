"""The audit log: every change with what was before and after, and no secret; and nobody changes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from accounts.authentication import sessions
from accounts.credentials import mfa
from accounts.models import DeploymentAlias, Mail, Session, SignIn, User
from accounts.tokens.keys import create_signing_key
from audit.models import AuditEntry
from memberships.models import OrganizationMembershipRole, WorkspaceMembership
from organizations.models import Segment, UserSegment
from tests.support.admin import NEW_ROW
from tests.support.api import ApiClient
from tests.support.audit import the_entry_of
from tests.support.database import execute, refused
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    WorkspaceRoleFactory,
    backup_code,
    confirmed_authenticator,
    join,
    join_organization,
    new_branch,
    session_of,
)

pytestmark = pytest.mark.django_db


@contextmanager
def written() -> Iterator[list[AuditEntry]]:
    """The entries that the block makes, oldest first, once it is over."""
    last = AuditEntry.objects.first()
    entries: list[AuditEntry] = []
    yield entries
    entries += AuditEntry.objects.filter(pk__gt=last.pk if last else 0).order_by("pk")


AUDITED = [model for model in NEW_ROW if model not in (AuditEntry, Mail, Session, SignIn)]


@pytest.mark.parametrize("model", AUDITED, ids=lambda model: model._meta.label)
def test_a_new_row_and_a_deleted_one_are_kept_whole(model: type[Model]) -> None:
    row = NEW_ROW[model]()
    added = AuditEntry.objects.filter(model=row._meta.label_lower, object_id=row.pk).earliest("pk")
    assert (added.action, added.before) == ("added", None)
    assert added.after is not None
    row.delete()
    deleted = AuditEntry.objects.filter(model=model._meta.label_lower, object_id=added.object_id).latest("pk")
    assert (deleted.action, deleted.after) == ("deleted", None)
    assert deleted.before is not None
    assert deleted.before.keys() == added.after.keys()
    assert (deleted.deployment_id, deleted.name) == (added.deployment_id, added.name)


def test_a_raw_sql_update_records_the_changes_and_the_role() -> None:
    organization = OrganizationFactory.create(name="Before", description="same")
    execute("UPDATE organizations_organization SET name = 'After' WHERE id = %s", [organization.pk])
    entry = the_entry_of(organization)
    assert (entry.action, entry.before, entry.after) == ("changed", {"name": "Before"}, {"name": "After"})
    assert (entry.name, entry.deployment_id) == ("After", organization.deployment_id)
    assert (entry.actor_kind, entry.actor_name) == ("database", _scalar("SELECT session_user"))
    assert entry.address == _scalar("SELECT host(inet_client_addr())")
    assert abs((timezone.now() - entry.at).total_seconds()) < 60


def _scalar(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


@pytest.mark.parametrize("model", [*AUDITED, Session, SignIn], ids=lambda model: model._meta.label)
def test_an_update_that_changes_nothing_is_no_change(model: type[Model]) -> None:
    row = NEW_ROW[model]()
    with written() as entries:
        execute(f"UPDATE {model._meta.db_table} SET id = id WHERE id = %s", [row.pk])
    assert entries == []


def test_an_id_cannot_change() -> None:
    """The log would lose the row."""
    organization = OrganizationFactory.create()
    with refused("id_is_kept"):
        execute("UPDATE organizations_organization SET id = 987654 WHERE id = %s", [organization.pk])


def test_member_counts_are_no_change_of_the_place() -> None:
    branch = new_branch()
    with written() as entries:
        membership = join(UserFactory.create(deployment=branch.deployment), branch.workspace)
    assert [entry.model for entry in entries] == [
        "accounts.user",
        "accounts.emailaddress",
        "memberships.organizationmembership",
        "memberships.workspacemembership",
    ]
    after = entries[3].after or {}
    assert datetime.fromisoformat(after.pop("created_at")) == WorkspaceMembership.objects.get().created_at
    assert after == _columns(membership)


def _columns(row: WorkspaceMembership) -> dict[str, Any]:
    return {
        "id": row.pk,
        "organization_id": row.organization_id,
        "workspace_id": row.workspace_id,
        "user_id": row.user_id,
        "public_metadata": {},
    }


def test_rows_that_the_database_deletes_along_are_recorded_too() -> None:
    branch = new_branch()
    role = OrganizationRoleFactory.create(deployment=branch.deployment)
    given = OrganizationMembershipRole.objects.create(
        membership=join_organization(branch.user, branch.organization), role=role
    )
    join(branch.user, branch.workspace)
    with written() as entries:
        execute("DELETE FROM memberships_organizationmembership WHERE user_id = %s", [branch.user.pk])
    assert {(entry.action, entry.model) for entry in entries} == {
        ("deleted", "memberships.organizationmembership"),
        ("deleted", "memberships.organizationmembershiprole"),
        ("deleted", "memberships.workspacemembership"),
    }
    assert {entry.deployment_id for entry in entries} == {branch.deployment.pk}
    assert given.pk in {entry.object_id for entry in entries}


@pytest.mark.parametrize("by_sql", [False, True])
def test_every_row_of_a_statement_is_recorded(by_sql: bool) -> None:
    deployment = DeploymentFactory.create()
    with written() as entries:
        if by_sql:
            execute(
                "INSERT INTO accounts_user (deployment_id, email) "
                "SELECT %s, n || '@x.example' FROM generate_series(1, 3) n",
                [deployment.pk],
            )
        else:
            User.objects.bulk_create(User(deployment=deployment, email=f"{n}@x.example") for n in (1, 2, 3))
    for model in ("accounts.user", "accounts.emailaddress"):
        found = [(entry.action, entry.name) for entry in entries if entry.model == model]
        assert found == [("added", f"{n}@x.example") for n in (1, 2, 3)]


def test_truncating_a_table_is_recorded_row_by_row() -> None:
    segment = NEW_ROW[Segment]()
    with written() as entries:
        execute("SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE organizations_segment CASCADE")
    assert [(entry.action, entry.object_id) for entry in entries] == [("deleted", segment.pk)]


def test_the_deployment_stays_known_when_all_of_it_is_deleted() -> None:
    branch = new_branch()
    join(branch.user, branch.workspace, WorkspaceRoleFactory.create(deployment=branch.deployment))
    confirmed_authenticator(branch.user)
    backup_code(branch.user)
    session_of(branch.user)
    segment = Segment.objects.create(deployment=branch.deployment, name="s", type="user")
    UserSegment.objects.create(user=branch.user, segment=segment)
    DeploymentAlias.objects.create(deployment=branch.deployment, host="alias.example.com")
    deployment_id = branch.deployment.pk
    with written() as entries:
        branch.deployment.delete()
    assert len({entry.model for entry in entries}) >= 15
    assert {entry.deployment_id for entry in entries} == {deployment_id}


def test_each_subject_is_named() -> None:
    """So that a membership shows on the pages of its user, workspace and organization, too."""
    branch = new_branch()
    membership = join(branch.user, branch.workspace)
    for row in (membership, branch.user, branch.workspace, branch.organization):
        assert AuditEntry.subject(row) in the_entry_of(membership).subjects


# Secrets


def test_a_new_password_is_recorded_without_the_password() -> None:
    user = UserFactory.create()
    assert (the_entry_of(user).after or {})["password"] == ""
    for before in ("", "(secret)"):
        user.set_password(f"correct horse {before}")
        user.save()
        entry = the_entry_of(user)
        assert (entry.before, entry.after) == ({"password": before}, {"password": "(new secret)"})


def test_no_secret_is_in_the_trail() -> None:
    user = UserFactory.create()
    user.set_password("correct horse battery staple")
    user.save()
    authenticator, secret = mfa.new_authenticator(user)
    confirmed_authenticator(user)
    codes = mfa.new_backup_codes(user)
    key = create_signing_key(deployment=user.deployment)
    hashes = user.backup_codes.values_list("code_hash", flat=True)
    (log,) = _column("SELECT string_agg(entry::text, '') FROM audit_auditentry entry")
    secrets = [user.password, secret, *codes, *hashes]
    secrets += [form for raw in (authenticator.secret, key.private_key) for form in _forms(raw)]
    assert [value for value in secrets if value in log] == []


def _forms(raw: Any) -> list[str]:
    return [bytes(raw).hex(), bytes(raw).decode()]


def _column(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [row[0] for row in cursor]


def test_every_binary_column_is_a_secret_to_the_trail() -> None:
    for model in AUDITED:
        row = NEW_ROW[model]()
        binary = {field.column for field in model._meta.concrete_fields if field.get_internal_type() == "BinaryField"}
        after = the_entry_of(row).after or {}
        assert {after.get(column) for column in binary} <= {"(secret)"}


# Sessions


def test_only_the_end_of_a_session_is_recorded_and_not_its_use() -> None:
    user = UserFactory.create()
    with written() as entries:
        session = session_of(user)
        token = sessions.session_token(session)
        client = ApiClient(user.deployment, token=token)
        assert client.get().status_code == 200
        sessions.replace_token(session, session.token_serial)
    assert entries == []
    with written() as entries:
        sessions.end_session(session)
    assert [(entry.model, list(entry.after or {})) for entry in entries] == [
        ("accounts.session", ["ended_at"]),
        ("accounts.signin", ["ended_at"]),
    ]


def test_deleting_a_live_session_is_recorded_but_sweeping_ended_ones_is_not() -> None:
    ended, live = session_of(UserFactory.create(), ended_at=timezone.now()), session_of(UserFactory.create())
    SignIn.objects.filter(session=ended).update(ended_at=timezone.now())
    with written() as entries:
        ended.delete()
    assert entries == []
    with written() as entries:
        live.delete()
    assert {entry.model for entry in entries} == {"accounts.session", "accounts.signin"}


# The log itself


@pytest.mark.parametrize("statement", ["UPDATE audit_auditentry SET actor_name = 'x'", "DELETE FROM audit_auditentry"])
def test_the_trail_can_be_neither_changed_nor_deleted(statement: str) -> None:
    OrganizationFactory.create()
    with refused("append_only"):
        execute(statement)


def test_the_trail_cannot_be_emptied() -> None:
    OrganizationFactory.create()
    execute("SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL rollcall.emptying = 'off'")
    with refused("never_emptied"):
        execute("TRUNCATE audit_auditentry")


def test_old_entries_are_pruned_by_a_command_that_leaves_its_own_trace(capsys: pytest.CaptureFixture[str]) -> None:
    OrganizationFactory.create()
    number = AuditEntry.objects.count()
    call_command("prune_audit_log", "--days", "1")
    assert AuditEntry.objects.count() == number
    call_command("prune_audit_log", "--days", "0")
    assert f"{number} entries deleted" in capsys.readouterr().out
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.model, (entry.before or {})["number"]) == ("deleted", "audit.auditentry", number)
    with refused("append_only"):
        execute("DELETE FROM audit_auditentry")


def test_a_bulk_insert_of_20_000_rows_stays_within_the_statement_timeout() -> None:
    branch = new_branch()
    execute(
        "INSERT INTO accounts_user (deployment_id, email) "
        "SELECT %s, n || '@x.example' FROM generate_series(1, 20000) n",
        [branch.deployment.pk],
    )
    execute("ANALYZE accounts_user")  # else the checks of foreign keys read all of it for each row
    execute(
        "INSERT INTO memberships_organizationmembership (deployment_id, organization_id, user_id) "
        "SELECT deployment_id, %s, id FROM accounts_user",
        [branch.organization.pk],
    )
    assert AuditEntry.objects.filter(model="memberships.organizationmembership").count() >= 20000
