"""``autolog show`` lists assets: a series of one name is one line, those of a run's only fit are there too."""

import autolog
from autolog.cli.console import show
from autolog.cli.page import page
from autolog.store import reader


def test_a_series_of_assets_is_one_line(runs_dir, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    run = autolog.start_run("series")
    run.log_text("readme", "one")
    with run.child("net", "fit") as fit:
        for step in (5, 10, 15):
            fit.log_histograms("weights", {"a": [0.0, float(step)]}, step)
    autolog.finish()
    show(*page(reader.read_run(run.directory), now=0.0))
    lines = [line for line in capsys.readouterr().out.splitlines() if "histograms" in line or "readme" in line]
    assert len(lines) == 2
    assert "3 at the steps 5 … 15, the last: assets/" in lines[1]
    assert lines[0].split()[:2] == ["readme", "text"]
