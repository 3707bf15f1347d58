"""What operators and their monitoring ask: is the process alive, is it ready, how is it doing."""

from __future__ import annotations

import os

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest, multiprocess

from config import networks
from config.api.errors import Problem, error_response
from config.api.exceptions import reads_only
from config.client_address import client_address_of


@reads_only
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"})


@reads_only
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 if the database answers and all migrations have run; 503 otherwise."""
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return error_response(Problem.UNAVAILABLE)
    if pending:
        return error_response(Problem.UNAVAILABLE, "Migrations are pending; run manage.py migrate.")
    return JsonResponse({"status": "ready"})


@reads_only
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, summed over all worker processes; 404 for addresses outside of METRICS_NETWORKS."""
    if not networks.matches(client_address_of(request), settings.METRICS_NETWORKS):
        raise Http404
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
