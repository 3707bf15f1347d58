"""The plots of the home page in a real browser: what is drawn is what the tables have."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Demo, follow, in_a_browser, open_home, sign_in_as_staff

pytestmark = in_a_browser

DRAWN = """
canvas => {
    const { labels, datasets } = Chart.getChart(canvas).data;
    return labels.map((label, i) => datasets.map(one => one.data[i])).reverse();
}
"""


@pytest.fixture
def counts(demo: Demo) -> None:
    demo.sql(
        """
        INSERT INTO accounts_dailycount (deployment_id, day, kind, slot, number)
        SELECT deployment.id, (now() AT TIME ZONE 'UTC')::date - ago, kind, 999, 1 + (ago * 7 + deployment.id * 3) % 23
        FROM accounts_deployment deployment, generate_series(0, 89) ago,
            unnest(ARRAY['active_users', 'sign_ins', 'failed_sign_ins', 'ip_not_allowed', 'mfa_required']) kind
        ON CONFLICT DO NOTHING
        """
    )


@pytest.mark.usefixtures("counts")
def test_staff_switch_days_and_deployment_and_read_tables(page: Page, demo: Demo) -> None:
    sign_in_as_staff(page, demo)
    open_home(page, demo)
    seen = set()
    for days in (7, 90, 30):
        follow(page, page.get_by_role("navigation", name="Days").get_by_role("link", name=f"{days} days"))
        seen.add(str(_read(page, "Active users", days)))
    page.get_by_label("Deployment").select_option(label="Demo (staging)")
    follow(page, page.get_by_role("button", name="Show"))
    seen.add(str(_read(page, "Active users", 30)))
    follow(page, page.get_by_role("navigation", name="Days").get_by_role("link", name="7 days"))
    expect(page.get_by_label("Deployment").locator("option:checked")).to_have_text("Demo (staging)")
    seen.add(str(_read(page, "Users kept out by a rule", 7)))
    assert len(seen) == 5

    page.set_viewport_size({"width": 360, "height": 720})
    page.wait_for_function("document.documentElement.scrollWidth === 360")  # charts shrink a frame later
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        text = page.locator(".staff-plots").evaluate("element => getComputedStyle(element).color")
        page.wait_for_function("color => Chart.defaults.color === color", arg=text)


def _read(page: Page, title: str, days: int) -> Any:
    """The numbers in the table of the plot, which are those that its chart draws."""
    plot = page.get_by_role("article", name=f"{title} a day")
    expect(plot.get_by_role("img")).to_be_visible()
    plot.get_by_text(f"{title} as a table").click()
    rows = plot.get_by_role("row").filter(has=page.get_by_role("rowheader"))
    expect(rows).to_have_count(days)
    read = [[int(cell) for cell in row.locator("td").all_inner_texts()] for row in rows.all()]
    assert read == plot.locator("canvas").evaluate(DRAWN)
    return read
