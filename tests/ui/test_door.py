"""Who gets into ``autolog ui``, what it does there, and what it is made of."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys

import pytest

from tests.browsers import Site
from tests.waiting import PATIENCE


@pytest.fixture
def visit(site):
    """``visit(method, path, body, headers)``: status, headers and body of an answer, by nobody in particular."""

    def ask(method, path, body=None, **headers):
        port = int(site.url.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        found = answer.status, dict(answer.headers), answer.read()
        connection.close()
        return found

    return ask


def cookie_of(visit, site):
    status, headers, _ = visit("GET", f"/projects/lab?key={site.key}&where=1")
    assert (status, headers["location"]) == (303, "/projects/lab?where=1")
    assert "HttpOnly" in headers["set-cookie"]
    assert "samesite=lax" in headers["set-cookie"].lower()
    return headers["set-cookie"].partition(";")[0]


def test_only_the_key_opens(visit, site):
    for path in ("/", "/projects/lab", "/api/v1/projects", "/api/v1/session", "/?key=wrong"):
        status, headers, body = visit("GET", path)
        assert status == 401, path
        assert b"autolog ui" in body
        assert "set-cookie" not in headers
    assert visit("GET", "/api/v1/projects", Cookie=cookie_of(visit, site))[0] == 200
    assert visit("GET", "/api/v1/projects", Authorization=f"Bearer {site.key}")[0] == 200
    assert visit("GET", "/api/v1/projects", Authorization="Bearer x")[0] == 401


def test_the_key_leads_to_no_other_host(visit, site):
    for path in ("//evil.example/", "/\\evil.example/"):
        status, headers, _ = visit("GET", f"{path}?key={site.key}")
        assert status == 303
        assert re.match(r"/[^/\\]", headers["location"]), headers["location"]


def test_a_name_that_leads_here_from_elsewhere_is_refused(visit, site):
    cookie = cookie_of(visit, site)
    for host in ("evil.example", "evil.example:8701", "127.0.0.1.evil.example", ""):
        status, _, body = visit("GET", "/api/v1/projects", Cookie=cookie, Host=host)
        assert (status, json.loads(body)["error"]["code"]) == (403, "host"), host
    for host in ("localhost:9999", "127.0.0.1", "LOCALHOST", "[::1]:80"):
        assert visit("GET", "/api/v1/projects", Cookie=cookie, Host=host)[0] == 200, host


def test_changes_need_proof_that_they_come_from_the_page(visit, site, recorded):
    cookie = cookie_of(visit, site)
    run = recorded.directories()[0].name
    path = f"/api/v1/projects/lab/runs/{run}"
    status, _, body = visit("PATCH", path, b'{"note": "x"}', Cookie=cookie)
    assert (status, json.loads(body)["error"]["code"]) == (403, "csrf")
    told = json.loads(visit("GET", "/api/v1/session", Cookie=cookie)[2])
    assert site.key not in json.dumps(told)
    assert visit("PATCH", path, b"{}", Cookie=cookie, X_CSRF_Token=told["csrf"])[0] == 200
    assert visit("PATCH", path, b"{}", Cookie=cookie, X_CSRF_Token="x")[0] == 403


def test_it_takes_nothing_in_and_nothing_away(visit, site, recorded):
    run = recorded.directories()[0].name
    key = {"Authorization": f"Bearer {site.key}"}
    base = f"/api/v1/projects/lab/runs/{run}"
    assert visit("POST", f"{base}/journals/journal.jsonl?offset=0", b"{}\n", **key)[0] in (404, 405)
    assert visit("DELETE", base, **key)[0] == 405
    assert visit("GET", f"{base}/files/../../../../etc/passwd", **key)[0] in (404, 422)


def test_the_extra_ui_suffices():
    """Nothing of the server's own packages is imported on the way of `autolog ui`."""
    code = """
        import sys
        import autolog.cli.ui, autolog.server.local.serve
        print([name for name in ("alembic", "psycopg", "argon2", "boto3", "zstandard") if name in sys.modules])
    """
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(map(str.strip, code.splitlines()))], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def projects(site, visit):
    return json.loads(visit("GET", "/api/v1/projects", Authorization=f"Bearer {site.key}")[2])["projects"]


def test_runs_come_and_go_and_the_index_survives(recorded, tmp_path, eventually):
    shutil.copytree(recorded.runs, tmp_path / "runs")
    site = Site(tmp_path / "runs", tmp_path / "cache").start()

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", int(site.url.rpartition(":")[2]), timeout=PATIENCE)
        connection.request("GET", "/api/v1/projects", headers={"Authorization": f"Bearer {site.key}"})
        told = json.loads(connection.getresponse().read())["projects"]
        connection.close()
        return {name: one if isinstance(one, int) else one["runs"] for name, one in told.items()}

    eventually(lambda: ask() == {"lab": 4})
    first = next((tmp_path / "runs" / "lab").iterdir())
    (tmp_path / "runs" / "other").mkdir()
    shutil.move(first, tmp_path / "runs" / "other" / first.name)
    eventually(lambda: ask() == {"lab": 3, "other": 1})
    assert site.end(signal.SIGINT) == 0
    shutil.rmtree(tmp_path / "runs" / "other")
    (database,) = (tmp_path / "cache" / "autolog" / "ui").glob("*.sqlite")
    known = database.stat().st_ino
    site.start()
    eventually(lambda: ask() == {"lab": 3})
    assert site.end() == 0
    assert database.stat().st_ino == known
    database.write_bytes(b"not a database" * 1000)
    site.start()
    eventually(lambda: ask() == {"lab": 3})
    assert site.end() == 0


@pytest.mark.parametrize("words", [["--dir", "/nowhere"], ["--port", "PORT"]])
def test_what_cannot_be_shown_is_said(site, words, tmp_path):
    words = [site.url.rpartition(":")[2] if word == "PORT" else word for word in words]
    base = [] if "--dir" in words else ["--dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "autolog.cli", "ui", "--no-open", *base, *words], env=site.environment,
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search("there is no directory /nowhere|cannot listen on port", done.stderr), done.stderr
