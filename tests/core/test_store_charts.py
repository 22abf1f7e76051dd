"""Charts of long series: the same few points whether they are chosen of all, of a growing journal, or were stored."""

import math
import struct
from array import array

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolog import events as e
from autolog.store import compact, drawing, grouping, parquet, reduce, series
from autolog.store.growing import Growing, Kept

START = 1_795_000_000.0
KEY = ("p", "r")
ODD = (math.nan, math.inf, -math.inf)


def wave(count, seed=1, odd=97):
    """Values with every kind of thing in them, always the same."""
    values, state = [], seed
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        values.append(ODD[state % 3] if odd and state % odd == 0 else (state % 1000) / 8)
    return values


def bits(values):
    return [struct.pack("d", value) if value == value else b"nan" for value in values]


def journal(directory, *series_of, first=0, name="journal.jsonl", offset=0.0):
    """Append a record for each place of the given series (metric, child, values)."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    lines = [] if path.exists() else [e.encode(e.RunStart(time=START, id=directory.name, name="n", project="p", pid=1))]
    for metric, child, values in series_of:
        for place, value in enumerate(values, first):
            record = e.Metrics(
                time=START + place + offset, values={metric: e.to_wire(value)}, step=place, child=child,
                epoch=place // 10 if metric == "loss" else None,
            )  # fmt: skip
            lines.append(e.encode(record))
    with path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def stored(directory, metrics=None, most=None):
    with parquet.open_stored(parquet.in_folder(directory), parquet.sizes(directory)) as found:
        return {(one.metric, one.child): one for one in copied(drawing.from_stored(found, metrics, most))}


def copied(found):
    return [one._replace(columns=reduce.Columns(*(list(column) for column in one.columns))) for one in found]


@given(
    st.lists(st.integers(1, 3000), max_size=12), st.integers(0, 3), st.sampled_from([0, 2, 50]),
    st.sampled_from([4, 5, 64, 1000, 2048]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_growing_reduction_is_that_of_the_whole(counts, seed, odd, most):
    values = wave(sum(counts), seed, odd)
    reduction, at = reduce.Reduction(), 0
    for count in counts:
        part = array("d", values[at : at + count])
        reduction.extend(array("d", range(at, at + count)), part, part, part)
        at += count
    places = reduce.reduced(values, most)
    found = reduction.at_most(most)
    assert list(found.places) == list(found.steps) == places
    assert bits(found.values) == bits(values[place] for place in places)
    assert [width for width, _ in reduction.levels()] == reduce.levels_of(len(values))
    assert reduction.size < 10 * 40 * reduce.BUCKETS + 40 * reduce.WHOLE + 32 * reduction.width


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """Two long series, short ones, one of a child; compacted."""
    directory = tmp_path_factory.mktemp("charts") / "p" / "r"
    known = {
        ("loss", None): wave(30_000), ("loss", "c1"): wave(9000, 2), ("acc", None): wave(5000, 3, odd=0),
        ("few", "c1"): [1.5, math.nan], ("many", None): wave(4096, 4),
    }  # fmt: skip
    journal(directory, *((metric, child, values) for (metric, child), values in known.items()))
    assert compact.compact(directory)
    return directory, known


@pytest.mark.parametrize("most", [4, 1000, 2048, 5000, None])
def test_stored_series_are_those_that_were_logged(long_run, most):
    directory, known = long_run
    found = stored(directory, None, most)
    assert found.keys() == known.keys()
    for key, values in known.items():
        places = range(len(values)) if most is None else reduce.reduced(values, most)
        one = found[key]
        assert one.total == len(values)
        assert list(one.columns.places) == list(places)
        assert bits(one.columns.values) == bits(values[place] for place in places)
        assert one.columns.steps == list(places)
        assert one.columns.times == [START + place for place in places]
        assert bits(one.columns.epochs) == bits(place // 10 if key[0] == "loss" else math.nan for place in places)
    assert stored(directory, ["acc"], most).keys() == {("acc", None)}


def test_growing_journals_give_the_same_as_stored_files(long_run):
    directory, _ = long_run
    kept = Kept()
    for most in (4, 1000, 5000, None):
        expected = stored(directory, None, most)
        for one in drawing.from_journals(directory, kept, KEY, None, most):
            same = expected[one.metric, one.child]
            assert one.total == same.total
            assert [bits(column) for column in one.columns] == [bits(column) for column in same.columns]
    assert {each.metric for each in drawing.from_journals(directory, kept, KEY, ["few", "acc"], 100)} == {"few", "acc"}


def test_a_growing_journal_is_read_on(tmp_path, monkeypatch):
    directory, values = tmp_path / "r", wave(6000)
    growing = Growing()
    opened = []
    for first in range(0, 6000, 1500):
        journal(directory, ("loss", None, values[first : first + 1500]), first=first)
        with (directory / "journal.jsonl").open("ab") as file:
            file.write(b'{"type":"metrics","ti')  # not whole yet
        growing.refresh(directory, parquet.sizes(directory))
        opened.append(dict(growing._offsets))
        (one,) = growing.drawn(None, 100)
        assert list(one.columns.places) == reduce.reduced(values[: first + 1500], 100)
        with (directory / "journal.jsonl").open("r+b") as file:
            file.truncate((directory / "journal.jsonl").stat().st_size - 21)
    assert [offsets["journal.jsonl"] for offsets in opened] == sorted(offsets["journal.jsonl"] for offsets in opened)
    (directory / "journal.jsonl").unlink()
    journal(directory, ("loss", None, values[:10]))  # another journal: shorter
    growing.refresh(directory, parquet.sizes(directory))
    (one,) = growing.drawn(None, 100)
    assert one.total == 10


def test_several_journals_of_one_series_show_the_extremes_of_each(tmp_path):
    directory = tmp_path / "r"
    first, second = wave(9000, 5), [value * 2 for value in wave(9000, 6)]
    journal(directory, ("loss", None, first))
    journal(directory, ("loss", None, second), name="journal.1.jsonl", offset=0.5)
    (one,) = drawing.from_journals(directory, Kept(), KEY, ["loss"], 200)
    assert one.total == 18_000
    assert list(one.columns.times) == sorted(one.columns.times)
    finite = [value for value in first + second if math.isfinite(value)]
    drawn = [value for value in one.columns.values if math.isfinite(value)]
    assert (min(drawn), max(drawn)) == (min(finite), max(finite))
    compact.compact(directory)
    merged = [point.value for point in series.journal_points(directory)]
    assert bits(stored(directory)["loss", None].columns.values) == bits(merged)


def test_series_that_are_logged_in_turn_are_kept_apart(tmp_path):
    directory = tmp_path / "r"
    values = wave(300)
    for place, value in enumerate(values):
        journal(directory, *(("loss", child, [value + n]) for n, child in enumerate((None, "c1", "c2"))), first=place)
    for most in (None, 1000):
        found = {
            one.child: list(one.columns.values) for one in drawing.from_journals(directory, Kept(), KEY, None, most)
        }
        assert {child: bits(column) for child, column in found.items()} == {
            child: bits(value + n for value in values) for n, child in enumerate((None, "c1", "c2"))
        }


def test_all_points_of_several_journals_come_as_they_are_read(tmp_path):
    directory = tmp_path / "r"
    journal(directory, ("loss", None, wave(50, 5)), ("loss", None, wave(50, 7)))  # its clock was set back
    journal(directory, ("loss", None, wave(90, 6)), name="journal.1.jsonl", offset=0.5)
    (one,) = drawing.from_journals(directory, Kept(), KEY, ["loss"], None)
    assert bits(one.columns.values) == bits(point.value for point in series.journal_points(directory))


def test_integers_beyond_floats_are_drawn_as_they_are(tmp_path):
    directory = tmp_path / "r"
    journal(directory, ("tokens", None, [2**60 + 1, *range(5000)]), ("loss", None, [0.5]))
    kept = Kept()
    for most in (None, 100):
        found = {one.metric: one for one in drawing.from_journals(directory, kept, KEY, None, most)}
        assert found["tokens"].columns.values[0] == 2**60 + 1
        assert found["tokens"].total == 5001
        assert list(found["loss"].columns.values) == [0.5]


def test_runs_are_let_go_when_they_hold_too_much(tmp_path):
    kept = Kept(most=100_000)
    runs = [tmp_path / f"r{number}" for number in range(4)]
    for run in runs:
        journal(run, ("loss", None, wave(4000)))
        list(drawing.from_journals(run, kept, (run.name,), None, 100))
    assert list(kept._runs) == [(run.name,) for run in runs[-1:]]


def test_points_are_put_together_outside_of_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(grouping, "_HELD", 700)
    directory = tmp_path / "r"
    known = {("loss", None): wave(3000), ("acc", "c1"): wave(2999, 2)}
    for first in range(0, 3000, 100):  # in turn
        parts = [(metric, child, values[first : first + 100]) for (metric, child), values in known.items()]
        journal(directory, *parts, first=first)
    compact.compact(directory)
    for key, values in known.items():
        assert bits(stored(directory)[key].columns.values) == bits(values)


def test_one_series_is_read_without_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(compact, "ROWS", 1000)
    monkeypatch.setattr(compact, "GROUP", 2000)
    directory = tmp_path / "r"
    journal(directory, *((f"m{number}", None, wave(4500, number)) for number in range(3)), ("s", None, [1.0] * 600))
    path = compact.compact(directory)
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        names = [{group.column(1).statistics.min, group.column(1).statistics.max} for group in groups]
        assert names == [{name} for name in ("m0", "m0", "m0", "m1", "m1", "m1", "m2", "m2", "m2", "s")]
    read = []
    whole = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda self, n, **kw: (read.append(n), whole(self, n, **kw))[1]
    )
    assert bits(stored(directory, ["m1"])["m1", None].columns.values) == bits(wave(4500, 1))
    assert read == [3, 4, 5]


@pytest.mark.parametrize("damaged", [parquet.FILE, parquet.CHART])
def test_a_damaged_file_costs_nothing_but_time(long_run, tmp_path, damaged):
    directory, known = long_run
    copy = tmp_path / "r"
    copy.mkdir()
    for path in directory.iterdir():
        (copy / path.name).write_bytes(b"damaged" if path.name == damaged else path.read_bytes())
    wanted = [point.value for point in series.journal_points(directory, frozenset(["acc"]))]
    assert bits(point.value for point in series.points(copy, ["acc"])) == bits(wanted)
    if damaged == parquet.CHART:
        assert list(stored(copy, ["acc"], 100)["acc", None].columns.places) == reduce.reduced(known["acc", None], 100)
    else:
        with pytest.raises(OSError, match="not there"):
            stored(copy, ["acc"])


def test_reductions_are_an_arrow_file(long_run):
    directory, known = long_run
    with pa.memory_map(str(directory / parquet.CHART)) as source:
        charts = pa.ipc.open_file(source)
        assert charts.num_record_batches == sum(len(reduce.levels_of(len(values))) for values in known.values())
    assert (directory / parquet.CHART).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in directory.iterdir()) == [".metrics.arrow", "journal.jsonl", "metrics.parquet"]
