"""The same pages from a server with users: signing in and out, roles, public projects, share links."""

import json
import re

import sqlalchemy as sa
from argon2 import PasswordHasher
from playwright.sync_api import expect

from autolog.server import tables
from tests.people import Browser
from tests.ui.filling import RUNS


def runs(page):
    return page.get_by_role("table", name="Runs").locator("tbody th[scope=row]")


def sign_in_with_token(page, token):
    page.get_by_role("button", name="Use a token instead").click()
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_what_is_private_asks_to_sign_in_and_is_shown_then(filled, watched):
    page = watched.page
    page.goto(f"{filled.url}/projects/{filled.project}?sort=name")
    page.get_by_role("button", name="Use a token instead").click()
    page.get_by_label("Token").fill("autolog_nonsense")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("not known here")
    page.get_by_label("Token").fill(filled.admin)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(runs(page)).to_have_text(["run-0", "run-1", "run-2"])
    assert all(cookie["httpOnly"] for cookie in page.context.cookies())
    page.reload()
    expect(runs(page)).to_have_count(3)
    page.get_by_role("button", name="Add tag to run-1").click()
    page.keyboard.type("good")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove tag good of run-1")).to_be_attached()
    told = filled.ask("GET", f"/api/v1/projects/{filled.project}/runs/{RUNS[1]}").json
    assert told["tags"] == ["good"]
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("form", name="Sign in")).to_be_visible()


def test_a_password_signs_in_and_a_reader_changes_nothing(filled, watched):
    filled.token("rita", "reader", member=True)
    stored = PasswordHasher().hash("a long enough word")
    with filled.engine.begin() as connection:
        connection.execute(sa.update(tables.users).where(tables.users.c.name == "rita").values(password=stored))
    page = watched.page
    page.goto(f"{filled.url}/sign-in")
    page.get_by_label("User").fill("rita")
    page.get_by_label("Password").fill("a long enough word")
    page.keyboard.press("Enter")
    expect(page.get_by_text("rita")).to_be_visible()
    expect(runs(page)).to_have_count(3)  # her only project
    expect(page.get_by_role("button", name=re.compile("Add tag"))).to_have_count(0)


def test_a_public_project_is_shown_to_nobody_in_particular(filled, watched):
    mine = tables.projects.c.project == filled.project
    with filled.engine.begin() as connection:
        connection.execute(sa.update(tables.projects).where(mine).values(public=True))
    page = watched.page
    page.goto(f"{filled.url}/")
    page.get_by_role("link", name=filled.project).first.click()
    expect(runs(page)).to_have_count(3)
    expect(page.get_by_role("button", name=re.compile("Add tag"))).to_have_count(0)
    page.get_by_role("link", name="run-2", exact=True).click()
    page.get_by_role("link", name="Charts").click()
    expect(page.get_by_role("figure", name="loss").locator("canvas")).to_be_visible()
    expect(page.get_by_role("button", name="Edit name")).to_have_count(0)
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def shared(server, run=None):
    """The secret of a new share link."""
    admin = Browser(server)
    assert admin.sign_in(token=server.admin).status == 200
    made = admin.ask("POST", f"/api/v1/projects/{server.project}/shares", {"run": run} if run else {})
    assert made.status == 200, made.body
    return made.json["secret"]


def test_a_share_link_shows_its_project_and_no_more(filled, watched):
    page = watched.page
    page.goto(f"{filled.url}/share#{shared(filled)}")
    expect(page).to_have_url(re.compile(rf"/projects/{filled.project}$"))
    expect(runs(page)).to_have_count(3)
    expect(page.get_by_role("button", name=re.compile("Add tag"))).to_have_count(0)
    expect(page.get_by_text("shared with you")).to_be_visible()


def test_a_share_link_of_a_run_shows_that_run(filled, watched):
    page = watched.page
    page.goto(f"{filled.url}/share#{shared(filled, RUNS[1])}")
    expect(page.get_by_role("heading", level=1)).to_have_text("run-1")
    page.get_by_role("link", name="Charts").click()
    expect(page.get_by_role("figure", name="loss").locator("canvas")).to_be_visible()
    page.get_by_role("link", name="Console").click()
    expect(page.get_by_text("Nothing was printed.")).to_be_visible()
    page.goto(f"{filled.url}/share#autolog_share_nonsense")
    expect(page.get_by_role("alert")).to_contain_text("This link opens nothing")


def test_a_console_is_followed_while_it_is_sent(filled, watched):
    page = watched.page
    page.goto(f"{filled.url}/projects/{filled.project}/runs/{RUNS[0]}/console")
    sign_in_with_token(page, filled.admin)
    expect(page.get_by_text("Nothing was printed.")).to_be_visible()
    path = f"/api/v1/projects/{filled.project}/runs/{RUNS[0]}/console/console.log?offset="
    assert filled.ask("PUT", f"{path}0", b"epoch 1\n50%").status == 200
    log = page.get_by_role("log", name="Console")
    expect(log).to_have_text("epoch 150%")
    assert filled.ask("PUT", f"{path}8", b"100%\ndone\n").status == 200
    expect(log).to_have_text("epoch 1100%done")


def test_the_server_is_told_apart_when_it_is_away(own_server, watched, eventually):
    """And what was missed is fetched when it is back."""
    body = json.dumps({"type": "run", "time": 1.0, "id": RUNS[0], "name": "first", "project": "lab"}).encode() + b"\n"
    path = f"/api/v1/projects/lab/runs/{RUNS[0]}/journals/journal.jsonl"
    assert own_server.ask("POST", f"{path}?offset=0", body).status == 200
    page = watched.page
    watched.allowed.append("net::ERR_(CONNECTION|INCOMPLETE_CHUNKED|EMPTY_RESPONSE)")
    page.goto(f"{own_server.url}/projects/lab")
    sign_in_with_token(page, own_server.admin)
    expect(runs(page)).to_have_text(["first"])
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    own_server.end()
    expect(page.get_by_text("reconnecting")).to_be_visible()
    renamed = json.dumps({"type": "name", "time": 2.0, "name": "second"}).encode() + b"\n"
    own_server.start()
    assert own_server.ask("POST", f"{path}?offset={len(body)}", renamed).status == 200
    expect(runs(page)).to_have_text(["second"])
    expect(page.get_by_text("live", exact=True)).to_be_visible()


def test_an_invitation_sets_a_password_once(filled, watched):
    filled.ask("POST", "/api/v1/users", b'{"name": "ines"}')
    secret = filled.ask("POST", "/api/v1/users/ines/invitation").json["secret"]
    page = watched.page
    page.goto(f"{filled.url}/invitation#{secret}")
    form = page.get_by_role("form", name="Set a password")
    expect(page).to_have_url(f"{filled.url}/invitation")
    for again in ("another long word", "a long enough word"):
        form.get_by_label("Password", exact=True).fill("a long enough word")
        form.get_by_label("Once more").fill(again)
        form.get_by_role("button", name="Set password and sign in").click()
        if again != "a long enough word":
            expect(page.get_by_role("alert")).to_contain_text("two different passwords")
    expect(page.get_by_text("ines", exact=True)).to_be_visible()
    signed_in = filled.ask("POST", "/api/v1/session", b'{"user": "ines", "password": "a long enough word"}', token="")
    assert signed_in.status == 200
    used = json.dumps({"secret": secret, "password": "one more long word"}).encode()
    assert filled.ask("POST", "/api/v1/invitations", used, token="").status == 404
