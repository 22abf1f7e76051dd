"""Facts that take time to find out (git, packages, host): gathered here, so that a run starts in milliseconds."""

from __future__ import annotations

import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from autolog import events
from autolog.capture.redact import Redactor
from autolog.journal import MAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from autolog.config import Settings

__all__ = ["Gatherer"]

_PATIENCE = 10.0
"""Seconds that a run which is over still waits for a fact (git on a slow disk)."""


class Gatherer:
    """Gathers the facts in a thread: git on a hanging file system must not stop the watch.

    Args:
        settings: those of the run.
        job: what ``launch`` has sent: what is switched off, where the training process runs and finds its packages.
        append: takes the records.
        say: takes ``kind, where, detail`` of what failed.
        known: names of the facts that are on record already.
    """

    def __init__(
        self,
        settings: Settings,
        job: Mapping[str, Any],
        append: Callable[[events.Record], None],
        say: Callable[[str, str, str], None],
        *,
        known: Container[str] = (),
    ) -> None:
        self._job = job
        self._known = known
        self._append = append
        self._say = say
        self._redactor = Redactor(settings.redact, settings.redact_names)
        for secret in (settings.token, *job["secrets"]):
            self._redactor.learn(secret)
        self._in_git = self._name("git") in known
        self._thread = threading.Thread(target=self._gather, name="facts", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait for what is still on its way, for a few seconds."""
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            self._say("notice", "facts", "facts were still being gathered when the run was over")
        elif self._in_git:
            self._add("git", "untracked", self._untracked)

    def _gather(self) -> None:
        for name, gather in self._sources().items():
            if name in self._job["disabled"]:
                continue
            self._add(name, name, gather)

    def _add(self, name: str, fact: str, gather: Callable[[], Any]) -> None:
        if self._name(fact) in self._known:
            return
        try:
            value = gather()
            if value is not None:
                self._append(events.Fact(time=time.time(), name=self._name(fact), value=value))
            self._note_redactions()
        except Exception:
            self._say("error", f"capture.{name}", traceback.format_exc())

    def _name(self, fact: str) -> str:
        """A fact's name on record: each node has its own."""
        node = self._job["node"]
        return f"{fact}.{node}" if node else fact

    def _sources(self) -> dict[str, Callable[[], Any]]:
        """By name, as it is switched off: what finds the fact out; ``None`` where there is none."""
        return {"host": self._host, "gpus": self._gpus, "git": self._git, "packages": self._packages}

    def _host(self) -> Any:
        from autolog.capture.host import host_facts

        return host_facts(self._job["pid"])

    def _gpus(self) -> Any:
        from autolog.capture.host import gpu_facts

        return gpu_facts()

    def _git(self) -> Any:
        """The script's repository counts; a script that is in none (an installed command) was run for one."""
        from autolog.capture.git import git_facts

        found = None
        for directory in filter(None, [self._job["script"], self._job["cwd"]]):
            found = found or git_facts(directory, self._redactor)
        self._in_git = found is not None
        return found

    def _untracked(self) -> Any:
        """Imported files that git does not keep. Asked when the run is over: until then more are imported."""
        from autolog.capture.git import untracked_imports

        source: dict[str, Any] = {}
        with (Path(self._job["directory"]) / MAIN).open("rb") as journal:
            for line in journal:
                if b'"type":"fact"' in line and b'"name":"source"' in line:
                    source = msgspec.json.decode(line)["value"]
        return untracked_imports(source) or None

    def _packages(self) -> Any:
        from autolog.capture.packages import package_facts

        return package_facts(self._job["path"], self._redactor)

    def _note_redactions(self) -> None:
        for place, count in self._redactor.take_hits().items():
            self._append(events.Health(time=time.time(), kind="redacted", where=place, count=count))
