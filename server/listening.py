"""The address of the service."""

from __future__ import annotations

import socket

from django.conf import settings

BACKLOG = 2048
"""Connections that wait for a worker."""


def listen(host: str, port: int, *, is_shared: bool) -> socket.socket:
    """A socket that listens at ``host``:``port``, beside others if it ``is_shared``; raises ``OSError``."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(address[:2], family=family, backlog=BACKLOG, reuse_port=is_shared)


def base_url() -> str:
    """The address at which people on this machine reach the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.HOST, settings.HOST)  # noqa: S104 - compared with, not listened at
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.PORT}"
