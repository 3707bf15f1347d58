"""Choices in a real browser: what the form holds already narrows them, on the page as on each line of a list."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page

from tests.support.browser import Demo, in_a_browser, sign_in_as_staff

pytestmark = in_a_browser

STRANGER = "stranger@elsewhere.example"


@pytest.fixture(scope="module", autouse=True)
def _elsewhere(demo: Demo) -> None:
    """Another deployment, with a user and a role."""
    demo.sql("INSERT INTO accounts_deployment (name, host) VALUES ('Elsewhere', 'elsewhere.example')")
    demo.sql(
        "INSERT INTO accounts_user (deployment_id, email, public_metadata, private_metadata)"
        f" SELECT id, '{STRANGER}', '{{}}', '{{}}' FROM accounts_deployment WHERE name = 'Elsewhere'"
    )


@pytest.fixture(autouse=True)
def _staff(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)


def offered(page: Page, select: Locator) -> list[str]:
    """The choices that ``select`` offers, newest first."""
    with page.expect_response("**/autocomplete/**") as answer:
        select.locator("xpath=following-sibling::*[contains(@class, 'select2')]").click()
    return [choice["text"] for choice in answer.value.json()["results"]]


def test_a_choice_in_the_same_form_narrows_the_other_choices(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.base_url}/admin/memberships/workspacemembership/add/")
    user = page.locator("select[name=user]")
    assert f"{STRANGER} (Elsewhere)" in offered(page, user)
    page.keyboard.press("Escape")
    assert offered(page, page.locator("select[name=workspace]"))
    page.get_by_role("option").first.click()
    users = offered(page, user)
    assert users
    assert f"{STRANGER} (Elsewhere)" not in users


def test_an_added_line_offers_only_rows_that_fit_the_page(page: Page, demo: Demo) -> None:
    ((organization,),) = demo.sql("SELECT id FROM organizations_organization WHERE name = 'Nordlys Logistikk'")
    page.goto(f"{demo.base_url}/admin/organizations/organization/{organization}/change/")
    page.get_by_role("link", name="Add another Member").first.click()
    users = offered(page, page.locator("select[name^=memberships-][name$=-user]:not([name*=__prefix__])").last)
    assert users
    assert f"{STRANGER} (Elsewhere)" not in users
