"""The files of the web application: all there, all its own, kept by browsers as long as they are right."""

import gzip
import hashlib
import http.client
import re
from pathlib import Path

import pytest

import autolog.server
from tests.waiting import PATIENCE

STATIC = Path(autolog.server.__file__).with_name("static")
FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
OURS = [path for path in FILES if not path.startswith("vendor/")]
KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@pytest.fixture
def fetch(site):
    connection = http.client.HTTPConnection("127.0.0.1", int(site.url.rpartition(":")[2]), timeout=PATIENCE)

    def get(path, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers={"Authorization": f"Bearer {site.key}", **named})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    yield get
    connection.close()


def test_every_file_that_the_page_names_is_there_for_good(fetch):
    status, headers, page = fetch("/projects/lab")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert headers["cache-control"] == "no-cache"
    named = re.findall(r'(?:href|src)="([^"]+)"', page.decode())
    scripts = [path for path in FILES if path.endswith(".js")]
    assert sorted(path.split("/", 3)[3] for path in named if path.endswith(".js")) == scripts
    for path in named:
        status, headers, body = fetch(path)
        assert status == 200, path
        assert headers["content-type"] == KINDS[Path(path).suffix]
        assert headers["cache-control"] == "public, max-age=31536000, immutable"
        assert headers["x-content-type-options"] == "nosniff"
        assert body == (STATIC / path.split("/", 3)[3]).read_bytes()
        status, packed, body = fetch(path, Accept_Encoding="gzip")
        assert packed["content-encoding"] == "gzip"
        assert gzip.decompress(body) == (STATIC / path.split("/", 3)[3]).read_bytes()
        assert fetch(path, If_None_Match=headers["etag"])[0] == 304
    assert "no-cache" in fetch("/static/another/js/main.js")[1]["cache-control"]
    for path in ("js/nothing.js", "index.html", "../pages.py", "%2e%2e/pages.py", "vendor"):
        assert fetch(f"/static/x/{path}")[0] in (404, 422), path


def test_a_page_may_load_nothing_from_elsewhere_and_be_framed_by_nobody(fetch):
    policy = dict(part.strip().split(" ", 1) for part in fetch("/")[1]["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in str(policy)
    assert fetch("/")[1]["x-frame-options"] == "DENY"
    assert fetch("/")[1]["referrer-policy"] == "no-referrer"


def test_scripts_write_no_html_and_name_no_other_host():
    for path in OURS:
        text = (STATIC / path).read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerously|\beval\(|new Function", text
        ), path
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), path
        assert len(text.splitlines()) <= 300, path


def test_libraries_are_those_that_are_listed():
    text = (STATIC / "vendor/VENDORED.md").read_text()
    listed = dict(re.findall(r"^\| `([\w/.]+)` \|.*\| `([0-9a-f]{64})` \|$", text, re.MULTILINE))
    found = [path.removeprefix("vendor/") for path in FILES if path.startswith("vendor/")]
    assert sorted([*listed, "VENDORED.md"]) == found
    for path, digest in listed.items():
        assert hashlib.sha256((STATIC / "vendor" / path).read_bytes()).hexdigest() == digest, path
    assert {path.split("/")[0] for path in listed if path.endswith("LICENSE")} == {
        path.split("/")[0] for path in listed
    }
