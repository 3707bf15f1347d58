"""The client's address is the peer's, unless the peer is a trusted proxy, which may report another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from accounts.models import User
from api.client_address import ClientAddressMiddleware, client_address, client_address_of
from api.networks import parse_address
from tests.support.api import memberships
from tests.support.cases import each
from tests.support.factories import member_of_new_workspace

OFFICE = "198.51.100.7"
"""The one address on the allow-list of the workspace."""
ELSEWHERE = "203.0.113.9"
PROXY, INNER_PROXY = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def behind_proxies(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8", "2001:db8:aaaa::/48"]


def found(peer: str, forwarded_for: str) -> str | None:
    address = client_address(parse_address(peer), forwarded_for)
    return str(address) if address else None


@each(
    ("peer", "forwarded_for", "client"),
    [
        (PROXY, "", PROXY),
        (PROXY, " , ", PROXY),
        (PROXY, OFFICE, OFFICE),
        (PROXY, f"  {OFFICE}\t", OFFICE),
        (PROXY, f"{OFFICE},", OFFICE),
        # Read from the right: what the client wrote itself stands on the left of what the proxies saw.
        (PROXY, f"{OFFICE}, {ELSEWHERE}", ELSEWHERE),
        (PROXY, f"10.9.9.9, {OFFICE}, {ELSEWHERE}, {INNER_PROXY}", ELSEWHERE),
        (PROXY, f"nonsense, {ELSEWHERE}", ELSEWHERE),
        (PROXY, f"{OFFICE}, {INNER_PROXY}", OFFICE),
        (PROXY, f"{OFFICE}, {INNER_PROXY}, 10.0.0.3", OFFICE),
        # All of the chain is trusted: the client is the one that is furthest away.
        (PROXY, f"{INNER_PROXY}, 10.0.0.3", INNER_PROXY),
        (PROXY, f"{OFFICE}:4711", OFFICE),
        (PROXY, f"::ffff:{OFFICE}", OFFICE),
        (PROXY, f"[::ffff:{OFFICE}]:4711", OFFICE),
        (PROXY, "2001:db8::1", "2001:db8::1"),
        (PROXY, "[2001:db8::1]", "2001:db8::1"),
        (PROXY, "[2001:db8::1]:4711", "2001:db8::1"),
        (PROXY, f"{OFFICE}, [::ffff:{INNER_PROXY}]:80", OFFICE),
        ("2001:db8:aaaa::1", OFFICE, OFFICE),
        (f"::ffff:{PROXY}", OFFICE, OFFICE),
        # An untrusted peer is the client, whatever it writes.
        (ELSEWHERE, OFFICE, ELSEWHERE),
        (ELSEWHERE, f"{OFFICE}, {PROXY}", ELSEWHERE),
        ("2001:db8::1", OFFICE, "2001:db8::1"),
        (f"::ffff:{ELSEWHERE}", "", ELSEWHERE),
    ],
)
@pytest.mark.usefixtures("behind_proxies")
def test_the_chain_is_read_from_the_right_as_far_as_its_reporters_are_trusted(
    peer: str, forwarded_for: str, client: str
) -> None:
    assert found(peer, forwarded_for) == client


@each(
    "hop", ["unknown", "_hidden", "office.example.com", "198.51.100", "198.51.100.7.1", "fe80::1%eth0", '"', "[]", ":"]
)
@pytest.mark.usefixtures("behind_proxies")
def test_an_unreadable_hop_of_a_trusted_proxy_leaves_no_address(hop: str) -> None:
    assert found(PROXY, f"{OFFICE}, {hop}") is None


@pytest.mark.usefixtures("behind_proxies")
def test_without_a_peer_nobody_is_believed() -> None:
    assert client_address(None, OFFICE) is None


@pytest.mark.parametrize("peer", [PROXY, "127.0.0.1", "::1"])
def test_no_proxy_is_trusted_unless_configured(settings: Any, peer: str) -> None:
    assert settings.TRUSTED_PROXIES == []
    assert found(peer, OFFICE) == peer


@pytest.fixture
def restriction_from(user: User) -> Callable[..., str]:
    """Asks the endpoint with the given WSGI headers: what restricts the member of a workspace open to OFFICE alone?"""
    member_of_new_workspace(user, enable_ip_restriction=True, whitelisted_ips=[OFFICE])

    def ask(**headers: str) -> str:
        (item,) = memberships(user, **headers)
        restriction: str = item["eligibility_restriction"]["type"]
        return restriction

    return ask


@pytest.mark.parametrize("peer", [OFFICE, f"::ffff:{OFFICE}"])
def test_a_member_at_a_listed_address_may_enter(restriction_from: Callable[..., str], peer: str) -> None:
    assert restriction_from(REMOTE_ADDR=peer) == "none"


@each(
    "forged",
    [
        {"HTTP_X_FORWARDED_FOR": OFFICE},
        {"HTTP_X_FORWARDED_FOR": f"{OFFICE}, {PROXY}"},
        {"HTTP_FORWARDED": f"for={OFFICE}"},
        {"HTTP_X_REAL_IP": OFFICE},
        {"HTTP_CLIENT_IP": OFFICE},
        {"HTTP_TRUE_CLIENT_IP": OFFICE},
    ],
)
@pytest.mark.usefixtures("behind_proxies")
def test_a_forged_header_of_an_untrusted_peer_changes_nothing(
    restriction_from: Callable[..., str], forged: dict[str, str]
) -> None:
    assert restriction_from(REMOTE_ADDR=ELSEWHERE, **forged) == "ip_not_allowed"
    assert restriction_from(REMOTE_ADDR=OFFICE, **dict.fromkeys(forged, ELSEWHERE)) == "none"


@pytest.mark.usefixtures("behind_proxies")
def test_a_trusted_proxy_says_where_the_client_is(restriction_from: Callable[..., str]) -> None:
    assert restriction_from(REMOTE_ADDR=PROXY) == "ip_not_allowed"
    assert restriction_from(REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=f"{OFFICE}, {INNER_PROXY}") == "none"


def test_a_proxy_that_is_not_configured_is_not_believed(restriction_from: Callable[..., str]) -> None:
    assert restriction_from(REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=OFFICE) == "ip_not_allowed"


@pytest.mark.usefixtures("behind_proxies")
def test_addresses_that_the_client_wrote_into_the_chain_are_not_believed(restriction_from: Callable[..., str]) -> None:
    assert restriction_from(REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=f"{OFFICE}, {ELSEWHERE}") == "ip_not_allowed"


@each(
    "headers",
    [
        {"REMOTE_ADDR": ""},  # a server on a Unix socket
        {"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": OFFICE},
        {"REMOTE_ADDR": "unix:"},
        {"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_FOR": f"{OFFICE}, unknown"},
    ],
)
@pytest.mark.usefixtures("behind_proxies")
def test_from_an_unknown_address_the_ip_rule_refuses(
    restriction_from: Callable[..., str], headers: dict[str, str]
) -> None:
    assert restriction_from(**headers) == "ip_not_allowed"


def _seen(request: HttpRequest) -> HttpRequest:
    """``request``, after the middleware."""
    ClientAddressMiddleware(lambda _: HttpResponse())(request)
    return request


@each(
    ("peer", "proto", "secure"),
    [
        (PROXY, "https", True),
        (f"::ffff:{PROXY}", "https", True),
        (PROXY, "http", False),
        (PROXY, "HTTPS", True),
        (PROXY, " https ", True),
        (PROXY, "https, https", True),
        (PROXY, "https,HTTPS", True),  # two lines, as the server joins them
        (PROXY, "https, http", False),
        (PROXY, "http, https", False),
        (PROXY, "https,", False),
        (ELSEWHERE, "https, https", False),
        (PROXY, "", False),
        (ELSEWHERE, "https", False),
        ("", "https", False),
    ],
)
@pytest.mark.usefixtures("behind_proxies")
def test_only_a_trusted_proxy_says_that_the_request_came_over_https(peer: str, proto: str, secure: bool) -> None:
    request = RequestFactory(REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO=proto).get("/")
    assert _seen(request).is_secure() is secure


def test_a_request_without_remote_addr_passes_with_an_unknown_address() -> None:
    request = RequestFactory().get("/")
    del request.META["REMOTE_ADDR"]
    assert client_address_of(_seen(request)) is None
