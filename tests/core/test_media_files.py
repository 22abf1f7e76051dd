"""Files, folders, models and data sets: stored exactly, or known by where and what they are."""

import hashlib
import io
import itertools
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import autolog
from autolog import events
from autolog.journal import read
from autolog.media.datasets import fingerprint
from autolog.media.digest import Digest
from autolog.media.files import walk

# The core is tested without the frameworks too; what is about their data needs them.
torch = pytest.importorskip("torch")
datasets = pytest.importorskip("datasets")
sparse = pytest.importorskip("scipy.sparse")
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset  # noqa: E402  (only where torch is)


@pytest.fixture
def run(runs_dir):
    return autolog.start_run(name="mine", project="vision")


def records(run, kind=events.Asset):
    return [record for record, _ in read(run.directory / "journal.jsonl") if isinstance(record, kind)]


def content(run, asset):
    data = (run.directory / asset.path).read_bytes()
    assert (asset.hash, asset.size) == ("sha256:" + hashlib.sha256(data).hexdigest(), len(data))
    return data


# -- assets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file_name", "extension", "media_type"),
    [
        ("notes.md", ".md", "text/markdown"),
        ("w.tar.gz", ".tar.gz", "application/gzip"),
        ("no extension", "", "image/png"),
        ("odd.a b", "", "image/png"),
        ("model.SAFETENSORS", ".safetensors", "image/png"),
    ],
)
def test_a_file(run, tmp_path, file_name, extension, media_type):
    data = b"\x89PNG\r\n\x1a\n" + os.urandom(3_000_000)
    (tmp_path / file_name).write_bytes(data)
    run.log_asset(tmp_path / file_name, step=4)
    (asset,) = records(run)
    assert content(run, asset) == data
    assert (asset.name, asset.kind, asset.media_type, asset.step) == (file_name, "file", media_type, 4)
    assert asset.path.endswith(asset.hash[7:] + extension)


def test_bytes_and_open_files(run, tmp_path):
    buffer = io.BytesIO()
    buffer.write(b"from a buffer")  # and it stands at its end now, as everybody's does
    text = io.StringIO("tëxt")
    (tmp_path / "f.bin").write_bytes(b"from a file")
    reader, writer = os.pipe()
    os.write(writer, b"from a pipe")
    os.close(writer)
    run.log_asset(b"bytes", "a.txt")
    run.log_asset(bytearray(b"array"), "b")
    run.log_asset(buffer, "c")
    run.log_asset(text, "d")
    with (tmp_path / "f.bin").open("rb") as file:
        file.read(3)
        run.log_asset(file)
        assert file.tell() == 3
    with os.fdopen(reader, "rb") as pipe:
        run.log_asset(pipe, "pipe")
    assert buffer.tell() == 13
    found = records(run)
    assert [asset.name for asset in found] == ["a.txt", "b", "c", "d", "f.bin", "pipe"]
    assert [content(run, asset) for asset in found] == [
        b"bytes",
        b"array",
        b"from a buffer",
        "tëxt".encode(),
        b"from a file",
        b"from a pipe",
    ]
    with tempfile.TemporaryFile() as nameless, pytest.raises(TypeError, match="name="):
        run.log_asset(nameless)


def test_a_missing_file_and_a_folder(run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.txt"):
        run.log_asset("missing.txt")
    with pytest.raises(IsADirectoryError, match="folder"):
        run.log_asset(tmp_path)
    with pytest.raises(NotADirectoryError, match="missing"):
        run.log_asset_folder("missing")


def test_a_folder_without_our_own(run, tmp_path, runs_dir):
    (tmp_path / "code/deep").mkdir(parents=True)
    (tmp_path / "code/a.py").write_text("a")
    (tmp_path / "code/deep/b.py").write_text("b")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/c").write_text("c")
    (tmp_path / "code/link").symlink_to(tmp_path / "outside/c")
    (tmp_path / "code/loop").symlink_to(tmp_path / "code")
    os.mkfifo(tmp_path / "code/pipe")
    assert run.log_asset_folder(tmp_path / "code") == 3
    found = {asset.name: content(run, asset) for asset in records(run)}
    assert found == {"code/a.py": b"a", "code/deep/b.py": b"b", "code/link": b"c"}
    before = len(records(run))
    assert runs_dir.is_relative_to(tmp_path)
    assert run.log_asset_folder(tmp_path, "all", 5) == 4
    names = [asset.name for asset in records(run)[before:]]
    assert names == ["all/code/a.py", "all/code/deep/b.py", "all/code/link", "all/outside/c"]


def test_what_cannot_be_read_is_counted_and_the_rest_is_kept(run, tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a").symlink_to("/proc/self/mem")  # reading its beginning is an input/output error
    (folder / "b").write_text("b")
    assert run.log_asset_folder(folder) == 2
    run.log_model("m", folder)
    run.log_model("m", folder / "a")
    run.log_dataset("d", folder / "a", metadata={"kept": 1})
    assert [asset.name for asset in records(run)] == ["f/b", "m", "m", "d"]
    manifest = json.loads((run.directory / records(run)[1].path).read_bytes())
    assert [entry["hash"] is None for entry in manifest["files"]] == [True, False]
    assert records(run)[3].metadata["kept"] == 1
    lost = [health.detail for health in records(run, events.Health) if health.kind == "lost"]
    assert len(lost) >= 3
    assert all("Input/output" in detail for detail in lost)


def test_a_closed_folder_is_left_out(tmp_path, monkeypatch):
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "open").write_text("x")
    user, problems = os.geteuid(), []
    if user == 0:
        os.seteuid(65534)  # the superuser may read everything
    try:
        assert [entry.name for entry in walk(Path(), failed=problems.append)] == ["open"]
    finally:
        os.seteuid(user)
    assert [type(problem) for problem in problems] == [PermissionError]


# -- models ------------------------------------------------------------------------------------------------------


def test_a_model_file_by_reference_and_stored(run, tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "best model.pt")
    data = (tmp_path / "best model.pt").read_bytes()
    run.log_model("best", tmp_path / "best model.pt", 9, metadata={"loss": 0.5})
    run.log_model("best", tmp_path / "best model.pt", upload=True)
    run.log_model("best", tmp_path / "best model.pt", checksum=False)
    reference, stored, unread = [record for record in records(run) if record.name == "best"]  # torch.save is seen too
    for asset in (reference, stored, unread):
        assert asset.kind == "model"
        assert asset.uri == f"file://{os.uname().nodename}{tmp_path}/best%20model.pt"
        assert asset.size == len(data)
        assert (asset.metadata["host"], asset.metadata["path"]) == (
            os.uname().nodename,
            str(tmp_path / "best model.pt"),
        )
    assert reference.metadata["loss"] == 0.5
    assert (reference.path, reference.hash, reference.step) == (None, stored.hash, 9)
    assert content(run, stored) == data
    assert (unread.path, unread.hash) == (None, None)


def test_a_model_folder_has_a_manifest(run, tmp_path):
    (tmp_path / "m/sub").mkdir(parents=True)
    (tmp_path / "m/config.json").write_text("{}")
    (tmp_path / "m/sub/weights.bin").write_bytes(b"w" * 10)
    run.log_model("m", tmp_path / "m")
    run.log_model("m", str(tmp_path / "m"), upload=True)
    reference, stored = records(run)
    manifest = json.loads((run.directory / reference.path).read_bytes())
    weights = hashlib.sha256(b"w" * 10).hexdigest()
    assert manifest["files"][1] == {"path": "sub/weights.bin", "size": 10, "hash": f"sha256:{weights}"}
    assert reference.hash == stored.hash
    assert (reference.size, reference.metadata["files"]) == (12, 2)
    assert (run.directory / f"assets/{weights[:2]}/{weights}.bin").read_bytes() == b"w" * 10


def test_other_places(run):
    run.log_model("remote", "s3://bucket/model.pt")
    assert records(run)[0].uri == "s3://bucket/model.pt"
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run.log_model("m", "nowhere.pt")


# -- data sets ---------------------------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": pd.Categorical(["u", "v", "u"])})


class Poisoned(Dataset):
    """A user's data set: reading it would change the training."""

    def __init__(self, data, path="data/train"):
        self.data = data
        self.root = path
        self._private = print

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        raise AssertionError("a sample was drawn")

    @property
    def expensive(self):
        raise AssertionError("a property was run")


class Stream(IterableDataset):
    def __iter__(self):
        raise AssertionError("iterated")


def hugging_face(values):
    return datasets.Dataset.from_dict({"text": values, "label": list(range(len(values)))})


CASES = {
    "numpy": (X.copy, lambda: X + 1),
    "fortran": (lambda: np.asfortranarray(X), lambda: np.asfortranarray(X.T)),
    "strided": (lambda: X[::2], lambda: X[1::2]),
    "objects": (lambda: np.array(["a", None, 1], dtype=object), lambda: np.array(["a", None, 2], dtype=object)),
    "texts": (lambda: np.array(["a", "b"]), lambda: np.array(["a", "c"])),
    "dates": (lambda: np.array(["2026-01-01"], dtype="M8[D]"), lambda: np.array(["2026-01-02"], dtype="M8[D]")),
    "scalar": (lambda: np.array(1), lambda: np.array(2)),
    "empty": (lambda: np.zeros((0, 3)), lambda: np.zeros((0, 4))),
    "torch": (lambda: torch.from_numpy(X), lambda: torch.from_numpy(X).double()),
    "bfloat16": (lambda: torch.ones(4, dtype=torch.bfloat16), lambda: torch.zeros(4, dtype=torch.bfloat16)),
    "gradient": (lambda: torch.ones(3, requires_grad=True), lambda: torch.zeros(3, requires_grad=True)),
    "pandas": (FRAME.copy, lambda: FRAME.assign(a=[1, 2, 4])),
    "pandas text": (FRAME.copy, lambda: FRAME.assign(b=["x", None, "y"])),
    "pandas category": (FRAME.copy, lambda: FRAME.assign(c=pd.Categorical(["u", "u", "v"]))),
    "pandas name": (FRAME.copy, lambda: FRAME.rename(columns={"a": "A"})),
    "pandas index": (FRAME.copy, lambda: FRAME.set_axis([3, 4, 5])),
    "series": (lambda: FRAME["a"], lambda: FRAME["a"] + 1),
    "missing": (lambda: pd.Series([1, None], dtype="Int64"), lambda: pd.Series([2, None], dtype="Int64")),
    "polars": (
        lambda: pl.DataFrame({"a": [1, None], "b": ["x", "y"]}),
        lambda: pl.DataFrame({"a": [1, 0], "b": ["x", "y"]}),
    ),
    "polars lists": (lambda: pl.DataFrame({"a": [[1], [2]]}), lambda: pl.DataFrame({"a": [[1], [3]]})),
    "pyarrow": (lambda: pa.table({"a": [1, 2]}), lambda: pa.table({"a": [1, 3]})),
    "tensor data set": (
        lambda: TensorDataset(torch.ones(3), torch.ones(3)),
        lambda: TensorDataset(torch.ones(3), torch.zeros(3)),
    ),
    "subset": (lambda: Subset(Poisoned(X), [1, 2]), lambda: Subset(Poisoned(X), [1, 3])),
    "concatenated": (
        lambda: ConcatDataset([Poisoned(X), Poisoned(X)]),
        lambda: ConcatDataset([Poisoned(X), Poisoned(X + 1)]),
    ),
    "user's": (lambda: Poisoned(X), lambda: Poisoned(X + 1)),
    "loader": (lambda: DataLoader(Poisoned(X), 4, shuffle=True), lambda: DataLoader(Poisoned(X), 5, shuffle=True)),
    "hugging face": (lambda: hugging_face(["a", "b"]), lambda: hugging_face(["a", "c"])),
    "dict": (lambda: {"x": X, "y": [1, 2]}, lambda: {"x": X, "y": [1, 3]}),
    "pair": (lambda: (X, np.ones(50)), lambda: (X, np.zeros(50))),
    "rows": (lambda: [{"text": "a"}] * 100, lambda: [{"text": "b"}] * 100),
    "strings": (lambda: ["a", "b"], lambda: ["a", "c"]),
    "sparse": (lambda: sparse.eye(4).tocsr(), lambda: sparse.eye(4).tocsr() * 2),
}


@pytest.mark.parametrize("case", CASES)
def test_equal_content_has_an_equal_fingerprint_and_only_that(case):
    make, other = CASES[case]
    first, second, third = fingerprint(make()), fingerprint(make()), fingerprint(other())
    assert first == second
    assert first["fingerprint"] != third["fingerprint"]
    assert first["type"]
    assert first["complete"] is (case not in ("user's", "loader", "concatenated", "subset"))
    json.dumps(first)


def test_what_is_said_of_each_type():
    array = fingerprint(X)
    assert (array["shape"], array["dtype"], array["total_bytes"]) == ([50, 3], "float32", 600)
    assert fingerprint(torch.from_numpy(X))["fingerprint"] == array["fingerprint"]
    assert fingerprint(np.asfortranarray(X))["fingerprint"] == array["fingerprint"]
    frame = fingerprint(FRAME)
    assert (frame["rows"], frame["column_count"], frame["columns"]["a"]) == (3, 3, "int64")
    face = fingerprint(hugging_face(["a"]))
    assert (face["rows"], list(face["columns"])) == (1, ["text", "label"])
    assert face["own_fingerprint"] == hugging_face(["a"])._fingerprint
    splits = fingerprint(datasets.DatasetDict({"train": hugging_face(["a"])}))
    assert splits["parts"]["train"]["rows"] == 1
    loader = fingerprint(DataLoader(Poisoned(X), 4))
    assert loader["parts"]["batch_size"] == 4
    assert loader["parts"]["dataset"]["parts"]["data"]["shape"] == [50, 3]
    assert loader["parts"]["dataset"]["parts"]["root"] == "data/train"
    assert fingerprint(TensorDataset(torch.ones(3)))["parts"]["tensors"]["parts"]["0"]["shape"] == [3]
    assert fingerprint(Stream())["complete"] is False
    assert fingerprint(DataLoader(Stream()))["length"].startswith("unknown")


@pytest.mark.parametrize("make", [lambda: np.arange(3_000_000), lambda: torch.arange(3_000_000).reshape(1000, 3000)])
def test_large_data_is_hashed_in_parts_and_says_so(make):
    facts = fingerprint(make(), 1_000_000)
    assert (facts["complete"], facts["total_bytes"]) == (False, 24_000_000)
    assert 0 < facts["hashed_bytes"] <= 64 * 2**16
    for changed in (0, -1):
        other = make()
        other.reshape(-1)[changed] += 1
        assert fingerprint(other, 1_000_000)["fingerprint"] != facts["fingerprint"]


@pytest.mark.parametrize(("length", "width"), [(1, 10**9), (2, 10**9), (100, 10**6), (10**9, 1), (70_000, 100)])
def test_parts_are_bounded_ascending_and_hold_both_ends(length, width):
    spans = []
    digest = Digest(10)
    digest.items(length, width, lambda start, stop: spans.append((start, stop)) or b"")
    assert spans[0][0] == 0
    assert spans[-1][1] == length
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))
    assert sum(stop - start for start, stop in spans) * width <= max(64 * 2**16, 2 * width)


def test_files_and_folders(run, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.csv").write_text("1,2")
    (tmp_path / "d/b.csv").write_text("3,4")
    before = fingerprint(tmp_path / "d")
    assert (before["files"], before["size"], before["complete"]) == (2, 6, True)
    assert fingerprint(str(tmp_path / "d/a.csv"))["size"] == 3
    (tmp_path / "d/b.csv").write_text("3,5")
    assert fingerprint(tmp_path / "d")["fingerprint"] != before["fingerprint"]
    assert fingerprint(tmp_path / "d", 4)["complete"] is False
    assert fingerprint("hf://datasets/x")["uri"] == "hf://datasets/x"
    with pytest.raises(FileNotFoundError, match="nothing here"):
        run.log_dataset("d", "nothing here")


def test_log_dataset(run):
    run.log_dataset("iris", FRAME, "train", metadata={"source": "uci"})
    run.log_dataset("files", __file__)
    frame, file = records(run)
    assert (frame.name, frame.kind, frame.path, frame.hash) == ("iris", "dataset", None, None)
    assert frame.metadata["context"] == "train"
    assert frame.metadata["source"] == "uci"
    assert frame.metadata["fingerprint"] == fingerprint(FRAME)["fingerprint"]
    assert file.uri.endswith("test_media_files.py")


def test_no_generator_is_drawn_from_and_data_stays(run):
    import random

    frame, state = FRAME.copy(), random.getstate()
    numpy_state, torch_state = np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002  (the global one)
    generator = (number for number in range(3))
    run.log_dataset("a", DataLoader(Poisoned(X), 4, shuffle=True))
    run.log_dataset("b", FRAME)
    run.log_dataset("c", {"x": generator, "y": hugging_face(["a"])})
    run.log_dataset("d", X, max_bytes=10)
    assert list(generator) == [0, 1, 2]
    assert random.getstate() == state
    assert np.random.get_state()[1].tolist() == numpy_state  # noqa: NPY002  (the same)
    assert torch.equal(torch.get_rng_state(), torch_state)
    pd.testing.assert_frame_equal(FRAME, frame)
