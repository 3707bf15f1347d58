"""Signing up and one's own account on the playground, in a real browser against the real server."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import Demo, in_a_browser
from tests.support.playground import (
    code_of_the_mail,
    confirm_the_authenticator,
    fits,
    open_account,
    picture_file,
    said,
    set_up_an_authenticator,
    sign_in,
    sign_up,
    type_credentials,
    use_a_phone,
)

FIRST = "seven lazy foxes jump"
SECOND = "eight quick hounds sleep"


def field(page: Page, label: str) -> Locator:
    return page.get_by_role("textbox", name=label)


@in_a_browser
def test_from_signing_up_to_the_end_of_the_account(page: Page, browser: Browser, demo: Demo) -> None:
    first, second = "marta@people.example", "marta@home.example"
    sign_up(page, demo, first, FIRST, **{"First name": "Marta", "Last name": "Ferreira", "Username": "ada"})
    said(page, "Somebody has that username already")
    expect(page.locator("#who-name")).to_have_text("Marta Ferreira")
    page.get_by_role("button", name="Sign out", exact=True).click()
    said(page, "You are signed out.")

    page.get_by_role("link", name="Forgot your password?").click()
    field(page, "E-mail address").fill(first)
    page.get_by_role("button", name="Send the code").click()
    expect(page.locator("#reset-title")).to_be_focused()
    field(page, "Code of the mail").fill(code_of_the_mail(page, "Reset your password for", first))
    field(page, "New password").fill("short")
    page.get_by_role("button", name="Set the password").click()
    said(page, "(40007)")
    field(page, "New password").fill(SECOND)
    page.get_by_role("button", name="Set the password").click()
    said(page, "Your password is changed")

    open_account(page)
    names(page)
    backup_codes = mfa(page)
    other_browser(page, browser, demo, first, backup_codes[0])
    addresses(page, first, second)

    page.get_by_role("button", name="Sign out", exact=True).click()
    type_credentials(page, second, SECOND)
    field(page, "Code of your authenticator").fill(backup_codes[1])
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#memberships-title")).to_be_focused()

    open_account(page)
    page.locator("#deletion summary").click()
    field(page, "Your password").fill("wrong")
    field(page, "A code of your authenticator").fill(backup_codes[2])
    page.get_by_role("button", name="Delete my account for good").click()
    said(page, "The password is wrong. (40113)")
    field(page, "Your password").fill(SECOND)
    page.get_by_role("button", name="Delete my account for good").click()
    said(page, "Your account is deleted.")
    expect(page.locator("#sign-in-title")).to_be_focused()
    expect(page.locator("#mail-list li").first).to_contain_text(f"to {second}")
    type_credentials(page, second, SECOND)
    said(page, "The name or the password is wrong. (40108)")
    assert demo.sql("SELECT 1 FROM accounts_user WHERE first_name = 'Mária'") == []


def names(page: Page) -> None:
    form = page.locator("#names-form")
    form.get_by_label("First name").fill("Mária")
    form.get_by_label("Username").fill("ada")
    form.get_by_role("button").click()
    said(page, "This username is taken; choose another. (40004)")
    form.get_by_label("Username").fill("maria.f")
    form.get_by_role("button").click()
    said(page, "Your names are saved.")
    expect(page.locator("#who-name")).to_have_text("Mária Ferreira")
    page.locator("#picture-file").set_input_files(picture_file())
    said(page, "Your picture is saved.")
    shown = page.locator("#who-picture img")
    expect(shown).to_have_js_property("naturalWidth", 40)
    page.get_by_role("button", name="Remove the picture").click()
    said(page, "Your picture is removed.")
    expect(page.locator("#who-picture")).to_have_text("M")


def mfa(page: Page) -> list[str]:
    """Set up an authenticator; returns the second set of backup codes."""
    set_up_an_authenticator(page)
    page.get_by_role("button", name="Make backup codes").click()
    codes = page.locator("#backup-codes li")
    expect(codes).to_have_count(10)
    spent = codes.all_inner_texts()[0]

    again = page.get_by_role("button", name="Make new backup codes")
    again.click()
    proof = page.get_by_role("dialog").get_by_label("A code of your authenticator, or a backup code")
    expect(proof).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(again).to_be_focused()
    again.click()
    proof.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("(40109)")
    proof.fill(spent)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(codes.first).not_to_have_text(spent)
    return codes.all_inner_texts()


def other_browser(page: Page, browser: Browser, demo: Demo, address: str, code: str) -> None:
    """Sign in with a second browser, and end that from the first."""
    context = browser.new_context(user_agent="Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0")
    other = context.new_page()
    sign_in(other, demo, address, SECOND)
    field(other, "Code of your authenticator").fill(code)
    other.get_by_role("button", name="Continue").click()
    expect(other.locator("#memberships-title")).to_be_focused()

    page.get_by_role("button", name="Look again").click()
    expect(page.locator("#sign-ins li")).to_have_count(2)
    expect(page.locator("#sign-ins li[data-here]")).to_contain_text("this browser")
    page.get_by_role("button", name="Sign out: Firefox on Windows, 127.0.0.1").click()
    said(page, "that browser is signed out")
    expect(page.locator("#sign-ins li")).to_have_count(1)
    other.get_by_role("link", name="Account", exact=True).click()
    expect(other.get_by_role("status")).to_contain_text("Sign in again: the session has ended. (40104)")
    expect(other.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    context.close()


def addresses(page: Page, first: str, second: str) -> None:
    """Make ``second`` the main address, and remove ``first``."""
    field(page, "Another address").fill(second)
    page.get_by_role("button", name="Add", exact=True).click()
    said(page, f"We have sent a code to {second}.")
    code = code_of_the_mail(page, "Your code for", second)
    field(page, "Code of the mail").fill("0")
    page.get_by_role("button", name="Verify", exact=True).click()
    said(page, "The code is wrong or too old")
    field(page, "Code of the mail").fill(code)
    page.get_by_role("button", name="Verify", exact=True).click()
    said(page, f"{second} is verified")
    page.get_by_role("button", name=f"Make main: {second}").click()
    said(page, f"{second} is your main address now.")
    expect(page.locator("#mail-list li").first).to_contain_text(f"to {first}")
    page.get_by_role("button", name=f"Remove: {first}").click()
    said(page, f"{first} is removed.")
    expect(page.locator("#addresses li")).to_have_count(1)


@in_a_browser
def test_a_keyboard_on_a_phone_is_enough_to_sign_up(page: Page, demo: Demo) -> None:
    address = "kim@a-domain-with-quite-a-long-name.example"
    use_a_phone(page)
    page.goto(demo.base_url)
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    press_tab_until(page, page.get_by_role("link", name="Create an account"))
    page.keyboard.press("Enter")
    expect(page.locator("#sign-up-title")).to_be_focused()
    for value in ("Kim", "", address, "", FIRST):
        page.keyboard.press("Tab")
        page.keyboard.type(value)
    page.keyboard.press("Enter")
    expect(page.locator("#verify-title")).to_be_focused()
    expect(page.locator("#mail-list li").first).to_contain_text(address)
    fits(page)
    press_tab_until(page, page.get_by_role("button", name="Read the mail"))
    page.keyboard.press("Enter")
    mail = page.locator("#mail-list li").first
    expect(mail.locator("summary")).to_be_focused()
    code = "".join(line for line in mail.locator("pre").inner_text().splitlines() if line.isdigit())
    press_tab_until(page, field(page, "Code of the mail"), backwards=True)
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.locator("#memberships-title")).to_be_focused()
    fits(page)
    press_tab_until(page, page.get_by_role("link", name="Account", exact=True), backwards=True)
    page.keyboard.press("Enter")
    expect(page.locator("#account-title")).to_be_focused()
    page.locator("#deletion summary").click()
    fits(page)
    page.go_back()
    expect(page.locator("#memberships-title")).to_be_focused()


def press_tab_until(page: Page, target: Locator, *, backwards: bool = False) -> None:
    for _ in range(20):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        if target.evaluate("node => node === document.activeElement"):
            return
    pytest.fail("the keyboard does not get there")


@in_a_browser
def test_signing_out_leaves_nothing_of_the_user_in_the_page(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "dmitri")
    open_account(page)
    expect(page.locator("#addresses")).to_contain_text("dmitri@demo.example")
    field(page, "Current password").fill(demo.password)
    page.get_by_role("button", name="Sign out", exact=True).click()
    said(page, "You are signed out.")
    assert "dmitri@demo.example" not in page.content()
    values = page.evaluate(
        "[...document.querySelectorAll('input:not([type=checkbox])')].map((input) => input.value).filter(Boolean)"
    )
    assert values == []

    type_credentials(page, "dmitri", demo.password)
    open_account(page)
    page.get_by_role("button", name=re.compile("^Sign out: .*, this browser$")).click()
    said(page, "You are signed out.")
    expect(page.locator("#sign-in-title")).to_be_focused()


@in_a_browser
def test_an_abandoned_sign_up_goes_on_after_a_reload(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.base_url}/#sign-up")
    form = page.locator("#sign-up-form")
    form.get_by_label("E-mail address").fill("lena@people.example")
    form.get_by_label("Password").fill(FIRST)
    form.get_by_role("button").click()
    said(page, "We have sent a code")
    page.reload()
    expect(page.locator("#verify-address")).to_have_text("lena@people.example")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.get_by_role("button", name="Send another code").evaluate("button => { button.click(); button.click(); }")
    said(page, "We have sent another code")
    assert len(sent) == 1
    page.get_by_role("button", name="Start again").filter(visible=True).click()
    expect(page.locator("#sign-in-title")).to_be_focused()


@in_a_browser
def test_the_last_administrator_reads_why_they_cannot_go(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "elodie")
    open_account(page)
    page.locator("#deletion summary").click()
    field(page, "Your password").fill(demo.password)
    page.get_by_role("button", name="Delete my account for good").click()
    said(page, "an organization cannot lose its last one. (40901)")
    page.reload()
    expect(page.locator("#who-name")).to_have_text("Élodie Šimůnková")


@in_a_browser
def test_changes_a_while_after_signing_in_take_a_password_or_code(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "bo")
    open_account(page)
    sign_in_long_ago(demo)
    field(page, "Another address").fill("bo@home.example")
    page.get_by_role("button", name="Add", exact=True).click()
    proof = page.get_by_role("dialog").get_by_label("Your password, once more")
    proof.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The password is wrong. (40113)")
    proof.fill(demo.password)
    page.keyboard.press("Enter")
    said(page, "We have sent a code to bo@home.example.")
    page.get_by_role("button", name="Remove: bo@home.example").click()
    said(page, "bo@home.example is removed.")

    field(page, "Current password").fill("wrong")
    field(page, "New password").fill(FIRST)
    page.get_by_role("button", name="Change the password").click()
    said(page, "(40113)")
    field(page, "Current password").fill(demo.password)
    page.get_by_role("button", name="Change the password").click()
    said(page, "Your password is changed")

    page.get_by_role("button", name="Set up an authenticator").click()
    page.get_by_role("dialog").get_by_label("Your password, once more").fill(FIRST)
    page.get_by_role("button", name="Go on").click()
    totp = confirm_the_authenticator(page)
    sign_in_long_ago(demo)
    field(page, "Another address").fill("bo@home.example")
    page.get_by_role("button", name="Add", exact=True).click()
    proof = page.get_by_role("dialog").get_by_label("A code of your authenticator, or a backup code")
    expect(proof).to_be_focused()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Remove the authenticator").click()
    proof.fill(totp.at(int(time.time()) + 30))
    page.keyboard.press("Enter")
    said(page, "Your authenticator and its backup codes are removed.")
    expect(page.get_by_role("button", name="Set up an authenticator")).to_be_focused()


def sign_in_long_ago(demo: Demo) -> None:
    demo.sql("UPDATE accounts_signin SET created_at = created_at - interval '11 minutes'")
