"""Steps that people take with organizations on the playground."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Demo
from tests.support.playground import (
    said,
)

PASSWORD = "nine quiet owls watch"


def open_organization(page: Page, name: str) -> None:
    page.get_by_role("link", name="Organizations", exact=True).click()
    page.locator("#organization-cards").get_by_role("link", name=name, exact=True).click()
    expect(page.locator("#place-title")).to_have_text(name)


def panel(page: Page, name: str) -> Locator:
    return page.locator("#place").get_by_role("region", name=name, exact=True)


def member(page: Page, name: str) -> Locator:
    return page.locator(f'#members > li[data-member="{name}"]')


def set_role(page: Page, name: str, role: str) -> Locator:
    """Click the role's box; returns it."""
    box = member(page, name).get_by_role("checkbox", name=role, exact=True)
    if not box.is_visible():
        member(page, name).locator("summary").click()
    box.click()
    return box


def confirm(page: Page, answer: str, *, about: str) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(about)
    dialog.get_by_role("button", name=answer, exact=True).click()


def invite(page: Page, email: str, *, workspace: str = "") -> None:
    form = panel(page, "Invitations")
    form.get_by_label("E-mail address").fill(email)
    if workspace:
        form.get_by_label("Workspace to join as well").select_option(workspace)
    form.get_by_role("button", name="Invite").click()
    said(page, f"The invitation is on its way to {email}.")


def follow_the_link(page: Page, demo: Demo, address: str) -> None:
    """The link of the newest invitation to ``address``, in the mails of the demo."""
    page.goto(demo.base_url)
    mail = (
        page.locator("#mail-list li").filter(has_text=f"to {address}").filter(has_text=re.compile("invite[sd]")).first
    )
    mail.locator("summary").click()
    mail.get_by_role("link", name="Follow the link on this page").click()
    expect(page.locator("#invitation-title")).to_be_visible()


def places(page: Page) -> dict[str, list[str]]:
    """The names of one's roles in each workspace, as the next answer has them."""
    data = page.evaluate("async () => (await (await fetch('/me/workspace-memberships')).json()).data")
    return {one["workspace"]["name"]: [role["name"] for role in one["roles"]] for one in data}


def own_roles(page: Page) -> list[str]:
    """The names of one's roles in the only organization."""
    data = page.evaluate("async () => (await (await fetch('/me/organization-memberships')).json()).data")
    return [role["name"] for one in data for role in one["roles"]]
