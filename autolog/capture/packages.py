"""Installed packages with their versions. Runs in the sidecar."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import Distribution

    from autolog.capture.redact import Redactor

__all__ = ["package_facts"]


def package_facts(path: Iterable[str], redactor: Redactor) -> dict[str, str]:
    """The fact ``packages``.

    Args:
        path: ``sys.path`` of the training process.
        redactor: masks logins in the addresses packages were installed from.

    Returns:
        Version by normalised name (``scikit-learn``, not ``scikit_learn``), sorted. A package that is not from an
        index says where from after the version, as pip writes it: ``1.0 @ git+https://…@<commit>``,
        ``0.1.0 @ file:///… (editable)``. Of several on the path the one that would be imported counts. Distributions
        whose metadata cannot be read are left out.
    """
    from importlib.metadata import distributions

    found: dict[str, str] = {}
    for distribution in distributions(path=[entry or "." for entry in path]):
        name, version = _named(distribution)
        if name and version:
            key = re.sub(r"[-_.]+", "-", name).lower()
            if key not in found:
                found[key] = f"{version}{_origin(distribution, key, redactor)}"
    return dict(sorted(found.items()))


def _named(distribution: Distribution) -> tuple[str | None, str | None]:
    """Name and version; nothing of a broken one, for which Python's own says ``None`` and its backport raises."""
    try:
        metadata: Any = distribution.metadata
    except FileNotFoundError:  # importlib_metadata.MetadataNotFound
        return None, None
    return (None, None) if metadata is None else (metadata.get("Name"), metadata.get("Version"))


def _origin(distribution: Distribution, name: str, redactor: Redactor) -> str:
    """`` @ …`` for a package that was installed from a directory, archive or repository (PEP 610)."""
    text = distribution.read_text("direct_url.json")
    if not text:
        return ""
    try:
        origin = json.loads(text)
        url = redactor.text(str(origin["url"]), f"packages.{name}")
    except (ValueError, KeyError, TypeError):
        return ""
    vcs = origin.get("vcs_info") or {}
    if vcs:
        return f" @ {vcs.get('vcs', 'git')}+{url}@{vcs.get('commit_id', vcs.get('requested_revision', ''))}"
    editable = (origin.get("dir_info") or {}).get("editable")
    return f" @ {url} (editable)" if editable else f" @ {url}"
