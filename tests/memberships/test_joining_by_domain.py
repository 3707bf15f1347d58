"""Users with a verified address of a verified domain join its organization, whichever is verified last."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.credentials import users
from accounts.models import Deployment, EmailAddress, User
from audit.models import AuditEntry
from memberships.models import OrganizationMembership
from organizations.models import Organization, OrganizationDomain, OrganizationRole
from tests.support.api import data_of
from tests.support.cases import each
from tests.support.database import execute
from tests.support.factories import OrganizationFactory, UserFactory, WorkspaceFactory, join_organization
from tests.support.self_service import Firm

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization(deployment: Deployment) -> Organization:
    return OrganizationFactory.create(deployment=deployment)


@pytest.fixture
def ada(deployment: Deployment) -> User:
    return UserFactory.create(deployment=deployment, email="Ada@nord.example")


def add_domain(
    organization: Organization, fqdn: str = "nord.example", *, is_verified: bool = True
) -> OrganizationDomain:
    return OrganizationDomain.objects.create(
        organization=organization, fqdn=fqdn, verified_at=timezone.now() if is_verified else None
    )


def members(organization: Organization) -> dict[int, list[str]]:
    """The names of the roles of each member, by the user's id."""
    found = OrganizationMembership.objects.filter(organization=organization).prefetch_related("roles")
    return {membership.user_id: sorted(role.name for role in membership.roles.all()) for membership in found}


def verify_address(user: User) -> None:
    users.set_verified(user, user.email)


def test_a_user_joins_when_the_address_is_verified(organization: Organization, ada: User) -> None:
    add_domain(organization)
    assert members(organization) == {}  # staff typed the address
    verify_address(ada)
    assert members(organization) == {ada.pk: ["Member"]}
    organization.refresh_from_db()
    assert organization.member_count == 1


def test_users_join_when_the_domain_is_verified(organization: Organization, ada: User) -> None:
    domain = add_domain(organization, is_verified=False)
    bo, unverified = UserFactory.create_batch(2, deployment=ada.deployment)
    EmailAddress.objects.create(deployment=ada.deployment, user=bo, email="bo@nord.example", verified_at=timezone.now())
    EmailAddress.objects.create(deployment=ada.deployment, user=unverified, email="cleo@nord.example")
    verify_address(ada)
    assert members(organization) == {}
    OrganizationDomain.objects.filter(pk=domain.pk).update(verified_at=timezone.now())
    assert members(organization) == {ada.pk: ["Member"], bo.pk: ["Member"]}


def test_one_joins_by_a_further_address_too(organization: Organization, user: User) -> None:
    add_domain(organization)
    EmailAddress.objects.create(
        deployment=user.deployment, user=user, email="user@nord.example", verified_at=timezone.now()
    )
    assert members(organization) == {user.pk: ["Member"]}


@each("email", ["ada@sub.nord.example", "ada@anord.example", "ada@nord.example.org"])
def test_other_domains_do_not_count(organization: Organization, email: str) -> None:
    add_domain(organization)
    verify_address(UserFactory.create(deployment=organization.deployment, email=email))
    assert members(organization) == {}


def test_a_domain_in_unicode_counts_however_it_is_typed(organization: Organization) -> None:
    add_domain(organization, "münchen.example")
    user = UserFactory.create(deployment=organization.deployment, email="ada@XN--mnchen-3ya.example")
    verify_address(user)
    assert set(members(organization)) == {user.pk}


def test_users_of_other_deployments_do_not_join(organization: Organization, ada: User) -> None:
    foreign = UserFactory.create(email="ada@nord.example")
    verify_address(foreign)
    verify_address(ada)
    add_domain(organization)
    assert set(members(organization)) == {ada.pk}


def test_one_statement_may_verify_addresses_of_several_deployments(organization: Organization, ada: User) -> None:
    other = OrganizationFactory.create()
    foreign = UserFactory.create(deployment=other.deployment, email="bo@nord.example")
    for one in (organization, other):
        add_domain(one)
    execute("UPDATE accounts_emailaddress SET verified_at = now()")
    assert (set(members(organization)), set(members(other))) == ({ada.pk}, {foreign.pk})


def test_a_member_stays_as_they_are(organization: Organization, ada: User) -> None:
    admin = OrganizationRole.objects.get(deployment=ada.deployment, name="Admin")
    join_organization(ada, organization, admin)
    add_domain(organization)
    verify_address(ada)
    assert members(organization) == {ada.pk: ["Admin"]}


def test_one_joins_the_auto_assigned_workspace_as_well(organization: Organization, ada: User) -> None:
    workspace = WorkspaceFactory.create(organization=organization)
    Organization.objects.filter(pk=organization.pk).update(auto_assigned_workspace=workspace)
    add_domain(organization)
    verify_address(ada)
    assert workspace.memberships.get().user == ada


@pytest.mark.parametrize("role", [None, "own"])
def test_without_a_default_role_one_joins_without_any(organization: Organization, ada: User, role: str | None) -> None:
    own = role and OrganizationRole.objects.create(deployment=ada.deployment, organization=organization, name="Own")
    Deployment.objects.update(default_org_member_role=own or None)
    add_domain(organization)
    verify_address(ada)
    assert members(organization) == {ada.pk: []}


def test_nobody_joins_by_what_is_no_verification(organization: Organization, ada: User) -> None:
    domain = add_domain(organization)
    verify_address(ada)
    execute("DELETE FROM memberships_organizationmembership")
    execute("DELETE FROM memberships_endedmembership")
    execute("UPDATE accounts_emailaddress SET verified_at = now(), updated_at = now()")
    execute("UPDATE organizations_organizationdomain SET verified_at = now() WHERE id = %s", [domain.pk])
    assert members(organization) == {}


def reverify_address(organization: Organization, user: User) -> None:
    EmailAddress.objects.filter(user=user).update(verified_at=None)
    verify_address(user)


def reverify_domain(organization: Organization, user: User) -> None:
    OrganizationDomain.objects.all().delete()
    add_domain(organization)


def verify_another(organization: Organization, user: User) -> None:
    add_domain(organization, "sud.example")
    email = "ada@sud.example"
    EmailAddress.objects.create(deployment=user.deployment, user=user, email=email, verified_at=timezone.now())


@each("retry", [reverify_address, reverify_domain, verify_another])
@each("joined_by", ["domain", "invitation"])
def test_a_removed_member_does_not_come_back_by_a_domain(
    retry: Callable[[Organization, User], None], joined_by: str
) -> None:
    firm = Firm()
    user = UserFactory.create(deployment=firm.deployment, email="ada@nord.example")
    if joined_by == "domain":
        add_domain(firm.organization)
        verify_address(user)
    else:
        join_organization(user, firm.organization)
    path = f"/organizations/{firm.organization.pk}/members/{firm.membership(user).pk}/remove"
    data_of(firm.client(firm.admin).post(path))
    retry(firm.organization, user)
    assert user.pk not in members(firm.organization)
    join_organization(user, firm.organization)  # by another way they do


def test_one_who_left_is_not_made_a_member_again(organization: Organization, ada: User) -> None:
    add_domain(organization)
    verify_address(ada)
    OrganizationMembership.objects.filter(user=ada).delete()
    reverify_address(organization, ada)
    assert members(organization) == {}


def test_who_joined_stays_when_the_domain_is_removed(organization: Organization, ada: User) -> None:
    domain = add_domain(organization)
    verify_address(ada)
    domain.delete()
    assert set(members(organization)) == {ada.pk}


def test_joining_is_in_the_audit_log(organization: Organization, ada: User) -> None:
    add_domain(organization)
    verify_address(ada)
    membership = OrganizationMembership.objects.get()
    entry = AuditEntry.objects.get(model="memberships.organizationmembership", object_id=membership.pk)
    assert entry.action == "added"


def test_many_users_join_in_a_few_statements(organization: Organization, django_assert_max_num_queries: Any) -> None:
    domain = add_domain(organization, is_verified=False)
    users = [User(deployment=organization.deployment, email=f"u{n}@nord.example") for n in range(500)]
    User.objects.bulk_create(users)
    execute("UPDATE accounts_emailaddress SET verified_at = now()")
    with django_assert_max_num_queries(1):
        OrganizationDomain.objects.filter(pk=domain.pk).update(verified_at=timezone.now())
    assert len(members(organization)) == 500


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["address", "domain"])
def test_an_address_and_its_domain_verified_at_once_miss_nothing(first: str) -> None:
    organization = OrganizationFactory.create()
    user = UserFactory.create(deployment=organization.deployment, email="ada@nord.example")
    domain = add_domain(organization, is_verified=False)
    statements = {
        "address": ("UPDATE accounts_emailaddress SET verified_at = now() WHERE user_id = %s", [user.pk]),
        "domain": ("UPDATE organizations_organizationdomain SET verified_at = now() WHERE id = %s", [domain.pk]),
    }

    def run_second() -> None:
        try:
            execute(*statements["domain" if first == "address" else "address"])
        finally:
            connection.close()

    second = Thread(target=run_second)
    with transaction.atomic():
        execute(*statements[first])
        second.start()
        second.join(0.5)
        assert second.is_alive()  # it waits for this transaction
    second.join()
    assert set(members(organization)) == {user.pk}
