"""Members, workspaces, public projects, share links, the audit log."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import sqlalchemy as sa

from autolog.server import tables
from tests.people import Browser
from tests.servers import RUN, heard
from tests.waiting import PATIENCE

STORAGES = ["local", "remote"]

OTHER = "20261122-111134-537-00000002"


def journal(run, metric="loss"):
    header = {"type": "run", "time": 1.0, "id": run, "name": f"name-{run[-8:]}", "project": "x"}
    point = {"type": "metrics", "time": 2.0, "values": {metric: 0.5}, "step": 1}
    return b"".join(json.dumps(record).encode() + b"\n" for record in (header, point))


@pytest.fixture
def base(server, eventually):
    """A project of the user ann with two runs."""
    server.ann = server.token(f"ann-{server.project}", "admin")
    base = f"/api/v1/projects/{server.project}"
    for run, metric in ((RUN, "loss"), (OTHER, "hidden")):
        path = f"{base}/runs/{run}/journals/journal.jsonl?offset=0"
        assert server.ask("POST", path, journal(run, metric), token=server.ann).status == 200
    eventually(lambda: server.ask("GET", f"{base}/runs", token=server.ann).json["total"] == 2)
    return base


def roles(server, base):
    return {each["user"]: each["role"] for each in server.ask("GET", f"{base}/members").json["members"]}


def audited(server, base):
    return [entry["action"] for entry in server.ask("GET", f"{base}/audit").json["entries"]]


def test_who_begins_a_project_is_its_admin(server, base):
    assert roles(server, base) == {f"ann-{server.project}": "admin"}
    told = server.ask("GET", base, token=server.ann).json
    assert (told["public"], told["workspace"], told["role"]) == (False, None, "admin")
    assert audited(server, base) == ["project_begun"]


def test_reading_begins_no_project(server):
    token = server.token("bob", "admin")
    path = f"/api/v1/projects/{server.project}-2/runs/{RUN}"
    assert server.ask("GET", f"{path}/journals", token=token).json == {"journals": {}}
    with server.engine.connect() as connection:
        begun = sa.select(tables.projects).where(tables.projects.c.project == f"{server.project}-2")
        assert connection.execute(begun).first() is None


def test_what_is_refused_begins_no_project(server):
    token = server.token("bob", "admin")
    base = f"/api/v1/projects/{server.project}-3"
    run = f"{base}/runs/{RUN}"
    digest = "0" * 64
    refused = [
        server.ask("POST", f"{run}/journals/journal.jsonl?offset=0", b"{}\n", token=token),
        server.ask("POST", f"{run}/journals/journal.jsonl?offset=0", b"no record\n", token=token),
        server.ask("POST", f"{run}/journals/journal.jsonl?offset=7", b'{"type":"params"}\n', token=token),
        server.ask("POST", f"{run}/journals/other.txt?offset=0", b"", token=token),
        server.ask("PUT", f"{run}/uploads/a.txt?sha256={digest}&size=1&offset=0", b"xy", token=token),
        server.ask("PUT", f"{run}/uploads/a.txt?sha256={digest}&size=3&offset=1", b"xy", token=token),
        server.ask("PUT", f"{run}/console/console.log?offset=5", b"xy", token=token),
        server.ask("PATCH", run, b'{"note": "x"}', token=token),
        server.ask("DELETE", run, token=token),
        server.ask("POST", f"{base}/changes", b'{"action": "delete", "runs": []}', token=token),
    ]
    assert [answer.status for answer in refused] == [422, 422, 409, 422, 400, 409, 409, 404, 404, 200]
    with server.engine.connect() as connection:
        begun = sa.select(tables.projects).where(tables.projects.c.project == f"{server.project}-3")
        assert connection.execute(begun).first() is None
    first = f'{{"type":"run","time":1.0,"id":"{RUN}","name":"n","project":"p"}}\n'.encode()
    assert server.ask("POST", f"{run}/journals/journal.jsonl?offset=0", first, token=token).status == 200
    assert server.ask("GET", base, token=token).json["role"] == "admin"


def test_members_are_made_changed_and_removed(server, base):
    bob = server.token("bob", "admin")
    member = f"{base}/members/bob"
    assert server.ask("GET", f"{base}/members", token=bob).status == 404
    assert server.send("PUT", f"{base}/members/nobody-here", {"role": "reader"}, token=server.ann).status == 404
    assert server.send("PUT", member, {"role": "god"}, token=server.ann).code == "shape"
    assert server.send("PUT", member, {"role": "reader"}, token=server.ann).status == 200
    assert server.ask("GET", f"{base}/members", token=bob).status == 200
    assert server.append(journal(RUN), token=bob).status == 403
    assert server.send("PUT", member, {"role": "writer"}, token=server.ann).status == 200
    assert server.append(journal(RUN), token=bob).status == 200
    for method, path, body in (
        ("PUT", member, {"role": "admin"}), ("DELETE", member, None), ("PATCH", base, {"public": True}),
        ("POST", f"{base}/shares", {}), ("GET", f"{base}/shares", None), ("GET", f"{base}/audit", None),
    ):  # fmt: skip
        assert server.send(method, path, body, token=bob).status == 403, path
    assert server.ask("DELETE", member, token=server.ann).status == 200
    assert server.ask("DELETE", member, token=server.ann).status == 404
    assert server.ask("GET", f"{base}/runs", token=bob).status == 404
    assert audited(server, base) == ["member_removed", "member_set", "member_set", "project_begun"]


def test_the_last_admin_of_a_project_stays(server, base):
    ann = f"{base}/members/ann-{server.project}"
    assert server.send("PUT", ann, {"role": "writer"}, token=server.ann).code == "last_admin"
    assert server.ask("DELETE", ann, token=server.ann).code == "last_admin"
    assert server.send("PUT", f"{base}/members/admin", {"role": "admin"}, token=server.ann).status == 200
    assert server.ask("DELETE", ann, token=server.ann).status == 200
    assert server.ask("GET", base, token=server.ann).status == 404


def at_once(*calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(future.result().status for future in [pool.submit(call) for call in calls])


def test_two_admins_who_are_taken_away_at_once_do_not_count_on_each_other(server, base):
    names = [f"ann-{server.project}", f"eva-{server.project}"]
    for _ in range(5):
        for name in names:
            server.token(name)
            assert server.send("PUT", f"{base}/members/{name}", {"role": "admin"}).status == 200
            assert server.send("PATCH", f"/api/v1/users/{name}", {"admin": True}).status == 200
        ways = [partial(server.ask, "DELETE", f"{base}/members/{name}") for name in names]
        assert at_once(*ways) == [200, 409]
        tokens = [server.token(name, "admin") for name in names]
        assert server.send("PATCH", "/api/v1/users/admin", {"admin": False}, token=tokens[0]).status == 200
        ways = [
            partial(server.send, "PATCH", f"/api/v1/users/{name}", {"admin": False}, token=token)
            for name, token in zip(names, tokens, strict=True)
        ]
        try:
            assert at_once(*ways) == [200, 409]
        finally:
            with server.engine.begin() as connection:
                there = tables.users.c.name == "admin"
                connection.execute(sa.update(tables.users).where(there).values(admin=True))


# -- workspaces --------------------------------------------------------------------------------------------------------


@pytest.fixture
def space(server):
    """A workspace of the user sue."""
    name = f"space-{server.project}"
    server.sue = server.token(f"sue-{server.project}", "admin")
    assert server.send("POST", "/api/v1/workspaces", {"name": name}, token=server.sue).status == 200
    return f"/api/v1/workspaces/{name}"


def test_members_of_a_workspace_are_members_of_its_projects(server, base, space):
    name = space.rpartition("/")[2]
    bob = server.token("bob", "admin")
    move = {"workspace": name}
    assert server.send("PATCH", base, move, token=server.ann).status == 404  # no member of the workspace
    assert server.send("PATCH", base, move, token=server.sue).status == 404  # no member of the project
    assert (
        server.send("PUT", f"{space}/members/ann-{server.project}", {"role": "writer"}, token=server.sue).status == 200
    )
    assert server.send("PATCH", base, move, token=server.ann).status == 403
    assert (
        server.send("PUT", f"{space}/members/ann-{server.project}", {"role": "admin"}, token=server.sue).status == 200
    )
    assert server.send("PATCH", base, move, token=server.ann).json["workspace"] == name
    assert server.ask("GET", space, token=server.sue).json["projects"] == [server.project]
    assert server.ask("GET", base, token=server.sue).json["role"] == "admin"
    assert server.project in server.ask("GET", "/api/v1/projects", token=server.sue).json["projects"]

    server.send("PUT", f"{space}/members/bob", {"role": "writer"}, token=server.sue)
    assert server.ask("GET", base, token=bob).json["role"] == "writer"
    server.send("PUT", f"{base}/members/bob", {"role": "reader"}, token=server.ann)
    assert server.ask("GET", base, token=bob).json["role"] == "writer"  # the stronger counts
    server.send("PUT", f"{space}/members/bob", {"role": "reader"}, token=server.sue)
    server.send("PUT", f"{base}/members/bob", {"role": "writer"}, token=server.ann)
    assert server.ask("GET", base, token=bob).json["role"] == "writer"
    assert server.ask("GET", base, token=server.token("bob", "reader")).json["role"] == "reader"
    told = server.ask("GET", f"{base}/members", token=bob).json["members"]
    assert {(each["user"], each["workspace"]) for each in told if each["user"] == "bob"} == {
        ("bob", None),
        ("bob", name),
    }

    other = f"{server.project}-of-sue"
    path = f"/api/v1/projects/{other}/runs/{RUN}/journals/journal.jsonl?offset=0"
    assert server.ask("POST", path, journal(RUN), token=server.sue).status == 200
    assert server.ask("GET", f"/api/v1/projects/{other}", token=bob).status == 404  # not in the workspace
    assert server.ask("DELETE", f"{base}/members/bob", token=server.ann).status == 200
    assert server.ask("DELETE", f"{space}/members/bob", token=server.sue).status == 200
    assert server.ask("GET", base, token=bob).status == 404


def test_a_project_that_leaves_its_workspace_keeps_an_admin(server, base, space):
    name = space.rpartition("/")[2]
    server.send("PUT", f"{space}/members/ann-{server.project}", {"role": "admin"}, token=server.sue)
    server.send("PATCH", base, {"workspace": name}, token=server.ann)
    assert server.ask("DELETE", f"{base}/members/ann-{server.project}", token=server.sue).status == 200
    assert server.ask("DELETE", space, token=server.sue).code == "not_empty"
    assert server.send("PATCH", base, {"workspace": None}, token=server.sue).json["role"] == "admin"
    assert roles(server, base) == {f"sue-{server.project}": "admin"}
    assert server.ask("GET", base, token=server.ann).status == 404
    assert server.ask("DELETE", space, token=server.sue).status == 200
    assert server.ask("GET", space, token=server.sue).status == 404


def test_workspaces_are_seen_by_their_members(server, space):
    name = space.rpartition("/")[2]
    bob = server.token("bob", "admin")
    assert server.ask("GET", "/api/v1/workspaces", token=bob).json == {"workspaces": []}
    assert server.ask("GET", space, token=bob).status == 404
    assert server.ask("GET", f"{space}/members", token=bob).status == 404
    assert server.send("PUT", f"{space}/members/bob", {"role": "admin"}, token=bob).status == 404
    assert server.send("POST", "/api/v1/workspaces", {"name": name}, token=bob).code == "exists"
    assert server.send("POST", "/api/v1/workspaces", {"name": "x"}, token=server.token("bob")).status == 403
    server.send("PUT", f"{space}/members/bob", {"role": "reader"}, token=server.sue)
    assert server.ask("GET", "/api/v1/workspaces", token=bob).json == {"workspaces": [{"name": name, "role": "reader"}]}
    assert server.ask("GET", f"{space}/members", token=bob).status == 200
    assert server.send("PUT", f"{space}/members/bob", {"role": "admin"}, token=bob).status == 403
    assert server.ask("DELETE", f"{space}/members/sue-{server.project}", token=server.sue).code == "last_admin"
    bound = server.token("bob", "admin", project="x")
    assert server.ask("GET", "/api/v1/workspaces", token=bound).json == {"workspaces": []}
    assert server.ask("GET", space, token=bound).status == 404


# -- public projects and share links -----------------------------------------------------------------------------------


def test_a_public_project_is_read_by_anyone_and_written_by_none(server, base):
    bob = server.token("bob", "admin")
    assert server.ask("GET", f"{base}/runs", token="").status == 401
    assert server.send("PATCH", base, {"public": True}, token=server.ann).json["public"]
    for token in ("", bob):
        assert server.ask("GET", f"{base}/runs", token=token).json["total"] == 2
        assert server.ask("GET", server.address, token=token).status == 200
        assert server.project in server.ask("GET", "/api/v1/projects", token=token).json["projects"]
        told = server.ask("GET", base, token=token).json
        assert (told["public"], told["role"]) == (True, None)
        for method, path in (
            ("POST", f"{server.address}/journals/journal.jsonl?offset=0"), ("DELETE", server.address),
            ("PATCH", base), ("GET", f"{base}/members"), ("GET", f"{base}/shares"), ("GET", f"{base}/audit"),
        ):  # fmt: skip
            body = None if method == "GET" else b"{}\n"
            assert server.ask(method, path, body, token=token).status in (401, 404), path
    assert server.send("PATCH", base, {"public": False}, token=server.ann).json["public"] is False
    assert server.ask("GET", f"{base}/runs", token="").status == 401
    assert audited(server, base)[:2] == ["project_made_private", "project_published"]


def share(server, base, **given):
    answer = server.send("POST", f"{base}/shares", given, token=server.ann)
    assert answer.status == 200, answer.body
    return answer.json


def test_a_link_to_a_project_reads_it_and_nothing_else(server, base):
    made = share(server, base, label="for the paper")
    browser = Browser(server)
    told = browser.sign_in(share=made["secret"]).json
    assert told["share"] == {"project": server.project, "run": None}
    assert (told["user"], told["creates"], told["everywhere"]) == (None, False, None)
    assert browser.ask("GET", f"{base}/runs").json["total"] == 2
    assert server.ask("GET", f"{base}/runs", token=made["secret"]).json["total"] == 2
    assert browser.ask("GET", "/api/v1/projects").json == {"projects": {server.project: 2}}
    assert browser.ask("GET", base).json["workspace"] is None
    for method, path in (
        ("PATCH", server.address), ("DELETE", server.address), ("GET", f"{base}/members"), ("GET", f"{base}/shares"),
        ("POST", f"{base}/shares"), ("GET", f"{base}/audit"), ("GET", "/api/v1/users"), ("GET", "/api/v1/audit"),
        ("GET", "/api/v1/me/tokens"), ("POST", "/api/v1/me/tokens"), ("GET", "/api/v1/workspaces"),
        ("POST", "/api/v1/me/password"), ("POST", f"{server.address}/journals/journal.jsonl?offset=0"),
    ):  # fmt: skip
        assert browser.ask(method, path, None if method == "GET" else {}).status in (403, 404), path


def test_a_link_to_a_run_shows_only_that_run(server, base):
    made = share(server, base, run=RUN)
    token = made["secret"]
    listed = server.ask("GET", f"{base}/runs", token=token).json
    assert [run["id"] for run in listed["runs"]] == [RUN]
    assert listed["total"] == 1
    hints = server.ask("GET", f"{base}/runs?where=metrics.hiden%3E1", token=token).json["hints"]
    assert "hidden" not in json.dumps(hints)
    assert server.ask("GET", f"{base}/columns", token=token).json["metrics"] == ["loss"]
    assert server.ask("GET", "/api/v1/projects", token=token).json == {"projects": {server.project: 1}}
    assert server.ask("GET", server.address, token=token).status == 200
    question = {"runs": [RUN], "metrics": ["loss"]}
    assert server.send("POST", f"{base}/series", question, token=token).json["series"][0]["values"] == [0.5]
    assert server.send("POST", f"{base}/series", {**question, "runs": [RUN, OTHER]}, token=token).status == 404
    for path in ("", "/console", "/series?metric=hidden", "/system", "/files/console.log"):
        assert server.ask("GET", f"{base}/runs/{OTHER}{path}", token=token).status == 404, path
    assert Browser(server).sign_in(share=token).json["share"] == {"project": server.project, "run": RUN}
    assert server.send("POST", f"{base}/shares", {"run": OTHER[:-1] + "9"}, token=server.ann).status == 404
    assert server.send("POST", f"{base}/shares", {"run": "x"}, token=server.ann).code == "run_id"


def test_links_are_listed_and_revoked_and_expire(server, base):
    one, two = share(server, base, days=3, label="one"), share(server, base, run=RUN)
    listed = server.ask("GET", f"{base}/shares", token=server.ann).json["shares"]
    assert [(each["id"], each["run"]) for each in listed] == [(one["id"], None), (two["id"], RUN)]
    assert one["secret"] not in json.dumps(listed)
    browser = Browser(server)
    browser.sign_in(share=one["secret"])
    assert server.ask("DELETE", f"{base}/shares/{one['id']}", token=server.ann).status == 200
    assert server.ask("DELETE", f"{base}/shares/{one['id']}", token=server.ann).status == 404
    assert browser.ask("GET", "/api/v1/session").status == 401
    assert browser.ask("GET", f"{base}/runs").status == 401
    assert server.ask("GET", f"{base}/runs", token=one["secret"]).status == 401
    assert server.ask("GET", server.address, token=two["secret"]).status == 200
    with server.engine.begin() as connection:
        connection.execute(sa.update(tables.shares).values(expires_at=1.0))
        stored = connection.execute(sa.select(tables.shares)).all()
    assert server.ask("GET", server.address, token=two["secret"]).status == 401
    assert server.ask("GET", f"{base}/shares", token=server.ann).json == {"shares": []}
    assert two["secret"] not in str(stored)


def test_live_news_end_with_the_right_to_read_them(server, base, eventually):
    import urllib.request

    made = share(server, base, run=RUN)
    request = urllib.request.Request(f"{server.url}{base}/live", headers={"Authorization": f"Bearer {made['secret']}"})
    size = {run: len(journal(run, metric)) for run, metric in ((RUN, "loss"), (OTHER, "hidden"))}

    def news(run):
        line = b'{"type":"metrics","time":3.0,"values":{"loss":1.0}}\n'
        path = f"{base}/runs/{run}/journals/journal.jsonl?offset={size[run]}"
        assert server.ask("POST", path, line, token=server.ann).status == 200
        size[run] += len(line)

    with urllib.request.urlopen(request, timeout=PATIENCE) as stream:
        assert heard(stream) == b": welcome\n"
        heard(stream)
        news(OTHER)
        news(RUN)
        told = [heard(stream) for _ in range(4)]
        assert json.loads(told[2].removeprefix(b"data: ")) == {"run": RUN}
        assert server.ask("DELETE", f"{base}/shares/{made['id']}", token=server.ann).status == 200

        def ended():
            news(RUN)
            return not stream.readline()

        eventually(ended)


# -- the audit log -----------------------------------------------------------------------------------------------------


def test_the_audit_log_tells_who_did_what_from_where(server, base):
    made = share(server, base, label="x")
    server.ask("DELETE", f"{base}/shares/{made['id']}", token=server.ann)
    token = server.send("POST", "/api/v1/me/tokens", {"project": server.project}, token=server.ann).json
    server.ask("DELETE", f"/api/v1/me/tokens/{token['id']}", token=server.ann)
    secret = server.ask("POST", f"/api/v1/users/ann-{server.project}/invitation").json["secret"]
    body = {"secret": secret, "password": "correct horse"}
    server.send("POST", "/api/v1/invitations", body, token="")
    browser = Browser(server)
    browser.sign_in(user=f"ann-{server.project}", password="a wrong password")
    browser.sign_in(user="my own password", password="x")
    browser.sign_in(user=f"ann-{server.project}", password="correct horse")
    browser.ask("DELETE", "/api/v1/session")
    entries = server.ask("GET", f"{base}/audit", token=server.ann).json["entries"]
    assert [entry["action"] for entry in entries] == [
        "token_revoked", "token_made", "share_revoked", "share_made", "project_begun",
    ]  # fmt: skip
    for entry in entries:
        assert (entry["user"], entry["address"]) == (f"ann-{server.project}", "127.0.0.1")
    assert entries[1]["subject"] == token["id"]
    page = server.ask("GET", "/api/v1/audit?limit=7").json
    every = page["entries"]
    assert [entry["action"] for entry in every] == [
        "logout", "login", "login_failed", "login_failed", "password_set", "invitation_made", "token_revoked",
    ]  # fmt: skip
    assert [every[n]["subject"] for n in (2, 3)] == ["", f"ann-{server.project}"]
    rest = server.ask("GET", f"/api/v1/audit?limit=7&cursor={page['cursor']}").json["entries"]
    assert rest[0]["action"] == "token_made"
    assert server.ask("GET", "/api/v1/audit", token=server.ann).status == 403
    with server.engine.connect() as connection:
        written = str(connection.execute(sa.select(tables.audit)).all())
    for never in (made["secret"], token["token"], secret, "correct horse", "my own password", "a wrong password",
                  browser.cookie or "autolog_session"):  # fmt: skip
        assert never not in written


def test_pages_of_the_audit_log_are_bounded(server, base):
    assert server.ask("GET", f"{base}/audit?limit=0").code == "parameter"
    assert server.ask("GET", f"{base}/audit?cursor=..").code == "cursor"
