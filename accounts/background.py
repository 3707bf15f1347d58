"""The thread in each process of the server for all that no request should wait for: mail and counts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import DatabaseError, close_old_connections

from accounts import counting
from accounts.mail import outbox

LOOKS_EVERY = 5
"""Seconds. Mail that the process itself has written is sent at once; this is for what others left, the next try, and
counts.
"""

_JOBS: dict[str, Callable[[], object]] = {"Mail": outbox.deliver_due, "Counts": counting.flush}

logger = logging.getLogger("rollcall")


def start() -> None:
    """Work from now on, in a thread. To be called once in each process, after it was forked."""
    outbox.due.set()  # for what waits already
    threading.Thread(target=_run, name="background", daemon=True).start()


def _run() -> None:
    while True:
        outbox.due.wait(LOOKS_EVERY)
        outbox.due.clear()
        for name in _JOBS:
            _do(name)


def finish() -> None:
    """Write what the process has counted last. To be called at its end."""
    _do("Counts")


def _do(name: str) -> None:
    close_old_connections()
    try:
        _JOBS[name]()
    except DatabaseError as error:
        logger.warning("%s must wait for the database: %s", name, error)
    except Exception:
        logger.exception("%s failed", name)
