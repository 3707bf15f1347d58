"""Taking back an import of 1,000 rows in a real browser, from the home page, with the clicks counted."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.browser import Demo, follow, in_a_browser, sign_in_as_staff

pytestmark = in_a_browser


def test_an_import_of_1000_rows_is_taken_back_by_two_clicks(page: Page, demo: Demo, tmp_path: Path) -> None:
    demo.sql(
        "INSERT INTO accounts_user (deployment_id, email)"
        " SELECT organization.deployment_id, 'member' || n || '@demo.example'"
        " FROM organizations_organization organization, generate_series(1, 1000) n WHERE name = 'Loopback Labs'"
    )
    memberships = "SELECT id, user_id, workspace_id, public_metadata FROM memberships_workspacemembership ORDER BY id"
    before = demo.sql(memberships)
    lines = [f"127.0.0.1,Loopback Labs,Clean room,member{n}@demo.example,Member" for n in range(1, 1001)]
    file = tmp_path / "roster.csv"
    file.write_text("\n".join(["deployment,organization,workspace,user,roles", *lines]))
    sign_in_as_staff(page, demo)
    page.goto(f"{demo.base_url}/admin/memberships/workspacemembership/import/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("1,000 rows, no errors.")

    page.goto(f"{demo.base_url}/admin/")
    follow(page, page.get_by_role("link", name="Undo Import of roster.csv, 1,000 rows"))  # the first click
    expect(page.get_by_role("heading", name="Preview: 3,000 changes will be taken back")).to_be_visible()
    expect(page.locator("[data-preview] li")).to_have_count(201)
    follow(page, page.get_by_role("button", name="Undo", exact=True))  # the second
    expect(page.get_by_text("Undone: Import of roster.csv, 1,000 rows. Changes: 3,000.")).to_be_visible()
    assert demo.sql(memberships) == before

    follow(page, page.get_by_role("link", name="Undo", exact=True).first)
    expect(page.get_by_role("heading", name="Undo “Undo of Import of roster.csv, 1,000 rows”")).to_be_visible()
    follow(page, page.get_by_role("button", name="Undo", exact=True))
    assert len(demo.sql(memberships)) == len(before) + 1000
