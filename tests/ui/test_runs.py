"""The table of runs: filter, sort, columns, tags, selection; many runs; live."""

import json
import re

from playwright.sync_api import expect

RUNS = ["rich", "rate-0.3", "rate-0.2", "rate-0.1"]


def names(page):
    return page.get_by_role("table", name="Runs").locator("tbody th[scope=row]")


def row(page, name):
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def query(page, name):
    """A part of the address."""
    found = re.search(rf"[?&]{name}=([^&]*)", page.url)
    return found.group(1) if found else None


def test_the_printed_address_shows_the_runs_newest_first(page):
    """And the key is gone from the address."""
    expect(page).to_have_url(re.compile(r"/projects/lab$"))
    expect(page).to_have_title("lab · autolog")
    expect(names(page)).to_have_text(RUNS)
    expect(page.get_by_role("status", name="Number of runs")).to_have_text("4 runs")
    expect(row(page, "rich")).to_contain_text("failed")
    expect(row(page, "rate-0.1")).to_contain_text("completed")
    expect(row(page, "rate-0.2").get_by_title("0.2", exact=True)).to_have_count(2)  # val_loss and lr


def test_the_query_language_filters_and_stands_in_the_address(page, site):
    field = page.get_by_role("combobox", name="Filter runs")
    field.fill("metrics.val_loss >= 0.2 and 'tuned' in tags")
    expect(names(page)).to_have_text(["rate-0.3", "rate-0.2"])
    assert query(page, "where")
    page.reload()
    expect(field).to_have_value("metrics.val_loss >= 0.2 and 'tuned' in tags")
    expect(names(page)).to_have_text(["rate-0.3", "rate-0.2"])
    field.fill("")
    expect(names(page)).to_have_count(4)


def test_a_wrong_query_is_explained_in_place_and_the_rows_stay(page):
    field = page.get_by_role("combobox", name="Filter runs")
    field.fill("metrics.val_loss =< 0.2")
    expect(page.get_by_role("alert")).to_contain_text("^")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(names(page)).to_have_count(4)
    field.fill("metrics.val_los < 9")
    expect(page.get_by_text("did you mean 'val_loss'")).to_be_visible()
    expect(names(page)).to_have_count(0)
    field.fill("")
    expect(names(page)).to_have_count(4)


def test_names_are_completed(page):
    field = page.get_by_role("combobox", name="Filter runs")
    expect(names(page)).to_have_count(4)
    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.type("metrics.train/l")
    expect(page.get_by_role("listbox", name="Names").get_by_role("option")).to_have_text(["metrics['train/loss']"])
    page.keyboard.press("Tab")
    expect(field).to_have_value("metrics['train/loss']")
    page.keyboard.type(" is not None")
    expect(names(page)).to_have_text(RUNS[1:])


def test_a_click_on_a_head_sorts(page):
    head = page.get_by_role("columnheader").filter(has_text="val_loss")
    button = page.get_by_role("button", name="Sort by metrics.val_loss")
    button.click()
    expect(names(page)).to_have_text(["rate-0.3", "rate-0.2", "rate-0.1", "rich"])
    expect(head).to_have_attribute("aria-sort", "descending")
    button.click()
    expect(names(page)).to_have_text(["rate-0.1", "rate-0.2", "rate-0.3", "rich"])
    assert query(page, "sort") == "metrics.val_loss"
    button.click()
    expect(names(page)).to_have_text(RUNS)
    assert query(page, "sort") is None


def test_columns_are_chosen_and_kept_in_the_address(page):
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("searchbox", name="Find a column").fill("accuracy")
    page.get_by_role("checkbox", name="metrics.train/accuracy.max", exact=True).check()
    page.get_by_role("searchbox", name="Find a column").fill("tags")
    page.get_by_role("checkbox", name="tags", exact=True).uncheck()
    page.keyboard.press("Escape")
    heads = page.get_by_role("columnheader")
    expect(heads.filter(has_text="max")).to_have_count(1)
    expect(heads.filter(has_text="tags")).to_have_count(0)
    page.reload()
    expect(heads.filter(has_text="max")).to_have_count(1)
    expect(heads.filter(has_text="tags")).to_have_count(0)
    expect(row(page, "rate-0.1")).to_contain_text("0.9926")


def test_tags_are_changed_where_they_stand_as_by_autolog_tag(own_site, watched):
    page = watched.page
    page.goto(own_site.address)
    mine = row(page, "rate-0.2")
    mine.hover()
    page.get_by_role("button", name="Add tag to rate-0.2").click()
    page.keyboard.type("paper")
    page.keyboard.press("Enter")
    expect(mine.locator(".tag")).to_have_text([re.compile("paper"), re.compile("tuned")])
    page.get_by_role("button", name="Remove tag tuned of rate-0.2").click()
    expect(mine.locator(".tag")).to_have_text([re.compile("paper")])
    edited = [path.read_text() for path in own_site.runs.glob("lab/*/journal.edits.jsonl")]
    assert len(edited) == 1
    tags = [record for line in edited[0].splitlines() if (record := json.loads(line))["type"] == "tags"]
    assert [(each.get("add", []), each.get("remove", [])) for each in tags] == [(["paper"], []), ([], ["tuned"])]


def test_selected_runs_are_compared(page):
    expect(page.get_by_role("link", name="Compare")).to_have_count(0)
    page.get_by_role("checkbox", name="Select rate-0.1").check()
    page.get_by_role("checkbox", name="Select rate-0.3").check()
    expect(page.get_by_text("2 runs selected")).to_be_visible()
    page.reload()
    expect(page.get_by_role("checkbox", name="Select rate-0.3")).to_be_checked()
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 runs compared")


def test_a_run_that_begins_appears_and_its_numbers_change_without_a_reload(own_site, watched, lab):
    page = watched.page
    page.goto(own_site.address)
    expect(names(page)).to_have_count(4)
    page.evaluate("window.notReloaded = true")
    script = """
        import sys, time
        from pathlib import Path
        import autolog
        autolog.start_run(name="live")
        for step in range(3):
            autolog.log_metric("val_loss", [0.75, 0.5, 0.25][step], step=step)
            print("at step", step, flush=True)
            while not Path(f"go{step}").exists():
                time.sleep(0.02)
    """
    lab.start(script, AUTOLOG_DIR=str(own_site.runs))
    mine = row(page, "live")
    expect(mine).to_contain_text("running")
    expect(mine).to_contain_text("0.75")
    (lab.folder / "go0").touch()
    expect(mine).to_contain_text("0.5")
    page.get_by_role("link", name="live", exact=True).click()
    page.get_by_role("link", name="Console").click()
    expect(page.get_by_role("log", name="Console")).to_contain_text("at step 1")
    (lab.folder / "go1").touch()
    expect(page.get_by_role("log", name="Console")).to_contain_text("at step 2")
    page.get_by_role("link", name="Charts").click()
    expect(page.get_by_role("img", name=re.compile("val_loss: 1 lines, 3 points"))).to_be_visible()
    (lab.folder / "go2").touch()
    expect(page.get_by_role("heading", level=1).locator("..")).to_contain_text("completed")
    assert page.evaluate("window.notReloaded")


def test_an_empty_directory_says_how_to_begin(watched, tmp_path):
    from tests.browsers import Site

    (tmp_path / "runs").mkdir()
    site = Site(tmp_path / "runs", tmp_path / "cache").start()
    try:
        watched.page.goto(site.address)
        expect(watched.page.get_by_role("status")).to_contain_text("autolog run train.py")
    finally:
        site.end()
