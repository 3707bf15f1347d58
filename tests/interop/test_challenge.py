"""The public Cap widget in a real browser solves the challenge, and its token signs a user in, once."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.interop.conftest import MODULES
from tests.support.browser import Demo, in_a_browser

PAGE = """<!doctype html><title>Sign in</title><link rel="icon" href="data:,"><script src="/cap.min.js"></script>"""

SIGN_IN = """async ([service, password]) => {
    window.CAP_SILENT = true;
    const cap = new window.Cap({ apiEndpoint: `${service}/captcha/` });
    const { success, token } = await cap.solve();
    const send = async (path, fields) => {
        const body = new FormData();
        for (const [name, value] of Object.entries(fields)) body.append(name, value);
        const response = await fetch(`${service}${path}`, { method: "POST", body, credentials: "include" });
        return { status: response.status, body: await response.json() };
    };
    const email = "chioma@demo.example";
    const signIn = { strategy: "plain_email", email, password };
    return {
        success,
        without: await send("/auth/signin", signIn),
        identified: await send("/auth/identify", { identifier: email, challenge_token: token }),
        signedIn: await send("/auth/signin", { ...signIn, challenge_token: token }),
        again: await send("/auth/signin", { ...signIn, challenge_token: token }),
    };
}"""


class _Pages(SimpleHTTPRequestHandler):
    """An empty page, and the widget's script."""

    def do_GET(self) -> None:
        is_script = self.path == "/cap.min.js"
        body = (MODULES / "@cap.js/widget/cap.min.js").read_bytes() if is_script else PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def front_end() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@in_a_browser
@pytest.mark.usefixtures("node")
def test_the_widget_solves_the_challenge_and_its_token_signs_in_once(
    browser: Browser, demo: Demo, front_end: str
) -> None:
    demo.sql(
        "UPDATE accounts_deployment SET challenge_demanded = true, challenge_difficulty = 1, "
        f"allowed_origins = ARRAY['{front_end}'] WHERE host = '127.0.0.1'"
    )
    page = browser.new_page()
    page.goto(front_end)
    result = page.evaluate(SIGN_IN, [demo.base_url, demo.password])
    page.close()
    assert result["success"] is True
    assert result["without"]["body"]["errors"][0]["code"] == 40005
    assert result["identified"]["body"]["data"] == {"strategy": "password"}
    assert result["signedIn"]["status"] == 200
    session = result["signedIn"]["body"]["data"]
    assert session["active_signin"]["user"]["username"] == "chioma"
    assert session["signin_attempts"][-1]["completed"] is True
    assert session["signin_attempts"][-1]["current_step"] == ""
    assert result["again"]["body"]["errors"][0]["code"] == 40006
