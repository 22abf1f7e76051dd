"""The page of a run: overview, charts, child runs, system, console, source, assets; and what is edited there."""

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def rich(page):
    page.get_by_role("link", name="rich", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("rich")
    return page


def tab(page, name):
    page.get_by_role("navigation", name="Views of the run").get_by_role("link", name=name).click()


def test_the_overview_tells_what_the_run_was(rich):
    page = rich
    ended = page.get_by_role("region", name="How it ended")
    expect(ended).to_contain_text("ValueError: the end of the rich run")
    ended.get_by_text("Traceback", exact=True).click()
    expect(ended).to_contain_text('raise ValueError("the end of the rich run")')
    expect(page.get_by_role("region", name="Parameters")).to_contain_text("folds3")
    expect(page.get_by_role("region", name="Parameters")).to_contain_text("teacherNone")
    expect(page.get_by_role("region", name="Where it ran")).to_contain_text("train.py")
    page.go_back()
    page.get_by_role("link", name="rate-0.1", exact=True).click()
    metrics = page.get_by_role("region", name="Metrics").get_by_role("row")
    expect(metrics.filter(has_text="train/accuracy")).to_contain_text("0.9926")
    expect(page.get_by_role("region", name="Arguments")).to_contain_text("lr0.1")


def chart(page, name):
    return page.get_by_role("figure", name=name, exact=True)


def test_metrics_are_drawn_with_their_nan(page):
    page.get_by_role("link", name="rate-0.1", exact=True).click()
    tab(page, "Charts")
    expect(chart(page, "train/loss").get_by_role("img")).to_have_accessible_name("train/loss: 1 lines, 50 points")
    expect(page.get_by_role("heading", level=2)).to_have_text(["train"])
    plot = chart(page, "train/loss").locator(".u-over")
    box = plot.bounding_box()
    plot.hover(position={"x": box["width"] * 20 / 49, "y": 20})
    expect(page.locator(".tooltip:visible")).to_have_text("step 20rate-0.1NaN")
    plot.hover(position={"x": 1, "y": 20})
    expect(page.locator(".tooltip:visible")).to_have_text("step 0rate-0.11")


def test_axes_scale_and_smoothing_stand_in_the_address(page):
    page.get_by_role("link", name="rate-0.2", exact=True).click()
    tab(page, "Charts")
    page.get_by_label("X axis").select_option("Time since start")
    page.get_by_role("checkbox", name="Log scale").check()
    page.get_by_role("slider", name="Smoothing").fill("0.9")
    expect(page).to_have_url(re.compile(r"\?x=relative&log=1&smooth=0\.9$"))
    page.reload()
    expect(page.get_by_label("X axis")).to_have_value("relative")
    expect(page.get_by_role("checkbox", name="Log scale")).to_be_checked()
    expect(chart(page, "train/loss").locator("canvas")).to_be_visible()


def test_dragging_zooms_and_a_double_click_ends_it(page):
    page.get_by_role("link", name="rate-0.1", exact=True).click()
    tab(page, "Charts")
    plot = chart(page, "train/accuracy").locator(".u-over")
    pointed = page.locator(".tooltip:visible b")

    def point(part):
        plot.hover(position={"x": plot.bounding_box()["width"] * part, "y": 30})

    point(0.02)
    expect(pointed).to_have_text("step 1")
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 30, steps=5)
    page.mouse.up()
    point(0.02)
    expect(pointed).to_have_text(re.compile(r"^step (2[4-9]|3\d)$"))
    plot.dblclick()
    point(0.02)
    expect(pointed).to_have_text("step 1")


def test_child_runs_are_lines_and_rows(rich):
    page = rich
    tab(page, "Charts")
    expect(chart(page, "cv/loss").get_by_role("img")).to_have_accessible_name("cv/loss: 3 lines, 15 points")
    tab(page, "Child runs")
    rows = page.get_by_role("table", name="Child runs").get_by_role("rowheader")
    expect(rows).to_have_text(["fold-0", "fold-1", "fold-2"])
    page.get_by_role("button", name="cv/loss").click()
    expect(rows).to_have_text(["fold-2", "fold-1", "fold-0"])
    expect(page.get_by_role("row").filter(has_text="fold-1")).to_contain_text("1.2")


def test_the_machine_is_drawn(rich):
    tab(rich, "System")
    expect(rich.get_by_role("region", name="cpu").get_by_role("figure").first).to_be_visible()
    expect(rich.get_by_role("figure", name="memory.host_used_bytes").locator("canvas")).to_be_visible()


def test_the_console_begins_at_its_end_and_goes_back(rich):
    page = rich
    tab(page, "Console")
    log = page.get_by_role("log", name="Console")
    expect(log).to_contain_text("line 2999 from the helper")
    expect(log).to_contain_text("ValueError: the end of the rich run")
    expect(log).not_to_contain_text("line 0 from")
    page.get_by_role("button", name="Load earlier").click()
    expect(log).to_contain_text("line 0 from the helper")
    expect(page.get_by_role("button", name="Load earlier")).to_have_count(0)
    text = log.text_content()
    assert [int(n) for n in re.findall(r"line (\d+) from", text)] == list(range(3000))


def test_the_source_is_there_as_it_was(rich):
    page = rich
    tab(page, "Source")
    expect(page.get_by_role("region", name="train.py")).to_contain_text('autolog.start_run(name="rich")')
    page.get_by_role("navigation", name="Source files").get_by_role("button", name="helper.py").click()
    shown = page.get_by_role("region", name="helper.py")
    expect(shown.locator("pre").last).to_contain_text('return "from the helper"')
    expect(page).to_have_url(re.compile(r"source\?file=helper\.py$"))
    with page.expect_download() as download:
        shown.get_by_role("link", name="Download").click()
    assert b"from the helper" in download.value.path().read_bytes()


def test_assets_are_shown(rich):
    page = rich
    tab(page, "Assets")
    picture = page.get_by_role("img", name="picture.png")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 8)
    expect(picture).to_have_js_property("naturalHeight", 6)
    expect(page.get_by_role("figure", name="answers").get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("figure", name="answers")).to_contain_text("six times seven42")
    expect(page.get_by_role("figure", name="weights").locator("canvas")).to_be_visible()
    of_children = page.get_by_role("figure", name="mistakes")
    expect(of_children).to_have_count(3)
    expect(of_children.nth(2)).to_contain_text("fold-2")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download picture.png").click()
    assert download.value.suggested_filename == "picture.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_name_and_note_are_edited_in_place(own_site, watched):
    page = watched.page
    page.goto(own_site.address)
    page.get_by_role("link", name="rate-0.3", exact=True).click()
    page.get_by_role("button", name="Edit name").click()
    page.get_by_role("textbox", name="name").fill("the best one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("the best one")
    page.get_by_role("button", name="Edit note").click()
    page.get_by_role("textbox", name="note").fill("first line\nsecond line")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Edit note")).to_have_text("first line\nsecond line")
    expect(page).to_have_title("the best one · autolog")
    page.get_by_role("button", name="Edit name").click()
    page.get_by_role("textbox", name="name").fill(" ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("a run needs a name")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="lab", exact=True).click()
    expect(page.get_by_role("link", name="the best one", exact=True)).to_be_visible()


def test_a_run_that_is_not_there_is_said_so(page, site):
    page.goto(f"{site.url}/projects/lab/runs/20200101-000000-000-00000000")
    expect(page.get_by_role("alert")).to_contain_text("there is no run")
    page.goto(f"{site.url}/nonsense")
    assert page.evaluate("document.body.innerText").startswith('{"error"')
