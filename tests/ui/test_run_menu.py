"""What is done with one run: archived, shared, deleted and brought back, downloaded; its custom fields."""

import csv
import io
import re

from playwright.sync_api import expect

from tests.ui.filling import RUNS, as_user, names, told


def address(server, number=1):
    return f"{server.url}/projects/{server.project}/runs/{RUNS[number]}"


def choose(page, word):
    page.get_by_role("button", name="Actions").click()
    page.get_by_role("dialog", name="Actions of the run").get_by_role("button", name=word).click()


def test_a_run_is_archived_and_comes_back(filled, watched):
    page = as_user(watched, filled)
    page.goto(address(filled))
    choose(page, "Archive")
    expect(page.locator(".run-head")).to_contain_text("archived")
    assert told(filled, RUNS[1])["archived"]
    page.get_by_role("button", name="Unarchive").click()
    expect(page.locator(".run-head")).not_to_contain_text("archived")


def test_a_run_is_deleted_and_brought_back(filled, watched):
    page = as_user(watched, filled)
    page.goto(address(filled))
    choose(page, "Delete…")
    page.get_by_role("dialog", name="Delete run-1?").get_by_role("button", name="Delete 1 run").click()
    expect(page.get_by_text("run-1 was deleted.")).to_be_visible()
    assert filled.ask("GET", f"/api/v1/projects/{filled.project}/runs/{RUNS[1]}").status == 404
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_be_focused()
    undo.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("run-1")
    assert told(filled, RUNS[1])["name"] == "run-1"
    choose(page, "Delete…")
    page.get_by_role("button", name="Delete 1 run").click()
    page.get_by_role("link", name="All runs").click()
    expect(names(page)).to_have_text(["run-2", "run-0"])


def test_a_run_that_somebody_else_deletes_is_said_to_be_gone(filled, watched):
    page = as_user(watched, filled)
    page.goto(address(filled))
    expect(page.get_by_role("heading", level=1)).to_have_text("run-1")
    assert filled.ask("DELETE", f"/api/v1/projects/{filled.project}/runs/{RUNS[1]}").status == 200
    expect(page.get_by_role("alert")).to_contain_text(RUNS[1])


def test_a_link_to_a_run_opens_that_run(filled, watched):
    page = as_user(watched, filled)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(address(filled))
    choose(page, "Share…")
    window = page.get_by_role("dialog", name="Share run-1")
    window.get_by_label("For whom or what").fill("reviewers")
    window.get_by_role("button", name="Make a link").click()
    link = window.get_by_label("The link.")
    expect(link).to_have_value(re.compile(rf"^{filled.url}/share#autolog_share_"))
    window.get_by_role("button", name="Copy").click()
    expect(window.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == link.input_value()
    (share,) = filled.ask("GET", f"/api/v1/projects/{filled.project}/shares").json["shares"]
    assert (share["run"], share["label"]) == (RUNS[1], "reviewers")
    assert share["expires_at"] is not None
    page.context.clear_cookies()
    page.goto(copied)
    expect(page.get_by_role("heading", level=1)).to_have_text("run-1")
    page.get_by_role("button", name="Actions").click()
    window = page.get_by_role("dialog", name="Actions of the run")
    expect(window.get_by_role("link", name="Parquet").first).to_be_visible()
    expect(window.get_by_role("button")).to_have_count(0)


def test_the_points_of_a_run_are_downloaded(filled, watched):
    page = as_user(watched, filled, filled.token("rhea", "reader", member=True))
    page.goto(address(filled))
    page.get_by_role("button", name="Actions").click()
    region = page.get_by_role("region", name="Every point of its metrics")
    with page.expect_download() as waiting:
        region.get_by_role("link", name="CSV", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    assert [(row["run"], row["metric"], row["value"]) for row in rows] == [(RUNS[1], "loss", "1")]
    expect(page.get_by_role("dialog", name="Actions of the run").get_by_role("button")).to_have_count(0)


def test_custom_fields_are_added_changed_and_taken_away(filled, watched):
    page = as_user(watched, filled, filled.token("walt", "writer", member=True))
    page.goto(address(filled))
    fields = page.get_by_role("region", name="Fields")
    for name, value in (("reviewed", "true"), ("table", "3"), ("owner", "ann")):
        fields.get_by_role("textbox", name="New field").fill(name)
        fields.get_by_label("Its value").fill(value)
        page.keyboard.press("Enter")
        expect(fields.get_by_role("button", name=f"Edit field {name}")).to_have_text(value)
    assert told(filled, RUNS[1])["fields"] == {"reviewed": True, "table": 3, "owner": "ann"}
    fields.get_by_role("button", name="Edit field table").click()
    page.keyboard.type("4.5")
    page.keyboard.press("Escape")
    expect(fields.get_by_role("button", name="Edit field table")).to_have_text("3")
    fields.get_by_role("button", name="Edit field table").click()
    fields.get_by_label("field table", exact=True).fill("4.5")
    page.keyboard.press("Enter")
    expect(fields.get_by_role("button", name="Edit field table")).to_have_text("4.5")
    fields.get_by_role("button", name="Remove field owner").click()
    expect(fields.get_by_role("button", name="Edit field owner")).to_have_count(0)
    assert told(filled, RUNS[1])["fields"] == {"reviewed": True, "table": 4.5}


def test_the_fields_of_a_run_of_this_machine_are_changed(own_site, watched):
    page = watched.page
    page.goto(own_site.address)
    page.get_by_role("link", name="rate-0.1", exact=True).click()
    fields = page.get_by_role("region", name="Fields")
    fields.get_by_role("textbox", name="New field").fill("owner")
    fields.get_by_label("Its value").fill("ann")
    page.keyboard.press("Enter")
    expect(fields.get_by_role("button", name="Edit field owner")).to_have_text("ann")
    page.get_by_role("button", name="Actions").click()
    window = page.get_by_role("dialog", name="Actions of the run")
    expect(window.get_by_role("button", name="Archive")).to_be_visible()
    expect(window.get_by_role("button")).to_have_count(1)  # nothing is shared or deleted
