"""The origins that a deployment can allow: those that browsers send, in the form in which they send them."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, transaction

from accounts.deployments import hosts
from accounts.models import Deployment, User
from memberships.listing import statement
from tests.support.api import MEMBERSHIPS, ApiClient, error_code, warm_up
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory
from tests.support.sign_in import sign_in, user_with_password

GOOD = [
    "https://app.example.com",
    "https://app.example.com:8443",
    "http://localhost:3000",
    "http://localhost",
    "http://127.0.0.1:65535",
    "https://[2001:db8::1]:8443",
    "https://h:80",
    "http://h:443",
    "https://h:4430",
    "http://my_app:3000",
    "https://xn--mnchen-3ya.example",
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "app://-",
    "app://obsidian.md",
    "app://",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "moz-extension://0d9a1ac0-7f3a-4e57-9c41-0a1b2c3d4e5f",
]
BAD = {
    "https://h:443": "https://h",
    "http://h:80": "http://h",
    "http://h:": "http://h",
    "https://h:0443": "https://h",
    "https://h:08443": "https://h:8443",
    "https://app.example.com/": "https://app.example.com",
    "https://app.example.com/path?q#f": "https://app.example.com",
    "https://App.Example.com": "https://app.example.com",
    "HTTPS://app.example.com": "https://app.example.com",
    "https://user:secret@app.example.com": "https://app.example.com",
    "https://[2001:DB8:0::1]": "https://[2001:db8::1]",
    "capacitor://localhost/": "capacitor://localhost",
    "https://:99999": None,
    "https://h:99999": None,
    "https://h:65536": None,
    "https://h:0": None,
    "https://:::": None,
    "https://": None,
    "https://[::": None,
    "https://[zz::1]": None,
    "https://[fe80::1%25eth0]": None,
    "https://1.2.3": None,
    "https://1.2.3.999": None,
    "https://-h": None,
    "https://a..b": None,
    "https://h.": None,
    "https://*.example.com": None,
    "https://münchen.example": None,
    "app.example.com": None,
    "//app.example.com": None,
    "ftp://app.example.com": None,
    "file:///index.html": None,
    "null": None,
    "*": None,
    "https://a\nhttps://b:443": None,
}


@each("origin", GOOD)
def test_an_origin_that_browsers_send_can_be_allowed_and_then_works(db: None, origin: str) -> None:
    deployment = DeploymentFactory.create(allowed_origins=["https://other.example", origin])
    deployment.full_clean()
    client = ApiClient(deployment)
    preflight = client.client.options(
        "/auth/signin", headers={"host": deployment.host, "origin": origin, "access-control-request-method": "POST"}
    )
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    signed_in = sign_in(client, user_with_password(deployment), HTTP_ORIGIN=origin)
    assert (signed_in.status_code, signed_in.headers["Access-Control-Allow-Origin"]) == (200, origin)


@each(("origin", "meant"), BAD.items())
def test_an_origin_that_no_browser_sends_is_refused_with_the_reason(db: None, origin: str, meant: str | None) -> None:
    deployment = DeploymentFactory.create()
    deployment.allowed_origins = ["https://other.example", origin]
    with pytest.raises(ValidationError) as caught:
        deployment.full_clean()
    told = " ".join(caught.value.message_dict["allowed_origins"])
    assert ("write it as" in told) is (meant is not None)
    assert (meant or "is not an origin") in told


@each(
    "origin",
    ["https://h:443", "http://h:80", "https://h:99999", "https://:::", "https://h/", "https://H", "https://u@h"],
)
@each("others", [[], ["https://other.example"]])
def test_the_database_refuses_such_an_origin_too(deployment: Deployment, origin: str, others: list[str]) -> None:
    for origins in ([*others, origin], [origin, *others]):
        with pytest.raises(IntegrityError), transaction.atomic():
            Deployment.objects.filter(pk=deployment.pk).update(allowed_origins=origins)


PAGE = "https://app.example.net"
ALLOWED = "Access-Control-Allow-Origin"


@pytest.fixture
def user(db: None) -> User:
    return UserFactory.create(deployment=DeploymentFactory.create(allowed_origins=[PAGE]))


@each("path", ["/nowhere", "/me-too", "/x/me", "/me/nothing", "/favicon.ico", "/auth/signin/"])
def test_an_allowed_page_may_read_that_an_address_does_not_exist(user: User, path: str) -> None:
    client = ApiClient(user.deployment, user)
    response = client.get(path, HTTP_ORIGIN=PAGE)
    assert (error_code(response), response.headers[ALLOWED]) == (40401, PAGE)
    assert ALLOWED not in client.get(path, HTTP_ORIGIN="https://evil.example").headers


def test_an_allowed_page_may_read_that_its_request_is_malformed(user: User) -> None:
    client = ApiClient(user.deployment, user)
    for body in (b"{", b"\xff", b"[]"):
        response = client.post("/auth/signin", body, HTTP_ORIGIN=PAGE)
        assert (error_code(response), response.headers[ALLOWED]) == (40000, PAGE)
    response = client.get(query="&".join(f"a{number}" for number in range(2000)), HTTP_ORIGIN=PAGE)
    assert (error_code(response), response.headers[ALLOWED]) == (40000, PAGE)


@pytest.mark.parametrize(("exception", "code"), [(RuntimeError(), 50001), (OperationalError(), 50301)])
def test_an_allowed_page_may_read_failures(
    user: User, monkeypatch: pytest.MonkeyPatch, exception: Exception, code: int
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise exception

    monkeypatch.setattr(statement, "read_with_fragments", fail)
    response = ApiClient(user.deployment, user).get(HTTP_ORIGIN=PAGE)
    assert (error_code(response), response.headers[ALLOWED]) == (code, PAGE)


@pytest.mark.parametrize("path", [MEMBERSHIPS, "/session"])
def test_an_allowed_page_may_read_that_the_database_is_away(
    user: User, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = ApiClient(user.deployment, user)
    warm_up(client)

    def fail(host: str) -> None:
        raise OperationalError

    for name in ("accounts.authentication.callers", "accounts.polled.fast_path"):
        monkeypatch.setattr(f"{name}.cached_deployment", lambda _: None)
    monkeypatch.setattr("accounts.deployments.cached_deployments.load_deployment", fail)
    monkeypatch.setattr(hosts, "find_deployment", fail)
    response = client.client.get(
        path, headers={"host": user.deployment.host, "origin": PAGE, "cookie": f"__session={client.token}"}
    )
    assert (error_code(response), response.headers[ALLOWED]) == (50301, PAGE)
    foreign = client.client.get(path, headers={"host": user.deployment.host, "origin": "https://evil.example"})
    assert ALLOWED not in foreign.headers


@each("name", ["traceparent", "tracestate", "baggage", "sentry-trace", "x-requested-with"])
def test_the_headers_of_tracing_pass_the_preflight(user: User, name: str) -> None:
    response = ApiClient(user.deployment).client.options(
        MEMBERSHIPS,
        headers={
            "host": user.deployment.host,
            "origin": PAGE,
            "access-control-request-method": "GET",
            "access-control-request-headers": name,
        },
    )
    assert name in response.headers["Access-Control-Allow-Headers"].split(", ")
