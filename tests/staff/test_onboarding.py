"""A customer from nothing, in the pages for staff as a browser shows them; then in the API, and a refusal explained."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Demo, choose, follow, in_a_browser, open_home, sign_in_as_staff

pytestmark = in_a_browser

PASSWORD = "a harbour full of cranes"
LIV, TOVE = MEMBERS = ["liv@fjord.example", "tove@fjord.example"]
OFFICE = "203.0.113.0/24"


def one_more(page: Page, rows: str) -> Locator:
    """A new row among ``rows`` of the page's own row."""
    group = page.locator(f"#{rows}-group")
    present = group.locator("tr.form-row:visible")
    number = present.count()
    group.get_by_role("link", name="Add another").click()
    expect(present).to_have_count(number + 1)
    return present.last


def add(page: Page, title: str, of: str) -> None:
    """Open the form of a new one of the list ``title`` of the sidebar, and choose what it belongs ``of`` to."""
    follow(page, page.get_by_role("navigation").get_by_role("link", name=title, exact=True).first)
    follow(page, page.get_by_title("Add "))
    choose(page, page.locator("#id_deployment"), of)


def field(page: Page | Locator, name: str) -> Locator:
    return page.locator(f"[name={name}], [name$=-{name}]")


def save(page: Page, button: str = "Save") -> None:
    follow(page, page.get_by_role("button", name=button, exact=True))
    expect(page.get_by_text("successfully")).to_be_visible()


def make_users(page: Page) -> None:
    for email in MEMBERS:
        add(page, "Users", of="Demo")
        page.locator("#id_email").fill(email)
        page.locator("#id_new_password").fill(PASSWORD)
        save(page)


def make_the_organization(page: Page) -> None:
    """With its workspaces, a role of its own and its members in one form."""
    add(page, "Organizations", of="Demo")
    page.locator("#id_name").fill("Fjord Freight")
    for name in ("Quay", "Depot"):
        field(one_more(page, "workspaces"), "name").fill(name)
    role = one_more(page, "roles")
    field(role, "name").fill("Dispatcher")
    field(role, "permissions").fill("freight:send\nfreight:see")
    for email in MEMBERS:
        member = one_more(page, "memberships")
        choose(page, field(member, "user"), f"{email} (Demo)")
        choose(page, field(member, "given"), "Member (Demo)")
    save(page, "Save and continue editing")
    expect(page.locator("#memberships-group")).to_contain_text(LIV)


def fill_the_workspace(page: Page) -> None:
    """It gets an allow-list, whose first line is wrong at first, a role, and in a second step members with roles."""
    follow(page, page.get_by_role("link", name="Open Quay"))
    page.locator("#id_enable_ip_restriction").press("Space")
    page.locator("#id_whitelisted_ips").fill(f"203.0.113.300\n{OFFICE}")
    expect(page.get_by_text("Line 1:")).to_be_visible()
    page.locator("#id_whitelisted_ips").fill(OFFICE)
    expect(page.get_by_text("Line 1:")).to_be_hidden()
    role = one_more(page, "roles")
    field(role, "name").fill("Crane driver")
    field(role, "permissions").fill("crane:drive")
    save(page, "Save and continue editing")
    for email, roles in {
        LIV: ["Member (Demo)", "Crane driver (Quay)"],
        TOVE: ["Admin (Demo)"],
    }.items():
        member = one_more(page, "memberships")
        choose(page, field(member, "user"), f"{email} (Demo)")
        for name in roles:
            choose(page, field(member, "given"), name)
    save(page)


def answer_to(page: Page, demo: Demo, email: str) -> Any:
    """The API's answer to ``email`` after a sign-in."""
    credentials = {"strategy": "plain_email", "email": email, "password": PASSWORD}
    origin = {"Origin": demo.base_url}  # as a browser says by itself
    assert page.request.post(f"{demo.base_url}/auth/signin", data=credentials, headers=origin).status == 200
    answer = page.request.get(f"{demo.base_url}/me/workspace-memberships")
    assert answer.status == 200
    return answer.json()


def test_a_customer_is_onboarded_and_a_refusal_explained(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)
    open_home(page, demo)
    make_users(page)
    make_the_organization(page)
    fill_the_workspace(page)

    (membership,) = answer_to(page, demo, LIV)["data"]
    assert (membership["organization"]["name"], membership["workspace"]["name"]) == ("Fjord Freight", "Quay")
    assert [role["name"] for role in membership["roles"]] == ["Member", "Crane driver"]
    assert membership["workspace"]["whitelisted_ips"] == [OFFICE]
    assert membership["workspace"]["member_count"] == membership["organization"]["member_count"] == 2
    assert membership["eligibility_restriction"]["type"] == "ip_not_allowed"

    open_home(page, demo)
    page.get_by_role("combobox", name="Search").fill(LIV)
    follow(page, page.get_by_role("group", name="Users").get_by_role("option", name=LIV))
    follow(page, page.get_by_role("link", name="Why can't they enter?"))
    quay = page.locator("tr[data-workspace]").filter(has=page.get_by_role("rowheader", name="Quay"))
    expect(page.get_by_label("IP address")).to_have_value("127.0.0.1")  # where they signed in from
    expect(quay).to_contain_text("Access denied")
    expect(quay).to_contain_text("ip_not_allowed")
    expect(quay).to_contain_text(f"The address is not in {OFFICE}.")
    page.get_by_label("IP address").fill("203.0.113.7")
    page.get_by_role("button", name="Check access").click()
    expect(quay).to_contain_text("Access allowed")
    quay.get_by_text("All rules").click()
    expect(quay).to_contain_text(f"The address is in {OFFICE}.")
