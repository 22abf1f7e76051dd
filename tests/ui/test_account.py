"""One's own account: password and tokens."""

import json
import re

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from playwright.sync_api import expect

from autolog.server import tables
from tests.people import Browser
from tests.ui.filling import as_user

OLD, NEW = "a long enough word", "another long enough word"


@pytest.fixture
def paula(filled):
    """A writer of the project with a password."""
    filled.token("paula", "writer")
    with filled.engine.begin() as connection:
        mine = tables.users.c.name == "paula"
        connection.execute(sa.update(tables.users).where(mine).values(password=PasswordHasher().hash(OLD)))
        values = {"project": filled.project, "user_name": "paula", "role": "writer"}
        connection.execute(sa.insert(tables.members).values(**values))
    return {"user": "paula", "password": OLD}


def fill_password(page, old, new, again):
    form = page.get_by_role("form", name="Change password")
    form.get_by_label("Old password").fill(old)
    form.get_by_label("New password").fill(new)
    form.get_by_label("Once more").fill(again)
    form.get_by_role("button", name="Change password").click()
    return form


def test_a_password_is_changed_and_other_sessions_end(filled, watched, paula):
    other = Browser(filled)
    assert other.sign_in(**paula).status == 200
    page = as_user(watched, filled, **paula)
    page.goto(filled.url)
    page.get_by_role("link", name="paula").click()
    expect(page).to_have_url(f"{filled.url}/account")
    form = fill_password(page, OLD, NEW, NEW + "x")
    expect(form.get_by_role("alert")).to_contain_text("two different passwords")
    form = fill_password(page, "not the old one", NEW, NEW)
    expect(form.get_by_role("alert")).to_contain_text("the old password is another one")
    fill_password(page, OLD, NEW, NEW)
    expect(page.get_by_text("The password is changed")).to_be_visible()
    expect(form.get_by_label("New password")).to_have_value("")
    assert other.ask("GET", "/api/v1/session").status == 401
    assert Browser(filled).sign_in(user="paula", password=NEW).status == 200
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("paula")


def test_a_token_is_made_shown_once_and_revoked(filled, watched, paula):
    page = as_user(watched, filled, **paula)
    page.goto(f"{filled.url}/account")
    form = page.get_by_role("form", name="New token")
    form.get_by_label("For what").fill("gpu-machine")
    form.get_by_label("At most").select_option("reader")
    form.get_by_label("Project").select_option(filled.project)
    form.get_by_label("Valid for").select_option("30 days")
    form.get_by_role("button", name="Make a token").click()
    field = page.get_by_label("The token.")
    expect(field).to_have_value(re.compile("^autolog_"))
    token = field.input_value()
    row = page.get_by_role("table", name="Tokens").locator("tbody tr").filter(has_text="gpu-machine")
    expect(row).to_contain_text("reader")
    expect(row).to_contain_text(filled.project)
    runs = f"/api/v1/projects/{filled.project}/runs"
    assert filled.ask("GET", runs, token=token).status == 200
    (told,) = filled.ask("GET", "/api/v1/me/tokens", token=token).json["tokens"]
    assert (told["role"], told["project"]) == ("reader", filled.project)
    assert told["expires_at"] - told["created_at"] == pytest.approx(30 * 86400, abs=1)
    expect(form.get_by_label("At most")).to_have_value("writer")  # as before, for the next one
    page.reload()
    expect(row).to_have_count(1)
    expect(page.get_by_text(token)).to_have_count(0)
    expect(page.get_by_label("The token.")).to_have_count(0)
    row.get_by_role("button", name="Revoke gpu-machine").click()
    page.get_by_role("dialog", name="Revoke gpu-machine?").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    assert filled.ask("GET", runs, token=token).status == 401


def test_a_token_that_would_be_too_strong_is_refused_in_place(filled, watched):
    page = as_user(watched, filled, filled.token("tina", "reader", member=True))
    page.goto(f"{filled.url}/account")
    form = page.get_by_role("form", name="New token")
    form.get_by_label("At most").select_option("admin")
    form.get_by_role("button", name="Make a token").click()
    expect(form.get_by_role("alert")).to_contain_text("a token of the role reader makes none of the role admin")


def test_there_is_no_account_without_a_user(filled, watched, shared_site):
    page = watched.page
    page.goto(f"{filled.url}/account")
    expect(page.get_by_role("form", name="Sign in")).to_be_visible()
    secret = filled.ask("POST", f"/api/v1/projects/{filled.project}/shares", b"{}").json["secret"]
    page.goto(f"{filled.url}/share#{secret}")
    expect(page.get_by_text("shared with you")).to_be_visible()
    for path in ("account", "users", f"projects/{filled.project}/settings"):
        page.goto(f"{filled.url}/{path}")
        expect(page.get_by_text("There is nothing at this address.")).to_be_visible()
    page.goto(shared_site.address)
    expect(page.get_by_role("table", name="Runs", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Settings")).to_have_count(0)
    page.goto(f"{shared_site.url}/account")
    expect(page.get_by_text("There is nothing at this address.")).to_be_visible()


def test_users_are_invited_and_disabled_by_admins_of_the_server(filled, watched):
    page = as_user(watched, filled)
    page.goto(filled.url)
    page.get_by_role("link", name="Users").click()
    form = page.get_by_role("form", name="New user")
    form.get_by_label("Name").fill("nora")
    form.get_by_role("button", name="Make and invite").click()
    field = page.get_by_label("The invitation of nora.")
    expect(field).to_have_value(re.compile(rf"^{filled.url}/invitation#autolog_invitation_"))
    secret = field.input_value().partition("#")[2]
    body = json.dumps({"secret": secret, "password": NEW}).encode()
    assert filled.ask("POST", "/api/v1/invitations", body, token="").status == 200
    page.reload()
    row = page.get_by_role("table", name="Users").locator("tbody tr").filter(has_text="nora")
    expect(row).to_contain_text("set")
    row.get_by_role("button", name="Disable nora").click()
    page.get_by_role("dialog", name="Disable nora?").get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("disabled")
    assert Browser(filled).sign_in(user="nora", password=NEW).status == 401
    row.get_by_role("button", name="Enable nora").click()
    expect(row.get_by_role("button", name="Disable nora")).to_be_visible()
    assert Browser(filled).sign_in(user="nora", password=NEW).status == 200
    mine = page.get_by_role("table", name="Users").locator("tbody tr").filter(
        has=page.get_by_role("button", name="Make admin no admin")
    )  # fmt: skip
    mine.get_by_role("button", name="Make admin no admin").click()
    expect(mine.get_by_role("alert")).to_contain_text("the last admin of the server")


def test_others_do_not_see_users(filled, watched):
    page = as_user(watched, filled, filled.token("otto", "admin", member=True))
    page.goto(f"{filled.url}/users")
    expect(page.get_by_role("alert")).to_contain_text("Only admins of the server")
    expect(page.get_by_role("link", name="Users")).to_have_count(0)
