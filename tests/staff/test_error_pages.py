"""The pages for staff after a refusal or failure: in the look of the others, without the database."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest
from django.contrib.auth.models import User as Staff
from django.contrib.staticfiles import finders
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import Page

from staff import home
from tests.support.browser import Demo, in_a_browser, sign_in_as_staff

HOME = "/admin/"


def failing_with(monkeypatch: pytest.MonkeyPatch, exception: Exception) -> None:
    def fail(*_: object) -> NoReturn:
        raise exception

    monkeypatch.setattr(home, "_numbers", fail)


def assert_is_a_page(response: Any, status: int, heading: str) -> None:
    content = response.content.decode()
    assert response.status_code == status
    assert f"<h1>{heading}</h1>" in content
    assert "/static/staff/refused.css" in content
    assert 'name="viewport"' in content


@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [
        ("/admin/accounts/user/?pk__range=1", 400, "This address is not valid"),
        ("/admin/nowhere/", 404, "Page not found"),
        ("/admin/accounts/session/add/", 403, "Access denied"),
    ],
)
def test_a_refused_request_gets_a_page(admin_client: Client, path: str, status: int, heading: str) -> None:
    assert_is_a_page(admin_client.get(path), status, heading)


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/accounts/user/add/", "/admin/mfa/"])
@pytest.mark.parametrize("cookie", [None, "x" * 32])
def test_a_form_without_its_csrf_token_gets_a_page(admin_user: Staff, path: str, cookie: str | None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    if cookie:
        client.cookies["staff_csrf"] = cookie
    assert_is_a_page(client.post(path, {"username": "a"}), 403, "This form could not be accepted")


def test_a_failure_gets_a_page_that_reveals_no_cause(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_with(monkeypatch, RuntimeError("hunter2"))
    admin_client.raise_request_exception = False
    response = admin_client.get(HOME)
    assert_is_a_page(response, 500, "Something went wrong")
    assert "hunter2" not in response.content.decode()


@pytest.mark.parametrize("exception", [RuntimeError(), OperationalError("down")])
def test_the_page_of_a_failure_makes_no_query(db: None, monkeypatch: pytest.MonkeyPatch, exception: Exception) -> None:
    """Which may be what failed: here it does before anything is read."""

    def fail(*_: object) -> NoReturn:
        raise exception

    monkeypatch.setattr("staff.access.sessions.SessionStore.load", fail)
    client = Client(raise_request_exception=False)
    client.cookies["staff_session"] = "x" * 32
    with CaptureQueriesContext(connection) as queries:
        response = client.get(HOME)
    assert response.status_code == (503 if isinstance(exception, OperationalError) else 500)
    assert "/static/staff/refused.css" in response.content.decode()
    assert len(queries) == 0


@pytest.mark.parametrize(
    "file",
    [
        "staff/refused.css",
        "staff/theme.js",
        "unfold/fonts/inter/Inter-Regular.woff2",
        "unfold/fonts/inter/Inter-SemiBold.woff2",
    ],
)
def test_the_files_that_the_pages_load_are_there(file: str) -> None:
    assert finders.find(file)


FONT = """
async () => {
    await document.fonts.ready;
    const loaded = [...document.fonts].some((font) => font.status == "loaded" && font.family.includes("Inter"));
    return [getComputedStyle(document.body).fontFamily.split(",")[0], loaded];
}
"""
"""The first font that the page's text asks for, and whether it was loaded."""


@in_a_browser
def test_no_error_page_is_in_the_default_font_of_the_browser(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)
    for path in ("/admin/nowhere/", "/admin/accounts/user/?pk__range=1"):
        page.goto(f"{demo.base_url}{path}")
        assert page.evaluate(FONT) == ["Inter", True]
