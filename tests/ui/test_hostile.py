"""What users have named, printed and stored is shown, and does nothing."""

import json

import pytest
from playwright.sync_api import expect

from tests.browsers import Site

ID = "20260101-000000-000-0000000"
EVIL = "\"><img src=x onerror=window.hacked=1><script>window.hacked=1</script>'{{constructor}}`${1}`"
PAGE = """<h1>a page</h1>
<script>document.title = 'ran'; try { parent.hacked = 1 } catch (e) {} fetch('/api/v1/session')</script>"""
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="window.hacked=1">
<script>parent.hacked=1</script></svg>"""


def record(of, time, **values):
    return json.dumps({"type": of, "time": time, **values}) + "\n"


@pytest.fixture(scope="module")
def evil_site(tmp_path_factory):
    """A run in which everything that a user can choose is a script."""
    root = tmp_path_factory.mktemp("evil")
    run = root / "runs" / "lab" / f"{ID}1"
    (run / "assets" / "00").mkdir(parents=True)
    (run / "source").mkdir()
    for name, text in (("page.html", PAGE), ("picture.svg", SVG)):
        (run / "assets" / "00" / name).write_text(text)
    (run / "source" / "evil.py").write_text(EVIL)
    (run / "console.log").write_text(
        f"\x1b[31m{EVIL}\x1b[0m\nplain\n\x1b]8;;javascript:window.hacked=1\x07link\x1b]8;;\x07\n"
    )
    stored = {"size": 10, "hash": "sha256:00"}
    source = {"main": EVIL, "files": {EVIL: {"stored": "source/evil.py", "size": 9}}}
    svg = "image/svg+xml"
    (run / "journal.jsonl").write_text(
        record("run", 1.0, id=run.name, name=EVIL, project="lab")
        + record("params", 2.0, values={EVIL: EVIL, "javascript:hacked=1": "javascript:hacked=1"})
        + record("metrics", 3.0, values={EVIL: 1.0}, step=1)
        + record("tags", 3.0, add=[EVIL])
        + record("note", 3.0, text=EVIL)
        + record("fact", 3.0, name="source", value=source)
        + record("fact", 3.0, name="host", value={"name": EVIL, "toString": EVIL, "__proto__": EVIL})
        + record("child", 3.0, child="1", name=EVIL, kind=EVIL)
        + record("asset", 3.0, name="page", kind="html", media_type="text/html", path="assets/00/page.html", **stored)
        + record("asset", 3.0, name=EVIL, kind="image", media_type=svg, path="assets/00/picture.svg", **stored)
        + record("asset", 3.0, name="link", kind="file", uri="javascript:window.hacked=1")
        + record("end", 4.0, status="failed", exception={"type": EVIL, "message": EVIL, "traceback": EVIL})
    )  # fmt: skip
    site = Site(root / "runs", root / "cache").start()
    yield site
    site.end()


@pytest.mark.parametrize("view", ["", "charts", "children", "system", "console", "source", "assets"])
def test_scripts_of_users_do_nothing_on_the_page_of_a_run(evil_site, watched, view):
    page = watched.page
    watched.allowed.append(
        "(?i)blocked a frame|refused to connect|content security policy.*connect-src|Failed to fetch"
    )
    page.goto(evil_site.address)
    page.goto(f"{evil_site.url}/projects/lab/runs/{ID}1/{view}")
    expect(page.get_by_role("heading", level=1)).to_have_text(EVIL)
    if view == "console":
        expect(page.get_by_role("log")).to_contain_text(EVIL)
        expect(page.get_by_role("log").locator(".ansi-1")).to_have_text(EVIL)
    if view == "source":
        expect(page.locator("pre").last).to_have_text(EVIL)
    if view == "assets":
        expect(page.frame_locator("iframe").get_by_role("heading")).to_have_text("a page")
        frame = page.frames[1]
        frame.wait_for_function("document.title === 'ran'")  # figures need their own scripts; they reach nothing
        assert frame.evaluate("origin") == "null"
        expect(
            page.get_by_role("figure").filter(has_text="javascript:window.hacked=1").get_by_role("link")
        ).to_have_count(0)
    assert page.evaluate("window.hacked") is None
    assert page.title() == f"{EVIL} · autolog"


def test_scripts_of_users_do_nothing_in_the_table_and_compared(evil_site, watched):
    page = watched.page
    page.goto(evil_site.address)
    expect(page.get_by_role("link", name=EVIL)).to_be_visible()
    page.get_by_role("combobox", name="Filter runs").fill("javascr")
    expect(page.get_by_role("listbox", name="Names").get_by_role("option").first).to_be_visible()
    page.get_by_role("combobox", name="Filter runs").fill("")
    page.get_by_role("button", name="Columns").click()
    expect(page.get_by_role("checkbox", name=f"metrics.{EVIL}", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("checkbox", name=f"Select {EVIL}").check()
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 run compared")
    expect(page.get_by_role("figure").locator("canvas").first).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_stored_pages_and_pictures_run_nothing_by_themselves(evil_site, watched):
    """Opened alone, without the frame around them."""
    page = watched.page
    watched.allowed.append(".*")
    page.goto(evil_site.address)
    base = f"{evil_site.url}/api/v1/projects/lab/runs/{ID}1/files/assets/00"
    page.goto(f"{base}/picture.svg")
    assert page.evaluate("[window.hacked ?? null, origin]") == [None, "null"]
    page.goto(f"{base}/page.html?frame=1")
    assert page.evaluate("origin") == "null"
    with pytest.raises(Exception, match="Download is starting"):
        page.goto(f"{base}/page.html")
