"""Support and onboarding in a real browser: why a user cannot enter, and an import with bad lines until it is good."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Demo, choose, follow, in_a_browser, sign_in_as_staff
from tests.support.playground import fits, use_a_phone

pytestmark = in_a_browser


@pytest.fixture(scope="module", autouse=True)
def _users(demo: Demo) -> None:
    """1,000 users who are members of nothing yet; the members that there are have been so for a day."""
    demo.sql("UPDATE memberships_workspacemembership SET created_at = created_at - interval '1 day'")
    demo.sql(
        "INSERT INTO accounts_user (deployment_id, email, public_metadata, private_metadata)"
        " SELECT organization.deployment_id, 'member' || n || '@demo.example', '{}', '{}'"
        " FROM organizations_organization organization, generate_series(1, 1000) n WHERE name = 'Loopback Labs'"
    )


@pytest.fixture(autouse=True)
def _staff(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)


def memberships(demo: Demo) -> int:
    ((number,),) = demo.sql("SELECT count(*) FROM memberships_workspacemembership")
    return int(number)


def rows(*bad: int, number: int = 1000) -> str:
    """A file of ``number`` members; the lines ``bad`` of it name a user whom there is not."""
    lines = [
        f"127.0.0.1,Loopback Labs,Bench,{'nobody' if line in bad else 'member'}{line - 1}@demo.example,Member"
        for line in range(2, number + 2)
    ]
    return "\n".join(["deployment,organization,workspace,user,roles", *lines])


def test_1000_lines_with_3_bad_ones_are_refused_put_right_and_imported(page: Page, demo: Demo, tmp_path: Path) -> None:
    before = memberships(demo)
    file = tmp_path / "members.csv"
    file.write_text(rows(17, 400, 1001))
    page.goto(f"{demo.base_url}/admin/memberships/workspacemembership/")
    page.get_by_role("link", name="Import memberships").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("3 of 1,000 rows have errors. Nothing was saved.")
    expect(page.locator("[data-errors] li")).to_have_count(3)
    for line in (17, 400, 1001):
        expect(page.get_by_role("status")).to_contain_text(f"Line {line}:")
    assert memberships(demo) == before
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the rows with errors").click()
    assert len(download.value.path().read_text("utf-8-sig").splitlines()) == 4

    file.write_text(rows())
    os.utime(file, (2**31, 2**31))  # of the same size, within the same second, it would be the same to the browser
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("choose the file again")  # it is not what was chosen
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Check only").click()
    expect(page.get_by_role("status")).to_contain_text("The import would save: 1,000 new members of organizations")
    assert memberships(demo) == before
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("1,000 rows, no errors. Saved: 1,000 new members")
    assert memberships(demo) == before + 1000


def test_an_import_into_the_wrong_workspace_is_undone_by_reading_the_history(
    page: Page, demo: Demo, tmp_path: Path
) -> None:
    before = memberships(demo)
    file = tmp_path / "members.csv"
    file.write_text(rows(number=60).replace(",Bench,", ",Clean room,"))
    page.goto(f"{demo.base_url}/admin/memberships/workspacemembership/import/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("60 rows, no errors.")

    page.goto(f"{demo.base_url}/admin/organizations/workspace/?q=Clean")
    follow(page, page.get_by_role("link", name="Clean room"))
    workspace = page.url.replace("/overview/", "/change/")
    follow(page, page.get_by_role("link", name="History"))
    told = page.locator("tbody tr", has_text="member60@demo.example").filter(has_text="Workspace membership ")
    expect(told.first).to_contain_text("Added")
    expect(told.first).to_contain_text("admin · Staff from 127.0.0.1")
    follow(page, told.first.get_by_role("link", name="Workspace membership "))
    day, time = page.locator(".field-row", has_text="Created at").locator(".readonly").inner_text().split()

    page.goto(workspace)
    follow(page, page.get_by_role("link", name="Workspace memberships", exact=True).last)
    page.get_by_role("button", name="Filters").press("Enter")
    page.locator("[name=created_at_from_0]").fill(day)
    page.locator("[name=created_at_from_1]").fill(time)
    follow(page, page.get_by_role("button", name="Apply Filters"))
    page.get_by_label("Select all").check()
    page.get_by_role("link", name="Select all 60").click()
    page.locator("select[name=action]").select_option(label="Remove from the workspace …")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("heading", name="Preview: 60 of 60 will change")).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Remove from the workspace: 60 changed.")).to_be_visible()
    assert memberships(demo) == before

    page.goto(workspace.replace("/change/", "/history/"))
    expect(page.locator("tbody tr").first).to_contain_text("Deleted")


def test_users_are_added_to_a_workspace_after_a_preview(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.base_url}/admin/accounts/user/?q=bo")
    page.get_by_label("Select bo@demo.example").check()
    page.locator("select[name=action]").select_option(label="Add to a workspace …")
    page.get_by_role("button", name="Run").click()
    choose(page, page.locator("#id_workspace"), "Bench (Loopback Labs, Demo)")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("[data-preview]")).to_contain_text("bo@demo.example joins “Loopback Labs”, joins “Bench”")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Add to a workspace: 1 changed.")).to_be_visible()


def test_a_list_is_paged_through_by_keys(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.base_url}/admin/accounts/user/")
    pages = page.get_by_role("navigation", name="Pages")
    expect(pages.locator("[aria-current=page]")).to_have_text("1")
    expect(page.get_by_text("1,008 users", exact=True)).to_be_visible()
    pages.get_by_role("link", name="2", exact=True).press("Enter")
    expect(pages.locator("[aria-current=page]")).to_have_text("2")
    expect(pages).to_contain_text("…")
    expect(pages.get_by_role("link", name="…")).to_have_count(0)


def test_the_pages_fit_a_phone(page: Page, demo: Demo) -> None:
    use_a_phone(page)
    paths = ["memberships/workspacemembership/import/", "accounts/user/2/why-not/", "accounts/signingkey/1/change/"]
    for path in [*paths, "organizations/organization/1/history/"]:
        page.goto(f"{demo.base_url}/admin/{path}")
        fits(page)
        cut_off = page.locator("#result_list").evaluate_all(
            "lists => lists.flatMap(list => [...list.querySelectorAll('td')])"
            ".filter(cell => cell.scrollHeight > cell.clientHeight + 1).map(cell => cell.textContent)"
        )
        assert cut_off == [], path
