"""manage.py serve"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from config import local_postgres
from database.history import require_present_set


class Command(BaseCommand):
    help = (
        "Serve with the production server at HOST:PORT, with WORKERS processes of THREADS threads, until stopped. "
        "SIGHUP replaces the processes, SIGTERM ends them."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Become the server: whoever signals or kills this process means it."""
        require_free(settings.HOST, settings.PORT)
        with suppress(OperationalError):  # the server waits for a database that is down
            require_present_set(connection)
        connection.close()
        local_postgres.hand_over()
        os.chdir(settings.BASE_DIR)
        command = [sys.executable, "-m", "gunicorn", "--config", "python:server.gunicorn_conf", "config.wsgi"]
        os.execv(sys.executable, command)  # noqa: S606


def require_free(host: str, port: int) -> None:
    """Raise ``CommandError`` if nothing can listen at ``host``:``port``."""
    try:
        listen(host, port, is_shared=False).close()
    except OSError as error:
        raise CommandError(f"Cannot listen at {host}:{port}: {error.strerror}. Set HOST and PORT.") from error


def listen(host: str, port: int, *, is_shared: bool) -> socket.socket:
    """A socket that listens at ``host``:``port``, beside others if it ``is_shared``; raises ``OSError``."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(address[:2], family=family, backlog=2048, reuse_port=is_shared)


def base_url() -> str:
    """The address at which people on this machine reach the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.HOST, settings.HOST)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.PORT}"
