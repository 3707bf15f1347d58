"""The tasks of staff's days, from the home page, with their clicks counted: docs/operations.md has the numbers.

A click is each press of the mouse, and each key that presses a button or a link. To type, and to press Enter in the
field in which one has typed, is none.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from config.environment import BASE_DIR
from tests.support.browser import Demo, follow, in_a_browser, open_home, sign_in_as_staff

pytestmark = in_a_browser

AGED = """
    SELECT set_config('rollcall.erasing', 'on', true);
    UPDATE audit_auditentry SET at = at - interval '7 days'
"""
"""SQL: all that happened was last week."""


class Clicks:
    """Clicks, and counts them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.number = 0

    def on(self, target: Locator) -> None:
        """Click what leads to another page."""
        self.number += 1
        follow(self.page, target)

    def here(self, target: Locator) -> None:
        self.number += 1
        target.click()

    def type(self, field: Locator, text: str) -> None:
        """Click into ``field`` and type."""
        self.here(field)
        field.fill(text)

    def find(self, text: str, kind: str) -> None:
        """Type ``text`` into the search of the home page, and open the first result, which is one of ``kind``."""
        field = self.page.get_by_role("combobox", name="Search")
        self.type(field, text)
        first = self.page.get_by_role("listbox", name="Results").get_by_role("group").first
        expect(first).to_have_accessible_name(kind)
        with self.page.expect_navigation():
            field.press("Enter")

    def run(self, action: str) -> None:
        """Choose ``action`` in the list of a page, and run it: the list is opened by a click, too."""
        self.number += 2
        self.page.locator("select[name=action]").select_option(label=f"{action} …")
        self.on(self.page.get_by_role("button", name="Run"))

    def choose(self, field: str, label: str) -> None:
        """Open the choices of ``field``, type ``label``, and press Enter."""
        self.here(self.page.locator(f"{field} + .select2-container"))
        self.page.keyboard.type(label)
        expect(self.page.get_by_role("option", name=label).first).to_be_visible()
        expect(self.page.locator(".select2-results__option--highlighted")).to_contain_text(label)
        self.page.keyboard.press("Enter")
        expect(self.page.locator(f"{field} + .select2-container")).to_contain_text(label)


@pytest.fixture(autouse=True)
def _staff(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)


@pytest.fixture
def clicks(page: Page, demo: Demo) -> Clicks:
    return home(page, demo)


def documented(task: str) -> int:
    """The number of clicks that the documentation gives for ``task``."""
    rows = re.findall(r"^\| (.+?) \| (\d+) \|", (BASE_DIR / "docs" / "operations.md").read_text(), re.MULTILINE)
    return int(dict(rows)[task])


def home(page: Page, demo: Demo) -> Clicks:
    open_home(page, demo)
    return Clicks(page)


def test_a_person_is_found_by_half_a_name_and_let_in(page: Page, clicks: Clicks) -> None:
    clicks.find("lindq", "Users")
    clicks.on(page.get_by_role("link", name="Why can't they enter?"))
    clicks.type(page.get_by_label("IP address"), "127.0.0.1")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    kasse, vault = (
        page.locator("tr[data-workspace]").filter(has=page.get_by_role("rowheader", name=name))
        for name in ("Kasse", "Coffre-fort")
    )
    expect(kasse).to_contain_text("Access denied")
    expect(kasse).to_contain_text("IP rule of the organization “Café Übergröße”: The address is not in")
    expect(vault).to_contain_text("ip_and_mfa_required")
    expect(vault).to_contain_text("MFA rule of the workspace “Coffre-fort”: enforce_2fa is on")
    clicks.on(kasse.get_by_role("button", name="Add 127.0.0.1 to the organization “Café Übergröße”"))
    expect(kasse).to_contain_text("Access allowed")
    page.get_by_text("The response: 200").click()
    expect(page.locator("#json")).to_contain_text('"type": "mfa_required"')
    assert clicks.number == documented("find a person by half a name, see why they cannot enter, and let them in")


def test_50_people_are_moved_to_another_role_and_back(page: Page, demo: Demo, clicks: Clicks) -> None:
    demo.sql("""
        WITH place AS (
            INSERT INTO organizations_organization (deployment_id, name)
            SELECT deployment_id, 'Fifty Ltd' FROM organizations_organization WHERE name = 'Loopback Labs'
            RETURNING id, deployment_id
        ), people AS (
            INSERT INTO accounts_user (deployment_id, email)
            SELECT deployment_id, 'person' || n || '@demo.example' FROM place, generate_series(1, 50) n
            RETURNING id
        ), members AS (
            INSERT INTO memberships_organizationmembership (deployment_id, organization_id, user_id)
            SELECT deployment_id, place.id, people.id FROM place, people
            RETURNING id, deployment_id
        ), other_role AS (
            INSERT INTO organizations_organizationrole (deployment_id, organization_id, name)
            SELECT deployment_id, id, 'Buyer' FROM place
        )
        INSERT INTO memberships_organizationmembershiprole (membership_id, role_id)
        SELECT members.id, role.id FROM members JOIN organizations_organizationrole role USING (deployment_id)
        WHERE role.name = 'Member' AND role.organization_id IS NULL
    """)
    roles = """
        SELECT role.name, count(*) FROM memberships_organizationmembershiprole given
        JOIN organizations_organizationrole role ON role.id = role_id
        JOIN memberships_organizationmembership membership ON membership.id = membership_id
        JOIN organizations_organization place ON place.id = membership.organization_id
        WHERE place.name = 'Fifty Ltd' GROUP BY 1
    """
    assert demo.sql(roles) == [("Member", 50)]
    clicks.find("fifty", "Organizations")
    clicks.on(page.get_by_role("link", name="All members: 50"))
    clicks.here(page.get_by_label("Select all"))
    page.locator(".action-select").last.click(trial=True)  # the bar of actions does not cover the last row
    clicks.run("Change roles")
    clicks.choose("#id_give", "Buyer")
    clicks.choose("#id_take", "Member")
    clicks.on(page.get_by_role("button", name="Preview"))
    expect(page.get_by_role("heading", name="Preview: 50 of 50 will change")).to_be_visible()
    clicks.on(page.get_by_role("button", name="Apply"))
    expect(page.get_by_text("Change roles: 50 changed.")).to_be_visible()
    assert demo.sql(roles) == [("Buyer", 50)]
    moved = clicks.number
    clicks.on(page.get_by_role("link", name="Undo", exact=True))
    expect(page.get_by_role("heading", name="Preview: 100 changes will be taken back")).to_be_visible()
    clicks.on(page.get_by_role("button", name="Undo", exact=True))
    assert demo.sql(roles) == [("Member", 50)]
    assert moved == documented("move the 50 people of an organization to another role")
    assert clicks.number - moved == documented("take that back")


def test_an_import_of_1000_rows_is_taken_back(page: Page, demo: Demo, tmp_path: Path) -> None:
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
    page.goto(f"{demo.base_url}/admin/memberships/workspacemembership/import/")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    report = page.get_by_role("status")
    expect(report).to_contain_text("1,000 rows, no errors.")
    at_once = report.get_by_role("link", name="Undo").get_attribute("href")

    clicks = home(page, demo)
    clicks.on(page.get_by_role("link", name="Undo Import of roster.csv, 1,000 rows"))
    assert page.url == f"{demo.base_url}{at_once}"
    expect(page.get_by_role("heading", name="Preview: 3,000 changes will be taken back")).to_be_visible()
    expect(page.locator("[data-preview] li")).to_have_count(201)
    clicks.on(page.get_by_role("button", name="Undo", exact=True))
    expect(page.get_by_text("Undone: Import of roster.csv, 1,000 rows. Changes: 3,000.")).to_be_visible()
    assert demo.sql(memberships) == before
    assert clicks.number == documented("undo an import of 1,000 rows")

    follow(page, page.get_by_role("link", name="Undo", exact=True).first)
    expect(page.get_by_role("heading", name="Undo “Undo of Import of roster.csv, 1,000 rows”")).to_be_visible()
    follow(page, page.get_by_role("button", name="Undo", exact=True))
    assert len(demo.sql(memberships)) == len(before) + 1000


def test_who_removed_a_member_last_week_is_found(page: Page, demo: Demo) -> None:
    """By the person, whatever they did since; by those who are gone; and by an organization that is gone."""
    page.goto(f"{demo.base_url}/admin/memberships/organizationmembership/?q=gus nordlys")
    page.get_by_label("Select all").check()
    Clicks(page).run("Remove from the organization")
    follow(page, page.get_by_role("button", name="Apply"))
    demo.sql(AGED)
    removal = re.compile(r"Organization membership \d+ \(.*gus@demo\.example")

    clicks = home(page, demo)
    clicks.find("gus", "Users")
    line = page.locator(".staff-changes li", has_text=removal).filter(has_text="deleted")
    expect(line).to_contain_text("Nordlys Logistikk")
    expect(line).to_contain_text("admin · Staff from 127.0.0.1")
    assert clicks.number == documented("find who removed a member last week")

    for _ in range(10):  # more than the overview shows
        demo.sql("UPDATE accounts_user SET first_name = first_name || '!' WHERE email = 'gus@demo.example'")
    clicks = home(page, demo)
    clicks.find("gus", "Users")
    clicks.on(page.get_by_role("link", name="History"))
    clicks.on(page.get_by_role("link", name="Only deletions"))
    row = page.locator("#result_list tbody tr", has_text=removal).first
    expect(row).to_contain_text("admin · Staff from 127.0.0.1")
    assert clicks.number == documented("the same, of a person with many changes since")

    ((user, organization),) = demo.sql("""
        SELECT member.id, place.id FROM accounts_user member JOIN organizations_organization place USING (deployment_id)
        WHERE email = 'gus@demo.example' AND place.name = 'Nordlys Logistikk'
    """)
    page.goto(f"{demo.base_url}/admin/accounts/user/{user}/delete/")
    follow(page, page.get_by_role("button", name="Yes, delete"))
    page.goto(f"{demo.base_url}/admin/organizations/organization/{organization}/delete/")
    page.locator("input[name=typed_name]").fill("Nordlys Logistikk")
    follow(page, page.get_by_role("button", name="Yes, delete"))
    for name, text in (("person", "gus@demo.example"), ("place", "nordlys logistikk")):
        clicks = home(page, demo)
        clicks.on(page.get_by_role("link", name="Audit log"))
        clicks.here(page.get_by_role("button", name="Filters"))
        clicks.type(page.locator(f"input[name={name}]"), text)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        row = page.locator("#result_list tbody tr", has_text=removal).filter(has_text="Deleted")
        expect(row.filter(has_text="admin · Staff from 127.0.0.1")).to_contain_text("Nordlys Logistikk")
        assert clicks.number == documented("the same, of a person or an organization that is gone")


def test_a_person_is_offboarded_everywhere(page: Page, demo: Demo, clicks: Clicks) -> None:
    clicks.find("dmitri", "Users")
    clicks.on(page.get_by_role("button", name="Offboard"))
    expect(page.locator("[data-preview]")).to_contain_text("leaves 6 organizations, is disabled")
    clicks.on(page.get_by_role("button", name="Apply"))
    expect(page.locator(".staff-facts")).to_contain_text("disabled")
    assert clicks.number == documented("offboard a person everywhere")
    left = "JOIN accounts_user member ON member.id = user_id WHERE email = 'dmitri@demo.example'"
    for table in ("memberships_organizationmembership", "memberships_workspacemembership"):
        assert demo.sql(f"SELECT 1 FROM {table} {left}") == []
    assert demo.sql(f"SELECT 1 FROM accounts_signin {left} AND ended_at IS NULL") == []
