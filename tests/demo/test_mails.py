"""The mails of the demo on its playground."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.mail import outbox
from accounts.models import Deployment
from accounts.values.mail_texts import Template
from tests.support.factories import DeploymentFactory

PATH = "/playground/mails"


def write(deployment: Deployment, code: str = "492039") -> None:
    values = {"code": code, "minutes": "10"}
    outbox.send(deployment, to="ada@example.com", template=Template.SIGN_IN_CODE, values=values)


def shown(client: Client, deployment: Deployment) -> Any:
    return client.get(PATH, HTTP_HOST=deployment.host).json()["mails"]


def test_a_demos_mails_are_shown_before_and_after_they_are_sent(client: Client, deployment: Deployment) -> None:
    write(deployment)
    write(DeploymentFactory.create())
    (waiting,) = shown(client, deployment)
    assert waiting["state"] == "waiting"
    assert waiting["to"] == "ada@example.com"
    assert "492039" in waiting["text"]
    outbox.deliver_due()
    assert shown(client, deployment) == [waiting | {"state": "sent"}]


def test_mails_are_shown_in_a_demo_alone(client: Client, deployment: Deployment, settings: Any) -> None:
    write(deployment)
    settings.DEMO = False
    response = client.get(PATH, HTTP_HOST=deployment.host)
    assert response.status_code == 404
    assert "492039" not in response.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_mails_can_only_be_read(client: Client, deployment: Deployment, method: str) -> None:
    assert getattr(client, method)(PATH, HTTP_HOST=deployment.host).status_code == 405
