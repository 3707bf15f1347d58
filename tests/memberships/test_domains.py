"""Organizations claim domains and verify them by a TXT record, asked of a DNS server of the tests' own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import dns.rcode
import pytest
from django.utils import timezone

from audit.models import AuditEntry
from organizations import dns_records
from organizations.models import OrganizationDomain
from tests.support.api import FORM, JSON, MULTIPART, ApiClient, data_of, error_code
from tests.support.cases import each
from tests.support.database import execute, refused
from tests.support.dns import DnsServer, dns_server
from tests.support.self_service import Firm

pytestmark = pytest.mark.django_db

DOMAIN = {
    "id": str,
    "organization_id": str,
    "fqdn": str,
    "verified": bool,
    "verification_dns_record_type": str,
    "verification_dns_record_name": str,
    "verification_dns_record_data": str,
    "verification_attempts": int,
    "created_at": str,
    "updated_at": str,
}


@pytest.fixture
def server(settings: Any) -> Iterator[DnsServer]:
    with dns_server() as running:
        settings.DNS_SERVERS = [running.address]
        yield running


@pytest.fixture(scope="module")
def shared_firm(shared_rows: None) -> Firm:
    firm = Firm()
    firm.domain.delete()
    return firm


@pytest.fixture
def firm(shared_firm: Firm, db: None) -> Firm:
    return deepcopy(shared_firm)


@pytest.fixture
def admin(firm: Firm) -> ApiClient:
    return firm.client(firm.admin)


def path_of(firm: Firm) -> str:
    return f"/organizations/{firm.organization.pk}/domains"


def claim(firm: Firm, domain: str = "nordlys.example") -> dict[str, Any]:
    value: dict[str, Any] = data_of(firm.client(firm.admin).post(path_of(firm), {"domain": domain}))
    return value


def verify(firm: Firm, domain: dict[str, Any]) -> Any:
    OrganizationDomain.objects.update(last_attempt_at=None)
    return firm.client(firm.admin).post(f"{path_of(firm)}/{domain['id']}/verify")


def message(response: Any) -> str:
    (error,) = response.json()["errors"]
    text: str = error["message"]
    return text


@each("content_type", [JSON, FORM, MULTIPART], ids=["json", "form", "multipart"])
def test_an_admin_claims_a_domain_and_is_told_the_record(firm: Firm, admin: ApiClient, content_type: str) -> None:
    data = data_of(admin.post(path_of(firm), {"domain": "Nordlys.Example."}, content_type=content_type))
    assert {name: type(value) for name, value in data.items()} == DOMAIN
    row = OrganizationDomain.objects.get()
    assert data == {
        "id": str(row.pk),
        "organization_id": str(firm.organization.pk),
        "fqdn": "nordlys.example",
        "verified": False,
        "verification_dns_record_type": "TXT",
        "verification_dns_record_name": "_rollcall-challenge.nordlys.example",
        "verification_dns_record_data": f"rollcall-verification={row.token}",
        "verification_attempts": 0,
        "created_at": data["created_at"],
        "updated_at": data["updated_at"],
    }
    assert data_of(admin.get(path_of(firm))) == [data]


def test_a_record_that_holds_the_data_verifies_the_domain(firm: Firm, server: DnsServer) -> None:
    domain = claim(firm)
    server.txt(domain["verification_dns_record_name"], domain["verification_dns_record_data"])
    data = data_of(verify(firm, domain))
    assert data == domain | {"verified": True, "verification_attempts": 1, "updated_at": data["updated_at"]}
    assert server.asked == [("_rollcall-challenge.nordlys.example", "udp")]
    entry = AuditEntry.objects.filter(model="organizations.organizationdomain").latest("pk")
    assert entry.after is not None
    assert entry.after["verified_at"] is not None
    assert (entry.actor_kind, entry.actor_id) == ("user", firm.admin.pk)


def test_a_verified_domain_is_not_asked_for_again(firm: Firm, server: DnsServer) -> None:
    domain = claim(firm)
    OrganizationDomain.objects.update(verified_at=timezone.now())
    assert data_of(verify(firm, domain))["verified"] is True
    assert server.asked == []


def test_the_record_of_a_domain_in_unicode_is_asked_for_in_ascii(firm: Firm, server: DnsServer) -> None:
    domain = claim(firm, "München.example")
    assert domain["fqdn"] == "münchen.example"
    name = "_rollcall-challenge.xn--mnchen-3ya.example"
    assert domain["verification_dns_record_name"] == name
    server.txt(name, domain["verification_dns_record_data"])
    assert data_of(verify(firm, domain))["verified"] is True


def test_the_right_record_counts_among_many_by_tcp(firm: Firm, server: DnsServer) -> None:
    domain = claim(firm)
    others = [f"something else {'x' * 200} {number}" for number in range(20)]
    server.txt(domain["verification_dns_record_name"], *others, domain["verification_dns_record_data"])
    assert data_of(verify(firm, domain))["verified"] is True
    assert [over for _, over in server.asked] == ["udp", "tcp"]


def test_quotes_and_parts_that_providers_make_of_it_do_not_matter(firm: Firm, server: DnsServer) -> None:
    domain = claim(firm)
    data = domain["verification_dns_record_data"]
    server.records[domain["verification_dns_record_name"]] = [("TXT", rf'"\"{data[:20]}" "{data[20:]}\" "')]
    assert data_of(verify(firm, domain))["verified"] is True


def test_a_record_behind_a_cname_counts(firm: Firm, server: DnsServer) -> None:
    domain = claim(firm)
    server.records[domain["verification_dns_record_name"]] = [("CNAME", "proof.provider.example.")]
    server.txt("proof.provider.example", domain["verification_dns_record_data"])
    assert data_of(verify(firm, domain))["verified"] is True


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (None, "There is no TXT record at _rollcall-challenge.nordlys.example yet."),
        ([], "There is no TXT record at _rollcall-challenge.nordlys.example yet."),
        (["v=spf1 -all"], "The TXT record at _rollcall-challenge.nordlys.example holds something else. Add one with"),
        (["one", "two"], "The TXT records at _rollcall-challenge.nordlys.example hold something else. Add one with"),
        (["rollcall-verification="], "The TXT record at _rollcall-challenge.nordlys.example holds something else."),
    ],
    ids=["no name", "no record", "another record", "several others", "half a record"],
)
def test_without_the_right_record_it_says_what_is_there(
    firm: Firm, server: DnsServer, texts: list[str] | None, expected: str
) -> None:
    domain = claim(firm)
    if texts is not None:
        server.txt(domain["verification_dns_record_name"], *texts)
    answer = verify(firm, domain)
    assert error_code(answer) == 40009
    assert message(answer).startswith(expected)
    assert data_of(firm.client(firm.admin).get(path_of(firm)))[0]["verified"] is False


@pytest.mark.parametrize("is_there", [True, False])
def test_a_cname_that_leads_to_no_record_is_named(firm: Firm, server: DnsServer, is_there: bool) -> None:
    domain = claim(firm)
    server.records[domain["verification_dns_record_name"]] = [("CNAME", "web.provider.example.")]
    if is_there:
        server.records["web.provider.example"] = []
    answer = verify(firm, domain)
    assert error_code(answer) == 40009
    assert "leads to web.provider.example (a CNAME record)" in message(answer)


def test_a_circle_of_cnames_is_an_error_of_the_name_servers(firm: Firm, server: DnsServer) -> None:
    domain = claim(firm)
    name = domain["verification_dns_record_name"]
    server.records |= {name: [("CNAME", "a.example.")], "a.example": [("CNAME", f"{name}.")]}
    answer = verify(firm, domain)
    assert error_code(answer) == 40009
    assert "answer with an error" in message(answer)


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED], ids=["SERVFAIL", "REFUSED"])
def test_an_error_of_the_name_servers_is_told(firm: Firm, server: DnsServer, rcode: dns.rcode.Rcode) -> None:
    server.fails_with = rcode
    answer = verify(firm, claim(firm))
    assert error_code(answer) == 40009
    assert "answer with an error" in message(answer)


def test_silent_name_servers_cost_three_seconds_at_most(firm: Firm, server: DnsServer) -> None:
    server.is_silent = True
    domain = claim(firm)
    started = time.monotonic()
    answer = verify(firm, domain)
    assert time.monotonic() - started < dns_records.SECONDS + 1
    assert error_code(answer) == 40009
    assert "did not answer in time" in message(answer)


def test_while_another_domain_is_checked_nobody_waits(firm: Firm, server: DnsServer) -> None:
    domain = claim(firm)
    with dns_records._turns:
        assert error_code(verify(firm, domain)) == 50301
    assert server.asked == []
    assert error_code(verify(firm, domain)) == 40009


def test_attempts_count_and_do_not_follow_at_once(firm: Firm, admin: ApiClient, server: DnsServer) -> None:
    path = f"{path_of(firm)}/{claim(firm)['id']}/verify"
    assert error_code(admin.post(path)) == 40009
    too_soon = admin.post(path)
    assert (error_code(too_soon), too_soon.headers["Retry-After"]) == (42901, "5")
    assert data_of(admin.get(path_of(firm)))[0]["verification_attempts"] == 1
    assert len(server.asked) == 1


def test_unverified_claims_of_others_neither_block_nor_show(firm: Firm, server: DnsServer) -> None:
    other = Firm(firm.deployment)
    other.domain.delete()
    theirs, ours = claim(other), claim(firm)
    assert theirs["verification_dns_record_data"] != ours["verification_dns_record_data"]
    assert data_of(firm.client(firm.admin).get(path_of(firm))) == [ours]
    server.txt(ours["verification_dns_record_name"], theirs["verification_dns_record_data"])
    assert error_code(verify(firm, ours)) == 40009  # another's proof is none
    assert data_of(verify(other, theirs))["verified"] is True


def test_a_verified_domain_is_one_organizations_of_a_deployment(firm: Firm, server: DnsServer) -> None:
    other, foreign = Firm(firm.deployment), Firm()
    other.domain.delete()
    foreign.domain.delete()
    domains = [claim(one) for one in (firm, other, foreign)]
    server.txt(domains[0]["verification_dns_record_name"], *(one["verification_dns_record_data"] for one in domains))
    assert verify(firm, domains[0]).status_code == 200
    assert error_code(verify(other, domains[1])) == 40904
    assert verify(foreign, domains[2]).status_code == 200


@each(
    "domain",
    [
        "",
        "example",
        "10.0.0.1",
        "https://example.com",
        "ada@example.com",
        "*.example.com",
        "a..example",
        "x" * 64 + ".no",
    ],
)
def test_what_is_no_domain_is_refused(firm: Firm, admin: ApiClient, domain: str) -> None:
    assert error_code(admin.post(path_of(firm), {"domain": domain})) == 40004
    assert not OrganizationDomain.objects.filter(organization=firm.organization).exists()


def test_a_domain_is_claimed_once(firm: Firm, admin: ApiClient) -> None:
    claim(firm, "münchen.example")
    again = admin.post(path_of(firm), {"domain": "xn--mnchen-3ya.example"})
    assert (error_code(again), message(again)) == (
        40004,
        "münchen.example is among the organization's domains already.",
    )


def test_an_organization_has_a_hundred_domains_at_most(firm: Firm, admin: ApiClient) -> None:
    OrganizationDomain.objects.bulk_create(
        OrganizationDomain(deployment=firm.deployment, organization=firm.organization, fqdn=f"d{number}.example")
        for number in range(100)
    )
    assert error_code(admin.post(path_of(firm), {"domain": "one.more.example"})) == 40903


def test_a_removed_domain_is_shown_once_more_and_free_again(firm: Firm, admin: ApiClient) -> None:
    domain = claim(firm)
    OrganizationDomain.objects.update(verified_at=timezone.now())
    assert data_of(admin.post(f"{path_of(firm)}/{domain['id']}/delete"))["fqdn"] == "nordlys.example"
    assert data_of(admin.get(path_of(firm))) == []
    claim(firm)


@each("fqdn", ["Example.com", "xn--mnchen-3ya.example", "example", "a..b", ".a.b", "a.b.", "a@b.c", "a b.c"])
def test_raw_sql_stores_normal_domains_alone(firm: Firm, fqdn: str) -> None:
    with refused("organizations_domain_is_normal"):
        execute(
            "INSERT INTO organizations_organizationdomain (deployment_id, organization_id, fqdn) VALUES (%s, %s, %s)",
            [firm.deployment.pk, firm.organization.pk, fqdn],
        )


def test_raw_sql_cannot_verify_a_domain_twice_in_a_deployment(firm: Firm) -> None:
    claim(firm)
    claim(Firm(firm.deployment))
    with refused("organizations_domain_is_one_organizations"):
        execute("UPDATE organizations_organizationdomain SET verified_at = now()")


def test_the_machines_own_name_servers_are_the_default(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DNS_SERVERS = []
    assert dns_records._resolver().nameservers
    settings.DNS_SERVERS = [("192.0.2.53", 5353)]
    (one,) = dns_records._resolver().nameservers
    assert str(one) == "Do53:192.0.2.53@5353"
