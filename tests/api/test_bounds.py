"""Limits on requests before authentication: overlong heads and bodies are refused unread."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from django.contrib.auth.models import User as Staff
from django.core import signals
from django.db import close_old_connections
from django.test import Client, RequestFactory

from accounts.models import Deployment
from api import bounds
from config.wsgi import application
from tests.support.cases import each
from tests.support.factories import DeploymentFactory, UserFactory, staff, token_of

HOST = "accounts.example.com"
IMPORT = "/admin/memberships/workspacemembership/import/"
MIB = 2**20


class Unread(io.RawIOBase):
    """A body of ``size`` bytes; counts those that were read."""

    def __init__(self, size: int) -> None:
        self.size, self.was_read = size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.size - self.was_read)
        buffer[:count] = b"x" * count
        self.was_read += count
        return count


@pytest.fixture(scope="module")
def shared_deployment(shared_rows: None) -> Deployment:
    return DeploymentFactory.create(host=HOST)


def call(method: str, path: str, body: Any = None, **environ: str) -> tuple[int, bytes, float]:
    """Status and body of the answer of the application as the server calls it, and the seconds that it took."""
    full = RequestFactory().generic(method, path, HTTP_HOST=HOST, HTTP_ORIGIN=f"http://{HOST}").environ
    full |= environ | ({} if body is None else {"wsgi.input": body})
    statuses: list[str] = []
    began = time.process_time()
    signals.request_started.disconnect(close_old_connections)  # with the test's transaction
    try:
        content = b"".join(application(full, lambda *line: statuses.append(line[0])))
    finally:
        signals.request_started.connect(close_old_connections)
    return int(statuses[0][:3]), content, time.process_time() - began


@each(
    ("name", "value"),
    [
        ("CONTENT_TYPE", "application/json" + ";" * 800_000),
        ("CONTENT_TYPE", "multipart/form-data; boundary=" + ";a=b" * 200_000),
        ("CONTENT_TYPE", "text/plain" + "; charset" * 90_000),
        ("HTTP_COOKIE", '__session="' + '\\"' * 500_000 + '"'),
        ("HTTP_COOKIE", '__session="' + "\\101" * 250_000 + '"'),
        ("HTTP_COOKIE", ('a="' + '\\"' * 2000 + '"; ') * 250),
        ("HTTP_COOKIE", ";" * MIB),
        ("HTTP_COOKIE", "a=b;" * (MIB // 4)),
        *(
            (name, unit * (MIB // len(unit)))
            for name in (
                "HTTP_ACCEPT",
                "HTTP_IF_NONE_MATCH",
                "HTTP_IF_MATCH",
                "HTTP_AUTHORIZATION",
                "HTTP_FORWARDED",
                "HTTP_ORIGIN",
            )
            for unit in ("x", ",", ";", " ", '"', "a/b;q=", '\\"', "W/")
        ),
        *(("HTTP_X_FORWARDED_FOR", unit * (MIB // len(unit))) for unit in (",", "1.1.1.1,")),
        *(("HTTP_HOST", unit * (MIB // len(unit))) for unit in ("a", ".", "[", "a.")),
    ],
)
def test_no_header_of_a_mebibyte_costs_more_than_a_moment(deployment: Deployment, name: str, value: str) -> None:
    for path in ("/session", "/admin/login/", "/healthz", "/nowhere"):
        *_, seconds = call("GET", path, **{name: value})
        assert seconds < 1, path


def test_an_overlong_content_type_is_none_that_an_endpoint_reads(deployment: Deployment) -> None:
    body = Unread(5)
    status, content, _ = call(
        "POST", "/auth/signin", body, CONTENT_TYPE="application/json" + " " * 1000, CONTENT_LENGTH="5"
    )
    assert (status, body.was_read) == (415, 0)
    assert b"41501" in content


@each("other", ['a="\\""', "a=\\", '{"json":"\\n"}', "; ".join(f"a{n}=b" for n in range(300))])
def test_odd_cookies_of_others_do_not_hide_the_session(deployment: Deployment, other: str) -> None:
    session = f"__session={token_of(UserFactory.create(deployment=deployment))}"
    for cookies in (f"{other}; {session}", f"{session}; {other}"):
        assert call("GET", "/me/workspace-memberships", HTTP_COOKIE=cookies)[0] == 200


@each(
    ("path", "limit"),
    [
        ("/auth/signin", 64 * 1024),
        ("/me/workspace-memberships", 64 * 1024),
        ("/session/sign-out", 64 * 1024),
        ("/organizations/1/delete", 64 * 1024),
        ("/organizations/1/roles", 64 * 1024),
        ("/workspaces/1/delete", 64 * 1024),
        ("/me/profile-picture", 5 * MIB + 64 * 1024),
        ("/organizations", 5 * MIB + 64 * 1024),
        ("/organizations/1/update", 5 * MIB + 64 * 1024),
        ("/workspaces", 5 * MIB + 64 * 1024),
        ("/workspaces/0012/update", 5 * MIB + 64 * 1024),
        ("/admin/", 2_621_440),
        ("/admin/login/", 2_621_440),
        ("/admin/accounts/user/add/", 2_621_440),
        (IMPORT, 2_621_440),
        ("/admin/mfa/", 2_621_440),
    ],
)
def test_a_longer_body_than_the_address_takes_is_refused_unread(deployment: Deployment, path: str, limit: int) -> None:
    body = Unread(200 * MIB)
    multipart = "multipart/form-data; boundary=x"
    status, content, _ = call("POST", path, body, CONTENT_TYPE=multipart, CONTENT_LENGTH=str(limit + 1))
    assert status == 413
    assert body.was_read == 0
    assert b"too large" in content


@each("path", ["/organizations/x/update", "/organizations/", "/workspaces/1/update\n", "/a/workspaces"])
def test_other_addresses_take_no_picture(path: str) -> None:
    assert bounds.limit_at(path) == 64 * 1024


@each("length", ["x", "-1x", "9" * 5000, "²"])
def test_a_length_that_is_no_number_is_one_too_large(deployment: Deployment, length: str) -> None:
    assert call("POST", "/auth/signin", Unread(5), CONTENT_LENGTH=length)[0] == 413


def test_an_unknown_address_leaves_the_body_unread(deployment: Deployment) -> None:
    body = Unread(200 * MIB)
    assert call("POST", "/nowhere", body, CONTENT_LENGTH=str(body.size))[0] == 404
    assert body.was_read == 0


def _upload(client: Client, size: int) -> Any:
    body: Any = Unread(size)
    return client.post(
        IMPORT,
        CONTENT_TYPE="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(size),
        headers={"host": HOST},
        **{"wsgi.input": body},
    ), body


def test_only_staff_who_have_signed_in_may_upload_a_long_file(deployment: Deployment) -> None:
    for client in (Client(), _signed_in(Staff.objects.create_user("idle", is_staff=False))):
        response, body = _upload(client, 10 * MIB)
        assert (response.status_code, body.was_read) == (413, 0)
    client = _signed_in(staff(deployment, role="operator"))
    response = client.post(IMPORT, {"other": io.BytesIO(b"x" * 10 * MIB)}, headers={"host": HOST})
    assert response.status_code == 422  # as a form that lacks its file
    response, body = _upload(client, 52 * MIB)
    assert (response.status_code, body.was_read) == (413, 0)
    assert "manage.py import_memberships" in response.content.decode()


def test_a_password_without_the_mfa_that_is_still_owed_is_no_sign_in(deployment: Deployment, settings: Any) -> None:
    settings.STAFF_MFA_REQUIRED = True
    response, body = _upload(_signed_in(staff(deployment, role="operator")), 10 * MIB)
    assert (response.status_code, body.was_read) == (413, 0)


def test_the_form_of_the_import_is_where_long_files_may_go(settings: Any) -> None:
    from django.urls import reverse

    assert list(settings.STAFF_UPLOADS) == [reverse("admin:memberships_workspacemembership_import_csv")]
    assert bounds.limit_at(IMPORT) == settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def _signed_in(member: Staff) -> Client:
    client = Client()
    client.force_login(member)
    return client
