"""Lists and metadata are checked while staff type, in a real browser."""

from __future__ import annotations

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from tests.support.browser import Demo, in_a_browser, sign_in_as_staff


@in_a_browser
def test_a_bad_line_is_named_while_it_is_typed_until_it_is_right(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)
    page.goto(f"{demo.base_url}/admin/organizations/organization/1/change/")
    ips = page.locator("#id_whitelisted_ips")
    ips.fill("203.0.113.7\n203.0.113.256")
    expect(page.locator("#id_whitelisted_ips-checked")).to_contain_text("Line 2: “203.0.113.256”")
    expect(ips).to_have_attribute("aria-invalid", "true")
    ips.fill("203.0.113.7\n2001:db8::/32")
    expect(page.locator("#id_whitelisted_ips-checked")).to_be_empty()
    metadata = page.locator("#id_public_metadata")
    metadata.fill('{\n  "plan": basic\n}')
    expect(page.locator("#id_public_metadata-checked")).to_contain_text("Line 2")


@pytest.mark.parametrize("path", ["accounts.user/password", "accounts.user/nothing", "no.model/name", "nothing/name"])
def test_nothing_but_lists_and_metadata_is_checked(admin_client: Client, path: str) -> None:
    assert admin_client.post(f"/admin/check/{path}/", {"value": "x"}).status_code == 404


def test_only_staff_have_anything_checked(db: None) -> None:
    assert Client().post("/admin/check/accounts.user/public_metadata/", {"value": "{}"}).status_code == 302
