"""Several runs beside each other."""

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def compared(page):
    for name in ("rate-0.1", "rate-0.2", "rich"):
        page.get_by_role("checkbox", name=f"Select {name}").check()
    page.get_by_role("link", name="Compare").click()
    return page


def legend(page):
    return page.get_by_role("region", name="Legend").get_by_role("listitem")


def test_metrics_of_all_are_in_one_chart_and_the_legend_is_any_field(compared):
    page = compared
    expect(legend(page).get_by_role("link")).to_have_text(["rate-0.1", "rate-0.2", "rich"])
    chart = page.get_by_role("figure", name="train/loss", exact=True)
    expect(chart.get_by_role("img")).to_have_accessible_name("train/loss: 2 lines, 100 points")
    page.get_by_role("combobox", name="Legend").select_option("params.lr")
    expect(legend(page).get_by_role("link")).to_have_text(["0.1", "0.2", "—"])
    plot = chart.locator(".u-over")
    plot.hover(position={"x": 1, "y": 5})
    expect(page.locator(".tooltip:visible")).to_contain_text("step 0")
    expect(page.locator(".tooltip:visible div")).to_have_count(2)
    assert {text[:3] for text in page.locator(".tooltip:visible div").all_inner_texts()} == {"0.1", "0.2"}
    page.reload()
    expect(legend(page).get_by_role("link")).to_have_text(["0.1", "0.2", "—"])


def test_what_differs_comes_first(compared):
    table = compared.get_by_role("region", name="Parameters")
    expect(table.get_by_role("row").filter(has_text="lr")).to_contain_text("0.10.2—")
    expect(table.get_by_role("row").filter(has_text="folds")).to_contain_text("——3")
    compared.get_by_role("button", name="Leave out rich").click()
    expect(table.get_by_role("row").filter(has_text="folds")).to_have_count(0)
    expect(table.get_by_role("row").filter(has_text="optimizer")).to_have_count(0)
    table.get_by_role("checkbox", name="Also what is equal").check()
    expect(table.get_by_role("row").filter(has_text="optimizer")).to_contain_text("adamadam")


def test_runs_are_hidden_and_left_out(compared):
    page = compared
    figure = page.get_by_role("figure", name="train/loss", exact=True).get_by_role("img")
    page.get_by_role("checkbox", name="Show rate-0.1").uncheck()
    expect(figure).to_have_accessible_name("train/loss: 1 lines, 50 points")
    expect(page).to_have_url(re.compile("hide="))
    page.get_by_role("checkbox", name="Show rate-0.1").check()
    expect(figure).to_have_accessible_name("train/loss: 2 lines, 100 points")
    page.get_by_role("button", name="Leave out rate-0.2").click()
    expect(figure).to_have_accessible_name("train/loss: 1 lines, 50 points")
    expect(page.get_by_role("heading", level=1)).to_have_text("2 runs compared")


def test_a_run_that_is_gone_is_told(page, site):
    page.get_by_role("checkbox", name="Select rate-0.1").check()
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 run compared")
    page.goto(page.url + ",20200101-000000-000-00000000")
    expect(page.get_by_text("1 run is not there any more")).to_be_visible()
