"""Settings of a project: public or private, members, share links, what it keeps; for its admins."""

import pytest
from playwright.sync_api import expect

from tests.ui.filling import as_user, names


@pytest.fixture
def page(filled, watched):
    """The settings, opened by an admin of the project who is none of the server."""
    page = as_user(watched, filled, filled.token("ada", "admin", member=True))
    page.goto(f"{filled.url}/projects/{filled.project}")
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Settings of {filled.project}")
    return page


def asked(server, path=""):
    return server.ask("GET", f"/api/v1/projects/{server.project}{path}").json


def member(server, name):
    """The role of a member; none: it is none."""
    return next((each["role"] for each in asked(server, "/members")["members"] if each["user"] == name), None)


def test_a_project_is_made_public_and_private_again(filled, page):
    part = page.get_by_role("region", name="Who sees it")
    part.get_by_role("button", name="Make it public…").click()
    page.get_by_role("dialog").get_by_role("button", name="Make it public").click()
    expect(part).to_contain_text("Public:")
    assert filled.ask("GET", f"/api/v1/projects/{filled.project}/runs", token="").status == 200
    part.get_by_role("button", name="Make it private").click()
    expect(part).to_contain_text("Private:")
    assert not asked(filled)["public"]


def test_members_come_change_and_go(filled, page):
    filled.token("mia", "writer")
    part = page.get_by_role("region", name="Members")
    form = part.get_by_role("form", name="New member")
    for name in ("nobody-here", "mia"):
        form.get_by_label("User").fill(name)
        form.get_by_label("Role").select_option("writer")
        form.get_by_role("button", name="Add").click()
        if name != "mia":
            expect(form.get_by_role("alert")).to_contain_text("nobody-here")
    role = part.get_by_label("Role of mia")
    expect(role).to_have_value("writer")
    with page.expect_response(lambda answer: answer.request.method == "PUT"):
        role.select_option("reader")
    assert member(filled, "mia") == "reader"
    expect(role).to_have_value("reader")
    part.get_by_role("button", name="Remove mia").click()
    page.get_by_role("dialog", name="Remove mia?").get_by_role("button", name="Remove").click()
    expect(role).to_have_count(0)
    assert member(filled, "mia") is None


def test_the_last_admin_stays_one(filled, page):
    part = page.get_by_role("region", name="Members")
    assert filled.ask("DELETE", f"/api/v1/projects/{filled.project}/members/admin").status == 200
    role = part.get_by_label("Role of ada")
    role.select_option("reader")
    expect(part.get_by_role("alert")).to_contain_text("would be without an admin")
    expect(role).to_have_value("admin")


def test_share_links_are_made_and_revoked(filled, page):
    part = page.get_by_role("region", name="Share links")
    part.get_by_label("For whom or what").fill("reviewers")
    part.get_by_role("button", name="Make a link").click()
    row = part.get_by_role("table", name="Share links").locator("tbody tr").filter(has_text="reviewers")
    expect(row).to_contain_text("the project")
    address = part.get_by_label("The link.").input_value()
    guest = page.context.browser.new_context()
    try:
        opened = guest.new_page()
        opened.goto(address)
        expect(names(opened)).to_have_count(3)
        expect(opened.get_by_role("link", name="Settings")).to_have_count(0)
        row.get_by_role("button", name="Revoke reviewers").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(row).to_have_count(0)
        opened.reload()
        expect(opened.get_by_role("form", name="Sign in")).to_be_visible()
    finally:
        guest.close()


def test_how_long_runs_are_kept_is_asked_before_it_is_set(filled, page):
    part = page.get_by_role("region", name="What it keeps")
    expect(part).to_contain_text("Runs are kept for good.")
    expect(part.get_by_role("form", name="Quotas")).to_have_count(0)  # the server's admins set them
    form = part.get_by_role("form", name="How long runs are kept")
    form.get_by_label("Days after their end").fill("36500")
    form.get_by_role("button", name="Set").click()
    window = page.get_by_role("dialog", name="Delete runs after 36,500 days?")
    window.get_by_role("button", name="Cancel").click()
    assert asked(filled, "/usage")["retention_days"] == 0
    form.get_by_role("button", name="Set").click()
    window.get_by_role("button", name="Set").click()
    expect(part).to_contain_text("deleted 36,500 days after their end")
    assert asked(filled, "/usage")["retention_days"] == 36500
    form.get_by_label("Days after their end").fill("0")
    form.get_by_role("button", name="Set").click()
    expect(part).to_contain_text("Runs are kept for good.")


def test_admins_of_the_server_set_quotas(filled, watched):
    page = as_user(watched, filled)
    page.goto(f"{filled.url}/projects/{filled.project}/settings")
    part = page.get_by_role("region", name="What it keeps")
    form = part.get_by_role("form", name="Quotas")
    form.get_by_label("Gigabytes").fill("2.5")
    form.get_by_label("Runs").fill("50")
    form.get_by_role("button", name="Set quotas").click()
    expect(part).to_contain_text("of 2.5 GB in 3 runs of at most 50")
    told = asked(filled, "/usage")
    assert (told["quota_bytes"], told["quota_runs"]) == (2_500_000_000, 50)


def test_settings_are_for_admins(filled, watched):
    page = as_user(watched, filled, filled.token("will", "writer", member=True))
    page.goto(f"{filled.url}/projects/{filled.project}")
    expect(names(page)).to_have_count(3)
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)
    page.goto(f"{filled.url}/projects/{filled.project}/settings")
    expect(page.get_by_role("alert")).to_contain_text("Only admins of")


@pytest.mark.parametrize("path", ["/account", "/users", "/projects/{}/settings"])
def test_all_of_it_fits_a_telephone(filled, watched, path):
    filled.ask("POST", f"/api/v1/projects/{filled.project}/shares", b'{"label": "for the reviewers of the paper"}')
    page = as_user(watched, filled)
    page.set_viewport_size({"width": 400, "height": 700})
    page.goto(filled.url + path.format(filled.project))
    expect(page.get_by_role("table").last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
