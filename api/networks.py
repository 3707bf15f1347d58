"""Parses and matches Internet addresses and networks as people write them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_PREFIX_LENGTH = re.compile("0|[1-9][0-9]{0,2}")


def parse_address(text: str) -> Address:
    """The address that ``text`` names, an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) as its IPv4.

    Raises ``ValueError`` for anything else, an IPv6 zone ("%eth0") included: it means something on one host only.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ValueError(f"{text!r} has a zone")
        return address.ipv4_mapped or address
    return address


def parse_network(text: str) -> Network:
    """The network of an allow-list's entry: a CIDR network, or the one address; IPv4-mapped as IPv4.

    Raises ``ValueError`` if it is neither, has a zone, or has bits set beyond its prefix.
    """
    if "/" not in text:
        return ipaddress.ip_network(parse_address(text))
    if not _PREFIX_LENGTH.fullmatch(text.partition("/")[2]):
        raise ValueError(f"{text!r} has no prefix length")
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network):
        if network.network_address.scope_id is not None:
            raise ValueError(f"{text!r} has a zone")
        if network.subnet_of(_MAPPED):
            mapped = network.network_address.ipv4_mapped
            return ipaddress.ip_network((int(mapped or 0), network.prefixlen - 96))
    return network


def matching_entry(address: Address | None, entries: Iterable[str]) -> str | None:
    """The first of ``entries`` that ``address`` is in. An unknown address and an unreadable entry match nothing."""
    if address is None:
        return None
    return next((entry for entry in entries if _contains(entry, address)), None)


def matches(address: Address | None, entries: Iterable[str]) -> bool:
    """Whether ``address`` is in one of ``entries``."""
    return matching_entry(address, entries) is not None


def _contains(entry: str, address: Address) -> bool:
    try:
        return address in parse_network(entry)
    except ValueError:
        return False


def name_server(text: str) -> tuple[str, int]:
    """The IP address and the port that ``text`` names: ``192.0.2.53``, ``192.0.2.53:5353``, ``2001:db8::53`` or
    ``[2001:db8::53]:5353``. Raises ``ValueError`` with the reason.
    """
    try:
        return str(ipaddress.ip_address(text)), 53
    except ValueError:
        pass
    try:
        parts = urlsplit(f"//{text}")
        return str(ipaddress.ip_address(parts.hostname or "")), parts.port or 53
    except ValueError as error:
        raise ValueError(f"{text!r} is no IP address, with a port or without") from error
