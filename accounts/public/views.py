"""The deployment and its public keys, for everybody."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.deployments.cached_deployments import deployment_of
from accounts.polled.viewsets import PolledViewSet
from accounts.public import current_deployment, schema
from accounts.tokens import keys
from api.answers import json_answer
from api.viewsets import ApiViewSet


class DeploymentViewSet(PolledViewSet):
    """The deployment that answers at this host."""

    source = current_deployment.SOURCE

    @schema.deployment
    def retrieve(self, request: Request) -> HttpResponse:
        return self.polled(request)


class JwksViewSet(ApiViewSet):
    """The public keys by which others verify the deployment's tokens."""

    authentication_classes = []

    @schema.jwks
    def retrieve(self, request: Request) -> HttpResponse:
        deployment = deployment_of(request)
        published = list(keys.published_keys(deployment)) or [keys.signing_key(deployment)]
        return json_answer(request, {"keys": [keys.jwk(key) for key in published]})
