"""The ``log_*`` methods on a real run: what is on disk afterwards, in the journal, and after a kill."""

import hashlib
import io
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from PIL import Image

import autolog
from autolog import events, media
from autolog.journal import read

# The core is tested without the frameworks too; what is about their values needs them.
torch = pytest.importorskip("torch")


@pytest.fixture
def run(runs_dir):
    return autolog.start_run(name="mine", project="vision")


def records(run, kind=events.Asset):
    return [record for record, _ in read(run.directory / "journal.jsonl") if isinstance(record, kind)]


def content(run, asset):
    data = (run.directory / asset.path).read_bytes()
    assert asset.hash == "sha256:" + hashlib.sha256(data).hexdigest()
    assert asset.size == len(data)
    assert asset.path.split("/")[2].startswith(asset.hash[7:])
    return data


def only(run):
    (asset,) = records(run)
    return asset, content(run, asset)


def stored_json(run):
    asset, data = only(run)
    return asset, json.loads(data)


# -- text, html and what holds for all ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "plain", "ünï\r\n\0", "x" * 2**20], ids=["empty", "plain", "odd", "1MB"])
def test_text_is_exact(run, text):
    run.log_text("samples/greedy ü", text, 3, epoch=1, metadata={"prompt": {"a": [np.float32(0.5), math.nan]}})
    asset, data = only(run)
    assert data.decode() == text
    assert (asset.name, asset.kind, asset.step, asset.epoch) == ("samples/greedy ü", "text", 3, 1)
    assert asset.media_type.startswith("text/plain")
    assert asset.metadata["prompt"] == {"a": [0.5, "NaN"]}
    assert asset.metadata["characters"] == len(text)


def test_html(run):
    run.log_html("report", "<b>hi</b>")
    asset, data = only(run)
    assert (data, asset.kind, asset.path[-5:]) == (b"<b>hi</b>", "html", ".html")


def test_step_and_epoch_of_the_framework(run):
    run.log_text("a", "1")
    run.step, run.epoch = 7, 2
    run.log_text("b", "2")
    with run.child("fit") as fit:
        fit.log_text("c", "3", torch.tensor(9))
    assert [(asset.step, asset.epoch) for asset in records(run)] == [(None, None), (7, 2), (9, None)]
    assert [asset.child for asset in records(run)] == [None, None, fit.child_id]


def test_equal_content_is_stored_once(run):
    for step in range(5):
        run.log_text("same", "content", step)
    assert len(records(run)) == 5
    assert len([path for path in (run.directory / "assets").rglob("*") if path.is_file()]) == 1
    assert {path.stat().st_mode & 0o077 for path in (run.directory / "assets").rglob("*")} == {0}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda run: run.log_text("", "x"), "name"),
        (lambda run: run.log_image(np.zeros((2, 2)), "swapped"), "numpy.ndarray of shape (2, 2)"),
        (lambda run: run.log_text("a", 3), "given int 3; accepted are str"),
        (lambda run: run.log_html("a", b"x"), "bytes"),
        (lambda run: run.log_text("a", "x", "first"), "'step'"),
        (lambda run: run.log_text("a", "x", epoch=[1]), "'epoch'"),
        (lambda run: run.log_text("a", "x", metadata=[1]), "metadata must be a mapping"),
        (lambda run: run.log_figure("a", 3), "matplotlib figure"),
        (lambda run: run.log_histogram("a"), "give values, or counts="),
        (lambda run: run.log_histogram("a", "text"), "str 'text'"),
        (lambda run: run.log_histogram("a", ["x"]), "log_histogram"),
        (lambda run: run.log_curve("a", [1], 2), "int 2"),
        (lambda run: run.log_curve("a", ["1"], [2]), "'x'"),
        (lambda run: run.log_confusion_matrix("a"), "y_true and y_pred, or matrix="),
        (lambda run: run.log_confusion_matrix("a", matrix=3), "square"),
        (lambda run: run.log_table("a", 3), "pandas or polars frame"),
        (lambda run: run.log_asset(3), "path, bytes, or an open file"),
        (lambda run: run.log_asset(b"x"), "name="),
        (lambda run: run.log_model("a", torch.nn.Linear(1, 1)), "save it first"),
        (lambda run: run.log_dataset("a", None), "NoneType"),
        (lambda run: run.log_dataset("a", len), "accepted are pandas"),
    ],
    ids=range(21),
)
def test_a_wrong_argument_is_refused_and_nothing_is_recorded(run, call, says):
    with pytest.raises(TypeError) as caught:
        call(run)
    assert says in str(caught.value)
    assert records(run) == []


def test_pictures_sounds_videos(run):
    run.log_image("i", np.zeros((4, 4, 3)), 1)
    run.log_audio("a", np.zeros(8), 8000, 2)
    run.log_video("v", np.zeros((2, 4, 4)), 5, 3)
    assets = records(run)
    assert [(asset.kind, asset.media_type, asset.step) for asset in assets] == [
        ("image", "image/png", 1),
        ("audio", "audio/wav", 2),
        ("video", "image/apng", 3),
    ]
    assert all(content(run, asset) for asset in assets)


def test_secrets_in_metadata_are_masked(run):
    run.log_text("a", "x", metadata={"password": "canary-hunter2"})
    assert b"canary-hunter2" not in (run.directory / "journal.jsonl").read_bytes()


# -- figures -----------------------------------------------------------------------------------------------------


def plotted():
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2, 3])
    return figure


def test_matplotlib_is_drawn_and_left_alone(run):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([1, 2])
    other = plt.figure()
    settings, size, dpi = dict(mpl.rcParams), tuple(figure.get_size_inches()), figure.dpi
    run.log_figure("a", figure, svg=True, dpi=50)
    run.log_figure("b", axes)
    run.log_figure("c", plt)
    assert plt.get_fignums() == [figure.number, other.number]
    assert plt.gcf() is other
    assert (dict(mpl.rcParams), tuple(figure.get_size_inches()), figure.dpi) == (settings, size, dpi)
    png, svg, _, current = records(run)
    assert Image.open(io.BytesIO(content(run, png))).size == (150, 100)
    assert b"<svg" in content(run, svg)
    assert Image.open(io.BytesIO(content(run, current))).size == tuple(
        int(side * 100) for side in other.get_size_inches()
    )
    plt.close("all")
    with pytest.raises(ValueError, match="no figure is open"):
        run.log_figure("d", plt)
    assert plt.get_fignums() == []


def test_plotly_stays_interactive(run):
    run.log_figure("p", go.Figure(go.Scatter(x=[1, 2], y=[3, 4])), html=True)
    plot, page = records(run)
    assert plot.media_type == "application/vnd.plotly.v1+json"
    assert json.loads(content(run, plot))["data"][0]["type"] == "scatter"
    assert b"plotly" in content(run, page)


# -- histograms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.asarray, torch.tensor, list, pd.Series, pl.Series], ids=lambda make: make.__name__)
def test_histogram_counts_every_value(run, make):
    values = [0.0, 1.0, 2.0, 9.5, 10.0, math.nan, math.inf, -math.inf, math.inf]
    run.log_histogram("h", make(values), bins=10)
    asset, found = stored_json(run)
    assert found["counts"] == [1, 1, 1, 0, 0, 0, 0, 0, 0, 2]
    assert found["edges"] == pytest.approx(list(range(11)))
    assert (found["count"], found["nan"], found["infinity"], found["minus_infinity"]) == (5, 1, 2, 1)
    assert (found["min"], found["max"], found["mean"]) == (0.0, 10.0, 4.5)
    assert asset.metadata["count"] == 5


def test_histogram_agrees_with_numpy(run):
    values = np.random.default_rng(0).normal(size=(100, 100))
    run.log_histogram("h", values, bins=50)
    _, found = stored_json(run)
    counts, edges = np.histogram(values, bins=50)
    assert (found["counts"], found["edges"]) == (counts.tolist(), edges.tolist())
    assert sum(found["counts"]) == 10_000


@pytest.mark.parametrize(
    "values", [[5.0] * 3, [1e16, 1e16 + 2], [-1.7e308, 1.7e308], [5e-324, 0.0], [True, False], range(3), [3]], ids=repr
)
def test_histogram_of_odd_values(run, values):
    run.log_histogram("h", list(values))
    run.log_histogram("h", np.asarray(values))
    for asset in records(run):
        found = json.loads(content(run, asset))
        assert sum(found["counts"]) == len(values)
        assert len(found["edges"]) == len(found["counts"]) + 1
        assert found["edges"] == sorted(found["edges"])


def test_histogram_of_nothing_and_without_numpy(run):
    run.log_histogram("h", [])
    assert stored_json(run)[1]["counts"] == []
    program = (
        "import sys; from autolog.media.histogram import histogram\n"
        "sys.stdout.buffer.write(histogram([0, 1, 2, 9.5, 10, float('nan')], 10).data)\n"
        "assert 'numpy' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
    assert json.loads(printed)["counts"] == [1, 1, 1, 0, 0, 0, 0, 0, 0, 2]


def test_histogram_from_counts(run):
    run.log_histogram("h", counts=np.array([1, 2]), edges=[0, 0.5, 1])
    assert stored_json(run)[1] == {"version": 1, "counts": [1, 2], "edges": [0, 0.5, 1], "count": 3}
    with pytest.raises(ValueError, match="2 counts need 3 edges, given 2"):
        run.log_histogram("h", counts=[1, 2], edges=[0, 1])
    with pytest.raises(ValueError, match="ascend"):
        run.log_histogram("h", counts=[1], edges=[1, 0])
    with pytest.raises(ValueError, match="bins"):
        run.log_histogram("h", [1], bins=0)


# -- confusion matrices and curves -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("true", "predicted", "labels"),
    [
        (["cat", "dog", "dog"], ["cat", "cat", "dog"], None),
        ([0, 1, 1], [0, 0, 1], ["cat", "dog"]),
        (np.array([0, 1, 1]), torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]]), ["cat", "dog"]),
        (pd.Series(["cat", "dog", "dog"]), np.array(["cat", "cat", "dog"]), ["cat", "dog"]),
        ([0.0, 1.0, 1.0], [False, False, True], ("cat", "dog")),
    ],
    ids=range(5),
)
def test_confusion_matrix(run, true, predicted, labels):
    run.log_confusion_matrix("c", true, predicted, labels=labels)
    asset, found = stored_json(run)
    assert found == {"version": 1, "labels": ["cat", "dog"], "matrix": [[1, 0], [1, 1]], "examples": []}
    assert asset.metadata == {"classes": 2, "count": 3}


def test_labels_give_order_and_empty_classes(run):
    run.log_confusion_matrix("c", [3, 7], [7, 7], labels=[7, 5, 3])
    assert stored_json(run)[1]["matrix"] == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_examples_for_cells(run):
    pictures = [np.full((2, 2), value, dtype=np.uint8) for value in range(6)]
    run.log_confusion_matrix("a", [0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0], examples=pictures, examples_per_cell=2)
    seen = []
    run.log_confusion_matrix("b", [0, 1], [0, 1], examples=lambda number: seen.append(number) or f"text {number}")
    run.log_confusion_matrix("c", matrix=[[1, 2], [3, 4]], labels=["x", "y"], examples={("x", "y"): ["a", "b"]})
    assert seen == [0, 1]
    first, second, third = (json.loads(content(run, asset)) for asset in records(run))
    cells = {(cell["true"], cell["predicted"]): cell["assets"] for cell in first["examples"]}
    assert {cell: len(assets) for cell, assets in cells.items()} == {(0, 0): 2, (0, 1): 1, (1, 1): 1, (1, 0): 1}
    picture = cells[(0, 1)][0]
    assert np.asarray(Image.open(run.directory / picture["path"])).tolist() == [[3, 3], [3, 3]]
    assert (picture["media_type"], picture["kind"]) == ("image/png", "image")
    assert (run.directory / second["examples"][1]["assets"][0]["path"]).read_text() == "text 1"
    assert (third["examples"][0]["true"], third["examples"][0]["predicted"]) == (0, 1)
    assert len(third["examples"][0]["assets"]) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"y_true": [1], "y_pred": [1, 2]}, "1 samples"),
        ({"y_true": [1], "y_pred": ["b"], "labels": ["a", "b"]}, "none of the labels"),
        ({"matrix": [[1, 2]]}, "not square"),
        ({"matrix": [[1]], "labels": ["a", "b"]}, "2 labels"),
        ({"matrix": [[1]], "examples": {("z", "z"): []}}, "labels are"),
        ({"y_true": [1], "y_pred": [1], "labels": ["a", "a"]}, "twice"),
    ],
    ids=range(6),
)
def test_confusion_matrices_that_do_not_fit(run, arguments, says):
    with pytest.raises(ValueError, match=says):
        run.log_confusion_matrix("c", **arguments)


def test_curve(run):
    run.log_curve(
        "roc", np.array([0.0, 0.5, 1.0]), torch.tensor([0.0, math.nan, math.inf]), 4, x_label="fpr", y_label="tpr"
    )
    asset, found = stored_json(run)
    assert found == {
        "version": 1,
        "x": [0.0, 0.5, 1.0],
        "y": [0.0, "NaN", "Infinity"],
        "x_label": "fpr",
        "y_label": "tpr",
    }
    assert asset.step == 4
    with pytest.raises(ValueError, match="x has 2 points, y 1"):
        run.log_curve("roc", [1, 2], [1])


# -- tables ------------------------------------------------------------------------------------------------------

COLUMNS = {"n": [1, 2], "x": [0.5, math.nan], "s": ["a", None]}


@pytest.mark.parametrize(
    "table",
    [
        COLUMNS,
        [{"n": 1, "x": 0.5, "s": "a"}, {"n": 2, "x": math.nan}],
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS | {"s": pd.Series(["a", None], dtype=object)}),
        pl.DataFrame(COLUMNS, strict=False),
        pa.table(COLUMNS),
        {"n": np.array([1, 2]), "x": torch.tensor([0.5, math.nan]), "s": pl.Series(["a", None])},
    ],
    ids=["columns", "rows", "pandas", "pandas objects", "polars", "pyarrow", "arrays"],
)
def test_table(run, table):
    run.log_table("t", table)
    asset, found = stored_json(run)
    assert found == {
        "version": 1,
        "columns": ["n", "x", "s"],
        "types": ["integer", "number", "string"],
        "rows": [[1, 0.5, "a"], [2, "NaN", None]],
    }
    assert asset.media_type == "application/vnd.autolog.table+json"
    assert asset.metadata["rows"] == 2


def test_table_of_rows_and_arrays(run):
    run.log_table("t", [[1, "NaN"], [2, True]], columns=["a", "b"])
    run.log_table("t", np.eye(2))
    rows, array = (json.loads(content(run, asset)) for asset in records(run))
    assert rows["types"] == ["integer", "any"]
    assert array["columns"] == ["0", "1"]
    assert array["rows"] == [[1.0, 0.0], [0.0, 1.0]]
    for wrong in ([[1]], [[1, 2], [3]], [[1, 2], [3, 4, 5]]):
        with pytest.raises(ValueError, match="cells"):
            run.log_table("t", wrong, columns=["a", "b"])
    with pytest.raises(ValueError, match="differ in length"):
        run.log_table("t", {"a": [1], "b": [1, 2]})


def test_pandas_index_and_odd_cells(run):
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None])
    frame = pd.DataFrame({"t": [pd.Timestamp("2026-01-02"), pd.NaT], "o": [{"a": 1}, pd.NA]}, index=index)
    run.log_table("t", frame)
    _, found = stored_json(run)
    assert found["columns"] == ["k", "index", "t", "o"]
    assert found["rows"] == [["a", 1, "2026-01-02T00:00:00", {"a": 1}], ["b", 2, None, None]]


def test_cells_may_be_media(run):
    cells = [media.image(np.zeros((2, 2))), Image.new("RGB", (3, 3)), plotted(), media.audio(np.zeros(4), 8000)]
    run.log_table("t", {"cell": cells})
    _, found = stored_json(run)
    assert found["types"] == ["asset"]
    references = [row[0] for row in found["rows"]]
    assert [reference["kind"] for reference in references] == ["image", "image", "figure", "audio"]
    for reference in references:
        data = (run.directory / reference["path"]).read_bytes()
        assert reference["hash"] == "sha256:" + hashlib.sha256(data).hexdigest()


# -- the disk ----------------------------------------------------------------------------------------------------


def test_a_disk_that_refuses_is_counted_and_training_goes_on(run):
    (run.directory / "assets").write_text("in the way")
    run.log_text("a", "x")
    run.log_metric("loss", 1.0)
    assert records(run) == []
    assert len(records(run, events.Metrics)) == 1
    run.log_table("t", {"a": [media.image(np.zeros((2, 2))), 1]})
    lost = [health.detail for health in records(run, events.Health) if health.kind == "lost"]
    assert ["text 'a'" in lost[0], "a cell of 't'" in lost[1], "table 't'" in lost[2], len(lost)] == [
        True,
        True,
        True,
        3,
    ]


FULL = """
import sys, resource, signal, autolog
run = autolog.start_run()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
run.log_text("large", "x" * 200_000)
run.log_asset(sys.argv[1], "file")
run.log_text("small", "y")
print(run.directory)
"""


def test_a_file_too_large_for_the_disk_leaves_nothing_behind(runs_dir, tmp_path):
    (tmp_path / "big").write_bytes(b"z" * 200_000)
    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path / "big"], check=True, capture_output=True, text=True,
        env=os.environ | {"AUTOLOG_SIDECAR": "0"},
    )  # fmt: skip
    directory = Path(done.stdout.strip())
    assert [path.read_text() for path in (directory / "assets").rglob("*") if path.is_file()] == ["y"]
    lost = [record for record, _ in read(directory / "journal.jsonl") if isinstance(record, events.Health)]
    assert sum(record.kind == "lost" for record in lost) == 2


KILLED = """
import os, sys, autolog
run = autolog.start_run()
print(run.directory, flush=True)
for number in range(10_000):
    run.log_text(f"t{number}", str(number) * 50_000)
    os.write(1, b".")
"""


def test_a_kill_leaves_no_half_asset(runs_dir):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, env=os.environ | {"AUTOLOG_SIDECAR": "0"}
    )
    directory = Path(process.stdout.readline().decode().strip())
    returned = len(process.stdout.read(20))
    process.send_signal(signal.SIGKILL)
    returned += len(process.stdout.read())
    process.wait()
    process.stdout.close()
    assets = [record for record, _ in read(directory / "journal.jsonl") if isinstance(record, events.Asset)]
    assert returned <= len(assets) <= returned + 1
    for asset in assets:
        data = (directory / asset.path).read_bytes()
        assert asset.hash == "sha256:" + hashlib.sha256(data).hexdigest()
    for path in (directory / "assets").glob("*/*"):
        assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()


def test_off_records_nothing(runs_dir, monkeypatch):
    monkeypatch.setenv("AUTOLOG", "off")
    autolog.log_text("a", "x")
    autolog.log_image("a", np.zeros((2, 2)))
    autolog.log_asset(b"x", "name")
    autolog.log_model("a", "missing")
    assert autolog.log_asset_folder("missing") == 0
    assert not runs_dir.exists()
