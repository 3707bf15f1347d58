"""The OpenAPI document at /openapi.json, and the page at /docs/ that shows it."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import NamedTuple

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from api.answers import conditional_answer
from api.exceptions import reads_only


class OpenApiDocument(NamedTuple):
    body: bytes
    etag: str


@cache
def openapi_document() -> OpenApiDocument:
    """The document, which is the same for every host and caller: to make it costs as much as a hundred answers."""
    body = orjson.dumps(SchemaGenerator().get_schema(request=None, public=True), default=str)
    return OpenApiDocument(body, f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"')


class OpenApiView(APIView):
    """GET /openapi.json, for anybody, as the media type of OpenAPI or as plain JSON."""

    authentication_classes = []
    renderer_classes = [OpenApiJsonRenderer, OpenApiJsonRenderer2]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        document = openapi_document()
        response = conditional_answer(request, etag=document.etag, write=lambda: document.body)
        if response.status_code == 200:
            response.headers["Content-Type"] = request.accepted_renderer.media_type
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "Accept"
        return response


@reads_only
def docs(request: HttpRequest) -> HttpResponse:
    """The page, which loads nothing from elsewhere."""
    return render(request, "docs.html", {"is_demo": settings.DEMO})
