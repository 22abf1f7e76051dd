"""Real repositories in every state: what git says is recorded, and the repository is as before."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from autolog.capture.git import git_facts, untracked_imports
from autolog.capture.redact import MASK, Redactor

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(
        '[user]\nname = A\nemail = a@example.org\n[init]\ndefaultBranch = main\n[protocol "file"]\nallow = always\n'
        "[core]\npager = false\n[diff]\nexternal = /bin/false\nnoprefix = true\n[advice]\ndetachedHead = false\n"
    )
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


def _git(where: Path, *words: str, stdin: str | None = None) -> str:
    return subprocess.run(["git", *words], cwd=where, check=True, capture_output=True, text=True, input=stdin).stdout


def _repository(path: Path) -> Path:
    path.mkdir()
    _git(path, "init", "-q")
    (path / "train.py").write_text("lr = 1\nname = 'x'\n")
    (path / "data.bin").write_bytes(bytes(range(256)))
    _git(path, "add", ".")
    _git(path, "commit", "-q", "-m", "first")
    return path


def _facts(where: Path) -> dict[str, Any]:
    facts = git_facts(where, Redactor(environment={}))
    assert facts is not None
    json.dumps(facts)
    return facts


def test_a_clean_repository(tmp_path: Path) -> None:
    repository = _repository(tmp_path / "r")
    _git(repository, "tag", "v1")
    (repository / "sub").mkdir()
    facts = _facts(repository / "sub")
    assert facts["root"] == str(repository)
    assert facts["commit"] == _git(repository, "rev-parse", "HEAD").strip()
    assert (facts["branch"], facts["detached"], facts["dirty"]) == ("main", False, False)
    assert facts["tags"] == ["v1"]
    assert facts["describe"].startswith("v1-0-g")
    assert (facts["remote"], facts["untracked"]) == (None, [])
    assert facts["committed_at"] > 0
    assert "patch" not in facts
    assert "error" not in facts


def test_the_patch_brings_the_changes_back(tmp_path: Path) -> None:
    repository = _repository(tmp_path / "r")
    (repository / "train.py").write_text("lr = 2\nname = 'ž'\n")
    (repository / "data.bin").write_bytes(bytes(reversed(range(256))))
    (repository / "staged.py").write_text("new = True\n")
    _git(repository, "add", "staged.py")
    (repository / "untracked.py").write_text("x = 1\n")
    index = (repository / ".git" / "index").read_bytes()
    facts = _facts(repository)
    assert (repository / ".git" / "index").read_bytes() == index
    assert facts["dirty"] is True
    assert facts["untracked"] == ["untracked.py"]
    assert "patch_redacted" not in facts
    copy = tmp_path / "copy"
    _git(tmp_path, "clone", "-q", str(repository), str(copy))
    _git(copy, "apply", "-", stdin=facts["patch"])
    for name in ("train.py", "data.bin", "staged.py"):
        assert (copy / name).read_bytes() == (repository / name).read_bytes()


def test_secrets_in_patch_and_remote_are_masked(tmp_path: Path) -> None:
    repository = _repository(tmp_path / "r")
    _git(repository, "remote", "add", "origin", "https://me:hunter2@example.org/x.git")
    _git(repository, "remote", "add", "other", "git@example.org:x.git")
    (repository / "train.py").write_text("lr = 1\nname = 'x'\napi_key = 'hunter2'\n")
    redactor = Redactor(environment={})
    facts = git_facts(repository, redactor)
    assert facts is not None
    assert "hunter2" not in json.dumps(facts)
    assert facts["remote"] == f"https://{MASK}@example.org/x.git"
    assert facts["remotes"]["other"] == "git@example.org:x.git"
    assert facts["patch_redacted"] is True
    assert redactor.hits == {"git.remote": 1, "git.patch": 1}


def test_without_a_commit(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    _git(tmp_path / "r", "init", "-q")
    (tmp_path / "r" / "a.py").write_text("a = 1\n")
    _git(tmp_path / "r", "add", "a.py")
    facts = _facts(tmp_path / "r")
    assert (facts["commit"], facts["branch"], facts["dirty"]) == (None, "main", True)
    assert "+a = 1" in facts["patch"]


def test_detached_and_worktree(tmp_path: Path) -> None:
    repository = _repository(tmp_path / "r")
    _git(repository, "checkout", "-q", "--detach")
    facts = _facts(repository)
    assert (facts["branch"], facts["detached"]) == (None, True)
    _git(repository, "worktree", "add", "-q", "-b", "feature/x", str(tmp_path / "w"))
    facts = _facts(tmp_path / "w")
    assert (facts["branch"], facts["worktree"], facts["root"]) == ("feature/x", True, str(tmp_path / "w"))


def test_submodules(tmp_path: Path) -> None:
    inner, outer = _repository(tmp_path / "inner"), _repository(tmp_path / "outer")
    _git(outer, "submodule", "add", "-q", str(inner), "lib")
    _git(outer, "commit", "-q", "-m", "lib")
    assert _facts(outer / "lib")["submodule"] is True
    assert _facts(outer)["dirty"] is False
    (outer / "lib" / "train.py").write_text("changed = 1\n")
    assert _facts(outer)["dirty"] is True


def test_no_repository_bare_and_inside(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert git_facts(tmp_path / "plain", Redactor()) is None
    _git(tmp_path, "init", "-q", "--bare", "bare")
    assert "bare" in _facts(tmp_path / "bare")["error"]


def test_a_repository_of_someone_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give files away")
    repository = _repository(tmp_path / "r")
    for path in (repository, repository / ".git"):
        os.chown(path, 12345, 12345)
    facts = _facts(repository)
    assert "safe.directory" in facts["error"]
    assert facts["branch"] == "main"
    assert len(facts["commit"]) == 40


def test_without_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = _repository(tmp_path / "r")
    commit = _git(repository, "rev-parse", "HEAD").strip()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    facts = _facts(repository)
    assert (facts["commit"], facts["branch"]) == (commit, "main")
    assert "not installed" in facts["error"]
    assert untracked_imports({"root": str(repository), "files": {"train.py": {}}}) == []


def test_a_huge_patch_is_left_out(tmp_path: Path) -> None:
    repository = _repository(tmp_path / "r")
    (repository / "train.py").write_text("".join(f"line {n}\n" for n in range(300_000)))
    facts = _facts(repository)
    assert facts["patch"] is None
    assert "larger" in facts["patch_left_out"]


def test_variables_do_not_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _repository(tmp_path / "a"), _repository(tmp_path / "b")
    monkeypatch.setenv("GIT_DIR", str(second / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(second))
    assert _facts(first)["root"] == str(first)


def test_untracked_imports(tmp_path: Path) -> None:
    repository = _repository(tmp_path / "r")
    (repository / ".gitignore").write_text("ignored.py\n")
    (repository / "new").mkdir()
    for name in ("ignored.py", "new/a.py", "[odd].py"):
        (repository / name).touch()
    names = ["train.py", "ignored.py", "new/a.py", "[odd].py", "__outside__/x.py"]
    source = {"root": str(repository), "files": dict.fromkeys(names)}
    assert untracked_imports(source) == ["[odd].py", "ignored.py", "new/a.py"]
    assert untracked_imports({"root": str(tmp_path), "files": {"x.py": {}}}) == []
