"""manage.py serve"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Serve with the production server at HOST:PORT, with WORKERS processes of THREADS threads, until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        require_free(settings.HOST, settings.PORT)
        command = [sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn", "config.wsgi"]
        server = subprocess.Popen(command, cwd=settings.BASE_DIR)  # noqa: S603

        def stop(number: int, frame: FrameType | None) -> None:
            server.terminate()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)
        status = server.wait()
        if status:
            raise CommandError(f"The server ended with status {status}.")


def require_free(host: str, port: int) -> None:
    """Raise ``CommandError`` if nothing can listen at ``host``:``port``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CommandError(f"Cannot listen at {host}:{port}: {error.strerror}. Set HOST and PORT.") from error
