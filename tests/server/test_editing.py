"""Editing: one run and many; archived runs; deleting, bringing back, purging; by age; what a project may hold."""

import json
import time

import msgspec
import pytest
import sqlalchemy as sa

from autolog.server import tables
from autolog.server.accounts.auditing import Origin
from autolog.server.accounts.remembering import Remembered
from autolog.server.index.indexing import Indexer
from autolog.server.index.live_news import News
from autolog.server.limits import Limits, from_environment
from autolog.server.service import Service
from autolog.server.upkeep import deleting, housekeeping
from autolog.server.upkeep.usage import Usage

STORAGES = ["local", "remote"]
RUNS = [f"20261122-11113{n}-537-9f3c2a8{n}" for n in range(4)]
NOBODY = "20261122-111134-537-00000000"


def lines(*records):
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def records(n, project, ended=4000.0):
    return lines(
        {"type": "run", "time": 1000.0 + n, "id": RUNS[n], "name": f"run-{n}", "project": project},
        {"type": "metrics", "time": 2000.0, "values": {"loss": 1.0 * n}, "step": 1},
        {"type": "tags", "time": 2000.0, "add": ["old"]},
        {"type": "end", "time": ended, "status": "completed", "exit_code": 0},
    )


class Project:
    """Four runs on a server."""

    def __init__(self, server):
        self.server = server
        self.base = f"/api/v1/projects/{server.project}"

    def ask(self, method, path, body=None, **options):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        return self.server.ask(method, self.base + path, data, **options)

    def send(self, n, **options):
        return self.ask("POST", f"/runs/{RUNS[n]}/journals/journal.jsonl?offset=0",
                        records(n, self.server.project), **options)  # fmt: skip

    def journals(self, n):
        return set(self.ask("GET", f"/runs/{RUNS[n]}/journals").json["journals"])

    def names(self, query=""):
        return sorted(run["name"] for run in self.ask("GET", f"/runs?limit=100{query}").json["runs"])


@pytest.fixture
def project(server, eventually):
    project = Project(server)
    for n in range(4):
        assert project.send(n).status == 200
    eventually(lambda: len(project.names()) == 4)
    project.eventually = eventually
    return project


# One run


def test_edits_are_records(project):
    change = {
        "name": "better", "note": "why", "add_tags": ["new"], "remove_tags": ["old"],
        "fields": {"reviewed": True, "table": 3, "owner": "ann", "gone": 1},
    }  # fmt: skip
    assert project.ask("PATCH", f"/runs/{RUNS[2]}", change).status == 200
    answer = project.ask("PATCH", f"/runs/{RUNS[2]}", {"fields": {"gone": None, "table": 4.5}})
    told = {
        "name": "better", "note": "why", "tags": ["new"], "archived": False,
        "fields": {"reviewed": True, "table": 4.5, "owner": "ann"},
    }  # fmt: skip
    assert answer.json == told
    run = project.ask("GET", f"/runs/{RUNS[2]}").json
    assert {name: run[name] for name in told} == told
    assert project.names("&where=fields.reviewed%20==%20True%20and%20fields.table%20>%204") == ["better"]
    (row,) = project.ask("GET", "/runs?columns=fields.owner,fields.table&where=fields.owner%20is%20not%20None").json[
        "runs"
    ]
    assert row["values"] == {"fields.owner": "ann", "fields.table": 4.5}
    assert "owner" in project.ask("GET", "/columns").json["fields"]
    assert project.journals(2) == {"journal.jsonl", "journal.edits-server.jsonl"}  # its sender's is its sender's


BAD_CHANGES = [
    ({"name": " "}, "name"),
    ({"name": "x" * 501}, "shape"),
    ({"add_tags": [""]}, "shape"),
    ({"add_tags": [" "]}, "tag"),
    ({"add_tags": ["x"] * 201}, "shape"),
    ({"note": "x" * 100_001}, "shape"),
    ({"note": "a\0b"}, "text"),
    ({"fields": {"a": [1]}}, "shape"),
    ({"fields": {"": 1}}, "field"),
    ({"fields": {"a": 2**70}}, "field"),
    ({"color": "red"}, "shape"),
    ([], "shape"),
    (b"{", "json"),
    (b'{"note":"\xff"}', "json"),
    (b'{"fields":' * 5000, "shape"),
]


def test_bad_changes_change_nothing(project):
    for change, code in BAD_CHANGES:
        answer = project.ask("PATCH", f"/runs/{RUNS[0]}", change)
        assert (answer.code, answer.status) == (code, 400 if code == "json" else 422), change
    assert project.journals(0) == {"journal.jsonl"}


def test_archived_runs_are_listed_where_they_are_asked_for(project):
    assert project.ask("PATCH", f"/runs/{RUNS[1]}", {"archived": True}).json["archived"]
    assert project.names() == ["run-0", "run-2", "run-3"]
    assert len(project.names("&archived=true")) == 4
    assert project.names("&where=archived") == ["run-1"]
    assert project.ask("GET", "/runs?archived=true&sort=-archived").json["runs"][0]["archived"]
    assert project.ask("GET", f"/runs/{RUNS[1]}").json["archived"]
    assert project.ask("GET", "/runs?archived=maybe").code == "parameter"
    project.ask("PATCH", f"/runs/{RUNS[1]}", {"archived": False})
    assert len(project.names()) == 4


def test_a_column_of_numbers_and_texts_is_sorted_by_both(project, eventually):
    for n, value in enumerate([10, "b", 3, "a"]):
        project.ask("PATCH", f"/runs/{RUNS[n]}", {"fields": {"x": value}})

    def order(query):
        return [run["name"][-1] for run in project.ask("GET", f"/runs?{query}").json["runs"]]

    assert order("sort=fields.x") == ["2", "0", "3", "1"]
    assert order("sort=-fields.x") == ["1", "3", "0", "2"]
    project.ask("PATCH", f"/runs/{RUNS[2]}", {"fields": {"x": None}})
    assert order("sort=fields.x") == ["0", "3", "1", "2"]
    assert order("sort=-fields.x") == ["1", "3", "0", "2"]
    page = project.ask("GET", "/runs?sort=fields.x&limit=2").json
    project.ask("DELETE", f"/runs/{RUNS[3]}")  # with which the page ended
    assert order(f"sort=fields.x&limit=2&cursor={page['cursor']}") == ["1", "2"]
    page = project.ask("GET", "/runs?limit=1").json
    project.ask("DELETE", f"/runs/{page['runs'][0]['id']}")
    assert order(f"limit=5&cursor={page['cursor']}") == ["1", "0"]


# Deleting


def test_a_deleted_run_can_be_brought_back(project):
    path = f"/runs/{RUNS[2]}"
    assert project.ask("DELETE", path).json["name"] == "run-2"
    assert project.ask("GET", path).status == 404
    assert len(project.names()) == 3
    (waiting,) = project.ask("GET", "/deleted").json
    assert (waiting["id"], waiting["name"], waiting["deleted_by"]) == (RUNS[2], "run-2", "admin")
    assert waiting["gone_at"] - waiting["deleted_at"] == 7 * 86400
    assert project.ask("DELETE", path).code == "deleted"
    assert project.ask("PATCH", path, {"note": "x"}).code == "deleted"
    assert project.ask("POST", f"{path}/restore").json["name"] == "run-2"
    assert len(project.names()) == 4
    assert project.ask("GET", "/deleted").json == []
    assert project.ask("POST", f"{path}/restore").status == 404
    entries = project.ask("GET", "/audit").json["entries"]
    assert [entry["action"] for entry in entries[:2]] == ["run_restored", "run_deleted"]
    assert entries[0]["subject"] == RUNS[2]


def test_what_is_still_sent_to_a_deleted_run_is_refused_and_not_lost(project):
    """It is neither taken silently nor does it bring the run back; after the run is brought back, sending goes on."""
    path, body = f"/runs/{RUNS[0]}", records(0, project.server.project)
    more = lines({"type": "metrics", "time": 5000.0, "values": {"loss": 0.5}, "step": 2})
    project.ask("DELETE", path)
    for answer in (
        project.send(0),
        project.ask("GET", f"{path}/journals"),
        project.ask("PUT", f"{path}/console/console.log?offset=0", b"x"),
        project.ask("PUT", f"{path}/uploads/source/a.py?size=1&sha256={'0' * 64}", b"x"),
    ):
        assert (answer.status, answer.code, answer.json["error"]["restorable"]) == (410, "deleted", True)
    later = project.ask("POST", f"{path}/journals/journal.jsonl?offset={len(body)}", more)
    assert (later.code, later.json["error"]["size"]) == ("gap", 0)  # the client begins anew, and is told
    assert len(project.names()) == 3
    assert project.ask("POST", f"{path}/restore").status == 200
    assert project.ask("POST", f"{path}/journals/journal.jsonl?offset={len(body)}", more).status == 200
    assert project.ask("GET", f"{path}/series?metric=loss").json["series"][0]["values"] == [0.0, 0.5]


@pytest.fixture
def service(project):
    """What a server has, to be asked what it would do at another time."""
    server, limits = project.server, Limits()
    with server.storage() as storage:
        yield Service(
            data=server.data, engine=server.engine, storage=storage, indexer=Indexer(server.engine, storage),
            news=News(), usage=Usage(server.engine, storage, limits), rights=Remembered(server.engine), limits=limits,
        )  # fmt: skip


def test_deleted_runs_end_when_their_time_is_over(project, service):
    project.ask("DELETE", f"/runs/{RUNS[0]}")
    project.ask("DELETE", f"/runs/{RUNS[1]}")
    now = time.time()
    deleting.purge(service, now + 6.9 * 86400)
    assert len(project.ask("GET", "/deleted").json) == 2
    project.ask("POST", f"/runs/{RUNS[1]}/restore")
    assert deleting.purge(service, now + 7.1 * 86400) >= 1
    assert project.ask("GET", "/deleted").json == []
    assert project.ask("POST", f"/runs/{RUNS[0]}/restore").status == 404
    again = project.send(0)
    assert (again.code, again.json["error"]["restorable"]) == ("deleted", False)
    assert project.ask("GET", f"/runs/{RUNS[1]}").status == 200
    assert "run_purged" in [entry["action"] for entry in project.ask("GET", "/audit").json["entries"]]


def test_a_server_ends_by_itself_what_was_deleted(own_server, eventually):
    """The process does it, as its settings say, and counts by itself what projects hold."""
    project = Project(own_server)
    assert project.send(0).status == 200
    assert project.send(1).status == 200
    project.ask("DELETE", f"/runs/{RUNS[0]}")
    own_server.end()
    own_server.environment |= {"AUTOLOG_SERVER_UNDO_DAYS": "0", "AUTOLOG_SERVER_QUOTA_RUNS": "1"}
    own_server.start()
    eventually(lambda: project.ask("GET", "/deleted").json == [])
    assert project.send(0).json["error"]["restorable"] is False
    assert project.ask("GET", "/usage").json | {"bytes": 0} == {
        "bytes": 0, "runs": 1, "quota_bytes": 0, "quota_runs": 1, "retention_days": 0,
    }  # fmt: skip
    assert project.send(2).code == "quota"
    assert project.send(1).status == 200  # it is there: nothing new


def test_a_deletion_that_was_cut_off_is_finished(project, service):
    place = (project.server.project, RUNS[0])
    with pytest.raises(ZeroDivisionError):
        deleting.delete(cut_off(service), place, "run-0", Origin("admin", ""))
    assert service.storage.stamp(place)
    assert project.send(0).code == "deleted"
    deleting.purge(service, time.time() + 120)
    assert not service.storage.stamp(place)
    assert project.ask("POST", f"/runs/{RUNS[0]}/restore").status == 200


def cut_off(service):
    """A service whose process dies before it takes the run away."""

    class Dies:
        def remove(self, place):
            raise ZeroDivisionError

    return msgspec.structs.replace(service, storage=Dies())


# By age, and how much


def came(project, seconds):
    """All runs of a project were here so long already."""
    mine = tables.usage.c.project == project.server.project
    with project.server.engine.begin() as connection:
        connection.execute(sa.update(tables.usage).where(mine).values(since=time.time() - seconds))


def test_old_runs_are_deleted_but_for_those_that_are_kept(project, service, eventually):
    project.ask("PATCH", f"/runs/{RUNS[1]}", {"add_tags": [housekeeping.KEEP]})
    running = records(3, project.server.project).splitlines(keepends=True)[:-1]
    fresh = "20261122-111134-537-9f3c2a89"
    body = b"".join(running).replace(RUNS[3].encode(), fresh.encode()) + lines(
        {"type": "end", "time": time.time(), "status": "completed", "exit_code": 0}
    )
    assert project.ask("POST", f"/runs/{fresh}/journals/journal.jsonl?offset=0", body).status == 200
    eventually(lambda: len(project.names()) == 5)
    housekeeping.expire(service, time.time())
    assert len(project.names()) == 5  # nothing is set
    assert project.ask("PATCH", "/usage", {"retention_days": 30}).json["retention_days"] == 30
    for n in range(4):
        service.usage.touch((project.server.project, RUNS[n]))
    service.usage.touch((project.server.project, fresh))
    service.usage.count()
    housekeeping.expire(service, time.time())
    assert len(project.names()) == 5  # they have just come
    came(project, 40 * 86400)
    housekeeping.expire(service, time.time())
    assert project.names() == ["run-1", "run-3"]
    project.ask("POST", f"/runs/{RUNS[0]}/restore")
    service.usage.touch((project.server.project, RUNS[0]))
    service.usage.count()
    housekeeping.expire(service, time.time())
    assert project.names() == ["run-0", "run-1", "run-3"]  # not taken away again at once
    assert {run["deleted_by"] for run in project.ask("GET", "/deleted").json} == {""}
    assert project.ask("PATCH", "/usage", {"retention_days": None}).json["retention_days"] == 0


def test_a_project_holds_no_more_than_its_quota(project, eventually):
    size = len(records(0, project.server.project))
    assert project.ask("GET", "/usage").json == {
        "bytes": 4 * size, "runs": 4, "quota_bytes": 0, "quota_runs": 0, "retention_days": 0,
    }  # fmt: skip
    project.ask("PATCH", "/usage", {"quota_bytes": 5 * size, "quota_runs": 5})
    more = records(0, project.server.project).replace(RUNS[0].encode(), NOBODY.encode())
    path = f"/runs/{NOBODY}/journals/journal.jsonl?offset="
    assert project.ask("POST", path + "0", more).status == 200
    beyond = project.ask("POST", f"{path}{size}", lines({"type": "note", "time": 1.0, "text": "x"}))
    assert (beyond.status, beyond.code) == (507, "quota")
    assert beyond.json["error"] | {"message": ""} == {
        "code": "quota", "message": "", "what": "bytes", "quota": 5 * size, "used": 5 * size,
    }  # fmt: skip
    digest = "0" * 64
    assert project.ask("PUT", f"/runs/{NOBODY}/uploads/a.txt?size=1&sha256={digest}", b"x").code == "quota"
    project.ask("PATCH", "/usage", {"quota_bytes": None})
    other = "20261122-111134-537-0000000a"
    sixth = project.ask("POST", f"/runs/{other}/journals/journal.jsonl?offset=0",
                        more.replace(NOBODY.encode(), other.encode()))  # fmt: skip
    assert (sixth.status, sixth.json["error"]["what"], sixth.json["error"]["used"]) == (507, "runs", 5)
    assert project.ask("GET", f"/runs/{other}").status == 404
    assert project.ask("POST", f"{path}{size}", lines({"type": "note", "time": 1.0, "text": "x"})).status == 200
    project.ask("DELETE", f"/runs/{RUNS[0]}")
    eventually(lambda: project.ask("GET", "/usage").json["runs"] == 4)


def test_who_may_set_what(project):
    own = project.server.token("carl", "admin", member=True)
    writer = project.server.token("wim", "writer", member=True)
    reader = project.server.token("rita", "reader", member=True)
    assert project.ask("PATCH", "/usage", {"retention_days": 7}, token=own).status == 200
    assert project.ask("PATCH", "/usage", {"quota_bytes": 7}, token=own).status == 403
    assert project.ask("PATCH", "/usage", {"retention_days": 8}, token=writer).status == 403
    assert project.ask("GET", "/usage", token=writer).json["retention_days"] == 7
    bulk = {"action": "delete", "runs": RUNS[:1]}
    assert project.ask("POST", "/changes", bulk, token=reader).status == 403
    assert project.ask("GET", "/deleted", token=reader).status == 403
    assert project.ask("POST", "/changes", bulk, token=project.server.token("eve")).status == 404
    assert project.ask("POST", "/changes", bulk, token="").status == 401
    assert project.ask("PATCH", "/usage", {"quota_bytes": -1}).code == "shape"
    assert len(project.names()) == 4


# Many runs


def test_many_runs_are_changed_at_once(project):
    edit = {"add_tags": ["paper"], "remove_tags": ["old"], "fields": {"table": 3}, "archived": True}
    answer = project.ask("POST", "/changes", {"action": "edit", "runs": RUNS[:2], "edit": edit})
    assert answer.json == {"done": 2, "failed": 0, "outcomes": [{"run": run, "done": True} for run in RUNS[:2]]}
    project.eventually(lambda: project.names("&where='paper'%20in%20tags%20and%20archived") == ["run-0", "run-1"])
    assert project.names("&where=fields.table%20==%203%20and%20archived") == ["run-0", "run-1"]
    found = {"action": "edit", "where": "archived and metrics.loss < 1", "count": 1, "edit": {"archived": False}}
    assert project.ask("POST", "/changes", found).json["done"] == 1
    project.eventually(lambda: project.names("&where=not%20archived") == ["run-0", "run-2", "run-3"])


def test_many_runs_are_deleted_and_brought_back(project):
    wrong = project.ask("POST", "/changes", {"action": "delete", "where": "metrics.loss >= 1", "count": 2})
    assert (wrong.status, wrong.code, wrong.json["error"]["count"]) == (409, "count", 3)
    assert len(project.names()) == 4
    right = project.ask("POST", "/changes", {"action": "delete", "where": "metrics.loss >= 1", "count": 3})
    assert right.json["done"] == 3
    assert project.names() == ["run-0"]
    assert project.ask("POST", "/changes", {"action": "restore", "runs": RUNS[:2]}).json["error"]["runs"] == RUNS[:1]
    assert project.ask("POST", "/changes", {"action": "restore", "runs": RUNS[1:]}).json["done"] == 3
    assert len(project.names()) == 4


BAD_BULK = [
    ({"action": "delete"}, 422, "runs"),
    ({"action": "delete", "runs": RUNS, "where": "archived", "count": 1}, 422, "runs"),
    ({"action": "delete", "where": "archived"}, 422, "runs"),
    ({"action": "restore", "where": "archived", "count": 0}, 422, "runs"),
    ({"action": "delete", "where": "loss <", "count": 0}, 400, "query"),
    ({"action": "delete", "runs": [*RUNS, NOBODY]}, 404, "not_found"),
    ({"action": "delete", "runs": ["../x"]}, 422, "run_id"),
    ({"action": "delete", "runs": RUNS[:1] * 1001}, 422, "too_many"),
    ({"action": "explode", "runs": RUNS}, 422, "shape"),
    ({"action": "edit", "runs": RUNS}, 422, "edit"),
    ({"action": "delete", "runs": RUNS, "edit": {}}, 422, "edit"),
    ({"action": "edit", "runs": RUNS, "edit": {"name": "x"}}, 422, "name"),
    ({"action": "edit", "runs": RUNS, "edit": {"add_tags": [" "]}}, 422, "tag"),
]


def test_all_is_checked_before_the_first_run_is_touched(project):
    for asked, status, code in BAD_BULK:
        answer = project.ask("POST", "/changes", asked)
        assert (answer.status, answer.code) == (status, code), asked
        assert len(project.names("&where='old'%20in%20tags")) == 4, asked


# Settings and leases


def test_limits_are_settings():
    limits = from_environment({"AUTOLOG_SERVER_UNDO_DAYS": "1.5", "AUTOLOG_SERVER_CHUNK": "10", "OTHER": "x"})
    assert (limits.undo_days, limits.chunk, limits.line) == (1.5, 10, Limits().line)
    for wrong in ("x", "-1", "", "nan"):
        with pytest.raises(ValueError, match="AUTOLOG_SERVER_UNDO_DAYS"):
            from_environment({"AUTOLOG_SERVER_UNDO_DAYS": wrong})
