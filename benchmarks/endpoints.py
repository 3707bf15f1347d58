"""The endpoints that front-ends poll, and whether two answers of one are the same."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

LIST = "/me/workspace-memberships"
ORGANIZATIONS = "/me/organization-memberships"
SESSION = "/session"
TOKEN = "/session/token"  # noqa: S105 - a path
ME = "/me"
DEPLOYMENT = "/deployment"
TAB = "tab"

Minted = Callable[[Any], Any]
"""The constant part of a value that each answer makes anew."""


def _claims(token: str) -> list[Any]:
    """Header and claims of a JWT; of the times how many tens of seconds they are apart, of the random id its length.

    Not the seconds: one may go by while the token is made.
    """
    header, claims = (
        json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in token.split(".")[:2]
    )
    times = {name: round((claims[name] - claims["iat"]) / 10) for name in ("iat", "nbf", "exp")}
    return [header, claims | times | {"jti": len(claims["jti"])}]


@dataclass(frozen=True)
class Endpoint:
    """The requests of one unit of load: a path, or several one after the other on the same connection."""

    name: str
    paths: tuple[str, ...]
    minted: dict[str, Minted] = field(default_factory=dict)
    """By the place in the body, such as ``data.token``."""


ENDPOINTS = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint(LIST, (LIST,)),
        Endpoint(ORGANIZATIONS, (ORGANIZATIONS,)),
        Endpoint(SESSION, (SESSION,)),
        Endpoint(ME, (ME,)),
        Endpoint(DEPLOYMENT, (DEPLOYMENT,)),
        Endpoint(TOKEN, (TOKEN,), {"data.token": _claims, "data.expires": type}),
        Endpoint(TAB, (SESSION, LIST, ORGANIZATIONS)),
    )
}


def difference(one: bytes, other: bytes, minted: dict[str, Minted] | None = None) -> str | None:
    """Where the JSON texts differ as values; None if they are equal but for what is ``minted``.

    The order of keys and the white space do not count; the types do: to Python, 1 equals true and 1.0.
    """
    return next(_differences(json.loads(one), json.loads(other), minted or {}, ""), None)


def _differences(one: Any, other: Any, minted: dict[str, Minted], place: str) -> Iterator[str]:
    if place in minted:
        one, other = minted[place](one), minted[place](other)
    if type(one) is not type(other):
        yield place
    elif isinstance(one, dict):
        for key in one.keys() | other.keys():
            name = f"{place}.{key}" if place else key
            if key in one and key in other:
                yield from _differences(one[key], other[key], minted, name)
            else:
                yield name
    elif isinstance(one, list):
        if len(one) != len(other):
            yield place
        for index, (item, others) in enumerate(zip(one, other, strict=False)):
            yield from _differences(item, others, minted, f"{place}[{index}]")
    elif one != other:
        yield place


def check_differences() -> None:
    """Raise ``AssertionError`` unless ``difference`` finds what it must: without that, no comparison means anything."""
    text = b'{"data": [{"id": "1", "count": 1, "is_on": true, "none": null}], "token": "a"}'
    changes = {
        b'"id": "1"': [b'"id": 1', b'"id": "2"', b'"ID": "1"'],
        b'"count": 1': [b'"count": true', b'"count": 1.0'],
        b'"is_on": true': [b'"is_on": 1', b'"is_on": false'],
        b', "none": null': [b"", b', "none": ""', b', "none": null, "more": null'],
        b"[{": [b"[{}, {"],
        b'"a"': [b'"b"'],
    }
    for old, values in changes.items():
        for new in values:
            changed = text.replace(old, new)
            for one, other in itertools.permutations([text, changed]):
                assert difference(one, other), (one, other)
    reordered = b'{"token":"a","data":[{"none":null,"is_on":true,"count":1,"id":"1"}]}'
    assert difference(text, reordered) is None
    renewed = reordered.replace(b'"a"', b'"b"')
    assert difference(text, renewed, {"token": type}) is None
    assert difference(text, renewed.replace(b'"b"', b"1"), {"token": type}) == "token"
