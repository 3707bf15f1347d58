"""The search of the admin in a real browser, by keys and for screen readers."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Demo, follow, in_a_browser, open_home, sign_in_as_staff

pytestmark = in_a_browser


@pytest.fixture(autouse=True)
def _staff(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)


def test_keys_alone_lead_from_any_page_to_a_result(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.base_url}/admin/organizations/organization/")
    page.keyboard.press("Control+k")
    dialog = page.get_by_role("dialog", name="Search")
    field = dialog.get_by_role("combobox", name="Search")
    expect(field).to_be_focused()
    field.press_sequentially("nordly")
    expect(dialog.get_by_role("status")).to_contain_text("result")
    options = dialog.get_by_role("listbox").get_by_role("option")
    expect(dialog.get_by_role("group", name="Organizations")).to_contain_text("Nordlys Logistikk")
    expect(field).to_have_attribute("aria-expanded", "true")
    for key, selected in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1)):
        field.press(key)
        expect(options.nth(selected)).to_have_attribute("aria-selected", "true")
        expect(field).to_have_attribute("aria-activedescendant", str(options.nth(selected).get_attribute("id")))
    field.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("body")).to_be_focused()

    page.keyboard.press("/")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    field.fill("ada@demo")
    with page.expect_navigation():
        field.press("Enter")  # before the results are there
    expect(page.get_by_text("ada@demo.example").first).to_be_visible()


def test_only_the_last_text_is_searched_and_shown(page: Page, demo: Demo) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/admin/search/" in request.url else None)
    open_home(page, demo)
    field = page.get_by_role("combobox", name="Search")
    results = page.get_by_role("listbox", name="Results")
    field.press_sequentially("ada@demo", delay=5)
    expect(results.get_by_role("group", name="Users")).to_contain_text("ada@demo.example")
    assert len(sent) < len("ada@demo")
    field.fill("zzzzzz")
    expect(page.get_by_role("status").filter(has_text="Nothing found.")).to_be_visible()
    expect(results).to_be_hidden()
    field.fill("bo@demo")
    expect(results.get_by_role("group", name="Users")).to_contain_text("bo@demo.example")
    field.press("Escape")
    expect(results).to_be_hidden()


def test_a_session_that_has_ended_is_said_in_the_results(page: Page, demo: Demo) -> None:
    open_home(page, demo)
    page.context.clear_cookies()
    page.get_by_role("combobox", name="Search").fill("ada")
    expect(page.get_by_role("status").filter(has_text="You are signed out.")).to_be_visible()


def test_the_search_works_by_mouse_on_a_phone(page: Page, demo: Demo) -> None:
    page.set_viewport_size({"width": 360, "height": 720})
    open_home(page, demo)
    page.get_by_role("combobox", name="Search").fill("loopback")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    follow(page, page.get_by_role("group", name="Organizations").get_by_role("option").first)
    expect(page.get_by_role("heading", name="Loopback Labs", exact=True)).to_be_visible()
