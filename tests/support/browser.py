"""A real browser on the real server: fixtures that tests/conftest.py gives to all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.support.server import PATIENCE, running_server

expect.set_options(timeout=PATIENCE * 1000)  # of Playwright's own five seconds a busy machine takes more
CHROMIUM = Path("/usr/bin/chromium")
OFF = [
    # Pages behind the address bar, two for each window: with them a page of a test takes half a second more of CPU.
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup"),
    # The switch takes the place of Playwright's own, from which a test could notice these.
    *("HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "PaintHolding", "MediaRouter", "OptimizationHints"),
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "PreconnectToSearch"),
]
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    f"--disable-features={','.join(OFF)}",
]

in_a_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium at /usr/bin/chromium")


@dataclass(frozen=True)
class Demo:
    base_url: str
    database_url: str
    password: str

    def sql(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        """The rows that ``statement`` gives, if it gives any; what it changes is committed."""
        with psycopg.connect(self.database_url) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def serving(env: Mapping[str, str]) -> Iterator[Demo]:
    """A server in the environment ``env``, with its demo data."""
    with running_server({**env, "THREADS": "4"}) as base_url:
        yield Demo(base_url, env["DATABASE_URL"], env["DEMO_PASSWORD"])


@pytest.fixture(scope="module")
def demo(demo_env: dict[str, str]) -> Iterator[Demo]:
    """A server with the demo data."""
    with serving(demo_env) as demo:
        yield demo


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=QUIET, timeout=PATIENCE * 1000)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a browser that knows nothing yet. It must load nothing from elsewhere, and raise nothing."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda sent: None if "//127.0.0.1:" in sent.url else trouble.append(sent.url))
    yield page
    context.close()
    trouble = [item for item in trouble if not item.startswith("data:")]
    assert trouble == [], trouble


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
    """Sign the page in to the admin as the superuser of the demo data; it shows the home page then."""
    page.goto(f"{demo.base_url}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
