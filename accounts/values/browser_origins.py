"""Origins as browsers write them into the header Origin (RFC 6454, 6.2), and as people write them."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress

_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = rf"({_LABEL}(\.{_LABEL})*|\[[0-9a-f:]+\])"
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_APPS = "(app|capacitor|chrome-extension|ionic|moz-extension|safari-web-extension|tauri|vscode-webview)"
ORIGIN = rf"(http://{_HOST}(:(?!80(\n|$)){_PORT})?|https://{_HOST}(:(?!443(\n|$)){_PORT})?|{_APPS}://([a-z0-9._-]*[a-z0-9_-])?)"
"""An origin, for Python and PostgreSQL: lower case, no path or user, a port only if it is not the scheme's own."""
ORIGIN_LINES = rf"^({ORIGIN}(\n{ORIGIN})*)?$"
"""Several origins, one a line."""

_WRITTEN = re.compile(
    r"\s*([a-z][a-z0-9+.-]*)://(?:[^/?#@]*@)?(\[[^\]/]*\]|[^/?#:]*)(?::([0-9]*))?(?:[/?#].*)?\s*", re.DOTALL
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def is_origin(value: str) -> bool:
    """Whether a browser may send ``value`` as it is."""
    return re.fullmatch(ORIGIN, value) is not None and _serialised(value) == value


def as_browsers_write(value: str) -> str | None:
    """The origin that ``value``, as people write it, stands for; None if there is none."""
    found = _serialised(value.lower())
    return found if found is not None and is_origin(found) else None


def _serialised(value: str) -> str | None:
    """``value`` without the parts that no origin has; an IP address in it is brought to its one form."""
    match = _WRITTEN.fullmatch(value)
    if match is None:
        return None
    scheme, host, port = match[1], match[2], re.sub("^0+(?=[0-9])", "", match[3] or "")
    with suppress(ValueError):
        host = f"[{ipaddress.IPv6Address(host[1:-1])}]" if host.startswith("[") else host
    if host.startswith("[") and not _is_ipv6(host[1:-1]):
        return None
    if scheme in _DEFAULT_PORTS and re.fullmatch(r"(.*\.)?[0-9]+", host) and not _is_ipv4(host):
        return None  # a host whose last part is a number is an IPv4 address, or nothing
    port = "" if port == _DEFAULT_PORTS.get(scheme) else port
    return f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.IPv6Address(host).scope_id is None
    except ValueError:
        return False


def _is_ipv4(host: str) -> bool:
    try:
        return bool(ipaddress.IPv4Address(host))
    except ValueError:
        return False
