"""Prometheus metrics of the HTTP side: requests and their duration, by route, method and status."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Histogram

REQUESTS = Counter("rollcall_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "rollcall_http_request_seconds",
    "Time from the request's arrival at the application to its answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MetricsMiddleware:
    """Counts each request. Labels are bounded: the route's pattern, never the requested path."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        start = time.perf_counter()
        response = self.get_response(request)
        route = request.resolver_match.route if request.resolver_match else "unknown"
        method = request.method if request.method in METHODS else "other"
        count(method or "", route, response.status_code, time.perf_counter() - start)
        return response


def count(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answer that took so many ``seconds``."""
    counter, histogram = _of(method, route, status)
    counter.inc()
    histogram.observe(seconds)


@cache
def _of(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status), SECONDS.labels(route)
