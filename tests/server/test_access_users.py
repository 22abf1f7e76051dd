"""Users, their passwords and invitations, their tokens."""

import pytest
import sqlalchemy as sa

from autolog.server import tables
from tests.people import Browser
from tests.servers import RUN

PASSWORD = "correct horse battery"


def invited(server, user, password=PASSWORD):
    """Give a user a password, as an admin and they would; their browser, signed in."""
    secret = server.ask("POST", f"/api/v1/users/{user}/invitation").json["secret"]
    browser = Browser(server)
    assert browser.ask("POST", "/api/v1/invitations", {"secret": secret, "password": password}).status == 200
    assert browser.sign_in(user=user, password=password).status == 200
    return browser


def make(server, user, **values):
    answer = server.send("POST", "/api/v1/users", {"name": user, **values})
    assert answer.status == 200, answer.body
    return user


def begin(server, user):
    """Begin the project of the test, of which the user is the admin then."""
    header = f'{{"type":"run","time":1.0,"id":"{RUN}","name":"calm-otter-01","project":"lab"}}\n'.encode()
    path = f"{server.address}/journals/journal.jsonl?offset=0"
    assert server.ask("POST", path, header, token=server.token(user)).status == 200


@pytest.fixture
def ann(server):
    """A user of this test alone."""
    return make(server, f"ann-{server.project}")


def test_an_invitation_sets_a_password_once(server, ann):
    first = server.ask("POST", f"/api/v1/users/{ann}/invitation").json
    second = server.ask("POST", f"/api/v1/users/{ann}/invitation").json
    assert second["user"] == ann
    body = {"secret": second["secret"], "password": "short"}
    assert server.send("POST", "/api/v1/invitations", body, token="").code == "password"
    assert server.send("POST", "/api/v1/invitations", {**body, "password": ann.upper()}, token="").code == "password"
    used = {**body, "password": PASSWORD}
    assert server.send("POST", "/api/v1/invitations", {**used, "secret": first["secret"]}, token="").status == 404
    assert server.send("POST", "/api/v1/invitations", used, token="").status == 200
    assert server.send("POST", "/api/v1/invitations", used, token="").status == 404
    assert Browser(server).sign_in(user=ann, password=PASSWORD).status == 200
    expired = server.ask("POST", f"/api/v1/users/{ann}/invitation").json
    with server.engine.begin() as connection:
        connection.execute(sa.update(tables.invitations).values(expires_at=1.0))
    assert server.send("POST", "/api/v1/invitations", {**used, "secret": expired["secret"]}, token="").status == 404


def test_an_invitation_ends_sessions(server, ann):
    browser = invited(server, ann)
    invited(server, ann, "another password")
    assert browser.ask("GET", "/api/v1/me").status == 401


def test_a_new_password_ends_other_sessions(server, ann):
    here, there = invited(server, ann), Browser(server)
    there.sign_in(user=ann, password=PASSWORD)
    change = {"old": PASSWORD, "new": "a much better one"}
    assert here.ask("POST", "/api/v1/me/password", {**change, "old": "wrong"}).status == 403
    assert here.ask("POST", "/api/v1/me/password", {**change, "new": "short"}).code == "password"
    assert here.ask("POST", "/api/v1/me/password", change).status == 200
    assert here.ask("GET", "/api/v1/me").status == 200
    assert there.ask("GET", "/api/v1/me").status == 401
    assert there.sign_in(user=ann, password=PASSWORD).status == 401
    assert there.sign_in(user=ann, password="a much better one").status == 200
    with server.engine.connect() as connection:
        (kept,) = connection.execute(sa.select(tables.users.c.password).where(tables.users.c.name == ann)).scalars()
    assert kept.startswith("$argon2id$")


def test_a_token_alone_sets_no_password(server, ann):
    token = server.token(ann, "admin")
    for old in ("", "anything at all"):
        answer = server.send("POST", "/api/v1/me/password", {"old": old, "new": PASSWORD}, token=token)
        assert (answer.status, answer.code) == (403, "password")


def test_users_are_the_business_of_admins(server, ann):
    listed = {user["name"]: user for user in server.ask("GET", "/api/v1/users").json["users"]}
    assert listed["admin"]["admin"]
    assert listed[ann] | {"created_at": 0} == {
        "name": ann, "admin": False, "disabled": False, "password": False, "created_at": 0,
    }  # fmt: skip
    assert server.send("POST", "/api/v1/users", {"name": ann}).code == "exists"
    assert server.send("POST", "/api/v1/users", {"name": "no spaces"}).code == "user_name"
    assert server.send("PATCH", f"/api/v1/users/{ann}x", {"admin": True}).status == 404
    for token in (server.token(ann, "admin"), server.token("admin", "writer"), server.token("admin", project="x")):
        assert server.ask("GET", "/api/v1/users", token=token).status == 403
        assert server.send("POST", "/api/v1/users", {"name": "x"}, token=token).status == 403
        assert server.send("PATCH", f"/api/v1/users/{ann}", {"admin": True}, token=token).status == 403
        assert server.ask("POST", f"/api/v1/users/{ann}/invitation", token=token).status == 403


def test_disabling_ends_whatever_speaks_for_a_user(server, ann):
    browser, token = invited(server, ann), server.token(ann)
    invitation = server.ask("POST", f"/api/v1/users/{ann}/invitation").json["secret"]
    assert server.send("PATCH", f"/api/v1/users/{ann}", {"disabled": True}).json["disabled"]
    assert browser.ask("GET", "/api/v1/me").status == 401
    assert server.ask("GET", "/api/v1/me", token=token).status == 401
    assert browser.sign_in(user=ann, password=PASSWORD).status == 401
    body = {"secret": invitation, "password": PASSWORD}
    assert server.send("POST", "/api/v1/invitations", body, token="").status == 404
    assert server.ask("POST", f"/api/v1/users/{ann}/invitation").code == "disabled"
    assert server.send("PATCH", f"/api/v1/users/{ann}", {"disabled": False}).json["disabled"] is False
    assert server.ask("GET", "/api/v1/me", token=token).status == 401  # what has ended stays so
    assert browser.sign_in(user=ann, password=PASSWORD).status == 200


def test_the_last_admin_stays(server, ann):
    for change in ({"admin": False}, {"disabled": True}):
        answer = server.send("PATCH", "/api/v1/users/admin", change)
        assert (answer.status, answer.code) == (409, "last_admin")
    assert server.send("PATCH", f"/api/v1/users/{ann}", {"admin": True}).status == 200
    assert server.ask("GET", "/api/v1/users", token=server.token(ann, "admin")).status == 200
    assert server.send("PATCH", f"/api/v1/users/{ann}", {"disabled": True}).status == 200
    assert server.send("PATCH", "/api/v1/users/admin", {"admin": False}).code == "last_admin"  # a disabled one is none
    assert server.send("PATCH", f"/api/v1/users/{ann}", {"admin": False, "disabled": False}).status == 200


# -- tokens ------------------------------------------------------------------------------------------------------------


def new_token(server, token, **given):
    return server.send("POST", "/api/v1/me/tokens", given, token=token)


def test_tokens_are_made_listed_and_revoked(server, ann):
    browser = invited(server, ann)
    made = browser.ask("POST", "/api/v1/me/tokens", {"role": "writer", "label": "laptop", "days": 2}).json
    assert made["token"].startswith("autolog_")
    assert server.ask("GET", "/api/v1/me", token=made["token"]).json["user"] == ann
    (listed,) = browser.ask("GET", "/api/v1/me/tokens").json["tokens"]
    assert listed == {name: made[name] for name in ("id", "label", "role", "project", "created_at", "expires_at")}
    assert 86400 * 1.9 < listed["expires_at"] - listed["created_at"] < 86400 * 2.1
    assert browser.ask("DELETE", f"/api/v1/me/tokens/{made['id']}").status == 200
    assert browser.ask("DELETE", f"/api/v1/me/tokens/{made['id']}").status == 404
    assert browser.ask("GET", "/api/v1/me/tokens").json == {"tokens": []}
    assert server.ask("GET", "/api/v1/me", token=made["token"]).status == 401


def test_a_token_makes_none_that_is_stronger(server, ann):
    begin(server, ann)
    mine = server.ask("GET", f"/api/v1/projects/{server.project}", token=server.token(ann, "admin")).json
    assert mine["role"] == "admin"
    reader, bound = server.token(ann, "reader"), server.token(ann, "writer", project=server.project)
    short = server.token(ann, "admin", days=1)
    assert new_token(server, reader, role="writer").status == 403
    assert new_token(server, reader, role="reader").status == 200
    assert new_token(server, bound, role="admin").status == 403
    assert new_token(server, bound, role="writer", project="elsewhere").status == 404
    assert new_token(server, bound, role="reader").json["project"] == server.project
    assert new_token(server, short, role="admin", days=2).status == 403
    assert new_token(server, short, role="admin").json["expires_at"] is not None
    whole = server.token(ann, "admin")
    assert new_token(server, whole, role="admin", project="elsewhere").status == 404
    assert new_token(server, whole, role="admin", project=server.project).status == 200
    assert new_token(server, whole, role="admin").json["expires_at"] is None
    for days in (0, -1, 1e9):
        assert new_token(server, whole, role="reader", days=days).code == "days"
    assert new_token(server, whole, role="god").code == "shape"
    assert new_token(server, whole, role="reader", label="a\0b").status == 422


def test_a_token_of_one_project_knows_no_others(server, ann):
    begin(server, ann)
    whole, bound = server.token(ann, "admin", label="whole"), server.token(ann, "admin", project=server.project)
    told = server.ask("GET", "/api/v1/me/tokens", token=bound).json["tokens"]
    assert {token["project"] for token in told} == {server.project}
    every = server.ask("GET", "/api/v1/me/tokens", token=whole).json["tokens"]
    other = next(token["id"] for token in every if token["label"] == "whole")
    assert server.ask("DELETE", f"/api/v1/me/tokens/{other}", token=bound).status == 404
    assert server.ask("GET", "/api/v1/me", token=whole).status == 200


def test_what_a_token_has_made_ends_with_it(server, ann):
    first = new_token(server, server.token(ann, "admin"), role="writer").json
    second = new_token(server, first["token"], role="writer").json
    third = new_token(server, second["token"], role="reader").json
    browser = Browser(server)
    assert browser.sign_in(token=third["token"]).status == 200
    assert server.ask("DELETE", f"/api/v1/me/tokens/{first['id']}", token=second["token"]).status == 404
    assert server.ask("DELETE", f"/api/v1/me/tokens/{first['id']}", token=first["token"]).status == 200
    for each in (first, second, third):
        assert server.ask("GET", "/api/v1/me", token=each["token"]).status == 401
    assert browser.ask("GET", "/api/v1/me").status == 401


def test_a_token_never_does_more_than_its_user(server, ann):
    token = server.token(ann, "admin", member=True)
    assert server.ask("GET", f"/api/v1/projects/{server.project}/runs", token=token).status == 200
    with server.engine.begin() as connection:
        mine = tables.members.c.user_name == ann
        connection.execute(sa.update(tables.members).where(mine).values(role="reader"))
    body = b'{"type":"run"}\n'
    assert server.append(body, token=token).status == 403
    with server.engine.begin() as connection:
        connection.execute(sa.delete(tables.members).where(mine))
    assert server.ask("GET", f"/api/v1/projects/{server.project}/runs", token=token).status == 404
