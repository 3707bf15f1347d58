"""manage.py serve"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

MAX_HEADERS = 2 * 2**20
"""Bytes of a request's headers up to which the application itself refuses an overlong cookie, in the error envelope."""


class Command(BaseCommand):
    help = "Serve with the production server at HOST:PORT, with WORKERS processes of THREADS threads, until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        require_free(settings.HOST, settings.PORT)
        keep_interrupts_from_workers()
        # Workers start afresh instead of as copies of this process, which holds connections, threads and locks.
        multiprocessing.set_start_method("spawn", force=True)
        with tempfile.TemporaryDirectory(prefix="rollcall-metrics-") as metrics_folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_folder
            Granian(
                "config.wsgi:application",
                address=settings.HOST,
                port=settings.PORT,
                interface=Interfaces.WSGI,
                workers=settings.WORKERS,
                blocking_threads=settings.THREADS,
                http1_settings=HTTP1Settings(max_buffer_size=MAX_HEADERS),
                respawn_failed_workers=True,
                workers_kill_timeout=10,
                log_level=LogLevels.warning,
            ).serve()


def keep_interrupts_from_workers() -> None:
    """Have Ctrl-C stop this process, and this process its workers.

    A terminal sends SIGINT to all of them. A worker that hears it while it starts, or twice, does not stop in order; so
    it is blocked, which workers inherit, and a thread passes it on as the SIGTERM that only this process gets.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def pass_on() -> None:
        signal.sigwait({signal.SIGINT})
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=pass_on, daemon=True).start()


def require_free(host: str, port: int) -> None:
    """Raise ``CommandError`` if nothing can listen at ``host``:``port``."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CommandError(f"Cannot listen at {host}:{port}: {error.strerror}. Set HOST and PORT.") from error
