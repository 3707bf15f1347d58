"""Erasing a person leaves nothing of their data in any table, and everybody else's as it was."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import SignInAttempt, SignUpAttempt, SignUpInvitation, User
from audit.models import AuditEntry, AuditGroup
from audit.undo import Undo
from memberships import erasure
from memberships.models import WorkspaceMembership
from tests.support.admin import url
from tests.support.database import execute
from tests.support.factories import UserFactory, join, session_of, staff
from tests.support.self_service import Firm

pytestmark = pytest.mark.django_db

OWN = ["ada.byron@", "lovelace@", "countess", "augusta", "adelaide", "kingscote", "198.51.100.77", "hyperbolic"]
"""Parts of the personal data of ada."""


@pytest.fixture
def firm(db: None) -> Firm:
    return Firm()


@pytest.fixture
def ada(firm: Firm) -> User:
    """A user with something in every table that has personal data, who has changed things as well."""
    ada: User = UserFactory.create(
        deployment=firm.deployment, email="ada.byron@example.com", username="countess", first_name="Augusta"
    )
    membership = join(ada, firm.workspace)
    WorkspaceMembership.objects.filter(pk=membership.pk).update(public_metadata={"hobby": "hyperbolic"})
    User.objects.filter(pk=ada.pk).update(email="lovelace@example.com", last_name="Kingscote")
    ada.refresh_from_db()
    response = firm.client(ada).post("/me", {"first_name": "Adelaide"}, REMOTE_ADDR="198.51.100.77")
    assert response.status_code == 200
    assert firm.client(None).post("/auth/forgot-password", {"email": ada.email}).status_code == 200
    expires_at = timezone.now()
    own: dict[str, Any] = {"deployment": firm.deployment, "expires_at": expires_at}
    SignUpInvitation.objects.create(**own, email="Lovelace@Example.com", token_hash="1" * 64)
    session = session_of(firm.member)
    SignInAttempt.objects.create(**own, session=session, email=ada.email, method="email_otp")
    SignUpAttempt.objects.create(**own, session=session, email=ada.email)
    firm.invite(ada.email)
    return ada


def texts() -> dict[str, list[str]]:
    """The rows of all tables as texts in lower case."""
    found = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT lower(to_jsonb(row)::text) FROM "{table}" row ORDER BY 1')
            found[table] = [text for (text,) in cursor.fetchall()]
    return found


def with_one_of(words: list[str]) -> dict[str, list[str]]:
    found = {table: [row for row in rows if any(word in row for word in words)] for table, rows in texts().items()}
    return {table: rows for table, rows in found.items() if rows}


def test_no_table_has_anything_of_the_person_any_more(ada: User) -> None:
    before = with_one_of(OWN)
    assert all(any(word in row for rows in before.values() for row in rows) for word in OWN)
    assert len(before) >= 9
    found = erasure.erase(ada)
    assert with_one_of(OWN) == {}
    assert found.deleted["users"] == 1
    assert found.deleted["mails"] == 1
    assert found.entries > 0


def test_what_others_have_stays_as_it_was(ada: User, firm: Firm) -> None:
    firm.invite("somebody.else@example.com")
    member, before = [firm.member.email], with_one_of([firm.member.email, "somebody.else@"])
    erasure.erase(ada)
    assert with_one_of([*member, "somebody.else@"]) == before


def test_the_log_keeps_time_kind_id_and_staff_and_has_a_record(ada: User) -> None:
    about_ada = AuditEntry.objects.filter(subjects__contains=[AuditEntry.subject(ada)]).order_by("pk")
    kept = ("pk", "at", "action", "model", "object_id", "subjects", "group_id", "actor_kind")
    before, pk = list(about_ada.values_list(*kept)), ada.pk
    found = erasure.erase(ada)
    after = list(about_ada.values_list(*kept))
    assert after[: len(before)] == before
    record = about_ada.get(before__has_key="entries_erased")
    assert (record.object_id, record.before) == (pk, {"entries_erased": found.entries})
    assert all(entry.erased_at and not entry.name for entry in about_ada)


def test_a_username_that_begins_the_address_leaves_nothing_of_it(firm: Firm) -> None:
    user = UserFactory.create(deployment=firm.deployment, email="bo@lovelace.example", username="bo")
    group_id: Any = AuditEntry.objects.filter(subjects__contains=[AuditEntry.subject(user)]).latest("pk").group_id
    AuditGroup.objects.update_or_create(pk=group_id, defaults={"name": "Change user “bo@lovelace.example”"})
    erasure.erase(user)
    assert AuditGroup.objects.get(pk=group_id).name == "Change user “(erased)”"


def test_names_of_actions_lose_the_persons_name(ada: User) -> None:
    group_id: Any = AuditEntry.objects.filter(subjects__contains=[AuditEntry.subject(ada)]).latest("pk").group_id
    AuditGroup.objects.update_or_create(
        pk=group_id, defaults={"name": "Reset MFA: Lovelace@example.com (countesses stay)"}
    )
    erasure.erase(ada)
    assert AuditGroup.objects.get(pk=group_id).name == "Reset MFA: (erased) (countesses stay)"


def test_the_command_says_what_it_would_erase_and_with_yes_does_it(ada: User) -> None:
    output = StringIO()
    call_command("erase_user", "lovelace@example.com", stdout=output)
    assert "Would erase: " in output.getvalue()
    assert User.objects.filter(pk=ada.pk).exists()
    call_command("erase_user", str(ada.pk), "--yes", stdout=output)
    assert "Erased: " in output.getvalue()
    assert with_one_of(OWN) == {}


def test_the_last_administrator_is_erased_only_knowingly(firm: Firm) -> None:
    name = firm.admin.email
    with pytest.raises(CommandError, match="--without-admin"):
        call_command("erase_user", name, "--yes")
    call_command("erase_user", name, "--yes", "--without-admin", stdout=StringIO())
    assert with_one_of([name]) == {}


def test_staff_see_what_is_erased_and_kept_before_they_apply_it(admin_client: Client, ada: User) -> None:
    chosen = {"action": "erase", "_selected_action": ada.pk, "ids": str(ada.pk)}
    text = admin_client.post(url(User, "changelist"), chosen).content.decode()
    assert "Deleted for good: " in text
    assert "entries of the audit log, which keep their time" in text
    assert User.objects.filter(pk=ada.pk).exists()
    admin_client.post(url(User, "changelist"), chosen | {"apply": "1"})
    assert with_one_of(OWN) == {}
    home = admin_client.get("/admin/").content.decode()
    assert "Erase: 1 user" in home
    assert "Undo Erase" not in home


def test_support_cannot_erase(ada: User) -> None:
    client = Client()
    client.force_login(staff(ada.deployment, role="support"))
    client.post(
        url(User, "changelist"), {"action": "erase", "_selected_action": ada.pk, "ids": str(ada.pk), "apply": "1"}
    )
    assert User.objects.filter(pk=ada.pk).exists()


def test_the_log_cannot_be_changed_otherwise(ada: User) -> None:
    erasure.erase(ada)
    with pytest.raises(Exception, match="the audit log cannot be changed"):
        execute("UPDATE audit_auditentry SET name = 'other'")


def test_an_erasure_cannot_be_undone(ada: User) -> None:
    with transaction.atomic():
        erasure.erase(ada)
    group_id = AuditEntry.objects.latest("pk").group_id
    with transaction.atomic():
        assert Undo(group_id=group_id).kinds() == []
