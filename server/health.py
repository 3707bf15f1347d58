"""The probes of operators and their monitoring: alive, ready, and its metrics.

They are answered before Django: at any host, without a session, and at the cost of the check alone.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError, ProgrammingError
from django.db.migrations.loader import MigrationLoader
from django.http import HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess

from api import networks
from api.answers import Reply
from api.client_address import address_in
from api.errors import Problem, error_response
from database.prepared import Statement, read_together
from memberships.listing import statement
from server.metrics import METHODS, count

_APPLIED = Statement(
    "SELECT count(DISTINCT (app, name)) FROM django_migrations WHERE app || '.' || name = ANY (%(migrations)s::text[])"
)

logger = logging.getLogger("rollcall")


def answer(environ: dict[str, Any]) -> Reply | None:
    """The answer to the WSGI request of a probe; None if the request is none."""
    probe = _PROBES.get(environ["PATH_INFO"])
    if probe is None:
        return None
    began = time.perf_counter()
    method = environ["REQUEST_METHOD"]
    if method in ("GET", "HEAD"):
        try:
            response = probe(environ)
        except Exception:
            logger.exception("%s failed", environ["PATH_INFO"])
            response = error_response(Problem.INTERNAL_ERROR)
    else:
        response = error_response(Problem.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Length"] = str(len(response.content))
    response.headers["X-Content-Type-Options"] = "nosniff"
    count(
        method if method in METHODS else "other",
        environ["PATH_INFO"].removeprefix("/"),
        response.status_code,
        time.perf_counter() - began,
    )
    return Reply(response.status_code, list(response.headers.items()), response.content)


def healthz(environ: dict[str, Any]) -> HttpResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"})


def readyz(environ: dict[str, Any]) -> HttpResponse:
    """200 if the database answers, all migrations have run and memberships can be listed; 503 otherwise."""
    newest = _newest_migrations()
    migrations = {"migrations": b"{%b}" % ",".join(newest).encode()}
    try:
        ((applied,),) = read_together([(_APPLIED, migrations), statement.NOBODYS])[0].rows()
    except ProgrammingError:  # there is no table of migrations, or of memberships
        applied = 0
    except DatabaseError:
        return error_response(Problem.UNAVAILABLE)
    if applied < len(newest):
        return error_response(Problem.UNAVAILABLE, "Migrations are pending; run manage.py migrate.")
    return JsonResponse({"status": "ready"})


@cache
def _newest_migrations() -> list[str]:
    """The newest migration of each app, on which all its others depend, as this process's code has them."""
    return [f"{app}.{name}" for app, name in MigrationLoader(None).graph.leaf_nodes()]


def metrics(environ: dict[str, Any]) -> HttpResponse:
    """Prometheus' text format, summed over all worker processes; 404 for addresses outside of METRICS_NETWORKS."""
    if not networks.matches(address_in(environ), settings.METRICS_NETWORKS):
        return error_response(Problem.UNKNOWN_PATH)
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


_PROBES: dict[str, Callable[[dict[str, Any]], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}
