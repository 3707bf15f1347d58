"""HTTPS_ONLY: over plain http nothing is changed, and nobody is sent to a host that is not the service's."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Deployment, DeploymentAlias, Session
from tests.support.api import MEMBERSHIPS, ApiClient, document, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory
from tests.support.sign_in import sign_in, user_with_password

HOST = "accounts.example.com"
PAGE = "https://app.example.net"
POSTS = [path for path, operations in document()["paths"].items() if "post" in operations]
SECURE: dict[str, Any] = {"wsgi.url_scheme": "https"}


@pytest.fixture(autouse=True)
def _https_only(settings: Any) -> None:
    settings.HTTPS_ONLY = True


@pytest.fixture(scope="module")
def shared_deployment(shared_rows: None) -> Deployment:
    deployment = DeploymentFactory.create(host=HOST, allowed_origins=[PAGE])
    DeploymentAlias.objects.create(deployment=deployment, host="alias.example.com")
    return deployment


def get(path: str, host: str, **environ: Any) -> Any:
    return Client(raise_request_exception=False).get(path, headers={"host": host}, **environ)


def test_nobody_is_signed_in_over_plain_http(deployment: Deployment) -> None:
    user = user_with_password(deployment)
    client = ApiClient(deployment)
    for _ in range(2):
        response = sign_in(client, user)
        assert (error_code(response), "Location" in response.headers) == (40307, False)
    assert not Session.objects.exists()
    assert not response.cookies
    assert sign_in(client, user, HTTP_ORIGIN=f"https://{HOST}", **SECURE).status_code == 200


@each("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_change_is_processed_or_redirected(deployment: Deployment, method: str) -> None:
    for path in (*POSTS, "/admin/login/", "/", "/nowhere"):
        response = Client().generic(method, path, headers={"host": HOST, "origin": f"http://{HOST}"})
        assert error_code(response) == 40307, path


def test_an_allowed_page_may_read_why(deployment: Deployment) -> None:
    response = ApiClient(deployment).post("/auth/signin", {}, HTTP_ORIGIN=PAGE)
    assert (error_code(response), response.headers["Access-Control-Allow-Origin"]) == (40307, PAGE)


def test_the_api_is_read_without_a_redirect(deployment: Deployment) -> None:
    client = ApiClient(deployment, UserFactory.create(deployment=deployment))
    for path in (MEMBERSHIPS, "/session", "/deployment", "/.well-known/jwks.json"):
        assert client.get(path).status_code == 200
    assert get("/openapi.json", HOST).status_code == 200
    assert error_code(client.get("/me/nothing")) == 40401


@pytest.mark.parametrize("host", [HOST, "alias.example.com", HOST.upper(), "staff.example.com"])
def test_a_page_of_a_known_host_is_redirected(deployment: Deployment, settings: Any, host: str) -> None:
    settings.ADMIN_HOSTS = ["Staff.example.com"]
    response = get("/admin/login/?next=/admin/", host)
    assert (response.status_code, response.headers["Location"]) == (301, f"https://{host}/admin/login/?next=/admin/")


@each("path", ["/admin/login/", "/docs/", "/", "/nowhere"])
@each("host", ["evil.example", f"{HOST}.evil.example", "a b", "accounts_example:80"])
def test_nobody_is_redirected_to_an_unknown_host(deployment: Deployment, path: str, host: str) -> None:
    response = get(path, host)
    assert error_code(response) == 40402
    assert "Location" not in response.headers


@each("path", ["/admin/login/", "/docs/", "/openapi.json"])
def test_over_https_all_is_as_ever(deployment: Deployment, path: str) -> None:
    assert get(path, HOST, **SECURE).status_code == 200
