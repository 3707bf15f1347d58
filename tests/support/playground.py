"""Steps that people take on the playground."""

from __future__ import annotations

import re
import time
from typing import Any, Literal

import pyotp
from playwright.sync_api import Page, expect

from tests.support.browser import Demo
from tests.support.pictures import drawn

SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]


def sign_in(page: Page, demo: Demo, name: str, password: str | None = None) -> None:
    page.goto(demo.base_url)
    type_credentials(page, name, demo.password if password is None else password)


def type_credentials(page: Page, name: str, password: str) -> None:
    page.get_by_label("E-mail address or username").fill(name)
    page.get_by_role("textbox", name="Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def open_account(page: Page) -> None:
    page.get_by_role("link", name="Account", exact=True).click()
    expect(page.locator("#account-title")).to_be_focused()


def set_up_an_authenticator(page: Page) -> pyotp.TOTP:
    """On the page of the account."""
    page.get_by_role("button", name="Set up an").click()
    return confirm_the_authenticator(page)


def confirm_the_authenticator(page: Page) -> pyotp.TOTP:
    expect(page.locator("#secret")).not_to_be_empty()
    totp, now = pyotp.TOTP(page.locator("#secret").inner_text()), time.time()
    page.get_by_label("A code", exact=True).fill(totp.at(int(now) - 30))
    page.get_by_label("The code after it").fill(totp.at(int(now)))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("Your authenticator is set up.")
    return totp


def code_of_the_mail(page: Page, subject: str, address: str) -> str:
    """The code in the newest mail of the demo, to which the page leads its reader."""
    mail = page.locator("#mail-list li").first
    expect(mail.locator("summary")).to_contain_text(f"{subject} Demo to {address},")
    page.get_by_role("button", name="Read the mail").click()
    expect(mail.locator("summary")).to_be_focused()
    found = re.search(r"\b\d{6}\b", mail.locator("pre").inner_text())
    assert found is not None
    return found[0]


def sign_up(page: Page, demo: Demo, address: str, password: str, **names: str) -> None:
    """To the page of a new user, who is signed in."""
    page.goto(demo.base_url)
    page.get_by_role("link", name="Create an account").click()
    form = page.locator("#sign-up-form")
    for label, value in (names | {"E-mail address": address, "Password": password}).items():
        form.get_by_label(label).fill(value)
    form.get_by_role("button").click()
    verify_address(page, address)
    expect(page.locator("#memberships-title")).to_be_focused()


def verify_address(page: Page, address: str) -> None:
    """The step of signing up that takes the code of the mail."""
    code = code_of_the_mail(page, "Your code for", address)
    page.get_by_role("textbox", name="Code of the mail").fill(code)
    page.get_by_role("button", name="Verify the address").click()


def said(page: Page, text: str) -> None:
    expect(page.get_by_role("status")).to_contain_text(text)


def use_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 720})


def fits(page: Page) -> None:
    """Nothing is wider than the window, in light or dark."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == page.evaluate("innerWidth"), scheme


def picture_file() -> Any:
    """To choose in a file field; it is 40 pixels wide."""
    return {"name": "me.png", "mimeType": "image/png", "buffer": drawn((40, 30))}
