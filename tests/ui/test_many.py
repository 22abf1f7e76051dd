"""Many runs: only those in sight are elements, and more come when they are scrolled to."""

import json

import pytest
from playwright.sync_api import expect

from tests.browsers import Site

MANY = 450


@pytest.fixture(scope="module")
def many_site(tmp_path_factory, chromium):
    root = tmp_path_factory.mktemp("many")
    for number in range(MANY):
        run = root / "runs" / "lab" / f"20260101-{number:06d}-000-{number:08x}"
        run.mkdir(parents=True)
        records = [
            {"type": "run", "time": 1000.0 + number, "id": run.name, "name": f"run-{number}", "project": "lab"},
            {"type": "metrics", "time": 2000.0 + number, "values": {"loss": (number * 7) % MANY}, "step": 1},
            {"type": "end", "time": 3000.0 + number, "status": "completed"},
        ]
        (run / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    site = Site(root / "runs", root / "cache").start()
    yield site
    site.end()


def test_rows_are_fetched_and_made_as_they_are_scrolled_to(many_site, watched):
    page = watched.page
    page.goto(many_site.address)
    total = page.get_by_role("status", name="Number of runs")
    expect(total).to_have_text(f"{MANY} runs")  # they appear as they are indexed
    box = page.get_by_role("region", name="Runs")
    last = page.get_by_role("link", name="run-0", exact=True)
    while not last.is_visible():
        box.evaluate("box => box.scrollTo(0, box.scrollHeight)")
        assert page.locator("table.runs tbody tr").count() < 80
    expect(page.get_by_role("row").filter(has=last)).to_have_attribute("aria-rowindex", str(MANY + 1))
    page.get_by_role("button", name="Sort by metrics.loss").click()
    total = page.get_by_role("status", name="Number of runs")
    expect(total).to_have_text(f"{MANY} runs")  # they appear as they are indexed
    box.evaluate("box => box.scrollTo(0, 0)")
    expect(page.locator("tbody th[scope=row]").first).to_have_text("run-257")  # 257 · 7 = 449 modulo 450


def test_the_table_fits_a_narrow_window(many_site, watched):
    page = watched.page
    page.set_viewport_size({"width": 800, "height": 600})
    page.goto(many_site.address)
    expect(page.get_by_role("link", name="run-449", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    assert page.evaluate("document.documentElement.scrollHeight") <= 600
