"""The page that shows the OpenAPI document, in a real browser on the demo data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import Chromium, Demo, as_new, in_a_browser
from tests.support.demo import CHIOMA

pytestmark = in_a_browser
SIGN_IN = "operations-Sign-in-SignIn"
MEMBERSHIPS = "operations-Me-GetUserWorkspaceMemberships"


def open_docs(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/docs/")
    expect(page.get_by_role("heading", name="Errors")).to_be_visible()


@pytest.fixture(scope="module")
def docs(chromium: Chromium, browser: Browser, demo: Demo) -> Iterator[Page]:
    """The page, opened by a reader who prefers dark, for tests that leave it as it is."""
    with as_new(chromium.other_page, demo) as page:
        page.emulate_media(color_scheme="dark")
        open_docs(page, demo.base_url)
        yield page


def execute(page: Page, operation: str) -> tuple[str, Any]:
    """Open the operation of this id and run it as it stands; gives status and body of the answer."""
    block = page.locator(f"#{operation}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table")
    body = json.loads(answer.locator(".highlight-code code").first.inner_text())
    return answer.locator("tbody .response-col_status").first.inner_text().strip(), body


def top(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box is not None
    return box["y"]


def test_the_endpoints_come_first_and_every_error_after_them(docs: Page) -> None:
    first, last = docs.locator(".opblock").first, docs.locator(".opblock").last
    assert top(first) < 700
    assert top(last) < top(docs.locator("#errors"))
    expect(docs.locator("#errors")).to_contain_text("40101")
    expect(docs.locator(".information-container")).not_to_contain_text("40101")


def test_the_docs_follow_the_colour_scheme_of_the_reader(docs: Page) -> None:
    assert looks_dark(docs)
    docs.emulate_media(color_scheme="light")
    docs.wait_for_function("!document.documentElement.classList.contains('dark-mode')")
    assert not looks_dark(docs)
    docs.emulate_media(color_scheme="dark")
    docs.wait_for_function("document.documentElement.classList.contains('dark-mode')")


def looks_dark(page: Page) -> bool:
    """Whether its text is light on dark; one of the two alone is a fault."""
    colour = (
        "(selector) => getComputedStyle(document.querySelector(selector)).%s.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    background, text = (
        sum(page.evaluate(colour % name, selector))
        for name, selector in [("backgroundColor", "body"), ("color", "#errors td")]
    )
    is_dark: bool = background < 200
    assert (text > 500) == is_dark
    return is_dark


def test_the_example_signs_a_demo_user_in_and_nothing_is_cut_off_on_a_phone(page: Page, demo: Demo) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_docs(page, demo.base_url)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) == 390
    assert page.request.get(f"{demo.base_url}/me/workspace-memberships").status == 401
    status, body = execute(page, SIGN_IN)
    assert (status, body["data"]["active_signin"]["user"]["username"]) == ("200", "chioma")
    assert page.evaluate(width) == 390
    status, body = execute(page, MEMBERSHIPS)
    assert (status, len(body["data"])) == ("200", 1)
    assert page.evaluate(width) == 390


def test_authorize_says_that_the_cookie_comes_from_the_sign_in(docs: Page) -> None:
    docs.locator(".scheme-container").get_by_role("button", name="Authorize").click()
    cookie = docs.locator(".auth-container", has_text="The cookie needs nothing here")
    expect(cookie).to_contain_text("run POST /auth/signin on this page")
    expect(cookie.get_by_role("textbox")).to_have_count(0)
    expect(cookie.locator("button.authorize")).to_be_hidden()
    docs.locator(".close-modal").click()


def test_authorize_sends_the_token_of_a_staging_deployment(page: Page, demo: Demo) -> None:
    open_docs(page, demo.base_url.replace("127.0.0.1", "staging.localhost"))
    (host,) = demo.sql("SELECT host FROM accounts_deployment WHERE mode = 'staging'")
    assert host == ("staging.localhost",)
    page.locator(".scheme-container").get_by_role("button", name="Authorize").click()
    query = page.locator(".auth-container", has_text="devSessionQuery")
    query.get_by_role("textbox").fill("no.good.token")
    query.locator("button.authorize").click()
    page.locator(".close-modal").click()
    status, body = execute(page, MEMBERSHIPS)
    assert (status, body["errors"][0]["code"]) == ("401", 40102)  # not 40101: a token came, and was no good


def test_authorize_sends_a_token_of_ones_own(docs: Page, demo_cookies: dict[str, str]) -> None:
    token = demo_cookies[CHIOMA].removeprefix("__session=")
    authorize = docs.locator(".scheme-container").get_by_role("button", name="Authorize")
    authorize.click()
    bearer = docs.locator(".auth-container", has_text="sessionBearer")
    bearer.get_by_role("textbox").fill(token)
    bearer.locator("button.authorize").click()
    docs.locator(".close-modal").click()
    status, answer = execute(docs, MEMBERSHIPS)
    assert (status, len(answer["data"])) == ("200", 1)
    docs.locator(f"#{MEMBERSHIPS} .opblock-summary-control").click()
    authorize.click()
    bearer.get_by_role("button", name="Remove authorization").click()
    docs.locator(".close-modal").click()
