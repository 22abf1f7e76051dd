"""docs/integrations.md says what the integrations say they capture."""

from pathlib import Path

import pytest

from autolog import plugins
from autolog.captures import Captured
from autolog.cli.captured import marked, with_tables

DOCUMENT = (Path(__file__).parents[2] / "docs" / "integrations.md").read_text("utf-8")


def test_the_document_is_made_from_the_code():
    assert with_tables(DOCUMENT) == DOCUMENT, "run: python -m autolog.cli.captured docs/integrations.md"


def test_every_integration_has_its_table():
    one_code = {"pytorch_lightning", "lightning_fabric"}  # the same as those of lightning
    assert {entry.name for entry in plugins.BUILT_IN} - one_code | {"weights"} == set(marked(DOCUMENT))


@pytest.mark.parametrize("name", [entry.name for entry in plugins.BUILT_IN])
def test_every_integration_says_what_it_captures(name):
    captures = plugins.built_in(name).captures
    assert captures
    assert all(isinstance(row, Captured) and row.what and row.names for row in captures)


def test_a_table_shows_what_where_and_when(monkeypatch):
    rows = (Captured("losses", "metric", ("loss", "val_loss")), Captured("files", "asset", ("*.pt",), "with saving"))
    monkeypatch.setattr(plugins.built_in("keras"), "captures", rows, raising=False)
    text = with_tables("<!-- captures: keras -->\nold\n<!-- end -->\nkept\n")
    assert "| losses | metric `loss`, `val_loss` | always |\n| files | asset `*.pt` | with saving |" in text
    assert "old" not in text
    assert text.endswith("<!-- end -->\nkept\n")
