"""docs/format.md is true: its reader, run as it stands there, sees what autolog sees; no record is unmentioned."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from autolog import events, store
from autolog.store import edit, series

DOCUMENT = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")
TRAINING = """
import math
import autolog

autolog.log_params({"lr": 0.1, "name": "ü\\n"})
autolog.log_metric("early", 2**70)
for number in range(2):
    with autolog.child_run(f"fit {number}", kind="fit"):
        for step, value in enumerate([1.0, math.nan, math.inf, -math.inf, 0.1 + 0.2, 5e-324]):
            autolog.log_metrics({"loss": value, "val/loss": -value}, step=9 - step)
autolog.add_tags("a")
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    root = tmp_path_factory.mktemp("format")
    environment = {**os.environ, "AUTOLOG_DIR": str(root), "AUTOLOG_SIDECAR": "0"}
    subprocess.run([sys.executable, "-c", TRAINING], env=environment, check=True, cwd=root)
    run = store.find_run("last", dir=root)
    edit.tag(run, add=["later"])
    with (Path(run.directory) / "journal.jsonl").open("ab") as file:
        file.write(b'no json\n{"type":"from the future","time":1e12}\n\n{"type":"metrics","time":1,"values":{"loss":0}')
    return Path(run.directory)


@pytest.fixture(scope="module")
def documented():
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert "autolog" not in re.sub(r'""".*?"""', "", program)
    namespace = {"__name__": "reader"}
    exec(compile(program, "format.md", "exec"), namespace)
    return namespace


def test_the_reader_in_the_document_reads_what_autolog_reads(recorded, documented):
    theirs = {
        key: [(step, repr(float(value)) if isinstance(value, float) else value) for step, value in points]
        for key, points in documented["metrics"](recorded).items()
    }
    ours: dict = {}
    for point in series.points(recorded):
        value = repr(point.value) if isinstance(point.value, float) else point.value
        ours.setdefault((point.child, point.metric), []).append((point.step, value))
    assert theirs == ours
    assert float(ours[(None, "early")][0][1]) == 2.0**70
    assert len(ours) == 5
    assert any(value == "nan" for _, value in ours[next(key for key in ours if key[1] == "loss")])


def test_a_summary_made_by_the_document_is_autologs(recorded, documented):
    run = store.read_run(recorded)
    tags: dict = {}
    for record in documented["records"](recorded):
        if record["type"] == "tags":
            tags |= dict.fromkeys(record.get("add", []), True) | dict.fromkeys(record.get("remove", []), False)
    assert [tag for tag, there in tags.items() if there] == run.tags == ["a", "later"]
    points = documented["metrics"](recorded)
    assert len(run.children) == 2
    for child in run.children:
        for name, metric in child.metrics.items():
            values = [value for _, value in points[(child.id, name)]]
            numbers = [value for value in values if not math.isnan(value)]
            assert repr(metric.last) == repr(values[-1])
            assert (metric.min, metric.max, metric.count) == (min(numbers), max(numbers), len(values))
            assert metric.last_step == points[(child.id, name)][-1][0]


def test_the_document_names_every_record_and_field():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*)$", DOCUMENT, re.MULTILINE))
    kinds = {kind.__struct_config__.tag: kind for kind in events.Record.__args__}
    assert set(kinds) <= set(rows)
    for tag, kind in kinds.items():
        for field in msgspec.structs.fields(kind):
            if field.name not in ("time", "child"):
                assert f"`{field.name}`" in rows[tag], (tag, field.name)


def test_every_line_of_a_run_is_json_as_documented(recorded):
    lines = (recorded / "journal.edits.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["run", "tags"]
    assert json.loads(lines[0])["role"] == "edit"
