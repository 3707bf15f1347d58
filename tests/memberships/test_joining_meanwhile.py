"""People join by a domain or an invitation at the very moment at which something else happens to the same place.

The one who comes second waits for a lock; each test holds the first transaction open until that is so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from accounts.models import User
from memberships.models import OrganizationMembership
from memberships.self_service import domains
from organizations import images
from organizations.dns_records import require_text as ask
from organizations.models import Organization, OrganizationDomain
from tests.memberships.test_last_admin import wait_until_somebody_waits
from tests.support.api import error_code
from tests.support.database import execute
from tests.support.dns import DnsServer, dns_server
from tests.support.factories import UserFactory, join_organization
from tests.support.invitations import accept, mailed_token
from tests.support.self_service import Firm

pytestmark = pytest.mark.django_db(transaction=True)

VERIFY = {
    "address": "UPDATE accounts_emailaddress SET verified_at = now() WHERE email = 'ada@nord.example'",
    "domain": "UPDATE organizations_organizationdomain SET verified_at = now() WHERE fqdn = 'nord.example'",
}
each_verification = pytest.mark.parametrize("last", ["address", "domain"])


@pytest.fixture
def server(settings: Any) -> Iterator[DnsServer]:
    with dns_server() as running:
        settings.DNS_SERVERS = [running.address]
        yield running


@pytest.fixture
def firm() -> Firm:
    return Firm()


@pytest.fixture
def ada(firm: Firm) -> User:
    return UserFactory.create(deployment=firm.deployment, email="ada@nord.example")


def claim(firm: Firm, server: DnsServer, *others: Firm) -> list[OrganizationDomain]:
    """The domain nord.example, claimed by each, with all of their records in the DNS."""
    claimed = [
        OrganizationDomain.objects.create(organization=one.organization, fqdn="nord.example") for one in (firm, *others)
    ]
    for domain in claimed:
        domain.refresh_from_db()
    server.txt(claimed[0].record_name, *(domain.record_data for domain in claimed))
    return claimed


def verify_all_but(last: str, organization: Organization) -> None:
    OrganizationDomain.objects.create(organization=organization, fqdn="nord.example")
    execute(VERIFY["domain" if last == "address" else "address"])


def in_thread(pool: ThreadPoolExecutor, do: Callable[[], Any]) -> Future[Any]:
    def run() -> Any:
        try:
            return do()
        finally:
            connections.close_all()

    return pool.submit(run)


@each_verification
def test_a_member_removed_at_the_moment_of_joining_stays_out(firm: Firm, ada: User, last: str) -> None:
    verify_all_but(last, firm.organization)
    membership = join_organization(ada, firm.organization)
    with psycopg.connect(**connection.get_connection_params()) as removing, ThreadPoolExecutor(1) as pool:
        removing.execute("DELETE FROM memberships_organizationmembership WHERE id = %s", [membership.pk])
        joining = in_thread(pool, lambda: execute(VERIFY[last]))
        wait_until_somebody_waits()
        removing.commit()
        assert joining.result(30) == 1
    assert not OrganizationMembership.objects.filter(user=ada).exists()


@each_verification
def test_an_organization_goes_at_the_moment_of_a_verification(
    firm: Firm, ada: User, server: DnsServer, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion has locked the organization, and has still to delete what it has."""
    if last == "domain":
        (domain,) = claim(firm, server)
        execute(VERIFY["address"])
        path = f"/organizations/{firm.organization.pk}/domains/{domain.pk}/verify"

        def verify() -> Any:
            return error_code(firm.client(firm.admin).post(path))

        expected = 40403
    else:
        verify_all_but(last, firm.organization)

        def verify() -> Any:
            return execute(VERIFY[last])

        expected = 1
    with ThreadPoolExecutor(1) as pool:
        verifications = []

        def meanwhile(*_: Any) -> None:
            verifications.append(in_thread(pool, verify))
            wait_until_somebody_waits()

        monkeypatch.setattr(images, "discard", meanwhile)
        response = firm.client(firm.admin).post(f"/organizations/{firm.organization.pk}/delete")
        assert response.status_code == 200
        assert verifications[0].result(30) == expected
    assert not Organization.objects.filter(pk=firm.organization.pk).exists()
    assert not OrganizationMembership.objects.filter(user=ada).exists()


def test_a_domain_removed_at_the_moment_of_its_verification_brings_nobody(
    firm: Firm, ada: User, server: DnsServer
) -> None:
    (domain,) = claim(firm, server)
    execute(VERIFY["address"])
    path = f"/organizations/{firm.organization.pk}/domains/{domain.pk}/verify"
    with psycopg.connect(**connection.get_connection_params()) as removing, ThreadPoolExecutor(1) as pool:

        def meanwhile(*_: Any) -> None:
            removing.execute("DELETE FROM organizations_organizationdomain WHERE id = %s", [domain.pk])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(domains, "require_text", meanwhile)  # the DNS takes its time
            verifying = in_thread(pool, lambda: error_code(firm.client(firm.admin).post(path)))
            wait_until_somebody_waits()
            removing.commit()
            assert verifying.result(30) == 40404
    assert not OrganizationMembership.objects.filter(user=ada).exists()


def test_of_two_organizations_that_verify_a_domain_at_once_one_gets_it(
    firm: Firm, ada: User, server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Firm(firm.deployment)
    execute(VERIFY["address"])
    claimed = claim(firm, server, other)
    one_at_a_time, together = Lock(), Barrier(2)

    def require_text(*record: str) -> None:
        with one_at_a_time:  # a process refuses the second of two at once
            ask(*record)
        together.wait(30)

    monkeypatch.setattr(domains, "require_text", require_text)
    paths = [f"/organizations/{domain.organization_id}/domains/{domain.pk}/verify" for domain in claimed]
    clients = [one.client(one.admin) for one in (firm, other)]
    with ThreadPoolExecutor(2) as pool:
        asked = [
            in_thread(pool, lambda one=client, path=path: one.post(path).status_code)  # type: ignore[misc]  # mypy#4226
            for client, path in zip(clients, paths, strict=True)
        ]
        assert sorted(one.result(30) for one in asked) == [200, 409]
    winner = OrganizationDomain.objects.get(fqdn="nord.example", verified_at__isnull=False)
    assert OrganizationMembership.objects.get(user=ada).organization_id == winner.organization_id


@pytest.mark.parametrize("place", ["organization", "workspace"])
def test_a_place_goes_at_the_moment_of_an_acceptance(
    firm: Firm, ada: User, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm.invite(ada.email, workspace=firm.workspace)
    token, accepting = mailed_token(), firm.client(ada)
    id_ = (firm.organization if place == "organization" else firm.workspace).pk
    with ThreadPoolExecutor(1) as pool:
        acceptances = []

        def meanwhile(*_: Any) -> None:
            acceptances.append(in_thread(pool, lambda: accept(accepting, token)))
            wait_until_somebody_waits()

        monkeypatch.setattr(images, "discard", meanwhile)
        assert firm.client(firm.admin).post(f"/{place}s/{id_}/delete").status_code == 200
        assert acceptances[0].result(30)["error_code"] == "INVITATION_UNKNOWN"
    assert not OrganizationMembership.objects.filter(user=ada).exists()
