"""The deployment of a request, the source of its token, and the answers to requests without one."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Deployment, DeploymentAlias, User
from tests.support.api import MEMBERSHIPS, ApiClient, error_code
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory, token_of

REPEATED_PARAMETER = 40002
NO_SESSION = 40101
INVALID_SESSION_TOKEN = 40102
UNKNOWN_DEPLOYMENT = 40402
METHOD_NOT_ALLOWED = 40501
NOT_ACCEPTABLE = 40601


@pytest.fixture
def staging_user(db: None) -> User:
    return UserFactory.create(deployment=DeploymentFactory.create(mode=Deployment.Mode.STAGING))


@pytest.fixture
def visitor(deployment: Deployment) -> ApiClient:
    return ApiClient(deployment)


@pytest.fixture
def client(user: User) -> ApiClient:
    return ApiClient(user.deployment, user)


def caller(response: Any) -> str:
    """The id of the session that the request was made in."""
    assert response.status_code == 200, response.content
    id_: str = response.json()["session"]["id"]
    return id_


# The token


@each("mode", Deployment.Mode.values)
def test_the_cookie_works_in_every_mode(db: None, mode: str) -> None:
    user = UserFactory.create(deployment=DeploymentFactory.create(mode=mode))
    assert ApiClient(user.deployment, user).get().status_code == 200


def test_the_cookie_is_found_among_others(user: User) -> None:
    cookies = f"staff_session=x; __session={token_of(user)}; __session_old=y"
    assert ApiClient(user.deployment).get(HTTP_COOKIE=cookies).status_code == 200


def test_the_parameter_works_in_staging(staging_user: User) -> None:
    visitor = ApiClient(staging_user.deployment)
    assert visitor.get(query=f"__dev_session__={token_of(staging_user)}").status_code == 200


def test_the_parameter_is_ignored_in_production(user: User, visitor: ApiClient) -> None:
    response = visitor.get(query=f"__dev_session__={token_of(user)}")
    assert error_code(response) == NO_SESSION


def test_the_parameter_does_not_help_a_bad_cookie_in_production(user: User) -> None:
    response = ApiClient(user.deployment, token="forged").get(query=f"__dev_session__={token_of(user)}")
    assert error_code(response) == INVALID_SESSION_TOKEN


@each("query", ["__dev_session__=forged", "__dev_session__=a&__dev_session__=b", "__dev_session__"])
def test_the_parameter_harms_no_good_cookie_in_production(client: ApiClient, query: str) -> None:
    assert client.get(query=query).status_code == 200


def test_the_cookie_alone_identifies_the_viewer_in_production(client: ApiClient, user: User) -> None:
    expected = caller(client.get())
    assert caller(client.get(query=f"__dev_session__={token_of(user)}")) == expected


def test_the_parameter_takes_precedence_over_the_cookie_in_staging(staging_user: User) -> None:
    parameter = token_of(staging_user)
    expected = caller(ApiClient(staging_user.deployment, token=parameter).get())
    client = ApiClient(staging_user.deployment, staging_user)
    assert caller(client.get(query=f"__dev_session__={parameter}")) == expected


@each("token", ["forged", "%20", "%00", "%FF", "%ED%A0%80.%ED%A0%80.%ED%A0%80"])
def test_a_bad_parameter_is_refused_in_staging_despite_a_good_cookie(staging_user: User, token: str) -> None:
    client = ApiClient(staging_user.deployment, staging_user)
    assert error_code(client.get(query=f"__dev_session__={token}")) == INVALID_SESSION_TOKEN


@each("around", ["%20{}", "{}%20", "{}%0A", "{}%00"])
def test_nothing_may_stand_around_the_token_in_the_parameter(staging_user: User, around: str) -> None:
    visitor = ApiClient(staging_user.deployment)
    query = f"__dev_session__={around.format(token_of(staging_user))}"
    assert error_code(visitor.get(query=query)) == INVALID_SESSION_TOKEN


@pytest.mark.parametrize("query", ["__dev_session__=", "__dev_session__"])
def test_an_empty_parameter_leaves_it_to_the_cookie_in_staging(staging_user: User, query: str) -> None:
    assert ApiClient(staging_user.deployment, staging_user).get(query=query).status_code == 200


def test_an_empty_parameter_is_no_session_in_staging(staging_user: User) -> None:
    assert error_code(ApiClient(staging_user.deployment).get(query="__dev_session__=")) == NO_SESSION


@pytest.mark.parametrize("query", ["__dev_session__={0}&__dev_session__={0}", "__dev_session__=&__dev_session__="])
def test_a_repeated_parameter_is_a_mistake_in_staging(staging_user: User, query: str) -> None:
    client = ApiClient(staging_user.deployment, staging_user)
    assert error_code(client.get(query=query.format(client.token))) == REPEATED_PARAMETER


@each("scheme", ["Basic", "Session", "JWT", "Digest"])
@each("mode", Deployment.Mode.values)
def test_another_scheme_than_bearer_does_nothing(db: None, mode: str, scheme: str) -> None:
    user = UserFactory.create(deployment=DeploymentFactory.create(mode=mode))
    response = ApiClient(user.deployment).get(HTTP_AUTHORIZATION=f"{scheme} {token_of(user)}")
    assert error_code(response) == NO_SESSION
    assert ApiClient(user.deployment, user).get(HTTP_AUTHORIZATION=f"{scheme} forged").status_code == 200


@each("token", [None, "forged"])
@each("method", ["GET", "HEAD"])
def test_a_401_names_a_scheme(deployment: Deployment, token: str | None, method: str) -> None:
    """RFC 9110, 11.6.1; not Basic, at which browsers would ask for a password."""
    response = ApiClient(deployment, token=token).request(method)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Session realm="rollcall"'


def test_other_answers_ask_for_no_credentials(client: ApiClient) -> None:
    assert "WWW-Authenticate" not in client.get().headers
    assert "WWW-Authenticate" not in client.get(HTTP_HOST="nobody.example.com").headers


# The host


@each("spelling", ["{}:8000", "{}:443", "{}.", "{}.:8000", "{upper}", "{upper}:8000"])
def test_a_host_is_known_in_every_spelling(client: ApiClient, spelling: str) -> None:
    host = client.deployment.host
    assert client.get(HTTP_HOST=spelling.format(host, upper=host.upper())).status_code == 200


@each("host", ["[2001:db8::7]", "[2001:db8::7]:8000", "[2001:DB8::7]"])
def test_an_ipv6_address_is_a_host(db: None, host: str) -> None:
    user = UserFactory.create(deployment=DeploymentFactory.create(host="2001:db8::7"))
    assert ApiClient(user.deployment, user).get(HTTP_HOST=host).status_code == 200


MALFORMED_HOSTS = [
    "",
    " ",
    ".",
    ":",
    ":8000",
    "..",
    "a b",
    "a/b",
    "a@b",
    "a,b",
    "a_b",
    "a\x00b",
    "[",
    "[]",
    "[::1",
    "2001:db8::7",
    "host:port",
    "h\xc3\xb6st",
    "%00",
    "a" * 70_000,
    "' OR 1=1 --",
]


@each("host", ["nobody.example.com", "com", "127.0.0.1", "[::1]", "xn--nxasmq6b.example"])
def test_an_unknown_host_is_not_found(client: ApiClient, host: str) -> None:
    assert error_code(client.get(HTTP_HOST=host)) == UNKNOWN_DEPLOYMENT


@each("host", MALFORMED_HOSTS)
def test_a_malformed_host_is_not_found(client: ApiClient, host: str) -> None:
    assert error_code(client.get(HTTP_HOST=host)) == UNKNOWN_DEPLOYMENT


def test_the_servers_own_name_stands_in_for_no_host(db: None) -> None:
    DeploymentFactory.create(host="testserver")
    assert error_code(Client(SERVER_NAME="testserver").get(MEMBERSHIPS)) == UNKNOWN_DEPLOYMENT


@each("around", ["{}.evil.example", "evil.{}", "evil@{}", "{}@evil.example", "{},evil.example"])
def test_a_known_host_within_another_is_not_found(client: ApiClient, around: str) -> None:
    response = client.get(HTTP_HOST=around.format(client.deployment.host))
    assert error_code(response) == UNKNOWN_DEPLOYMENT


def test_unknown_hosts_are_all_answered_alike(client: ApiClient, visitor: ApiClient) -> None:
    hosts = ["nobody.example.com", "", "a/b", "[::1]"]
    answers = {one.get(HTTP_HOST=host).content for host in hosts for one in (client, visitor)}
    assert len(answers) == 1


def test_a_proxys_header_names_no_host(client: ApiClient) -> None:
    host = DeploymentFactory.create().host
    assert client.get(HTTP_X_FORWARDED_HOST=host).status_code == 200
    response = client.get(HTTP_HOST="nobody.example.com", HTTP_X_FORWARDED_HOST=client.deployment.host)
    assert error_code(response) == UNKNOWN_DEPLOYMENT


@each("host", ["alias.example.com", "ALIAS.example.com:8000", "alias.example.com."])
def test_an_alias_answers_for_its_deployment(client: ApiClient, host: str) -> None:
    DeploymentAlias.objects.create(deployment=client.deployment, host="alias.example.com")
    DeploymentAlias.objects.create(deployment=DeploymentFactory.create(), host="other-alias.example.com")
    expected = client.get().json()
    assert client.get(HTTP_HOST=host).json() == expected


def test_an_alias_of_another_deployment_does_not_know_the_session(client: ApiClient) -> None:
    alias = DeploymentAlias.objects.create(deployment=DeploymentFactory.create(), host="alias.example.com")
    assert error_code(client.get(HTTP_HOST=alias.host)) == INVALID_SESSION_TOKEN


# The method and the format


@pytest.fixture(params=["visitor", "client"])
def anybody(request: pytest.FixtureRequest) -> ApiClient:
    """A visitor without a session, and then a caller with one."""
    client: ApiClient = request.getfixturevalue(request.param)
    return client


def allowed(response: Any) -> set[str]:
    return set(response.headers["Allow"].split(", "))


def test_options_needs_no_session(anybody: ApiClient) -> None:
    response = anybody.request("OPTIONS")
    assert response.status_code == 204
    assert allowed(response) == {"GET", "HEAD", "OPTIONS"}


@each("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_another_method_is_not_allowed_for_any_viewer(anybody: ApiClient, method: str) -> None:
    response = anybody.request(method)
    assert error_code(response) == METHOD_NOT_ALLOWED
    assert allowed(response) == {"GET", "HEAD", "OPTIONS"}


def test_a_method_cannot_be_overridden(anybody: ApiClient) -> None:
    response = anybody.request("POST", HTTP_X_HTTP_METHOD_OVERRIDE="GET")
    assert error_code(response) == METHOD_NOT_ALLOWED


def test_head_is_get_without_the_body(client: ApiClient) -> None:
    got, headed = client.get(), client.request("HEAD")
    assert headed.status_code == got.status_code == 200
    assert headed.content == b""
    assert int(got.headers["Content-Length"]) == len(got.content)
    assert dict(headed.headers) == dict(got.headers)


@each("accept", ["text/html", "text/html, application/xml;q=0.9", "application/xml", "image/*"])
def test_a_client_that_does_not_accept_json_gets_406(anybody: ApiClient, accept: str) -> None:
    assert error_code(anybody.get(HTTP_ACCEPT=accept)) == NOT_ACCEPTABLE


@each(
    "accept",
    ["*/*", "application/json", "application/*", "text/html, */*;q=0.1", "application/json; q=0.5"],
)
def test_a_client_that_accepts_json_gets_it(client: ApiClient, accept: str) -> None:
    assert client.get(HTTP_ACCEPT=accept).status_code == 200


@each("accept", [",", ";", "/", "application", "a/b; x*=nothing''y", "\xff", "a/b;" * 1000])
def test_a_malformed_accept_header_is_no_failure_of_ours(client: ApiClient, accept: str) -> None:
    assert client.get(HTTP_ACCEPT=accept).status_code in (200, 406)


@each("query", ["format=xml", "format=json", "format=", "format=api"])
def test_a_format_parameter_is_ignored(client: ApiClient, query: str) -> None:
    assert client.get(query=query).content == client.get().content


@each("path", [f"{MEMBERSHIPS}.json", f"{MEMBERSHIPS}.xml", f"{MEMBERSHIPS}/"])
def test_a_path_with_something_behind_is_another_path(client: ApiClient, path: str) -> None:
    assert error_code(client.get(path)) == 40401
