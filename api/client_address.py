"""The client's address of a request. Only a trusted proxy may name another address than that of the peer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from api.networks import Address, Network, parse_address, parse_network


def client_address_of(request: HttpRequest) -> Address | None:
    """The address of the client that sent ``request``; None if it is unknown."""
    http: Any = request
    address: Address | None = http.client_address
    return address


class ClientAddressMiddleware:
    """Sets ``request.client_address``, and the scheme that a trusted proxy reports in ``X-Forwarded-Proto``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        peer = _address(request.META.get("REMOTE_ADDR", ""))
        if _is_trusted(peer) and _came_over_https(request.META.get("HTTP_X_FORWARDED_PROTO", "")):
            request.META["wsgi.url_scheme"] = "https"
        request.client_address = address_in(request.META)
        return self.get_response(request)


def _came_over_https(forwarded_proto: str) -> bool:
    """Whether every proxy that wrote into the header ``X-Forwarded-Proto`` received the request over https."""
    return {scheme.strip().lower() for scheme in forwarded_proto.split(",")} == {"https"}


def address_in(environ: dict[str, Any]) -> Address | None:
    """The address of the client that sent a WSGI request; None if it is unknown."""
    return client_address(_address(environ.get("REMOTE_ADDR", "")), environ.get("HTTP_X_FORWARDED_FOR", ""))


def client_address(peer: Address | None, forwarded_for: str) -> Address | None:
    """The address of the client behind ``peer``, given the header ``X-Forwarded-For`` ("" if absent).

    Each proxy appends the address of its own peer. So the list is read from its end as long as the reporter is trusted;
    anybody may have written the entries further left. None if a trusted proxy reports something unreadable.
    """
    hops = [hop for hop in forwarded_for.split(",") if hop.strip()]
    address = peer
    while hops and _is_trusted(address):
        address = _address(hops.pop())
    return address


def _address(text: str) -> Address | None:
    """The address of ``text``, which may carry a port ("192.0.2.1:4711", "[2001:db8::1]:4711")."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return parse_address(text)
    except ValueError:
        return None


def _is_trusted(address: Address | None) -> bool:
    return address is not None and any(
        address in network for network in _trusted_networks(tuple(settings.TRUSTED_PROXIES))
    )


@cache
def _trusted_networks(values: tuple[str, ...]) -> list[Network]:
    return [parse_network(value) for value in values]
