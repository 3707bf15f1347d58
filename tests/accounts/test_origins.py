"""The pages that may act in a user's name, and those that may read answers (the Fetch standard's CORS protocol)."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest

from accounts.authentication.sessions import session_token
from accounts.models import Deployment, DeploymentAlias, Session, User
from memberships.models import ActiveMembership
from tests.support.api import MEMBERSHIPS, ApiClient, check_answer, document, error_code
from tests.support.cases import each, undone
from tests.support.factories import (
    DeploymentFactory,
    UserFactory,
    confirmed_authenticator,
    member_of_new_workspace,
    session_of,
    token_of,
)
from tests.support.sign_in import sign_in, user_with_password

PAGE = "https://app.example.net"
HOST = "accounts.example.com"

FOREIGN = {
    "none": None,
    "empty": "",
    "opaque": "null",
    "another site": "https://evil.example",
    "another port": f"http://{HOST}:8443",
    "another scheme": f"https://{HOST}",
    "a longer name": f"http://{HOST}.evil.example",
    "another name before": f"http://evil-{HOST}",
    "a subdomain": f"http://sub.{HOST}",
    "the parent": "http://example.com",
    "a user part": f"http://{HOST}@evil.example",
    "two origins": f"http://{HOST} https://evil.example",
    "a list": f"http://{HOST}, https://evil.example",
    "a path": f"http://{HOST}/",
    "the host alone": HOST,
    "a final dot": f"http://{HOST}.",
    "an allowed one on another port": f"{PAGE}:8443",
    "an allowed one's other scheme": PAGE.replace("https", "http"),
    "a longer allowed one": f"{PAGE}.evil.example",
    "the start of an allowed one": PAGE.removesuffix(".net"),
    "a wildcard": "*",
}

PATHS = {re.sub(r"\{\w+\}", "1", path): operations for path, operations in document()["paths"].items()}
"""With the id of nothing in the place of parameters."""
POSTS = [path for path, operations in PATHS.items() if operations.get("post", {}).get("security")]
"""The changes that a session has a part in: the other POSTs know no session."""
GETS = [path for path, operations in PATHS.items() if "get" in operations]


@pytest.fixture(scope="module")
def shared_deployment(shared_rows: None) -> Deployment:
    return DeploymentFactory.create(host=HOST, allowed_origins=["https://other.example.net", PAGE])


def origin_header(origin: str | None) -> dict[str, str]:
    return {} if origin is None else {"HTTP_ORIGIN": origin}


def post(user: User, path: str, token: str, origin: str | None) -> Any:
    """POST ``path`` with this very Origin, where ``ApiClient`` would see to one."""
    environ: dict[str, Any] = origin_header(origin)
    response = ApiClient(user.deployment).client.generic(
        "POST", path, HTTP_HOST=user.deployment.host, HTTP_COOKIE=f"__session={token}", **environ
    )
    check_answer("POST", path, response)
    return response


def cors_headers(response: Any) -> dict[str, str]:
    return {
        name.lower(): value for name, value in response.headers.items() if name.lower().startswith("access-control-")
    }


def varies_by_origin(response: Any) -> bool:
    return "origin" in [name.strip().lower() for name in response.headers.get("Vary", "").split(",")]


# Changing something


@each("origin", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_page_cannot_sign_a_user_out(user: User, origin: str | None) -> None:
    session = session_of(user)
    response = post(user, "/session/sign-out", session_token(session), origin)
    assert error_code(response) == 40302
    assert not response.cookies
    session.refresh_from_db()
    assert session.ended_at is None
    assert session.sign_ins.filter(ended_at__isnull=True).count() == 1


@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_no_endpoint_takes_a_change_from_a_foreign_page(user: User, origin: str | None) -> None:
    """Not even with a session that is no good: what is wrong with that, the page must not learn."""
    for path, token in product(POSTS, (token_of(user), "nonsense")):
        with undone(path, token):
            response = post(user, path, token, origin)
            assert error_code(response) == 40302
            assert not response.cookies


def test_a_foreign_page_cannot_sign_its_visitor_in(deployment: Deployment) -> None:
    user = user_with_password(deployment)
    client = ApiClient(deployment)
    assert error_code(sign_in(client, user, HTTP_ORIGIN="https://evil.example")) == 40302
    assert not Session.objects.exists()
    assert sign_in(client, user, HTTP_ORIGIN=PAGE).status_code == 200
    assert Session.objects.count() == 1


def test_a_foreign_page_cannot_switch_the_workspace(user: User) -> None:
    workspace_id = member_of_new_workspace(user).workspace_id
    client = ApiClient(user.deployment, user)
    query = f"workspace_id={workspace_id}"
    refused = client.request("POST", "/session/switch-workspace", query, HTTP_ORIGIN="https://evil.example")
    assert error_code(refused) == 40302
    assert not ActiveMembership.objects.exists()
    assert client.request("POST", "/session/switch-workspace", query, HTTP_ORIGIN=PAGE).status_code == 200
    assert ActiveMembership.objects.get().workspace_membership is not None


def test_a_foreign_page_cannot_void_the_backup_codes(user: User) -> None:
    client = ApiClient(user.deployment, user)
    confirmed_authenticator(user)
    assert client.request("POST", "/me/backup-codes", HTTP_ORIGIN=PAGE).status_code == 200
    before = set(user.backup_codes.values_list("code_hash", flat=True))
    assert error_code(client.request("POST", "/me/backup-codes", HTTP_ORIGIN="null")) == 40302
    assert set(user.backup_codes.values_list("code_hash", flat=True)) == before != set()


@each(
    ("origin", "environ"),
    [
        (f"http://{HOST}", {}),
        (f"http://{HOST.upper()}", {}),
        (f"http://{HOST}:8000", {"HTTP_HOST": f"{HOST}:8000"}),
        (f"https://{HOST}", {"wsgi.url_scheme": "https"}),
        (f"http://{HOST}", {"HTTP_HOST": f"{HOST}:80"}),
        (f"http://{HOST}:80", {}),
        (f"https://{HOST}", {"HTTP_HOST": f"{HOST}:443", "wsgi.url_scheme": "https"}),
        (f"https://{HOST}:443", {"wsgi.url_scheme": "https"}),
        (f"http://{HOST}", {"HTTP_HOST": HOST.upper()}),
        (f"http://{HOST}.", {"HTTP_HOST": f"{HOST}."}),
        (PAGE, {}),
        (PAGE, {"wsgi.url_scheme": "https"}),
        ("https://other.example.net", {}),
    ],
)
def test_the_deployments_own_pages_and_allowed_ones_may_act(user: User, origin: str, environ: dict[str, str]) -> None:
    session = session_of(user)
    response = ApiClient(user.deployment, token=session_token(session)).request(
        "POST", "/session/sign-out", HTTP_ORIGIN=origin, **environ
    )
    assert response.status_code == 200
    session.refresh_from_db()
    assert session.ended_at is not None


@each(
    ("origin", "environ"),
    [
        (f"http://{HOST}", {"HTTP_HOST": f"{HOST}:443"}),
        (f"http://{HOST}:443", {"HTTP_HOST": f"{HOST}:443", "wsgi.url_scheme": "https"}),
        (f"https://{HOST}", {"HTTP_HOST": f"{HOST}:80", "wsgi.url_scheme": "https"}),
        (f"https://{HOST}:80", {"wsgi.url_scheme": "https"}),
        (f"http://{HOST}:٨٠", {}),
        (f"http://{HOST}:", {}),
        (f"http://{HOST}:000080", {}),
    ],
)
def test_another_port_is_another_origin(user: User, origin: str, environ: dict[str, str]) -> None:
    response = ApiClient(user.deployment, user).request("POST", "/session/sign-out", HTTP_ORIGIN=origin, **environ)
    assert error_code(response) == 40302


@each(
    ("host", "scheme", "origin"),
    [
        (HOST, "http", f"http://{HOST}"),
        (f"{HOST}:8000", "http", f"http://{HOST}:8000"),
        (f"{HOST}:443", "https", f"https://{HOST}"),
    ],
)
def test_the_error_for_a_missing_origin_says_which_header_to_send(
    user: User, host: str, scheme: str, origin: str
) -> None:
    client = ApiClient(user.deployment, user)
    environ: dict[str, Any] = {"HTTP_HOST": host, "wsgi.url_scheme": scheme}
    response = client.request("POST", "/session/sign-out", HTTP_ORIGIN="", **environ)
    assert error_code(response) == 40302
    assert f"“Origin: {origin}”" in response.json()["errors"][0]["message"]
    assert client.request("POST", "/session/sign-out", HTTP_ORIGIN=origin, **environ).status_code == 200


def test_a_page_at_an_ipv6_address_may_act_there(db: None) -> None:
    deployment = DeploymentFactory.create(host="::1")
    client = ApiClient(deployment, UserFactory.create(deployment=deployment))
    response = client.request("POST", "/session/sign-out", HTTP_HOST="[::1]:8000", HTTP_ORIGIN="http://[::1]:8000")
    assert response.status_code == 200


def test_a_page_of_an_alias_may_act_there_but_not_at_the_deployments_host(user: User) -> None:
    DeploymentAlias.objects.create(deployment=user.deployment, host="alias.example.com")
    client = ApiClient(user.deployment, user)
    origin = "http://alias.example.com"
    at_host = client.request("POST", "/session/switch-workspace", HTTP_ORIGIN=origin)
    assert error_code(at_host) == 40302
    at_alias = client.request("POST", "/session/switch-workspace", HTTP_ORIGIN=origin, HTTP_HOST="alias.example.com")
    assert at_alias.status_code == 200


def test_the_scheme_of_an_untrusted_peers_header_does_not_count(user: User) -> None:
    response = ApiClient(user.deployment, user).request(
        "POST", "/session/sign-out", HTTP_ORIGIN=f"https://{HOST}", HTTP_X_FORWARDED_PROTO="https"
    )
    assert error_code(response) == 40302


def test_a_forwarded_host_does_not_count(user: User) -> None:
    response = ApiClient(user.deployment, user).request(
        "POST", "/session/sign-out", HTTP_ORIGIN="http://evil.example", HTTP_X_FORWARDED_HOST="evil.example"
    )
    assert error_code(response) == 40302


def test_an_origin_allowed_in_one_deployment_is_foreign_in_another(user: User) -> None:
    other = DeploymentFactory.create(allowed_origins=["https://another.example.net"])
    client = ApiClient(other, UserFactory.create(deployment=other))
    assert error_code(client.request("POST", "/session/sign-out", HTTP_ORIGIN=PAGE)) == 40302
    assert cors_headers(client.get(HTTP_ORIGIN=PAGE)) == {}
    assert cors_headers(client.get(HTTP_ORIGIN="https://another.example.net")) != {}


def test_reading_needs_no_origin(user: User) -> None:
    assert ApiClient(user.deployment, user).get().status_code == 200


# Reading answers

SHARED = {
    "access-control-allow-origin": PAGE,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "ETag, Retry-After, X-Development-Session",
}


@each("path", GETS)
def test_an_allowed_page_may_read_answers_with_credentials(user: User, path: str) -> None:
    response = ApiClient(user.deployment, user).get(path, HTTP_ORIGIN=PAGE)
    assert response.status_code == (404 if "/1" in path else 200)
    assert cors_headers(response) == SHARED
    assert varies_by_origin(response)


def test_an_answer_that_has_not_changed_may_be_read_too(user: User) -> None:
    client = ApiClient(user.deployment, user)
    etag = client.get(HTTP_ORIGIN=PAGE).headers["ETag"]
    response = client.get(HTTP_ORIGIN=PAGE, HTTP_IF_NONE_MATCH=etag)
    assert response.status_code == 304
    assert cors_headers(response) == SHARED
    assert varies_by_origin(response)


@each("origin", FOREIGN.values(), ids=FOREIGN.keys())
def test_no_other_page_may_read_answers(user: User, origin: str | None) -> None:
    client = ApiClient(user.deployment, user)
    for path in (MEMBERSHIPS, "/session", "/deployment", "/.well-known/jwks.json"):
        response = client.get(path, **origin_header(origin))
        assert response.status_code == 200
        assert cors_headers(response) == {}
        assert varies_by_origin(response)  # a cache must not give this answer to an allowed page


ERRORS = {
    "400": ("GET", MEMBERSHIPS, "org_id=x", {}, 40001),
    "401": ("GET", MEMBERSHIPS, "", {"HTTP_COOKIE": ""}, 40101),
    "404 of a thing": ("GET", MEMBERSHIPS, "org_id=1", {}, 40403),
    "404 of a path": ("GET", "/me/nothing", "", {}, 40401),
    "405": ("PUT", MEMBERSHIPS, "", {}, 40501),
    "406": ("GET", MEMBERSHIPS, "", {"HTTP_ACCEPT": "text/html"}, 40601),
    "412": ("GET", MEMBERSHIPS, "", {"HTTP_IF_MATCH": '"other"'}, 41201),
    "413": ("POST", "/auth/signin", "", {"CONTENT_LENGTH": "100000"}, 41301),
    "415": ("POST", "/auth/signin", "", {"CONTENT_TYPE": "text/xml", "CONTENT_LENGTH": "5"}, 41501),
}


@each(("method", "path", "query", "environ", "code"), ERRORS.values(), ids=ERRORS.keys())
def test_an_allowed_page_may_read_errors(
    user: User, method: str, path: str, query: str, environ: dict[str, str], code: int
) -> None:
    client = ApiClient(user.deployment, user)
    response = client.request(method, path, query, HTTP_ORIGIN=PAGE, **environ)
    assert error_code(response) == code
    assert cors_headers(response) == SHARED
    assert varies_by_origin(response)
    foreign = client.request(method, path, query, HTTP_ORIGIN="https://evil.example", **environ)
    assert cors_headers(foreign) == {}


def test_an_unknown_host_allows_no_page(deployment: Deployment) -> None:
    response = ApiClient(deployment).get(HTTP_HOST="nowhere.example.com", HTTP_ORIGIN=PAGE)
    assert error_code(response) == 40402
    assert cors_headers(response) == {}


def test_a_browser_may_ask_an_allowed_page_through(deployment: Deployment) -> None:
    for path in (*POSTS, *GETS):
        with undone(path):
            response = _preflight(deployment, path, PAGE)
            assert response.status_code == 200
            headers = cors_headers(response)
            assert headers.pop("access-control-allow-methods") == "GET, HEAD, POST"
            assert "content-type" in headers.pop("access-control-allow-headers").split(", ")
            assert int(headers.pop("access-control-max-age")) > 0
            assert headers == SHARED
            assert varies_by_origin(response)
            assert not response.cookies


@each("origin", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_browser_may_not_ask_another_page_through(deployment: Deployment, origin: str | None) -> None:
    response = _preflight(deployment, "/auth/signin", origin)
    assert cors_headers(response) == {}
    assert varies_by_origin(response)


@each("path", ["/admin/", "/admin/login/", "/docs/", "/", "/static/x.css"])
@each("method", ["GET", "OPTIONS"])
def test_pages_outside_of_the_api_are_shared_with_no_origin(deployment: Deployment, path: str, method: str) -> None:
    client = ApiClient(deployment).client
    response = client.generic(method, path, HTTP_HOST=HOST, HTTP_ORIGIN=PAGE, HTTP_ACCESS_CONTROL_REQUEST_METHOD="GET")
    assert cors_headers(response) == {}


def _preflight(deployment: Deployment, path: str, origin: str | None) -> Any:
    environ: dict[str, Any] = origin_header(origin)
    return ApiClient(deployment).client.generic(
        "OPTIONS",
        path,
        HTTP_HOST=deployment.host,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="content-type",
        **environ,
    )
