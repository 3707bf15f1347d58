"""An organization that has an administrator keeps one, whoever writes and however."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import cast

import psycopg
import pytest
from django.db import IntegrityError, connection, connections, transaction

from accounts.models import Deployment, User
from api.errors import LAST_ADMIN
from memberships.last_admin import check, let_go
from memberships.models import Administrator, OrganizationMembership, OrganizationMembershipRole
from organizations.models import Organization, OrganizationRole
from tests.support.api import ApiClient
from tests.support.cases import each
from tests.support.database import execute, refused
from tests.support.factories import (
    OrganizationFactory,
    OrganizationRoleFactory,
    UserFactory,
    join_organization,
)
from tests.support.self_service import Firm as ManagedFirm
from tests.support.self_service import admin_role

LINKS = "memberships_organizationmembershiprole"
MEMBERSHIPS = "memberships_organizationmembership"


class Firm:
    """An organization with one administrator by the deployment's role, and a plain member."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.admin_role: OrganizationRole = deployment.organization_roles.get(name="Admin")
        self.member_role: OrganizationRole = deployment.organization_roles.get(name="Member")
        self.organization: Organization = OrganizationFactory.create(deployment=deployment)
        self.admin: User = UserFactory.create(deployment=deployment)
        self.member: User = UserFactory.create(deployment=deployment)
        self.membership = join_organization(self.admin, self.organization, self.admin_role)
        self.other = join_organization(self.member, self.organization, self.member_role)
        check()  # no event is left that would stand in the way of TRUNCATE

    def promote(self, membership: OrganizationMembership) -> None:
        OrganizationMembershipRole.objects.create(membership=membership, role=self.admin_role)

    def administrators(self) -> list[int]:
        found = Administrator.objects.filter(organization=self.organization)
        return sorted(found.values_list("membership_id", flat=True))


@pytest.fixture
def firm(deployment: Deployment) -> Firm:
    return Firm(deployment)


Change = Callable[[Firm], object]

LOSSES: dict[str, Change] = {
    "the membership by the ORM": lambda firm: OrganizationMembership.objects.get(user=firm.admin).delete(),
    "the membership by SQL": lambda firm: execute(f"DELETE FROM {MEMBERSHIPS} WHERE id = %s", [firm.membership.pk]),
    "all memberships": lambda _: execute(f"DELETE FROM {MEMBERSHIPS}"),
    "the role given by the ORM": lambda firm: OrganizationMembershipRole.objects.filter(role=firm.admin_role).delete(),
    "the role given by SQL": lambda firm: execute(f"DELETE FROM {LINKS} WHERE role_id = %s", [firm.admin_role.pk]),
    "another role in its place": lambda firm: execute(
        f"UPDATE {LINKS} SET role_id = %s WHERE membership_id = %s",
        [OrganizationRoleFactory.create(deployment=firm.deployment).pk, firm.membership.pk],
    ),
    "the permission of the role": lambda firm: OrganizationRole.objects.filter(pk=firm.admin_role.pk).update(
        permissions=["organization:member"]
    ),
    "the role by the ORM": lambda firm: OrganizationRole.objects.get(pk=firm.admin_role.pk).delete(),
    "the role by SQL": lambda firm: (
        execute("DELETE FROM organizations_organizationrole WHERE id = %s", [firm.admin_role.pk]),
        execute(f"DELETE FROM {LINKS} WHERE role_id = %s", [firm.admin_role.pk]),
    ),
    "disabling the user": lambda firm: User.objects.filter(pk=firm.admin.pk).update(disabled=True),
    "the user by the ORM": lambda firm: User.objects.get(pk=firm.admin.pk).delete(),
    "the user by SQL": lambda firm: (
        execute(f"DELETE FROM {LINKS} WHERE membership_id = %s", [firm.membership.pk]),
        execute(f"DELETE FROM {MEMBERSHIPS} WHERE user_id = %s", [firm.admin.pk]),
        execute("DELETE FROM accounts_emailaddress WHERE user_id = %s", [firm.admin.pk]),
        execute("DELETE FROM accounts_user WHERE id = %s", [firm.admin.pk]),
    ),
    "all roles given": lambda _: execute(f"TRUNCATE {LINKS}"),
}
each_loss = each("change", LOSSES.values(), ids=list(LOSSES))


@each_loss
def test_the_last_administrator_cannot_go(firm: Firm, change: Change) -> None:
    with refused(LAST_ADMIN):
        change(firm)
        check()
    assert firm.administrators() == [firm.membership.pk]


@each_loss
def test_one_of_two_administrators_can_go(firm: Firm, change: Change) -> None:
    own_role = OrganizationRoleFactory.create(
        deployment=firm.deployment, organization=firm.organization, permissions=["organization:admin"]
    )
    OrganizationMembershipRole.objects.create(membership=firm.other, role=own_role)
    assert firm.administrators() == sorted([firm.membership.pk, firm.other.pk])
    if change not in (LOSSES["all memberships"], LOSSES["all roles given"]):
        change(firm)
        check()
        assert firm.administrators() == [firm.other.pk]


@each_loss
def test_staff_may_let_the_last_administrator_go(firm: Firm, change: Change) -> None:
    let_go()
    change(firm)
    check()
    assert firm.administrators() == []
    execute("SET LOCAL rollcall.last_admin_may_go = off")
    join_organization(UserFactory.create(deployment=firm.deployment), firm.organization).delete()
    check()  # an organization without administrators loses none


@each_loss
def test_a_member_may_take_over_in_the_same_transaction_in_any_order(firm: Firm, change: Change) -> None:
    change(firm)
    heir = OrganizationRoleFactory.create(deployment=firm.deployment, permissions=["organization:admin"])
    join_organization(UserFactory.create(deployment=firm.deployment), firm.organization, heir)
    check()
    assert len(firm.administrators()) == 1


@pytest.mark.parametrize("by_sql", [False, True])
def test_an_organization_goes_with_its_last_administrator(firm: Firm, by_sql: bool) -> None:
    if by_sql:
        execute(f"DELETE FROM {MEMBERSHIPS}")
        execute("DELETE FROM organizations_organization WHERE id = %s", [firm.organization.pk])
    else:
        firm.organization.delete()
    check()
    assert not Administrator.objects.exists()


def test_a_deployment_goes_with_all_administrators(firm: Firm) -> None:
    firm.deployment.delete()
    check()
    assert not Administrator.objects.exists()


def test_memberships_of_an_organization_with_administrators_are_not_truncated(firm: Firm) -> None:
    check()
    with refused(LAST_ADMIN):
        execute(f"TRUNCATE {MEMBERSHIPS} CASCADE")
    let_go()
    execute(f"TRUNCATE {MEMBERSHIPS} CASCADE")
    assert firm.administrators() == []


def test_organizations_are_truncated_with_all_that_they_have(firm: Firm) -> None:
    check()
    execute("TRUNCATE organizations_organization CASCADE")
    assert not Administrator.objects.exists()


def test_a_disabled_administrator_counts_again_once_enabled(firm: Firm) -> None:
    firm.promote(firm.other)
    User.objects.filter(pk=firm.member.pk).update(disabled=True)
    assert firm.administrators() == [firm.membership.pk]
    with refused(LAST_ADMIN):
        OrganizationMembership.objects.filter(pk=firm.membership.pk).delete()
        check()
    User.objects.filter(pk=firm.member.pk).update(disabled=False)
    firm.membership.delete()
    check()


def test_a_role_that_gains_the_permission_makes_administrators(firm: Firm) -> None:
    OrganizationRole.objects.filter(pk=firm.member_role.pk).update(permissions=["organization:admin"])
    assert firm.administrators() == sorted([firm.membership.pk, firm.other.pk])
    firm.membership.delete()
    check()


def test_nobody_else_writes_the_list_of_administrators(firm: Firm) -> None:
    for sql in (
        "DELETE FROM memberships_administrator",
        f"INSERT INTO memberships_administrator SELECT {firm.other.pk}, {firm.organization.pk}",
    ):
        with refused("written_by_triggers"):
            execute(sql)


def test_the_refusal_names_the_organization(firm: Firm) -> None:
    firm.membership.delete()
    with pytest.raises(IntegrityError, match=f"“{firm.organization.name}” must keep an administrator"):
        check()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["leave", "demote", "disable"])
def test_of_all_who_go_at_once_one_administrator_stays(deployment: Deployment, change: str) -> None:
    """50 threads remove the last two administrators, each in a transaction of its own."""
    firm = Firm(deployment)
    firm.promote(firm.other)
    statements = {
        "leave": f"DELETE FROM {MEMBERSHIPS} WHERE id = %s",
        "demote": f"DELETE FROM {LINKS} WHERE membership_id = %s",
        "disable": f"UPDATE accounts_user SET disabled = true FROM {MEMBERSHIPS} m WHERE m.user_id = accounts_user.id "
        "AND m.id = %s AND NOT disabled",
    }

    def go(number: int) -> str:
        try:
            with transaction.atomic():
                execute(statements[change], [(firm.membership, firm.other)[number % 2].pk])
            return "gone"
        except IntegrityError as error:
            return str(cast(psycopg.Error, error.__cause__).diag.constraint_name)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        outcomes = set(threads.map(go, range(50)))
    assert outcomes == {"gone", LAST_ADMIN}
    assert len(firm.administrators()) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["give", "change"])
@pytest.mark.parametrize("change", ["role", "user"])
def test_a_role_given_while_it_changes_is_listed_right(deployment: Deployment, first: str, change: str) -> None:
    """Each of two open transactions sees only what it began with; the later one must see what the earlier did."""
    firm = Firm(deployment)
    if change == "role":
        statement = "UPDATE organizations_organizationrole SET permissions = '{organization:admin}' WHERE id = "
        statement += str(firm.member_role.pk)
        given = firm.member_role
    else:
        User.objects.filter(pk=firm.member.pk).update(disabled=True)
        statement = f"UPDATE accounts_user SET disabled = false WHERE id = {firm.member.pk}"
        given = firm.admin_role
    newcomer = firm.member if change == "user" else UserFactory.create(deployment=deployment)
    elsewhere = OrganizationFactory.create(deployment=deployment)
    give = (
        f"WITH m AS (SELECT id FROM {MEMBERSHIPS} WHERE organization_id = {elsewhere.pk} AND user_id = {newcomer.pk}) "
        f"INSERT INTO {LINKS} (membership_id, role_id) SELECT id, {given.pk} FROM m"
    )
    membership = join_organization(newcomer, elsewhere)
    order = [give, statement] if first == "give" else [statement, give]
    with psycopg.connect(**connection.get_connection_params()) as earlier, ThreadPoolExecutor(1) as threads:
        earlier.execute(order[0])

        def later() -> None:
            with psycopg.connect(**connection.get_connection_params()) as other:
                other.execute(order[1])

        waiting = threads.submit(later)
        wait_until_somebody_waits()
        earlier.commit()
        waiting.result(30)
    assert Administrator.objects.filter(membership=membership).exists()


def wait_until_somebody_waits() -> None:
    """For a lock; two seconds at most, since nobody need."""
    until = monotonic() + 2
    while monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("""
                SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE NOT granted AND datname = current_database()  -- other test processes use other databases
            """)
            if cursor.fetchone():
                return
        sleep(0.02)


@pytest.mark.django_db(transaction=True)
def test_of_fifty_requests_to_remove_the_last_two_one_fails_at_least() -> None:
    """Each administrator removes the other, many times at once, and leaves."""
    firm = ManagedFirm()
    other = firm.membership(firm.member)
    OrganizationMembershipRole.objects.create(membership=other, role=admin_role(firm.deployment))
    base = f"/organizations/{firm.organization.pk}"
    paths = [f"{base}/members/{firm.admin_membership.pk}/remove", f"{base}/members/{other.pk}/remove", f"{base}/leave"]
    assert firm.client(firm.admin).get(f"{base}/members").status_code == 200  # which has one thread make the document
    tokens = [firm.client(user).token for user in (firm.member, firm.admin)]

    def ask(number: int) -> int:
        try:
            client = ApiClient(firm.deployment, token=tokens[number % 2])
            return int(client.post(paths[number % 3]).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as threads:
        statuses = set(threads.map(ask, range(50)))
    assert Administrator.objects.filter(organization=firm.organization).count() == 1
    assert statuses <= {200, 403, 404, 409}
    assert 200 in statuses
