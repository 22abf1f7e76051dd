"""The tables of docs/integrations.md, made from the integrations' ``captures``.

``python -m autolog.cli.captured docs/integrations.md`` writes the file anew: what stands between
``<!-- captures: keras -->`` and ``<!-- end -->`` becomes the table of that integration, the rest stays. ``weights`` is
what all of them record of weights.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from autolog import plugins
from autolog.captures import Captured

__all__ = ["main", "marked", "with_tables"]

_BLOCK = re.compile(r"(<!-- captures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_PLACES = {"child": "child run of kind", "params": "parameters, source", "metric": "metric", "asset": "asset"}


def marked(text: str) -> list[str]:
    """Names of the integrations that a document has tables for."""
    return [name for _, name, _ in _BLOCK.findall(text)]


def with_tables(text: str) -> str:
    """The document with every table as the code says it now.

    Raises:
        KeyError: a marker names an integration that there is not.
    """
    return _BLOCK.sub(lambda block: f"{block[1]}{_head(block[2])}\n{block[3]}", text)


def _head(name: str) -> str:
    if name == "weights":
        return "\n".join([*_table(import_module("autolog.integrations.weights").CAPTURES), ""])
    integration = plugins.built_in(name)
    oldest, newest = integration.tested
    versions = f"{oldest} to {newest}" if oldest != newest else oldest
    told = [f"Tested with {integration.distribution} {versions}.", ""]
    return "\n".join([*told, *_table(getattr(integration, "captures", ())), ""])


def _table(captures: Iterable[Captured]) -> list[str]:
    rows = [f"| {row.what} | {_place(row)} | {row.when or 'always'} |" for row in captures]
    return ["| what | where | when |", "| --- | --- | --- |", *rows] if rows else []


def _place(row: Captured) -> str:
    names = ", ".join(f"`{name}`" for name in row.names)
    return f"{_PLACES.get(row.place, row.place)} {names}"


def main(path: str) -> None:
    """Write a document's tables anew."""
    document = Path(path)
    document.write_text(with_tables(document.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
