"""The modules that compute, alone: what is drawn and written is what was recorded."""

import csv

import pytest

from autolog.store import query


@pytest.fixture(scope="module")
def module(chromium, shared_site):
    """``module(path, expression, *values)``: an expression over a module ``m`` and values ``v``, as the page has it."""
    page = chromium.new_page()
    page.goto(shared_site.address)

    def evaluate(path, expression, *values):
        code = f"async ([path, v]) => {{ const m = await import(path); return {expression}; }}"
        return page.evaluate(code, [f"/static/test/js/{path}", list(values)])

    yield evaluate
    page.close()


def series(steps, values, times=None, epochs=None):
    times = times or [1000.0 + n for n in range(len(values))]
    return {"steps": steps, "epochs": epochs or [None] * len(values), "times": times, "values": values}


def test_a_line_keeps_every_point_in_the_order_of_its_axis(module):
    given = series([3, 1, 1, None], [0.3, 0.1, "NaN", 9])
    line = module("chart/data.js", "m.line(v[0], 'step', 0)", given)
    assert line["x"] == [1, 1, 3]
    assert line["y"][0] == 0.1
    assert line["y"][1] != line["y"][1]
    assert line["y"][2] == 0.3
    assert module("chart/data.js", "m.line(v[0], 'relative', 990)", given)["x"] == [10, 11, 12, 13]
    assert module("chart/data.js", "m.usable([v[0]], 'epoch')", given) == "relative"
    assert module("chart/data.js", "m.usable([v[0]], 'step')", given) == "step"


def test_lines_meet_in_one_table_without_losing_repeated_steps(module):
    lines = [{"x": [1, 2, 2, 4], "y": [10, 20, 21, 40]}, {"x": [2, 3], "y": [200, 300]}]
    told = module("chart/data.js", "JSON.stringify(m.table(v[0]), (_, x) => x === undefined ? 'none' : x)", lines)
    assert told == '[[1,2,2,3,4],[10,20,21,"none",40],["none",200,"none",300,"none"]]'
    odd = "[{x: [1, 2, 3], y: [NaN, Infinity, -Infinity]}]"
    assert module("chart/data.js", f"m.table({odd})[1]") == [None, None, None]
    assert [each["sign"] for each in module("chart/data.js", f"m.oddities({odd}[0])")] == ["nan", "above", "below"]


def test_smoothing_begins_at_the_first_value_and_passes_over_nan(module):
    assert module("chart/data.js", "m.smooth(v[0], 0)", [1, 5, 2]) == [1, 5, 2]
    assert module("chart/data.js", "m.smooth(v[0], 0.9)", [4, 4, 4]) == pytest.approx([4, 4, 4])
    first, nan, last = module("chart/data.js", "m.smooth([1, NaN, 3], 0.5)")
    assert (first, last) == (1, pytest.approx((0.5 * 0.5 * 1 + 0.5 * 3) / 0.75))
    assert nan != nan


def test_columns_are_written_as_the_server_reads_them(module):
    names = ["metrics.loss", "metrics.f1, macro", 'params.a "b"', 'params."', "metrics.two\nlines", "params.ä b"]
    written = module("api.js", "m.columnList(v[0])", names)
    assert next(csv.reader([written], strict=True)) == names
    assert written.startswith("metrics.loss,")


def test_charts_that_belong_together_stand_together(module):
    names = ["loss", "train/b", "train/a10", "train/a9", "val/x", "lr"]
    assert module("chart/data.js", "m.grouped(v[0])", names) == [
        ["", ["loss", "lr", "val/x"]], ["train", ["train/a9", "train/a10", "train/b"]],
    ]  # fmt: skip


def test_numbers_are_written_short_and_true(module):
    given = "[0.123456, -2, 1e-7, 12345678901, 0, 'NaN', '-Infinity', null, 0.00012, 1e300]"
    minus = "\N{MINUS SIGN}"
    assert module("format.js", f"{given}.map(x => m.number(x))") == [
        "0.1235", f"{minus}2", f"1e{minus}7", "1.235e10", "0", "NaN", f"{minus}\N{INFINITY}", "", "0.00012", "1e300",
    ]  # fmt: skip


def test_durations_sizes_and_marks(module):
    told = module("format.js", "[0.04, 59.6, 61, 3600, 7270, 90061].map(m.duration)")
    assert told == ["0.0s", "60s", "1m 1s", "1h", "2h 1m", "1d 1h"]
    assert module("format.js", "[0, 999, 1500, 2.5e10].map(x => m.bytes(x))") == ["0 B", "999 B", "1.5 kB", "25 GB"]
    assert module("format.js", "m.marks([17.1, 17.125, 17.15])") == ["17.1", "17.125", "17.15"]


def test_consoles_keep_their_colours_and_what_was_overwritten_is_gone(module):
    code = "m.pieces(v[0], m.plainState()).map(p => [p.text, p.className ?? '', p.style ?? null])"
    line = "\x1b[1;31mred\x1b[0m \x1b[38;5;196mx\x1b[38;2;1;2;3my\x1b[39m\x1b[2Kz\x1b]0;title\x07"
    assert module("run/ansi.js", code, line) == [
        ["red", "ansi-bold ansi-1", None], [" ", "", None], ["x", "", {"color": "rgb(255,0,0)"}],
        ["y", "", {"color": "rgb(1,2,3)"}], ["z", "", None],
    ]  # fmt: skip
    assert module("run/ansi.js", code, "10%\r50%\r100%\r") == [["100%", "", None]]


def test_lists_in_the_address_hold_any_name(module):
    names = ["metrics.a,b", "params.back\\slash", "facts.x y&z=%41"]
    module("route.js", "m.setQuery({columns: v[0]})", names)
    assert module("route.js", "m.listOf(new URLSearchParams(location.search), 'columns')") == names


def test_names_are_written_as_the_query_language_reads_them(module):
    for name in ("loss", "val/loss", "it's", "lambda", "a.b", "back\\slash"):
        for group in ("metrics", "params"):
            written = module("runs/filter.js", "m.written(v[0], v[1])", group, name)
            field = query.parse(f"{written} is None").field
            assert (field.group, field.name) == (group, name), written


def test_fields_are_read_as_what_they_look_like_and_written_back(module):
    given = ["3", "-4.5e1", "True", "false", "ann", '"3"', "1e999", "12345678901234567890", "NaN", ""]
    read = [3, -45, True, False, "ann", "3", "1e999", "12345678901234567890", "NaN", ""]
    assert module("run/fields.js", "v[0].map(m.read)", given) == read
    for value in [*read, "true", '"quoted"', '"', " spaced"]:
        assert module("run/fields.js", "m.read(m.write(v[0]))", value) == value
