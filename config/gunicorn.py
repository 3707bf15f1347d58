"""gunicorn's settings; ``manage.py serve`` runs ``gunicorn --config python:config.gunicorn config.wsgi``."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any

from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="rollcall-metrics-")

_host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
bind = f"{_host}:{settings.PORT}"
worker_class = "config.worker.RollcallWorker"
workers = settings.WORKERS
threads = settings.THREADS
reuse_port = True  # the kernel spreads connections over the workers; of one socket, the first to wake takes most
keepalive = 75  # longer than proxies keep an idle connection, so that it is they who close it
graceful_timeout = 10
loglevel = "warning"
control_socket_disable = True

# The application itself refuses an overlong cookie, in the error envelope.
limit_request_line = 8190
limit_request_field_size = 2 * 2**20
# Which proxies may report a client's address and scheme is TRUSTED_PROXIES' business.
forwarded_allow_ips = ""


def child_exit(server: Any, worker: Any) -> None:
    from prometheus_client import multiprocess  # once the folder is named: it is looked up on import

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
