"""Finds the deployment that a request is for."""

from __future__ import annotations

from django.core.exceptions import DisallowedHost
from django.db.models import Q
from django.http import HttpRequest
from django.http.request import split_domain_port
from rest_framework.request import Request

from accounts.models import Deployment
from api.errors import ApiError, Problem
from api.requests import django_request


def host_of(request: Request | HttpRequest) -> str:
    """The host that the Host header names, as hosts are stored; raises ``ApiError`` (404) if it names none."""
    http = django_request(request)
    if "HTTP_HOST" not in http.META:  # Django would put the server's own name or address in its place
        raise ApiError(Problem.UNKNOWN_DEPLOYMENT)
    try:
        host, _ = split_domain_port(http.get_host())
    except DisallowedHost as error:
        raise ApiError(Problem.UNKNOWN_DEPLOYMENT) from error
    return _normalised(host)


def _normalised(host: str) -> str:
    """``host`` as hosts are stored: without brackets and final dot, in lower case."""
    return host.lower().removeprefix("[").removesuffix("]").removesuffix(".")


def find_deployment(host: str) -> Deployment | None:
    """The deployment whose host or alias ``host`` is."""
    host = _normalised(host)
    return Deployment.objects.filter(
        Q(host=host) | Q(pk__in=Deployment.objects.filter(aliases__host=host).values("pk"))
    ).first()
