"""manage.py serve"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.wsgi import get_wsgi_application
from django.db import OperationalError, connection

from database.history import require_present_set
from server.listening import base_url, listen


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
        folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="rollcall-metrics-")
        try:
            from server.processes import Main  # once the folder of the metrics is named

            application = get_wsgi_application()
            workers = f"(processes: {settings.WORKERS}, threads of each: {settings.THREADS})"
            Main(application).run(f"Rollcall serves at {base_url()} {workers}.\n")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def require_free(host: str, port: int) -> None:
    """Raise ``CommandError`` if nothing can listen at ``host``:``port``."""
    try:
        listen(host, port, is_shared=False).close()
    except OSError as error:
        raise CommandError(f"Cannot listen at {host}:{port}: {error.strerror}. Set HOST and PORT.") from error
