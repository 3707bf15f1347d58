"""DNS_SERVERS names name servers by address and port."""

from __future__ import annotations

import pytest

from api.networks import name_server


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:DB8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_an_address_may_have_a_port(text: str, expected: tuple[str, int]) -> None:
    assert name_server(text) == expected


@pytest.mark.parametrize("text", ["", "dns.example", "192.0.2.53:x", "192.0.2.53:99999", "192.0.2", "[2001:db8::53"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no IP address"):
        name_server(text)
