"""Facts of a process in a line each. Pure; a fact of an unexpected shape is shown as it is."""

from __future__ import annotations

import shlex
from typing import Any

from autolog.cli import text

__all__ = ["lines", "rest"]

_LONG = ("environment", "source", "packages", "notebook", "console", "sampling")


def lines(facts: dict[str, Any]) -> dict[str, str]:
    """The facts that everyone looks for, by title: command, git, Python, host, GPUs."""
    return {title: write(facts[name]) for name, (title, write) in _WRITERS.items() if facts.get(name)}


def rest(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts that :func:`lines` does not show and that are short enough for a page."""
    return {name: value for name, value in facts.items() if name not in _WRITERS and name not in _LONG and value}


def _command(fact: Any) -> str:
    if not isinstance(fact, dict):
        return shlex.join(map(str, fact)) if isinstance(fact, list) else text.value(fact)
    entry, words = fact.get("entry") or {}, [str(word) for word in fact.get("argv") or ()]
    kind = entry.get("kind")
    if kind == "module":
        return shlex.join(["python", "-m", str(entry.get("module")), *words[1:]])
    if kind == "script":
        return shlex.join(["python", *words])
    if kind == "notebook":
        return f"notebook {entry.get('path') or '(its file is not known)'}"
    return shlex.join(str(word) for word in fact.get("orig_argv") or words)


def _git(fact: Any) -> str:
    if not isinstance(fact, dict):
        return text.value(fact)
    untracked = fact.get("untracked_count")
    parts = [
        str(fact.get("commit") or "")[:12],
        f"on {fact['branch']}" if fact.get("branch") else "",
        "with uncommitted changes" if fact.get("dirty") else "",
        f"{untracked} untracked" if untracked else "",
        str(fact.get("remote") or ""),
        str(fact.get("error") or ""),
    ]
    return ", ".join(part for part in parts if part).replace(", on ", " on ", 1)


def _python(fact: Any) -> str:
    if not isinstance(fact, dict):
        return text.value(fact)
    return " ".join(str(fact[name]) for name in ("implementation", "version", "executable") if fact.get(name))


def _packages(fact: Any) -> str:
    return f"{len(fact)} installed (--packages lists them)"


def _host(fact: Any) -> str:
    if not isinstance(fact, dict):
        return text.value(fact)
    cpus, memory = fact.get("cpus_usable") or fact.get("cpus_logical"), fact.get("memory")
    parts = [
        "@".join(str(fact[name]) for name in ("user", "name") if fact.get(name)),
        str(fact.get("os") or fact.get("kernel") or ""),
        f"{cpus} CPUs" if cpus else "",
        str(fact.get("cpu") or ""),
        f"{text.size(memory)} memory" if isinstance(memory, (int, float)) else "",
        str(fact.get("container") or ""),
    ]
    return ", ".join(part for part in parts if part) or text.value(fact)


def _gpus(fact: Any) -> str:
    if not isinstance(fact, list):
        return text.value(fact)
    names = [str(gpu.get("name", gpu)) if isinstance(gpu, dict) else str(gpu) for gpu in fact]
    counted = {name: names.count(name) for name in names}
    return ", ".join(name if count == 1 else f"{count} × {name}" for name, count in counted.items())  # noqa: RUF001  (a sign for people)


_WRITERS = {
    "command": ("command", _command),
    "git": ("git", _git),
    "python": ("python", _python),
    "packages": ("packages", _packages),
    "host": ("host", _host),
    "gpus": ("GPUs", _gpus),
}
