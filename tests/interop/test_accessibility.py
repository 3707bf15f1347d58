"""axe-core, which holds pages against WCAG, on the pages of our own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.interop.conftest import MODULES
from tests.support.browser import Chromium, Demo, as_new, follow, in_a_browser, sign_in_as_staff_by_form
from tests.support.playground import open_account, set_up_an_authenticator, sign_in

PAGES = {
    "a list": "/admin/memberships/workspacemembership/",
    "home": "/admin/",
    "a list with filters in use": "/admin/accounts/user/?q=demo&disabled__exact=0",
    "a long form with inlines": "/admin/organizations/organization/1/change/",
    "a user": "/admin/accounts/user/1/change/",
    "a user's overview": "/admin/accounts/user/1/overview/",
    "an overview without rows": "/admin/accounts/user/2/overview/",
    "an organization's overview": "/admin/organizations/organization/1/overview/",
    "a workspace's overview": "/admin/organizations/workspace/1/overview/",
    "a membership": "/admin/memberships/workspacemembership/1/change/",
    "an empty form": "/admin/memberships/workspacemembership/add/",
    "a read-only page": "/admin/accounts/signingkey/1/change/",
    "a question": "/admin/organizations/organization/1/delete/",
    "a history": "/admin/organizations/organization/1/history/",
    "the audit log": "/admin/audit/auditentry/",
    "staff": "/admin/auth/user/",
    "one of the staff": "/admin/auth/user/1/change/",
    "why a user cannot enter": "/admin/accounts/user/1/why-not/?address=203.0.113.7",
    "MFA to set up": "/admin/mfa/",
    "a password to change": "/admin/password_change/",
}
Scheme = Literal["light", "dark"]
SCHEMES: list[Scheme] = ["light", "dark"]
each_scheme = pytest.mark.parametrize("scheme", SCHEMES)


@pytest.fixture(scope="module")
def staff_page(chromium: Chromium, browser: Browser, demo: Demo) -> Iterator[Page]:
    """A page that is signed in to the admin."""
    with as_new(chromium.other_page, demo) as page:
        sign_in_as_staff_by_form(page, demo)
        yield page


AXE = """async ([impacts, tag, without]) => {
    await document.fonts.ready;  // without its font, an icon passes for text
    for (const running of document.getAnimations()) if (running instanceof CSSTransition) running.finish();
    const serves = (rule) => impacts.includes(rule.impact) && (!tag || rule.tags.includes(tag));
    const others = axe._audit.rules.filter((rule) => !serves(rule));
    const rules = Object.fromEntries(others.map((rule) => [rule.id, { enabled: false }]));
    return axe.run({ exclude: without }, { resultTypes: ["violations"], selectors: false, rules });
}"""
"""Runs the rules of these impacts, which are those of their findings, or only those with this tag."""
SIDEBAR = "#nav-sidebar"
"""The same on each page of the admin, and most of what is to be seen on many."""
SHORTEN = """
    for (const row of document.querySelectorAll("#result_list tbody tr:nth-child(n + 9)")) row.remove();
"""
"""Leaves the first rows of a list: the others are like them."""
VISIBLE = "[...document.querySelectorAll('*')].filter((element) => element.checkVisibility()).length"


def violations(
    page: Page, impacts: Sequence[str] = ("serious", "critical"), *, tag: str = "", without: Sequence[str] = ()
) -> list[str]:
    """The findings of axe-core of these ``impacts``: rule, element and fault, a line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate((MODULES / "axe-core" / "axe.min.js").read_text())
    found: Any = page.evaluate(AXE, [[*impacts], tag, [*without]])
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
        if node["impact"] in impacts
    ]


def violations_in_each(schemes: Iterable[Scheme], page: Page, without: Sequence[str] = ()) -> list[str]:
    """The violations of the page in each of ``schemes``; to ask for the next of these sets it.

    Where both show the same elements, no more than colours can be wrong in the second alone.
    """
    found, seen = [], set()
    for scheme in schemes:
        visible = page.evaluate(VISIBLE)
        tag = "cat.color" if visible in seen else ""
        found += [f"{scheme}: {line}" for line in violations(page, tag=tag, without=without)]
        seen.add(visible)
    return found


def themes(page: Page) -> Iterator[Scheme]:
    """Switch the theme of a page of the admin as staff do, from that in which it opens, which was the last one."""
    page.evaluate(SHORTEN)
    is_dark = page.locator("html").evaluate("html => html.classList.contains('dark')")
    for scheme in reversed(SCHEMES) if is_dark else SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.evaluate("(theme) => Alpine.$data(document.documentElement).switchTheme(theme)", scheme)
        expect(page.locator("html")).to_have_class(re.compile(rf"\b{scheme}\b"))
        yield scheme


def colour_schemes(page: Page) -> Iterator[Scheme]:
    """Prefer one and the other."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        yield scheme


@in_a_browser
@pytest.mark.usefixtures("node")
@each_scheme
def test_the_sign_in_page_is_accessible(page: Page, demo: Demo, scheme: Scheme) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{demo.base_url}/admin/login/")
    assert violations(page) == []


@in_a_browser
@pytest.mark.usefixtures("node")
def test_the_docs_have_no_critical_finding(page: Page, demo: Demo) -> None:
    """Lesser findings are in Swagger UI's own markup and colours; none about colours is critical."""
    page.goto(f"{demo.base_url}/docs/")
    page.locator("#operations-Sign-in-SignIn .opblock-summary-control").click()
    page.locator("#operations-Sign-in-AttemptVerification .opblock-summary-control").click()
    page.locator("#operations-Me-GetUserWorkspaceMemberships .opblock-summary-control").click()
    page.get_by_role("button", name="Execute").first.click()
    page.locator(".live-responses-table").wait_for()
    page.locator(".scheme-container").get_by_role("button", name="Authorize").click()
    page.get_by_role("heading", name="Available authorizations").wait_for()
    assert violations(page, ["critical"]) == []


@in_a_browser
@pytest.mark.usefixtures("node")
def test_the_pages_for_staff_are_accessible(staff_page: Page, demo: Demo) -> None:
    found: dict[str, list[str]] = {}
    for name, address in PAGES.items():
        response = staff_page.goto(f"{demo.base_url}{address}")
        assert response is not None
        assert response.status == 200, name
        without = [SIDEBAR] if found else []
        found[name] = violations_in_each(themes(staff_page), staff_page, without)
    for name, reach in reached_by_clicks(staff_page, demo).items():
        reach()
        found[name] = violations_in_each(themes(staff_page), staff_page, [SIDEBAR])
    assert {name: faults for name, faults in found.items() if faults} == {}


def reached_by_clicks(page: Page, demo: Demo) -> dict[str, Callable[[], None]]:
    """Pages as they are after some clicks, each under a name."""
    demo.sql("UPDATE organizations_organization SET description = description || '.' WHERE id = 1")
    ((entry,),) = demo.sql("SELECT min(id) FROM audit_auditentry WHERE model = 'accounts.emailaddress'")

    def click(address: str, role: Literal["button", "link"], name: str) -> None:
        page.goto(f"{demo.base_url}/admin/{address}")
        follow(page, page.get_by_role(role, name=name).first)

    def search(address: str) -> None:
        page.goto(f"{demo.base_url}/admin/{address}")
        if address:
            page.keyboard.press("Control+k")
        page.get_by_role("combobox", name="Search").first.fill("ada")
        expect(page.get_by_role("option").first).to_be_visible()

    def open_filters() -> None:
        page.goto(f"{demo.base_url}/admin/audit/auditentry/")
        page.get_by_role("button", name="Filters").click()
        expect(page.locator("input[name=person]")).to_be_visible()

    def open_choices() -> None:
        click("accounts/user/1/overview/", "button", "Add to a workspace")
        page.locator("#id_workspace + .select2-container").click()
        expect(page.get_by_role("option").first).to_be_visible()

    return {
        "results of the search": lambda: search(""),
        "results of the search elsewhere": lambda: search("accounts/user/"),
        "filters of the audit log": open_filters,
        "the changes of an action": lambda: click("accounts/user/1/history/", "link", "one action"),
        "an undo": lambda: click("", "link", "Undo"),
        "an undo that is refused": lambda: click(f"audit/auditentry/{entry}/change/", "link", "Undo"),
        "an offboarding": lambda: click("accounts/user/1/overview/", "button", "Offboard"),
        "an erasure": lambda: click("accounts/user/1/overview/", "button", "Erase"),
        "an action that asks, with choices open": open_choices,
    }


@in_a_browser
@pytest.mark.usefixtures("node")
def test_the_menus_of_a_list_are_accessible(staff_page: Page, demo: Demo) -> None:
    """With a saved view open, and changed since."""
    ((view,),) = demo.sql(
        "INSERT INTO staff_savedview (staff_id, model, name, query, columns)"
        " SELECT id, 'accounts.user', 'Disabled', 'disabled__exact=1', '{}' FROM auth_user WHERE username = 'admin'"
        " ON CONFLICT (staff_id, model, name) DO UPDATE SET query = excluded.query RETURNING id"
    )
    staff_page.goto(f"{demo.base_url}/admin/accounts/user/?q=demo&view={view}")
    menus = staff_page.locator("details.staff-menu")
    expect(menus).to_have_count(3)
    for menu in menus.all():
        menu.locator("summary").click()
        expect(menu.locator("form")).to_be_visible()
        assert violations_in_each(themes(staff_page), staff_page, [SIDEBAR]) == []


@in_a_browser
@pytest.mark.usefixtures("node")
def test_the_playground_is_accessible(page: Page, demo: Demo) -> None:
    for view in ("sign-in", "sign-up", "forgotten"):
        page.goto(f"{demo.base_url}/#{view}")
        expect(page.locator(f"#{view}-title")).to_be_visible()
        assert violations_in_each(colour_schemes(page), page) == []
    form = page.locator("#forgotten-form")
    form.get_by_label("E-mail address").fill("chioma@demo.example")
    form.get_by_role("button").click()
    expect(page.locator("#mail-list pre").first).to_contain_text("Enter this code")
    assert violations_in_each(colour_schemes(page), page) == []
    sign_in(page, demo, "ada", "wrong")
    expect(page.get_by_role("status")).to_contain_text("(40108)")
    assert violations_in_each(colour_schemes(page), page) == []
    sign_in(page, demo, "elodie")
    expect(page.locator(".card").first).to_be_visible()
    assert violations_in_each(colour_schemes(page), page) == []
    open_account(page)
    set_up_an_authenticator(page)
    page.get_by_role("button", name="Make backup codes").click()
    expect(page.locator("#backup-codes li")).to_have_count(10)
    page.locator("#deletion summary").click()
    assert violations_in_each(colour_schemes(page), page) == []
    page.get_by_role("button", name="Make new backup codes").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations_in_each(colour_schemes(page), page) == []
