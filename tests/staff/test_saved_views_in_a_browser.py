"""Saved views and chosen columns in a real browser: by keys, and on a phone."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.browser import Demo, follow, in_a_browser, sign_in_as_staff

pytestmark = in_a_browser


def test_keys_alone_choose_columns_and_save_open_and_delete_a_view(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)
    page.goto(f"{demo.base_url}/admin/accounts/user/?q=demo&o=-username")
    headers = page.locator("#result_list thead")
    expect(headers).not_to_contain_text("External id")
    page.locator("summary", has_text="Columns").press("Enter")
    page.get_by_role("checkbox", name="Public metadata").press("Space")
    expect(page.get_by_role("checkbox", name="User", exact=True)).to_be_disabled()
    with page.expect_navigation():
        page.get_by_role("checkbox", name="External id").press("Space")
        page.get_by_role("button", name="Apply").press("Enter")
    expect(headers).to_contain_text("External id")

    page.locator("summary", has_text="Save view").press("Enter")
    page.get_by_role("textbox", name="Name", exact=True).fill("Demo people")
    with page.expect_navigation():
        page.get_by_role("textbox", name="Name", exact=True).press("Enter")
    expect(page.get_by_text("Saved the view “Demo people”.")).to_be_visible()
    views = page.get_by_role("navigation", name="Saved views")
    follow(page, views.get_by_role("link", name="All"))
    expect(page.locator("#searchbar")).to_have_value("")
    follow(page, views.get_by_role("link", name="Demo people"))
    expect(page.locator("#searchbar")).to_have_value("demo")
    expect(views.locator("[aria-current]")).to_have_text("Demo people")
    expect(headers).to_contain_text("Public metadata")

    page.set_viewport_size({"width": 360, "height": 720})
    for name in ("Columns", "Edit view"):
        page.locator("summary", has_text=name).press("Enter")
        box = page.locator("details[open] form").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        page.locator("summary", has_text=name).press("Enter")
    page.locator("summary", has_text="Edit view").press("Enter")
    with page.expect_navigation():
        page.get_by_role("button", name="Delete view").press("Enter")
    expect(page.get_by_text("Deleted the view “Demo people”.")).to_be_visible()
    expect(views).to_be_hidden()


def test_escape_and_a_click_elsewhere_close_the_menu(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)
    page.goto(f"{demo.base_url}/admin/accounts/user/?q=nobody")
    menu, form = page.locator("summary", has_text="Columns"), page.locator("details form", has_text="Default columns")
    menu.click()
    box = form.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= page.evaluate("innerWidth")
    form.get_by_role("checkbox").last.press("Escape")
    expect(form).to_be_hidden()
    menu.click()
    page.get_by_role("heading", name="No users found").click()
    expect(form).to_be_hidden()
