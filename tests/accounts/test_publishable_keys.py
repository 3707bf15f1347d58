"""manage.py publishable_keys"""

from __future__ import annotations

import base64
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Deployment, DeploymentAlias
from tests.support.factories import DeploymentFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def deployments(settings: Any) -> None:
    settings.DEMO = False
    production = DeploymentFactory.create(host="a.example.com", mode=Deployment.Mode.PRODUCTION)
    DeploymentAlias.objects.create(deployment=production, host="b.example.com")
    DeploymentFactory.create(host="staging.example.com", mode=Deployment.Mode.STAGING)


def printed(*arguments: str) -> list[tuple[str, str, str, str]]:
    """Host, mode, kind of key, and the address in it."""
    out = StringIO()
    call_command("publishable_keys", *arguments, stdout=out)
    lines = [line.split(" ") for line in out.getvalue().splitlines()]
    keys = [(host, mode, key.rpartition("_")) for host, mode, key in lines]
    return [(host, mode, kind, base64.b64decode(encoded).decode()) for host, mode, (kind, _, encoded) in keys]


def test_each_host_has_the_key_that_fits_its_mode() -> None:
    assert printed() == [
        ("a.example.com", "production", "pk_live", "https://a.example.com"),
        ("b.example.com", "production", "pk_live", "https://b.example.com"),
        ("staging.example.com", "staging", "pk_test", "https://staging.example.com"),
    ]


def test_it_prints_the_hosts_that_are_asked_for() -> None:
    assert printed("b.example.com") == [("b.example.com", "production", "pk_live", "https://b.example.com")]
    with pytest.raises(CommandError, match="No deployment answers"):
        printed("c.example.com")


def test_the_address_can_be_another() -> None:
    assert printed("a.example.com", "--url", "http://10.0.0.1:8000") == [
        ("a.example.com", "production", "pk_live", "http://10.0.0.1:8000")
    ]


def test_in_the_demo_it_is_plain_http_at_the_services_port(settings: Any) -> None:
    settings.DEMO, settings.PORT = True, 8123
    assert printed("staging.example.com") == [
        ("staging.example.com", "staging", "pk_test", "http://staging.example.com:8123")
    ]
