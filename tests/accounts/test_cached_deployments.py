"""Deployments that a process caches by their hosts, while these move and other threads load them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest

from accounts.deployments import cached_deployments
from accounts.deployments.cached_deployments import load_deployment
from accounts.models import Deployment, DeploymentAlias
from database import prepared
from tests.support.api import ApiClient, warm_up
from tests.support.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

ALIAS = "alias.example.com"


def request_to(host: str) -> HttpRequest:
    request = HttpRequest()
    request.META["HTTP_HOST"] = host
    return request


@pytest.fixture
def once_after_the_next_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Has something happen between the next statement that loads a deployment and what is done with its rows."""

    def arrange(happen: Callable[[], Any]) -> None:
        read = prepared.read

        def read_and_let_happen(*args: Any) -> Any:
            result = read(*args)
            monkeypatch.setattr(cached_deployments, "read", read)
            happen()
            return result

        monkeypatch.setattr(cached_deployments, "read", read_and_let_happen)

    return arrange


def test_a_host_that_moves_while_it_is_loaded_is_not_cached_where_it_was(
    once_after_the_next_read: Callable[[Callable[[], Any]], None],
) -> None:
    user, other = UserFactory.create(), UserFactory.create()
    alias = DeploymentAlias.objects.create(deployment=user.deployment, host=ALIAS)
    client = ApiClient(user.deployment, user)
    warm_up(client)

    def move() -> None:
        DeploymentAlias.objects.filter(pk=alias.pk).update(deployment=other.deployment)
        warm_up(client)  # another thread finds the deployment changed, and caches it again

    once_after_the_next_read(move)
    load_deployment(request_to(ALIAS))
    for _ in range(2):
        assert client.get(HTTP_HOST=ALIAS).status_code == 401


def test_a_snapshot_takes_no_deployment_that_others_have_cached_since(
    once_after_the_next_read: Callable[[Callable[[], Any]], None],
) -> None:
    user = UserFactory.create()
    client = ApiClient(user.deployment, user)
    warm_up(client)

    def change() -> None:
        Deployment.objects.filter(pk=user.deployment_id).update(private_metadata_audience="nobody")
        warm_up(client)

    before = user.deployment.private_metadata_audience
    once_after_the_next_read(change)
    assert load_deployment(request_to(user.deployment.host)).deployment.private_metadata_audience == before
