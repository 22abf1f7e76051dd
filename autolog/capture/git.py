"""The state of the git repository the program ran from. Runs in the sidecar, never in the training process."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolog.capture.source import OUTSIDE

if TYPE_CHECKING:
    from autolog.capture.redact import Redactor

__all__ = ["git_facts", "untracked_imports"]

_TIMEOUT = 10.0  # seconds for one command; status of a huge tree on a network disk can take long
_MAX_PATCH = 2_000_000
_MAX_UNTRACKED = 1_000
_OPTIONS = ("-c", "core.quotePath=false", "-c", "core.fsmonitor=false", "-c", "color.ui=false", "-c", "diff.external=")


def git_facts(directory: str | os.PathLike[str], redactor: Redactor) -> dict[str, Any] | None:
    """The fact ``git`` of the repository that holds ``directory``. Nothing in the repository is changed, not even its
    index, no hook and no diff program of the user's is run, and nothing is asked of a remote.

    Args:
        directory: usually the ``root`` of the fact ``source``, else the working directory of the run.
        redactor: masks the logins in remotes and the secrets in the patch.

    Returns:
        ``None`` where there is no repository. Else ``root``, ``commit`` (``None`` before the first), ``branch``
        (``None`` when detached), ``detached``, ``describe``, ``tags`` (at this commit), ``committed_at``, ``remote``
        (URL of the branch's remote, else of ``origin``), ``remotes``, ``dirty``, ``untracked`` (paths, relative to
        the root) and ``untracked_count``, ``submodule`` or ``worktree`` (``True`` where it is one), ``patch``
        (text: what differs from ``commit``, staged or not, for ``git apply``), ``patch_redacted`` (it cannot be
        applied exactly), ``patch_left_out`` (why there is none). Where git failed: ``error`` says how, and what could
        be found out is there beside it.
    """
    try:
        top = _git(directory, "rev-parse", "--show-toplevel")
    except FileNotFoundError:
        return _without_git(directory)
    if top.returncode != 0:
        return _no_worktree(directory, top.stderr)
    root = top.stdout.rstrip("\n")
    facts: dict[str, Any] = {"root": root}
    problems: list[str] = []
    for part in (_head, _remotes, _status, _kind):
        try:
            facts |= part(root, redactor)
        except subprocess.TimeoutExpired as error:
            problems.append(f"git {error.cmd[len(_OPTIONS) + 3]} took longer than {error.timeout:.0f} s")
    if facts.get("dirty"):
        facts |= _patch(root, facts.get("commit"), redactor)
    if problems:
        facts["error"] = "; ".join(problems)
    return facts


def _git(directory: str | os.PathLike[str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *_OPTIONS, "-C", os.fspath(directory), *words],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=_TIMEOUT,
        check=False,
    )


def _environment() -> dict[str, str]:
    """No variable that points git elsewhere, no lock, no question, no pager, no fetch, English messages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
    }


def _line(directory: str, *words: str) -> str | None:
    done = _git(directory, *words)
    return done.stdout.strip() or None if done.returncode == 0 else None


def _without_git(directory: str | os.PathLike[str]) -> dict[str, Any] | None:
    """There is no git program: what its files say."""
    here = Path(directory).absolute()
    for folder in (here, *here.parents):
        head = folder / ".git" / "HEAD"
        if head.is_file():
            facts: dict[str, Any] = {"root": str(folder), "error": "the git program is not installed"}
            text = head.read_text("utf-8", "replace").strip()
            reference = folder / ".git" / text.removeprefix("ref: ")
            if not text.startswith("ref: "):
                return facts | {"commit": text, "branch": None, "detached": True}
            commit = reference.read_text("utf-8", "replace").strip() if reference.is_file() else None
            return facts | {"commit": commit, "branch": text.removeprefix("ref: refs/heads/"), "detached": False}
    return None


def _no_worktree(directory: str | os.PathLike[str], message: str) -> dict[str, Any] | None:
    if "not a git repository" in message:
        return None
    if "must be run in a work tree" in message:
        where = _line(os.fspath(directory), "rev-parse", "--absolute-git-dir")
        return {"root": where, "error": "a bare repository or the inside of .git: there is no working tree"}
    if "dubious ownership" in message:
        reason = "the repository belongs to another user (git's safe.directory)"
        return (_without_git(directory) or {"root": os.fspath(directory)}) | {"error": reason}
    return {"root": os.fspath(directory), "error": message.strip()[:500]}


def _head(root: str, _: Redactor) -> dict[str, Any]:
    branch = _line(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    commit = _line(root, "rev-parse", "--quiet", "--verify", "HEAD^{commit}")
    facts: dict[str, Any] = {"commit": commit, "branch": branch, "detached": branch is None}
    if commit:
        when = _line(root, "show", "--no-patch", "--format=%ct", commit)
        facts["committed_at"] = int(when) if when else None
        facts["describe"] = _line(root, "describe", "--tags", "--always", "--long")
        facts["tags"] = (_line(root, "tag", "--points-at", commit) or "").split()
    return facts


def _remotes(root: str, redactor: Redactor) -> dict[str, Any]:
    remotes: dict[str, str] = {}
    for line in (_line(root, "config", "--get-regexp", r"^remote\..*\.url$") or "").splitlines():
        name, _, url = line.partition(" ")
        remotes.setdefault(name[len("remote.") : -len(".url")], redactor.text(url, "git.remote"))
    if not remotes:
        return {"remote": None, "remotes": {}}
    branch = _line(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    upstream = _line(root, "config", f"branch.{branch}.remote") if branch else None
    return {"remote": remotes.get(upstream or "origin", next(iter(remotes.values()))), "remotes": remotes}


def _status(root: str, _: Redactor) -> dict[str, Any]:
    done = _git(root, "status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=none")
    if done.returncode != 0:
        return {"dirty": None, "error": done.stderr.strip()[:500]}
    entries = [entry for entry in done.stdout.split("\0") if entry]
    untracked = [entry[3:] for entry in entries if entry.startswith("?? ")]
    return {
        "dirty": any(not entry.startswith("?? ") for entry in entries),
        "untracked": untracked[:_MAX_UNTRACKED],
        "untracked_count": len(untracked),
    }


def _kind(root: str, _: Redactor) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if _line(root, "rev-parse", "--show-superproject-working-tree"):
        facts["submodule"] = True
    directory, common = (
        _line(root, "rev-parse", "--path-format=absolute", part) for part in ("--git-dir", "--git-common-dir")
    )
    if directory and common and directory != common:
        facts["worktree"] = True
    if _line(root, "rev-parse", "--is-shallow-repository") == "true":
        facts["shallow"] = True
    return facts


def _patch(root: str, commit: str | None, redactor: Redactor) -> dict[str, Any]:
    against = commit or _line(root, "hash-object", "-t", "tree", "/dev/null")  # the empty tree: no commit yet
    options = ("--no-color", "--no-ext-diff", "--no-textconv", "--binary", "--submodule=short")
    prefixes = ("--src-prefix=a/", "--dst-prefix=b/")  # whatever the user has configured, `git apply` expects these
    done = _bounded(root, "diff", *options, *prefixes, against or "HEAD")
    if isinstance(done, str):
        return {"patch": None, "patch_left_out": done}
    patch = done.decode("utf-8", "surrogateescape")
    masked = redactor.code(patch, "git.patch")
    facts: dict[str, Any] = {"patch": masked.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")}
    if masked != patch:
        facts["patch_redacted"] = True
    return facts


def _bounded(root: str, *words: str) -> bytes | str:
    """The output of a git command, or why there is none. It is never kept beyond the limit."""
    with subprocess.Popen(
        ["git", *_OPTIONS, "-C", root, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    ) as process:
        output, deadline = bytearray(), time.monotonic() + _TIMEOUT
        stream = process.stdout
        while stream is not None and (piece := os.read(stream.fileno(), 65536)):
            output += piece
            if len(output) > _MAX_PATCH or time.monotonic() > deadline:
                process.kill()
                return f"larger than {_MAX_PATCH} bytes" if len(output) > _MAX_PATCH else "git diff took too long"
    return bytes(output) if process.returncode == 0 else f"git diff failed with exit code {process.returncode}"


def untracked_imports(source: dict[str, Any]) -> list[str]:
    """Which files of the fact ``source`` git does not keep (untracked or ignored): only the run has their text.

    Args:
        source: the fact, as :class:`autolog.capture.source.SourceSnapshot` gives it.

    Returns:
        Paths as in ``source["files"]``, sorted; empty where there is no repository.
    """
    root = str(source.get("root", "/"))
    inside = sorted(name for name in source.get("files", {}) if not name.startswith(OUTSIDE))
    tracked: set[str] = set()
    for at in range(0, len(inside), 500):
        try:
            done = _git(root, "--literal-pathspecs", "ls-files", "-z", "--", *inside[at : at + 500])
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return []
        if done.returncode != 0:
            return []
        tracked.update(done.stdout.split("\0"))
    return [name for name in inside if name not in tracked]
