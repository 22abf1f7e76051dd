"""What is done with selected runs: tags, archiving, deleting and bringing back, downloads; and who may do it."""

import csv
import io
import json
import re

import pytest
from playwright.sync_api import expect

from tests.ui.filling import RUNS, as_user, names, told


def table(server):
    return f"{server.url}/projects/{server.project}"


def select(page, *runs):
    for run in runs:
        page.get_by_role("checkbox", name=f"Select {run}", exact=True).check()


def downloaded(page, link):
    with page.expect_download() as waiting:
        link.click()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


def test_selected_runs_get_a_tag_and_lose_it(filled, watched):
    page = as_user(watched, filled)
    page.goto(table(filled))
    select(page, "run-0", "run-2")
    page.get_by_role("button", name="Tags", exact=True).click()
    page.get_by_role("textbox", name="Tag for the selected runs").fill("paper")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 runs tagged paper.")).to_be_visible()
    assert [told(filled, run)["tags"] for run in RUNS] == [["paper"], [], ["paper"]]
    remove = page.get_by_role("button", name="Remove tag paper from the selected runs")
    remove.click()
    expect(remove).to_have_count(0)
    assert [told(filled, run)["tags"] for run in RUNS] == [[], [], []]


def test_archived_runs_are_out_of_sight_until_they_are_asked_for(filled, watched):
    page = as_user(watched, filled)
    page.goto(table(filled))
    select(page, "run-1")
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(names(page)).to_have_text(["run-2", "run-0"])
    assert told(filled, RUNS[1])["archived"]
    page.get_by_role("button", name="Undo").click()
    expect(names(page)).to_have_text(["run-2", "run-1", "run-0"])
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(names(page)).to_have_count(2)
    page.get_by_role("combobox", name="Which runs").select_option("With archived")
    expect(names(page)).to_have_count(3)
    mine = page.get_by_role("row").filter(has=page.get_by_role("link", name="run-1", exact=True))
    expect(mine).to_contain_text("archived")
    page.reload()
    expect(names(page)).to_have_count(3)
    select(page, "run-1")
    page.get_by_role("button", name="Unarchive").click()
    expect(mine).not_to_contain_text("archived")
    assert not told(filled, RUNS[1])["archived"]


def test_deleting_asks_first_and_is_undone(filled, watched):
    page = as_user(watched, filled)
    page.goto(table(filled))
    select(page, "run-0", "run-1")
    page.get_by_role("button", name="Delete…").click()
    window = page.get_by_role("dialog", name="Delete 2 runs?")
    expect(window.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(window).to_have_count(0)
    expect(page.get_by_role("button", name="Delete…")).to_be_focused()
    page.keyboard.press("Enter")
    window.get_by_role("button", name="Delete 2 runs").click()
    expect(names(page)).to_have_text(["run-2"])
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    undo.click()
    expect(names(page)).to_have_text(["run-2", "run-1", "run-0"])


def test_what_was_deleted_earlier_is_brought_back(filled, watched):
    for run in RUNS[:2]:
        assert filled.ask("DELETE", f"/api/v1/projects/{filled.project}/runs/{run}").status == 200
    page = as_user(watched, filled)
    page.goto(table(filled))
    expect(names(page)).to_have_text(["run-2"])
    page.get_by_role("combobox", name="Which runs").select_option("Deleted")
    rows = page.get_by_role("table", name="Deleted runs").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="run-0")).to_contain_text("admin")
    page.get_by_role("checkbox", name="Select run-0").check()
    page.get_by_role("button", name="Bring back 1 run").click()
    expect(rows).to_have_count(1)
    page.get_by_role("combobox", name="Which runs").select_option("Current")
    expect(names(page)).to_have_text(["run-2", "run-0"])


def test_what_cannot_be_done_says_why_and_changes_nothing(filled, watched):
    page = as_user(watched, filled)
    page.goto(table(filled))
    select(page, "run-0", "run-1")
    page.route("**/changes", lambda route: route.abort())
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("not done: the server cannot be reached")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete 2 runs").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("cannot be reached")
    page.unroute("**/changes")
    page.get_by_role("button", name="Delete 2 runs").click()
    expect(names(page)).to_have_text(["run-2"])


def test_the_table_is_downloaded_as_it_is_filtered(filled, watched):
    page = as_user(watched, filled)
    page.goto(f"{table(filled)}?where=metrics.loss >= 1&columns=status,metrics.loss&sort=name")
    expect(names(page)).to_have_text(["run-1", "run-2"])
    page.get_by_role("button", name="Export").click()
    shown = page.get_by_role("region", name="Table, the columns shown")
    name, body = downloaded(page, shown.get_by_role("link", name="CSV", exact=True))
    assert name == f"{filled.project}-runs.csv"
    rows = list(csv.reader(io.StringIO(body.decode())))
    assert rows == [
        ["id", "name", "status", "metrics.loss"],
        [RUNS[1], "run-1", "completed", "1"],
        [RUNS[2], "run-2", "completed", "2"],
    ]  # fmt: skip
    _, body = downloaded(page, shown.get_by_role("link", name="Parquet"))
    assert body[:4] == b"PAR1"
    every = page.get_by_role("region", name="Every point of their metrics")
    _, body = downloaded(page, every.get_by_role("link", name="JSON"))
    assert [point["run"] for point in json.loads(body)] == RUNS[1:]
    page.keyboard.press("Escape")
    select(page, "run-2")
    page.get_by_role("button", name="Export").click()
    _, body = downloaded(page, shown.get_by_role("link", name="JSON"))
    assert [run["id"] for run in json.loads(body)] == [RUNS[2]]


def test_a_reader_compares_and_downloads_and_no_more(filled, watched):
    page = as_user(watched, filled, filled.token("rosa", "reader", member=True))
    page.goto(f"{table(filled)}?show=deleted")
    expect(names(page)).to_have_count(3)
    select(page, "run-0")
    expect(page.get_by_role("link", name="Compare")).to_be_visible()
    expect(page.get_by_role("button", name="Export")).to_be_visible()
    for button in ("Tags", "Archive", "Delete…"):
        expect(page.get_by_role("button", name=button, exact=True)).to_have_count(0)
    expect(page.get_by_role("option", name="Deleted")).to_have_count(0)


def test_runs_of_this_machine_are_tagged_archived_and_downloaded(own_site, watched):
    page = watched.page
    page.goto(own_site.address)
    select(page, "rate-0.1", "rate-0.3")
    expect(page.get_by_role("button", name="Delete…")).to_have_count(0)
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(names(page)).to_have_text(["rich", "rate-0.2"])
    page.get_by_role("button", name="Undo").click()
    expect(names(page)).to_have_count(4)
    page.get_by_role("button", name="Export").click()
    region = page.get_by_role("region", name="Table, every column")
    _, body = downloaded(page, region.get_by_role("link", name="CSV", exact=True))
    assert [row["name"] for row in csv.DictReader(io.StringIO(body.decode()))] == ["rate-0.3", "rate-0.1"]


@pytest.mark.parametrize("show", ["", "archived", "deleted"])
def test_the_table_and_its_bars_fit_a_telephone(filled, watched, show):
    page = as_user(watched, filled)
    page.set_viewport_size({"width": 400, "height": 700})
    page.goto(f"{table(filled)}?show={show}&selected={RUNS[0]}")
    expect(page.get_by_role("combobox", name="Which runs")).to_be_visible()
    if show != "deleted":
        expect(page.get_by_role("button", name="Delete…")).to_be_visible()
        page.get_by_role("button", name="Export").click()
        box = page.get_by_role("dialog", name="Export").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 400
        expect(page).to_have_url(re.compile("selected"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
