"""A real browser for tests of the web pages: one Chromium a session, a fresh context a test, nothing let out of it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.waiting import PATIENCE

_CHROMIUM = ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")


def _chromium() -> str | None:
    return next((found for name in _CHROMIUM if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """The browser. Where there is none, tests are skipped; in CI they fail."""
    path = _chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("the pages are tested in Chromium, and there is none here: apt-get install chromium")
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=1000 * PATIENCE)
        yield browser
        browser.close()


class Watched:
    """What went wrong in a page, which nothing may."""

    def __init__(self, context, page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.allowed: list[str] = []
        self.framed = ""
        """What scripts of a user's page in a frame may say."""
        context.route("**/*", self._let_out)
        context.on("response", self._look_at)
        context.on("weberror", lambda error: self._note(f"error: {error.error}"))
        context.on("console", self._hear)
        context.on("dialog", self._dismiss)

    def _let_out(self, route) -> None:
        url = urlsplit(route.request.url)
        if url.hostname in ("127.0.0.1", "localhost") or url.scheme in ("data", "blob"):
            route.continue_()
        else:
            self._note(f"request to another host: {route.request.url}")
            route.abort()

    def _look_at(self, response) -> None:
        if response.status >= 500:
            self._note(f"{response.status} of {response.url}")

    def _hear(self, message) -> None:
        # What the browser says of an answer 4xx; the tests look at the answers themselves.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self._note(f"console: {message.text}")

    def _dismiss(self, dialog) -> None:
        self._note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note(self, problem: str) -> None:
        if not any(re.search(pattern, problem) for pattern in self.allowed):
            self.problems.append(problem)


@pytest.fixture
def watched(chromium) -> Iterator[Watched]:
    """A page of a new context: no cookies; at the end nothing has gone wrong in it."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(1000 * PATIENCE)
    watched = Watched(context, context.new_page())
    yield watched
    context.close()
    assert not watched.problems, "\n".join(watched.problems)


class Site:
    """A running ``autolog ui``."""

    def __init__(self, runs: Path, cache: Path) -> None:
        self.runs = runs
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOLOG")}
        self.environment = kept | {"XDG_CACHE_HOME": str(cache), "PYTHONFAULTHANDLER": "1"}
        self.process: subprocess.Popen[str] | None = None
        self.address = ""
        """With its key."""

    def start(self, *words: str) -> "Site":
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autolog.cli", "ui", "--dir", str(self.runs), "--port", "0", "--no-open", *words],
            env=self.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        late = threading.Timer(PATIENCE, self.process.send_signal, [signal.SIGABRT])  # it then tells where it stands
        late.start()
        said = self.process.stderr.readline() + self.process.stderr.readline()
        late.cancel()
        found = re.search(r"http://127\.0\.0\.1:\d+/\?key=\S+", said)
        assert found, said + self.process.stderr.read()
        self.address = found.group()
        return self

    @property
    def url(self) -> str:
        return self.address.partition("/?")[0]

    @property
    def key(self) -> str:
        return self.address.partition("key=")[2]

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it, and wait until it is gone; its exit code."""
        process, self.process = self.process, None
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
        assert not said, said
        return process.returncode
