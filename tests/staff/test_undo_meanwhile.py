"""An undo at the very moment at which others change the same rows: it restores them exactly, or changes nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from django.db import connection, transaction

from accounts.models import Deployment
from audit.models import AuditEntry
from memberships.import_export.importing import Report, run_import
from memberships.models import OrganizationMembership
from organizations.models import Organization, Workspace
from staff.bulk_changes import Refused, change_roles, remove
from tests.memberships.test_joining_meanwhile import in_thread
from tests.memberships.test_last_admin import wait_until_somebody_waits
from tests.support.database import execute
from tests.support.factories import OrganizationRoleFactory, UserFactory, join, join_organization, new_branch
from tests.support.undoing import action, differences, snapshot, undone

pytestmark = pytest.mark.django_db(transaction=True)

NAMED = re.compile(r"“.+” \(|membership( role)? \d+")
"""A reason names its row."""


class Firm:
    """An organization, and a workspace in it, with five members who hold the role ``member`` there."""

    def __init__(self) -> None:
        branch = new_branch()
        self.organization, self.workspace = branch.organization, branch.workspace
        deployment = branch.deployment
        self.member = OrganizationRoleFactory.create(deployment=deployment, name="Old")
        self.other = OrganizationRoleFactory.create(deployment=deployment, name="New")
        self.users = [UserFactory.create(deployment=deployment) for _ in range(5)]
        for user in self.users:
            join(user, self.workspace)
            join_organization(user, self.organization, self.member)
        self.newcomers = [UserFactory.create(deployment=deployment) for _ in range(5)]

    def rows(self) -> list[OrganizationMembership]:
        return list(OrganizationMembership.objects.filter(organization=self.organization).order_by("pk"))


def rename(firm: Firm) -> None:
    Organization.objects.filter(pk=firm.organization.pk).update(name="Renamed")
    Workspace.objects.filter(pk=firm.workspace.pk).update(name="Renamed, too")


def add(firm: Firm) -> None:
    for user in firm.newcomers:
        join(user, firm.workspace)


def end(firm: Firm) -> None:
    OrganizationMembership.objects.filter(user__in=firm.users).delete()


def move(firm: Firm) -> None:
    change_roles(firm.rows(), [firm.other], [firm.member])


def done(firm: Firm, change: Callable[[Firm], None]) -> UUID:
    with action() as group, transaction.atomic():
        change(firm)
    return group()


def attempt(group: UUID, *, patience: int = 1_000) -> list[str]:
    """Undo it, waiting so many milliseconds for locks; gives the reasons against it, none if it is done."""
    execute("SELECT set_config('lock_timeout', %s, false)", [f"{patience}ms"])
    try:
        undone(group)
    except Refused as refusal:
        return refusal.reasons or ["for no reason"]
    return []


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        connection.ensure_connection()
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [in_thread(pool, partial(run, call)) for call in calls]]


def test_of_two_undos_of_one_action_at_once_one_is_refused() -> None:
    for change in (rename, add, end, move):
        firm = Firm()
        before = snapshot()
        group = done(firm, change)
        reasons = sorted(at_once(lambda: attempt(group), lambda: attempt(group)))  # noqa: B023 - called within the round
        assert reasons[0] == [], change
        assert reasons[1], change
        assert all(NAMED.search(reason) for reason in reasons[1]), reasons[1]
        assert differences(before, snapshot()) == [], change


class Case(NamedTuple):
    """A change by somebody else, not yet committed, that the undo of ``done`` has to wait for.

    ``committed`` is what the undo says of it once it is committed, None if that does not matter. ``held`` is what it
    says if it waits in vain.
    """

    done: Callable[[Firm], None]
    other: str
    committed: str | None
    held: str


HELD = "is being changed by somebody else at this moment"
BUSY = "Somebody else is changing"
CASES = [
    Case(
        rename,
        "UPDATE organizations_organization SET description = 'x' WHERE id = %(organization)s",
        r"“Renamed” \(organization \d+\) was changed since, .*: description",
        rf"“Renamed” \(organization \d+\) {HELD}",
    ),
    Case(
        rename,
        "UPDATE organizations_workspace SET description = 'x' WHERE id = %(workspace)s;",
        r"“Renamed, too” \(workspace \d+\) was changed since, .*: description",
        rf"“Renamed, too” \(workspace \d+\) {HELD}",
    ),
    Case(
        add,
        "DELETE FROM memberships_organizationmembership WHERE user_id = %(newcomer)s",
        r"Organization membership \d+ \(.*\) was deleted since",
        rf"Organization membership \d+ {HELD}",
    ),
    Case(
        add,
        "INSERT INTO memberships_organizationmembershiprole (membership_id, role_id)"
        " SELECT id, %(role)s FROM memberships_organizationmembership WHERE user_id = %(newcomer)s",
        r"\(New.*\) came since, and would be deleted too",
        rf"Organization membership \d+ {HELD}",
    ),
    Case(
        end,
        "INSERT INTO memberships_organizationmembership (deployment_id, organization_id, user_id)"
        " SELECT deployment_id, %(organization)s, id FROM accounts_user WHERE id = %(user)s",
        r"Organization membership \d+: .*already",
        BUSY,
    ),
    Case(end, "SELECT 1 FROM accounts_user WHERE id = %(user)s FOR UPDATE", None, BUSY),
    Case(end, "SELECT 1 FROM organizations_organization WHERE id = %(organization)s FOR UPDATE", None, BUSY),
    Case(
        move,
        "DELETE FROM memberships_organizationmembershiprole WHERE role_id = %(role)s",
        r"Organization membership role \d+ .* was deleted since",
        rf"Organization membership role \d+ {HELD}",
    ),
]


@pytest.mark.parametrize("ends", ["rolled back", "committed", "held"])
def test_an_undo_beside_a_change_restores_all_or_says_what_it_waits_for(ends: str) -> None:
    for case in CASES:
        firm = Firm()
        before = snapshot()
        group = done(firm, case.done)
        after = snapshot()
        ids = {
            "organization": firm.organization.pk,
            "workspace": firm.workspace.pk,
            "user": firm.users[2].pk,
            "newcomer": firm.newcomers[2].pk,
            "role": firm.other.pk,
        }
        with ThreadPoolExecutor(1) as pool, psycopg.connect(**connection.get_connection_params()) as other:
            other.execute(case.other, ids)
            undoing = in_thread(pool, lambda: attempt(group, patience=200 if ends == "held" else 10_000))  # noqa: B023 - called within the round
            wait_until_somebody_waits()
            assert ends == "held" or not undoing.done(), case
            if ends == "committed":
                other.commit()
            elif ends == "rolled back":
                other.rollback()
            reasons = undoing.result()
            other.rollback()
        if ends == "rolled back" or (ends == "committed" and case.committed is None):
            assert reasons == [], case
            assert differences(before, snapshot()) == [], case
        else:
            assert re.search((case.committed if ends == "committed" else case.held) or "", "\n".join(reasons)), reasons
        if ends == "held":
            assert differences(after, snapshot()) == [], case


def test_an_undo_and_a_change_that_wait_for_each_other_do_not_hang() -> None:
    firm = Firm()
    group = done(firm, rename)
    after = snapshot()
    update = "UPDATE organizations_{} SET description = 'x' WHERE id = %s"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SET lock_timeout = 0; SET deadlock_timeout = 60000")  # it is the undo that gives way
        other.execute(update.format("workspace"), [firm.workspace.pk])
        undoing = in_thread(pool, lambda: attempt(group))
        wait_until_somebody_waits()
        other.execute(update.format("organization"), [firm.organization.pk])
        other.rollback()
        assert re.search(f"{HELD}|{BUSY}", "\n".join(undoing.result()))
    assert differences(after, snapshot()) == []


def test_an_undo_beside_an_import_or_bulk_action_is_whole_or_nothing() -> None:
    def import_again(firm: Firm) -> None:
        lines = [f"{firm.organization},{firm.workspace},{user.email},New" for user in [*firm.users, *firm.newcomers]]
        file = io.BytesIO("\n".join(["organization,workspace,user,organization_roles", *lines]).encode())
        *_, report = run_import(file, deployments=Deployment.objects.filter(pk=firm.organization.deployment_id))
        assert isinstance(report, Report)
        assert report.saved or "meanwhile" in report.errors[0].message, report.errors

    def change_again(firm: Firm) -> None:
        change_roles(firm.rows(), [], [firm.other])

    def remove_all(firm: Firm) -> None:
        remove(firm.rows())

    for change in (add, end, move):
        for beside in (import_again, change_again, remove_all):
            firm = Firm()
            before = snapshot()
            group = done(firm, change)
            changed = set(AuditEntry.objects.filter(group_id=group).values_list("model", "object_id"))
            newest = AuditEntry.objects.latest("pk").pk
            reasons, others = at_once(lambda: attempt(group), lambda: done(firm, beside))  # noqa: B023 - in the round
            new = AuditEntry.objects.filter(pk__gt=newest)
            own = set(new.exclude(group_id=others).values_list("model", "object_id"))
            theirs = set(new.filter(group_id=others).values_list("model", "object_id"))
            assert own == (set() if reasons else changed), (change, beside, reasons)
            now = {key.lower(): rows for key, rows in snapshot().items()}
            was = {key.lower(): rows for key, rows in before.items()}
            for label, pk in own - theirs:
                assert now[label].get(str(pk)) == was[label].get(str(pk)), (change, beside, label)
            organization = Organization.objects.get(pk=firm.organization.pk)
            assert organization.member_count == len(firm.rows())
