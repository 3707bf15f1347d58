"""The addresses and networks of allow-lists, and the addresses in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.networks import matches, parse_address, parse_network
from tests.support.cases import each, named

IPV4_BITS, IPV6_BITS = 32, 128
MAPPED = 0xFFFF << 32
"""The number of ::ffff:0.0.0.0."""

NO_ADDRESS = [
    "",
    " ",
    "abc",
    "localhost",
    "10.1",
    "1.2.3.4.5",
    "256.0.0.1",
    "010.0.0.1",
    "167772161",
    "0x0a.0.0.1",
    " 10.0.0.1",
    "10.0.0.1 ",
    "10.0.0.1\n",
    "10.0.0.1:80",
    "[::1]",
    "fe80::1%eth0",
    "::ffff:10.0.0.1%eth0",
    "1::2::3",
    "::1.2.3",
    "12345::",
    "١٠.0.0.1",
]
NO_NETWORK = [
    *NO_ADDRESS,
    "/",
    "/8",
    "10.0.0.0/",
    "10/8",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "10.0.0.0/08",
    "10.0.0.0/ 8",
    "10.0.0.0/8 ",
    "10.0.0.0/٨",
    "10.0.0.0/8/8",
    "10.0.0.1/24",
    "10.0.0.0/255.0.0.0",
    "10.0.0.0/0.255.255.255",
    "::1/129",
    "::1/64",
    "2001:db8::/032",
    "1::2:/128",
    "fe80::%eth0/64",
    "::ffff:10.0.0.1/104",
]


@each(
    ("text", "normal"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:201", "192.0.2.1"),
        ("::192.0.2.1", "::c000:201"),  # the deprecated IPv4-compatible form is another address
    ],
)
def test_an_address_is_read_an_ipv4_mapped_one_as_its_ipv4(text: str, normal: str) -> None:
    assert str(parse_address(text)) == normal


@each("text", NO_ADDRESS)
def test_a_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_address(text)


@each(
    ("text", "normal"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.1/32", "192.0.2.1/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::1", "::1/128"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("::ffff:192.0.2.1/128", "192.0.2.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:0:0/95", None),
        ("::fffe:0:0/95", "::fffe:0:0/95"),  # wider than the mapped addresses: IPv6 it stays
    ],
)
def test_a_network_is_read_an_ipv4_mapped_one_as_its_ipv4(text: str, normal: str | None) -> None:
    if normal is None:
        with pytest.raises(ValueError, match="host bits"):
            parse_network(text)
    else:
        assert str(parse_network(text)) == normal


@each("text", NO_NETWORK)
def test_a_text_that_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_network(text)


@each("address", ["10.0.0.1", "::1", "fe80::1"])
def test_an_unreadable_entry_matches_nothing_and_hides_no_other(address: str) -> None:
    for entry in NO_NETWORK:
        with named(entry):
            assert not matches(parse_address(address), [entry])
            assert matches(parse_address(address), [entry, address])


@pytest.mark.parametrize("entries", [[], ["0.0.0.0/0", "::/0"]])
def test_an_unknown_address_matches_nothing(entries: list[str]) -> None:
    assert not matches(None, entries)


def test_an_empty_list_matches_nothing() -> None:
    assert not matches(parse_address("10.0.0.1"), [])


@each(
    ("entry", "inside", "outside"),
    [
        ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "192.0.2.8", "::c000:207"]),
        ("192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "::a00:1"]),
        ("192.0.2.8/29", ["192.0.2.8", "192.0.2.15"], ["192.0.2.7", "192.0.2.16"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], ["::", "::1", "ffff::"]),
        ("2001:db8::1", ["2001:db8::1", "2001:0DB8:0::0001"], ["2001:db8::", "2001:db8::2"]),
        ("2001:db8::1/128", ["2001:db8::1"], ["2001:db8::", "2001:db8::2"]),
        ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"], ["2001:db7:ffff::", "2001:db9::"]),
        ("::/0", ["::", "ffff:ffff::"], ["0.0.0.0", "::ffff:1.2.3.4"]),
        ("::ffff:192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.8", "::c000:207"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.0", "::ffff:10.255.255.255"], ["11.0.0.0", "::a00:1"]),
    ],
)
def test_an_entry_matches_from_its_first_to_its_last_address_and_none_beyond(
    entry: str, inside: list[str], outside: list[str]
) -> None:
    assert {address: matches(parse_address(address), [entry]) for address in [*inside, *outside]} == {
        **dict.fromkeys(inside, True),
        **dict.fromkeys(outside, False),
    }


@st.composite
def _networks_and_addresses(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """(width, network, prefix, address), as numbers; the address is near the network more often than chance has it."""
    width = draw(st.sampled_from([IPV4_BITS, IPV6_BITS]))
    prefix = draw(st.integers(0, width))
    size = 1 << (width - prefix)
    number = st.integers(0, (1 << width) - 1)
    network = draw(number) // size * size
    edges = st.sampled_from([network - 1, network, network + size - 1, network + size])
    address = draw(st.one_of(number, edges.map(lambda edge: edge % (1 << width))))
    return width, network, prefix, address


def _text(number: int, width: int) -> str:
    """The address of that number, written without the help of the library under test."""
    if width == IPV4_BITS:
        return ".".join(str(byte) for byte in number.to_bytes(4))
    return ":".join(f"{number >> shift & 0xFFFF:x}" for shift in range(112, -1, -16))


@given(_networks_and_addresses())
def test_membership_agrees_with_arithmetic_on_the_leading_bits(case: tuple[int, int, int, int]) -> None:
    width, network, prefix, address = case
    mapped = width == IPV6_BITS and address >> 32 == MAPPED >> 32
    expected = address >> (width - prefix) == network >> (width - prefix)
    if mapped and prefix < 96:
        expected = False  # it counts as its IPv4, and the network is of IPv6
    assert matches(parse_address(_text(address, width)), [f"{_text(network, width)}/{prefix}"]) is expected


@given(st.integers(0, 2**32 - 1), st.integers(0, 32), st.booleans(), st.booleans())
def test_an_ipv4_mapped_spelling_of_address_or_entry_makes_no_difference(
    number: int, prefix: int, map_address: bool, map_entry: bool
) -> None:
    network = number >> (32 - prefix) << (32 - prefix)
    address = _text(MAPPED | number, IPV6_BITS) if map_address else _text(number, IPV4_BITS)
    entry = f"{_text(MAPPED | network, IPV6_BITS)}/{96 + prefix}" if map_entry else f"{_text(network, 32)}/{prefix}"
    assert matches(parse_address(address), [entry])


ALIKE = st.text("012569afF.:/% -+_\t\n\0\ud800x²é١．：", max_size=20)
"""Texts that look like addresses."""


@given(ALIKE, ALIKE)
def test_no_entry_at_all_makes_it_raise(entry: str, prefix: str) -> None:
    assert matches(parse_address("192.0.2.1"), [entry, f"192.0.2.1/{prefix}", "192.0.2.1"])
