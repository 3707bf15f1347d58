"""Signing in with MFA, and undoing by the history what somebody did by raw SQL, in a real browser."""

from __future__ import annotations

import psycopg
import pyotp
from playwright.sync_api import Page, expect

from tests.support.browser import Demo, fill_the_sign_in, in_a_browser, open_home, sign_in_as_staff_by_form

pytestmark = in_a_browser


def test_staff_set_up_mfa(page: Page, demo: Demo) -> None:
    sign_in_as_staff_by_form(page, demo)
    page.goto(f"{demo.base_url}/admin/mfa/")
    expect(page.get_by_role("img", name="QR code for an authenticator app")).to_be_visible()
    page.get_by_label("Code").fill(pyotp.TOTP(page.locator("#secret").inner_text()).now())
    page.get_by_role("button", name="Confirm").click()
    code = page.locator("#backup-codes li").first.inner_text()
    expect(page.locator("#backup-codes li")).to_have_count(10)

    page.context.clear_cookies()
    open_home(page, demo)
    fill_the_sign_in(page, demo)
    expect(page.get_by_role("alert")).to_contain_text("Enter a code of your authenticator")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
    with psycopg.connect(demo.database_url) as connection:  # for the other tests, which know the password alone
        connection.execute("DELETE FROM staff_staffauthenticator; DELETE FROM staff_staffbackupcodes")


def test_staff_undo_a_raw_sql_change_by_the_history(page: Page, demo: Demo) -> None:
    sign_in_as_staff_by_form(page, demo)
    with psycopg.connect(demo.database_url) as connection:
        change = "UPDATE organizations_organization SET name = 'Defaced', enforce_mfa = true WHERE id = 1"
        assert connection.execute(change).rowcount == 1

    organization = f"{demo.base_url}/admin/organizations/organization/1"
    page.goto(f"{organization}/change/")
    page.locator("a[href$='/1/history/']").click()
    told = page.locator("tr", has_text="Defaced").first
    expect(told).to_contain_text("name Nordlys Logistikk → Defaced")
    expect(told).to_contain_text("enforce_mfa false → true")
    expect(told).to_contain_text("database role (SQL)")

    page.goto(f"{organization}/change/")
    page.locator("[name=name]").fill("Nordlys Logistikk")
    page.locator("[name=enforce_mfa]").press("Space")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(f"{organization}/history/")
    undone = page.locator("tbody tr").first
    expect(undone).to_contain_text("name Defaced → Nordlys Logistikk")
    expect(undone).to_contain_text("enforce_mfa true → false")
    expect(undone).to_contain_text("admin · Staff from 127.0.0.1")
