"""The playground, and pages on other origins, in a real browser against the real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pyotp
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django import Settings

from demo.data import TOTP_SECRET
from tests.support.api import MEMBERSHIPS
from tests.support.browser import Demo, in_a_browser
from tests.support.playground import fits, open_account, set_up_an_authenticator, sign_in, sign_up, use_a_phone
from tests.support.server import request


def card(page: Page, workspace: str) -> Any:
    return page.locator(f'[data-workspace="{workspace}"]')


def session_cookie(page: Page) -> str:
    (value,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "__session"]
    return f"__session={value}"


@in_a_browser
def test_a_user_signs_in_sees_the_memberships_and_signs_out_for_good(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "ada")
    expect(page.locator(".card")).to_have_count(7)
    expect(card(page, "Havn · Harbour")).to_contain_text("Nordlys Logistikk")
    expect(card(page, "Havn · Harbour")).to_contain_text("Håndterer farlig gods")
    expect(card(page, "Tog · Trains")).to_contain_text("Dispatcher")
    expect(card(page, "Kasse")).to_contain_text("Connect from a network")
    expect(page.locator("#answer")).to_contain_text('"eligibility_restriction"')
    cookie = session_cookie(page)
    assert request(demo.base_url, MEMBERSHIPS, Cookie=cookie).status == 200
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_contain_text("signed out")
    assert request(demo.base_url, MEMBERSHIPS, Cookie=cookie).status == 401
    page.reload()
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()


@in_a_browser
def test_the_page_solves_a_challenge_that_is_demanded(page: Page, demo: Demo) -> None:
    demo.sql(
        "UPDATE accounts_deployment SET challenge_demanded = true, challenge_difficulty = 1 WHERE host = '127.0.0.1'"
    )
    sign_in(page, demo, "chioma", "wrong")
    expect(page.get_by_role("status")).to_contain_text("(40108)")
    sign_in(page, demo, "chioma")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.get_by_role("status")).to_be_empty()
    page.get_by_role("button", name="Sign out").click()
    sign_up(page, demo, "proven@demo.example", "an unusual sentence")
    demo.sql("UPDATE accounts_deployment SET challenge_demanded = false WHERE host = '127.0.0.1'")


@in_a_browser
def test_the_cookie_is_out_of_reach_of_scripts(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "chioma")
    expect(page.locator(".card")).to_have_count(1)
    assert page.evaluate("document.cookie") == ""
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")


@in_a_browser
def test_a_wrong_password_shows_its_error_and_loses_no_input(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "elodie@demo.example", "wrong")
    expect(page.get_by_role("status")).to_contain_text("The name or the password is wrong. (40108)")
    expect(page.get_by_label("E-mail address or username")).to_have_value("elodie@demo.example")


@in_a_browser
def test_an_authenticator_is_asked_for_after_the_password(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "fumiko")
    code = page.get_by_role("textbox", name="Code of your authenticator, or a backup code")
    code.fill("000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("status")).to_contain_text("40109")
    code.fill(pyotp.TOTP(TOTP_SECRET).now())
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".card")).to_have_count(3)


@in_a_browser
def test_the_list_is_filtered_by_organization(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "dmitri")
    expect(page.locator(".card")).to_have_count(60)
    page.get_by_role("combobox", name="Organization").select_option(label="Контора 4")
    expect(page.locator(".card")).to_have_count(10)
    expect(page.locator("#request")).to_contain_text("?org_id=")


@in_a_browser
def test_entering_is_refused_until_address_and_mfa_are_right(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "ada")
    card(page, "Havn · Harbour").get_by_role("button").click()
    expect(card(page, "Havn · Harbour")).to_have_class("card active")
    card(page, "Kasse").get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("Connect from a network that the organization “Café Übergröße”")
    card(page, "第一工場").get_by_role("button").click()
    expect(page.get_by_role("status")).to_contain_text("Set up multi-factor authentication (MFA)")
    expect(card(page, "Havn · Harbour")).to_have_class("card active")

    open_account(page)
    set_up_an_authenticator(page)
    page.get_by_role("link", name="Workspaces").click()
    card(page, "第一工場").get_by_role("button").click()
    expect(card(page, "第一工場")).to_have_class("card active")


@in_a_browser
def test_it_fits_a_phone_and_a_keyboard(page: Page, demo: Demo) -> None:
    use_a_phone(page)
    page.goto(demo.base_url)
    page.get_by_role("button", name="chioma").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Password", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#memberships-title")).to_be_focused()
    fits(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Organization")).to_be_focused()


@in_a_browser
def test_on_a_phone_the_outcome_is_in_view_wherever_one_has_scrolled_to(page: Page, demo: Demo) -> None:
    use_a_phone(page)
    sign_in(page, demo, "dmitri")
    page.locator(".card").last.get_by_role("button").click()
    expect(page.locator("#notice")).to_contain_text("You are in")
    expect(page.locator("#notice")).to_be_in_viewport(ratio=1)


@in_a_browser
def test_a_keyboard_stays_where_it_entered(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "dmitri")
    button = page.locator(".card:not(.active)").nth(3).get_by_role("button")
    name = str(button.get_attribute("aria-label")).removeprefix("Enter: ")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"You are here: {name}")).to_be_focused()


def test_it_is_there_in_demo_mode_only(settings: Settings) -> None:
    settings.DEMO = True
    assert Client().get("/").status_code == 200
    settings.DEMO = False
    response = Client().get("/")
    assert response.status_code == 404
    assert response.json()["errors"][0]["code"] == 40401


# --- pages on other origins ---

CALLS = """
async ([base, password]) => {
  const call = async (method, path, body) => {
    const options = { method, credentials: "include" };
    if (body) Object.assign(options, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const response = await fetch(base + path, options);
    return { status: response.status, body: await response.json() };
  };
  const outcomes = {};
  const note = async (name, action) => {
    try { outcomes[name] = await action(); } catch (error) { outcomes[name] = "blocked"; }
  };
  await note("session", async () => (await call("GET", "/session")).status);
  const credentials = { strategy: "plain_username", username: "chioma", password };
  await note("sign-in", async () => (await call("POST", "/auth/signin", credentials)).status);
  let id = "1";
  await note("list", async () => {
    const { status, body } = await call("GET", "/me/workspace-memberships");
    id = body.data[0].workspace.id;
    return status;
  });
  await note("switch", async () => (await call("POST", `/session/switch-workspace?workspace_id=${id}`)).status);
  await note("token", async () => (await call("GET", "/session/token")).status);
  await note("sign-out", async () => (await call("POST", "/session/sign-out")).status);
  return outcomes;
}
"""


@contextmanager
def another_origin(html: str = "<!doctype html><title>Another site</title>") -> Iterator[str]:
    """A web site at another port, with one page."""

    class OnePage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), OnePage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def allow(demo: Demo, *origins: str) -> None:
    with psycopg.connect(demo.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE accounts_deployment SET allowed_origins = %s WHERE host = '127.0.0.1'", [list(origins)]
        )


@in_a_browser
def test_a_page_of_an_allowed_origin_can_do_all_of_it(page: Page, demo: Demo) -> None:
    with another_origin() as origin:
        allow(demo, origin)
        page.goto(origin)
        outcomes = page.evaluate(CALLS, [demo.base_url, demo.password])
    assert outcomes == dict.fromkeys(["session", "sign-in", "list", "switch", "token", "sign-out"], 200)


@in_a_browser
def test_the_documented_front_end_signs_in_with_mfa_lists_and_switches(page: Page, demo: Demo) -> None:
    text = (settings.BASE_DIR / "docs" / "front-end.md").read_text()
    html = text.partition("```html\n")[2].partition("```")[0].replace("http://localhost:8000", demo.base_url)
    assert TOTP_SECRET in text
    with another_origin(html) as origin:
        allow(demo, origin)
        page.goto(origin)
        page.get_by_label("E-mail address").fill("fumiko@demo.example")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("wrong")
        page.get_by_label("Password").fill(demo.password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Code of your authenticator").fill(pyotp.TOTP(TOTP_SECRET).at(int(time.time()) + 30))
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading")).to_have_text("史子 田中")
        expect(page.get_by_role("listitem")).to_have_count(3)
        expect(page.get_by_role("listitem").filter(has_text="Coffre-fort")).to_contain_text("Connect from a network")
        bench = page.get_by_role("button", name="Loopback Labs: Bench")
        bench.click()
        expect(bench).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Password")).to_be_visible()


@in_a_browser
def test_a_page_of_another_origin_can_do_none_of_it(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "chioma")
    expect(page.locator(".card")).to_have_count(1)
    with another_origin() as origin:
        allow(demo, "https://app.example.com")
        page.goto(origin)
        outcomes = page.evaluate(CALLS, [demo.base_url, demo.password])
    assert set(outcomes.values()) == {"blocked"}
    assert request(demo.base_url, MEMBERSHIPS, Cookie=session_cookie(page)).status == 200, "it was signed out"


@in_a_browser
def test_a_form_of_another_origin_signs_nobody_out(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "chioma")
    expect(page.locator(".card")).to_have_count(1)
    cookie = session_cookie(page)
    with another_origin() as origin:
        page.goto(origin)
        page.set_content(f'<form method="post" action="{demo.base_url}/session/sign-out"><button>Win</button></form>')
        with page.expect_navigation():
            page.get_by_role("button").click()
    assert "40302" in page.content()
    assert request(demo.base_url, MEMBERSHIPS, Cookie=cookie).status == 200
