"""The thread that sends mail in each process of the server, so that no request waits for a mail server."""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, close_old_connections

from accounts.mail import outbox

LOOKS_EVERY = 5
"""Seconds. What the process itself has written is sent at once; this is for what others left, and for the next try."""

logger = logging.getLogger("rollcall")


def start() -> None:
    """Send from now on, in a thread. To be called once in each process, after it was forked."""
    threading.Thread(target=_run, name="mail", daemon=True).start()


def _run() -> None:
    while True:
        outbox.due.wait(LOOKS_EVERY)
        outbox.due.clear()
        close_old_connections()
        try:
            outbox.deliver_due()
        except DatabaseError as error:
            logger.warning("Mail cannot be sent without the database: %s", error)
        except Exception:
            logger.exception("Sending mail failed")
