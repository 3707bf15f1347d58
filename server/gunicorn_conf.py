"""gunicorn's settings; ``manage.py serve`` runs ``gunicorn --config python:server.gunicorn_conf config.wsgi``."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter
from typing import Any

from django.conf import settings

from config import local_postgres
from server.management.commands.serve import base_url, listen

local_postgres.provide()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="rollcall-metrics-")

_host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
bind = f"{_host}:{settings.PORT}"
worker_class = "server.worker.RollcallWorker"
workers = settings.WORKERS
threads = settings.THREADS
keepalive = 75  # longer than proxies keep an idle connection, so that it is they who close it
graceful_timeout = 30  # as long as a statement may take
loglevel = "warning"
control_socket_disable = True

# The application itself refuses an overlong cookie, in the error envelope.
limit_request_line = 8190
limit_request_field_size = 2 * 2**20
# TRUSTED_PROXIES decides which proxies may report a client's address and scheme.
forwarded_allow_ips = ""


def on_starting(server: Any) -> None:
    """Listen with one socket for each worker: the kernel spreads connections over them; of one socket, the worker that
    wakes first takes most.

    They are the server's own, so that the connections which wait for a worker wait for the next one if it is replaced.
    """
    server.LISTENERS = [listen(settings.HOST, settings.PORT, is_shared=True) for _ in range(workers)]
    for listener in server.LISTENERS:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def when_ready(server: Any) -> None:
    # Each socket needs its worker.
    for number in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2, signal.SIGWINCH):
        signal.signal(number, signal.SIG_IGN)
    sys.stdout.write(f"Rollcall serves at {base_url()} (processes: {workers}, threads of each: {threads}).\n")
    sys.stdout.flush()


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker the socket that has the fewest."""
    taken = Counter(other.socket_number for other in server.WORKERS.values())
    worker.socket_number = min(range(workers), key=lambda number: taken[number])


def post_fork(server: Any, worker: Any) -> None:
    for number, listener in enumerate(server.LISTENERS):
        if number != worker.socket_number:
            listener.close()
    worker.sockets = [server.LISTENERS[worker.socket_number]]


def post_worker_init(worker: Any) -> None:
    from accounts import mail_sender  # not before Django is set up

    mail_sender.start()


def child_exit(server: Any, worker: Any) -> None:
    from prometheus_client import multiprocess  # once the folder is named: it is looked up on import

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
