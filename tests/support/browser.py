"""A real browser on the real server: fixtures that tests/conftest.py gives to all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from django.conf import settings
from playwright.sync_api import Browser, Error, Locator, Page, Request, ViewportSize, expect, sync_playwright

from tests.support.dns import DnsServer
from tests.support.server import PATIENCE, OwnPostgres

expect.set_options(timeout=PATIENCE * 1000)  # of Playwright's own five seconds a busy machine takes more
CHROMIUM = Path("/usr/bin/chromium")
OFF = [
    # Pages behind the address bar, two for each window: with them a page of a test takes half a second more of CPU.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    # The switch takes the place of Playwright's own, from which a test could notice these.
    *("HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "PaintHolding", "MediaRouter", "OptimizationHints"),
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "PreconnectToSearch"),
    "SpareRendererForSitePerProcess",  # a process that stands by for the next page
]
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"),
    *("--disable-background-networking", "--disable-component-update"),
    "--js-flags=--no-opt,--no-maglev",  # no page of a test lives long enough for better code to pay
    f"--disable-features={','.join(OFF)}",
]

OWN = ("http://127.0.0.1:", "http://staging.localhost:", "data:")
PLAIN = "/static/docs/docs.css"
"""Runs no script. It has the opener policy of the other pages: with another, Chromium would start a new process."""
WINDOW = ViewportSize(width=1280, height=720)

in_a_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium")


@dataclass(frozen=True)
class Demo:
    base_url: str
    env: dict[str, str]
    postgres: OwnPostgres
    staff_session: str
    """The key of a session of the superuser."""

    @property
    def database_url(self) -> str:
        return self.env["DATABASE_URL"]

    @property
    def password(self) -> str:
        return self.env["DEMO_PASSWORD"]

    def sql(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        """The rows that ``statement`` gives, if it gives any; what it changes is committed."""
        with psycopg.connect(self.database_url) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def demo(
    loaded_demo: Path, demo_postgres: OwnPostgres, demo_env: dict[str, str], demo_server: str, name_server: DnsServer
) -> Demo:
    """The server with its demo data as new, for the tests of one module."""
    name_server.records.clear()
    return Demo(
        demo_server, demo_env, demo_postgres, json.loads((loaded_demo / "demo.json").read_text())["staff_session"]
    )


@dataclass(frozen=True)
class Chromium:
    """A browser, the pages of two people in it, and the event loop of its driver."""

    browser: Browser
    page: Page
    other_page: Page
    loop: asyncio.AbstractEventLoop

    @contextmanager
    def in_use(self) -> Iterator[Browser]:
        """Between two calls of Playwright its loop counts as one that runs, and beside one Django makes no query."""
        asyncio._set_running_loop(self.loop)
        try:
            yield self.browser
        finally:
            asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One in each test process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET, timeout=PATIENCE * 1000)
        page, other_page = (browser.new_context(viewport=WINDOW).new_page() for _ in range(2))
        for one in (page, other_page):
            one.set_default_timeout(PATIENCE * 1000)
        chromium = Chromium(browser, page, other_page, asyncio.get_running_loop())
        asyncio._set_running_loop(None)
        yield chromium
        asyncio._set_running_loop(chromium.loop)
        browser.close()


@pytest.fixture(scope="module")
def browser(chromium: Chromium) -> Iterator[Browser]:
    """For the tests of one module; contexts that they make share nothing."""
    with chromium.in_use() as browser:
        yield browser
        for context in browser.contexts:
            if context not in (chromium.page.context, chromium.other_page.context):
                context.close()


@contextmanager
def as_new(page: Page, demo: Demo) -> Iterator[Page]:
    """A page to which nobody is known, nor ever was. It must load nothing from elsewhere, and raise nothing.

    The process behind it stays, with the scripts and styles that it has loaded: a new one takes twice the CPU.
    """
    if page.viewport_size != WINDOW:
        page.set_viewport_size(WINDOW)
    page.emulate_media(color_scheme="light")
    urls, errors = set[str](), list[str]()

    def sent(request: Request) -> None:
        urls.add(request.url)

    def raised(error: Error) -> None:
        errors.append(str(error))

    page.on("request", sent)
    page.on("pageerror", raised)
    try:
        yield page
    finally:
        page.remove_listener("request", sent)
        page.remove_listener("pageerror", raised)
        page.context.clear_cookies()
    plain = f"{demo.base_url}{PLAIN}"  # ends the requests under way, of which an answer could sign somebody in again
    try:
        page.goto(plain)
    except Error:  # the test has begun to go somewhere else
        page.goto(plain)
    page.evaluate("sessionStorage.clear()")
    page.context.clear_cookies()
    control = page.context.new_cdp_session(page)
    for origin in {f"{url.scheme}://{url.netloc}" for url in map(urlsplit, urls) if url.netloc}:
        control.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "local_storage,indexeddb"})
    control.detach()
    assert errors == []
    assert [url for url in urls if not url.startswith(OWN)] == []


@pytest.fixture
def page(chromium: Chromium, browser: Browser, demo: Demo) -> Iterator[Page]:
    with as_new(chromium.page, demo) as page:
        yield page


@pytest.fixture
def other_page(chromium: Chromium, browser: Browser, demo: Demo) -> Iterator[Page]:
    """The page of somebody else, to whom none of the cookies of ``page`` are known."""
    with as_new(chromium.other_page, demo) as page:
        yield page


def choose(page: Page, select: Locator, label: str) -> None:
    """Find the choice called ``label`` in the autocomplete of ``select`` by typing its name."""
    shown = select.locator("xpath=following-sibling::*[contains(@class, 'select2')]")
    shown.click()
    name = label.partition(" (")[0]
    # The choices of no name come first, and a click on one of them is lost when those of the name take their place.
    with page.expect_response(lambda answer: parse_qs(urlsplit(answer.url).query).get("term") == [name]):
        page.locator(".select2-search__field").last.fill(name)
    page.get_by_role("option", name=label, exact=True).click()
    expect(shown).to_contain_text(label)


def follow(page: Page, link_or_button: Locator) -> None:
    """Click what leads to another page, and wait for that one."""
    with page.expect_navigation():
        link_or_button.click()


def sign_in_as_staff(page: Page, demo: Demo) -> None:
    """Let the page be signed in to the admin as the superuser of the demo data, by a session that is there."""
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": demo.staff_session, "url": f"{demo.base_url}/admin/"}]
    )


def sign_in_as_staff_by_form(page: Page, demo: Demo) -> None:
    """The same by typing the password: that session may set up MFA, and no other test can end it."""
    quick = "/admin/password_change/"  # the home page has charts to draw
    page.goto(f"{demo.base_url}/admin/login/?next={quick}")
    fill_the_sign_in(page, demo)
    page.wait_for_url(f"**{quick}")


def open_home(page: Page, demo: Demo) -> None:
    """Open the home page of the admin, which leads to the form if nobody is signed in."""
    page.goto(f"{demo.base_url}/admin/")


def fill_the_sign_in(page: Page, demo: Demo) -> None:
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
