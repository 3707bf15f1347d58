"""Undo restores the rows of an action or refuses and names the row; staff undo on a page and within their rights."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.mail import outbox
from accounts.models import DailyCount, Deployment, Mail, User
from accounts.tokens.keys import create_signing_key
from accounts.values.mail_texts import Template
from audit import actors
from audit.models import AuditEntry, AuditGroup
from audit.triggers import PAUSE_AUDIT
from memberships.import_export.importing import run_import
from memberships.models import EndedMembership, OrganizationMembership, OrganizationMembershipRole
from organizations.models import Organization
from staff.bulk_changes import Refused
from staff.models import StaffAccess
from staff.undo import undo
from tests.support.database import execute
from tests.support.factories import (
    DeploymentFactory,
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    backup_code,
    confirmed_authenticator,
    join,
    join_organization,
    new_branch,
    organization_invitation,
    session_of,
    staff,
)
from tests.support.undoing import action, differences, snapshot, undone

pytestmark = pytest.mark.django_db


def refused(group_id: UUID, **options: Any) -> str:
    before = snapshot()
    with actors.acting(actors.command("test")), pytest.raises(Refused) as caught:
        undo(None, "a test", group_id=group_id, **{"saves": True} | options)
    assert differences(before, snapshot()) == []
    return "\n".join(caught.value.reasons)


# What cannot be restored, and by whom


def test_a_row_that_changed_since_is_named_with_what_changed() -> None:
    organization, other = OrganizationFactory.create(name="Acme"), OrganizationFactory.create(name="Beta")
    with action() as group:
        Organization.objects.update(description="x")
    with action():
        Organization.objects.filter(pk=organization.pk).update(name="Acme & Co")
    reasons = refused(group())
    assert f"“Acme & Co” (organization {organization.pk}) was changed since" in reasons
    assert "by test: name." in reasons
    assert other.name not in reasons


def test_a_change_that_the_log_does_not_have_is_noticed() -> None:
    organization = OrganizationFactory.create(name="Acme")
    with action() as group:
        Organization.objects.update(name="Beta")
    execute(PAUSE_AUDIT)
    Organization.objects.update(name="Gamma")
    execute("SELECT set_config('pgtrigger.ignore', '', true)")
    assert refused(group()) == f"“Beta” (organization {organization.pk}) is not as this left it."
    execute(PAUSE_AUDIT)
    Organization.objects.all().delete()
    execute("SELECT set_config('pgtrigger.ignore', '', true)")
    assert refused(group()) == f"“Beta” (organization {organization.pk}) is gone."


def test_rows_that_came_since_are_not_swept_along() -> None:
    branch = new_branch()
    with action() as group:
        membership = join_organization(branch.user, branch.organization)
    role = OrganizationRoleFactory.create(deployment=branch.deployment)
    with action():
        OrganizationMembershipRole.objects.create(membership=membership, role=role)
    assert f"({role.name}) came since, and would be deleted too." in refused(group())


def test_a_row_that_others_refer_to_since_cannot_go() -> None:
    with action() as group:
        user = UserFactory.create()
    with action():
        session_of(user)
    assert f"“{user.email}” (user {user.pk}) cannot go: there are sign-ins that belong to it since." in refused(group())


def test_a_row_whose_parent_is_gone_since_cannot_come_back() -> None:
    branch = new_branch()
    membership = join(branch.user, branch.workspace)
    pk = membership.pk
    with action() as group:
        membership.delete()
    with action():
        branch.organization.delete()
    assert f"Workspace membership {pk} belongs to a row that is gone" in refused(group())


def test_a_row_that_would_be_there_twice_is_named() -> None:
    users = [UserFactory.create(deployment=DeploymentFactory.create(), email=f"{n}@x.example") for n in range(5)]
    with action() as group:
        User.objects.filter(pk__in=[user.pk for user in users]).delete()
    with action():
        UserFactory.create(deployment=users[3].deployment, email="3@x.example")
    reasons = refused(group())
    assert reasons.startswith(f"“3@x.example” (user {users[3].pk}): Another user of this deployment has this e-mail")


def test_secrets_and_ended_sessions_stay_as_they_are() -> None:
    user = UserFactory.create(first_name="Ada")
    user.set_password("correct horse battery staple")
    user.save()
    confirmed_authenticator(user)
    session_of(user)
    pk = user.pk
    with action() as group:
        user.delete()
    outcome = undo(None, "a test", group_id=group(), saves=True)
    restored = User.objects.get(pk=pk)
    assert (restored.first_name, restored.password) == ("Ada", "")
    assert restored.authenticators.count() == 0
    assert [left.model for left in outcome.left_out] == ["accounts.authenticator", "accounts.signin"]
    assert [(left.model, left.number) for left in outcome.without_secrets] == [("accounts.user", 1)]


def test_a_new_password_alone_cannot_be_taken_back() -> None:
    user = UserFactory.create()
    with action() as group:
        user.set_password("correct horse battery staple")
        user.save()
    outcome = undo(None, "a test", group_id=group(), saves=True)
    assert outcome.number == 0
    assert [left.model for left in outcome.left_out] == ["accounts.user"]
    assert User.objects.get(pk=user.pk).password == user.password


def test_the_last_administrator_stays_unless_staff_let_them_go() -> None:
    branch = new_branch()
    role = OrganizationRoleFactory.create(deployment=branch.deployment, permissions=["organization:admin"])
    with action() as group:
        join_organization(branch.user, branch.organization, role)
    assert "must keep an administrator" in refused(group())
    undone(group(), without_admin=True)
    assert not OrganizationMembership.objects.exists()


def test_a_removal_that_is_undone_leaves_no_mark() -> None:
    branch = new_branch()
    membership = join_organization(branch.user, branch.organization)
    with action() as group:
        membership.delete()
    assert EndedMembership.objects.exists()
    undone(group())
    assert not EndedMembership.objects.exists()


def test_one_entry_of_an_action_is_undone_alone() -> None:
    first, second = OrganizationFactory.create(name="A"), OrganizationFactory.create(name="B")
    with action() as group:
        Organization.objects.update(name="C")
    entry = AuditEntry.objects.get(group_id=group(), object_id=second.pk)
    with action("Undo") as own:
        undo(None, "one", group_id=group(), entry_id=entry.pk, saves=True)
    assert dict(Organization.objects.values_list("pk", "name")) == {first.pk: "C", second.pk: "B"}
    assert AuditGroup.objects.get(pk=own()).undoes == group()


def test_an_undo_of_1_000_rows_takes_few_statements() -> None:
    branch = new_branch()
    users = User.objects.bulk_create(User(deployment=branch.deployment, email=f"{n}@x.example") for n in range(1_000))
    lines = [f"{branch.organization.name},{branch.workspace.name},{user.email}" for user in users]
    file = io.BytesIO("\n".join(["organization,workspace,user", *lines]).encode())
    before = snapshot()
    with actors.acting(actors.command("test")):
        group_id: Any = actors.current_group()
        list(run_import(file, deployments=Deployment.objects.all(), name="roster.csv"))
    assert OrganizationMembership.objects.count() == 1_000
    with CaptureQueriesContext(connection) as captured:
        undone(group_id)
    assert differences(before, snapshot()) == []
    assert len(captured) <= 60


# The page


def page_of(group_id: UUID) -> str:
    return reverse("admin:audit_auditentry_undo_group", args=[group_id])


def test_staff_see_a_preview_and_undo_it_and_undo_that(admin_client: Client) -> None:
    organization = OrganizationFactory.create(name="Acme")
    with action("Rename Acme") as group:
        Organization.objects.update(name="Beta")
    preview = admin_client.get(page_of(group()))
    content = preview.content.decode()
    assert "Undo “Rename Acme”" in content
    assert "<strong>name</strong> Beta → Acme" in content
    assert Organization.objects.get().name == "Beta"
    done = admin_client.post(page_of(group()), {"apply": "1"}, follow=True)
    assert "Undone: Rename Acme. Changes: 1." in done.content.decode()
    assert Organization.objects.get().name == "Acme"
    own: Any = AuditEntry.objects.filter(object_id=organization.pk).latest("pk")
    assert AuditGroup.objects.get(pk=own.group_id).name == "Undo of Rename Acme"
    assert own.actor_name == "admin"
    again = admin_client.post(page_of(own.group_id), {"apply": "1"}, follow=True)
    assert "Undo of Undo of Rename Acme" in again.content.decode()
    assert Organization.objects.get().name == "Beta"


def test_staff_undo_within_their_deployments_and_permissions_alone() -> None:
    branch, foreign = new_branch(), new_branch()
    with action() as both:
        Organization.objects.update(description="x")
    with action() as own:
        Organization.objects.filter(pk=branch.organization.pk).update(name="Beta")
    reduced = StaffAccess.objects.get(user=staff(branch.deployment))
    with action() as access:
        StaffAccess.objects.filter(pk=reduced.pk).update(role=StaffAccess.Role.SUPPORT)
    with action() as theirs:
        Organization.objects.filter(pk=foreign.organization.pk).update(name="Gamma")
    operator, support, everywhere = Client(), Client(), Client()
    operator.force_login(staff(branch.deployment))
    support.force_login(staff(branch.deployment, role=StaffAccess.Role.SUPPORT))
    everywhere.force_login(staff(all_deployments=True))
    assert support.get(page_of(own())).status_code == 403
    assert operator.get(page_of(theirs())).status_code == operator.get(page_of(access())).status_code == 404
    assert "rows that you may not change" in operator.post(page_of(both()), {"apply": "1"}).content.decode()
    page = everywhere.post(page_of(access()), {"apply": "1"}, follow=True).content.decode()
    assert "only superusers give permissions back" in page
    assert StaffAccess.objects.filter(pk=reduced.pk, role=StaffAccess.Role.SUPPORT).exists()
    assert operator.post(page_of(own()), {"apply": "1"}).status_code == 302
    assert Organization.objects.get(pk=branch.organization.pk).name == branch.organization.name
    assert set(Organization.objects.values_list("description", flat=True)) == {"x"}


@pytest.mark.parametrize("column", ["revoked_at", "used_at", "discarded_at"])
def test_what_has_ended_for_good_does_not_begin_again(user: User, column: str) -> None:
    """A revoked key, a used code, a discarded invitation."""
    confirmed_authenticator(user)
    row: Any = {
        "revoked_at": lambda: create_signing_key(deployment=user.deployment),
        "used_at": lambda: backup_code(user),
        "discarded_at": lambda: organization_invitation(OrganizationFactory.create(deployment=user.deployment)),
    }[column]()
    with action() as group:
        type(row)._base_manager.filter(pk=row.pk).update(**{column: timezone.now()})
    outcome = undo(None, "a test", group_id=group(), saves=True)
    assert [(left.model, left.number) for left in outcome.left_out] == [(row._meta.label_lower, 1)]
    row.refresh_from_db()
    assert getattr(row, column) is not None


def test_restored_members_are_not_counted_as_new(user: User) -> None:
    membership = join_organization(user, OrganizationFactory.create(deployment=user.deployment))
    before = list(DailyCount.objects.values())
    with action() as group:
        membership.delete()
    undone(group())
    assert list(DailyCount.objects.values()) == before != []


def test_users_whose_external_id_an_undo_changes_are_signed_out(user: User) -> None:
    other = UserFactory.create(deployment=user.deployment)
    with action() as group:
        User.objects.filter(pk=user.pk).update(external_id="another")
    session, bystander = session_of(user), session_of(other)
    undo(None, "a test", group_id=group(), saves=False)
    session.refresh_from_db()
    assert session.ended_at is None
    undone(group())
    session.refresh_from_db()
    bystander.refresh_from_db()
    assert session.ended_at is not None
    assert bystander.ended_at is None


def test_an_address_that_an_undo_replaces_is_told(user: User) -> None:
    User.objects.filter(pk=user.pk).update(email="old@example.com")
    with action() as group:
        User.objects.filter(pk=user.pk).update(email="new@example.com")
    undo(None, "a test", group_id=group(), saves=False)
    assert not Mail.objects.exists()
    undone(group())
    (mail,) = Mail.objects.all()
    assert (mail.template, mail.to) == (Template.ADDRESS_CHANGED, "new@example.com")
    assert outbox.rendered(mail)[1]["change"] == "Your main address is old@example.com now."


def test_an_undo_of_other_changes_signs_nobody_out(user: User) -> None:
    with action() as group:
        User.objects.filter(pk=user.pk).update(first_name="Ada")
    session = session_of(user)
    undone(group())
    session.refresh_from_db()
    assert session.ended_at is None
    assert not Mail.objects.exists()
