"""The probes of operators and their monitoring: alive, ready, and its metrics.

They are answered before Django: at any host, without a session, and at the cost of the check alone.
"""

from __future__ import annotations

import logging
import os
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
from database.prepared import Reading, Statement
from memberships.listing import statement

_APPLIED = Statement(
    "SELECT count(DISTINCT (app, name)) FROM django_migrations WHERE app || '.' || name = ANY (%(migrations)s::text[])"
)

logger = logging.getLogger("rollcall")


Probe = Callable[[dict[str, Any]], Reading[HttpResponse]]


def answer(probe: Probe, environ: dict[str, Any]) -> Reading[Reply]:
    """The answer of ``probe``, one of ``PROBES``, to a WSGI request."""
    if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        try:
            response = yield from probe(environ)
        except Exception:
            logger.exception("%s failed", environ["PATH_INFO"])
            response = error_response(Problem.INTERNAL_ERROR)
    else:
        response = error_response(Problem.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Length"] = str(len(response.content))
    response.headers["X-Content-Type-Options"] = "nosniff"
    return Reply(response.status_code, list(response.headers.items()), response.content)


def healthz(environ: dict[str, Any]) -> Reading[HttpResponse]:
    """200 as long as the process answers."""
    yield from ()
    return JsonResponse({"status": "ok"})


def readyz(environ: dict[str, Any]) -> Reading[HttpResponse]:
    """200 if the database answers, all migrations have run and memberships can be listed; 503 otherwise."""
    newest = newest_migrations()
    migrations = {"migrations": b"{%b}" % ",".join(newest).encode()}
    try:
        found, _ = yield [(_APPLIED, migrations), statement.NOBODYS]
        ((applied,),) = found.rows()
    except ProgrammingError:  # there is no table of migrations, or of memberships
        applied = 0
    except DatabaseError:
        return error_response(Problem.UNAVAILABLE)
    if applied < len(newest):
        return error_response(Problem.UNAVAILABLE, "Migrations are pending; run manage.py migrate.")
    return JsonResponse({"status": "ready"})


@cache
def newest_migrations() -> list[str]:
    """The newest migration of each app, on which all its others depend, as this process's code has them."""
    return [f"{app}.{name}" for app, name in MigrationLoader(None).graph.leaf_nodes()]


def metrics(environ: dict[str, Any]) -> Reading[HttpResponse]:
    """Prometheus' text format, summed over all worker processes; 404 for addresses outside of METRICS_NETWORKS."""
    yield from ()
    if not networks.matches(address_in(environ), settings.METRICS_NETWORKS):
        return error_response(Problem.UNKNOWN_PATH)
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


PROBES: dict[str, Probe] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}
