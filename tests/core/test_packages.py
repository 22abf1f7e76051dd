"""Installed packages as Python itself finds them."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from autolog.capture.packages import package_facts
from autolog.capture.redact import MASK, Redactor


def _install(where: Path, name: str, number: str, origin: object = None) -> None:
    info = where / f"{name}-{number}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
    if origin is not None:
        (info / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))


def test_this_environment() -> None:
    packages = package_facts(sys.path, Redactor(environment={}))
    assert packages["pytest"] == version("pytest")
    assert packages["pytest-timeout"] == version("pytest-timeout")
    assert list(packages) == sorted(packages)


def test_names_order_and_origins(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    _install(first, "Some.Package_X", "1.0")
    _install(second, "some_package-x", "2.0")
    _install(second, "mine", "0.1", {"url": "file:///home/me/mine", "dir_info": {"editable": True}})
    vcs = {"vcs": "git", "commit_id": "8f14e45fceea167a5a36dedd4bea2543f3c2a1b0", "requested_revision": "main"}
    _install(second, "forked", "3.1", {"url": "https://me:hunter2@example.org/forked.git", "vcs_info": vcs})
    _install(second, "wheel-file", "4", {"url": "https://example.org/w.whl", "archive_info": {}})
    _install(second, "odd", "5", "not json")
    (second / "broken-1.dist-info").mkdir()
    redactor = Redactor(environment={})
    assert package_facts([str(first), str(second), "", str(tmp_path / "missing")], redactor) | {"autolog": ""} == {
        "autolog": "",
        "some-package-x": "1.0",
        "mine": "0.1 @ file:///home/me/mine (editable)",
        "forked": f"3.1 @ git+https://{MASK}@example.org/forked.git@8f14e45fceea167a5a36dedd4bea2543f3c2a1b0",
        "wheel-file": "4 @ https://example.org/w.whl",
        "odd": "5",
    }
    assert redactor.hits == {"packages.forked": 1}


def test_a_broken_package_where_the_backport_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backport = pytest.importorskip("importlib_metadata")  # it puts itself beside Python's own, and raises
    monkeypatch.setattr(sys, "meta_path", [backport.MetadataPathFinder(), *sys.meta_path])
    _install(tmp_path, "mine", "0.1")
    (tmp_path / "broken-1.dist-info").mkdir()
    assert package_facts([str(tmp_path)], Redactor(environment={})) == {"mine": "0.1"}
