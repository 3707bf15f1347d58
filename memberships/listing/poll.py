"""GET /me/workspace-memberships as a polled endpoint."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.polled.poll import Poll, Source, plain_poll
from api.errors import Problem
from api.requests import id_parameter
from memberships.listing.composing import compose
from memberships.listing.statement import read_listing


def _parse(request: Request, etag: str) -> Poll:
    return plain_poll(request, etag)._replace(about=id_parameter(request, "org_id", Problem.INVALID_ORG_ID))


SOURCE = Source("me/workspace-memberships", read_listing, compose, _parse)
