"""The query language: what it means, against plain Python; what it says of mistakes."""

from __future__ import annotations

import fnmatch
import math
import operator
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolog import events as e
from autolog import store
from autolog.store import conditions as c
from autolog.store import entries, index, query, reader, search, summary

START = 1_795_000_000.0
NOW = START + 1000.0
VALUES = [0, 1, 0.5, -2, 1e-3, "1e-3", "0.5", "relu", "re_lu%", "", "nan", True, False, None, [1, 2], math.inf]
TEXTS = ["relu", "re_lu%", "1e-3", "True", "r", "a*b", "", "x'; DROP TABLE runs; --"]
NUMBERS = [0, 1, 0.5, -2, 0.001, math.inf, 1.5]
NAMES = ["lr", "act", "deep.er"]
METRICS = ["loss", "val/loss"]
OPERATORS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class Population:
    def __init__(self, connection, runs):
        self.connection, self.runs = connection, runs


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    """A hundred runs of every kind of value, written as journals, and the index of them."""
    root = tmp_path_factory.mktemp("population")
    rnd = random.Random(7)
    for number in range(100):
        run = f"run-{number:03}"
        records = [e.RunStart(time=START + number, id=run, name=rnd.choice(TEXTS) or "n", project="p", pid=1)]
        for child in (None, "c1", "c2"):
            if child:
                records.append(e.Child(time=START, child=child, name=child, kind=rnd.choice(["fit", "trial"])))
            chosen = {name: rnd.choice(VALUES) for name in NAMES if rnd.random() < 0.7}
            records.append(e.Params(time=START, child=child, values=_wire(chosen)))
            for name in METRICS:
                values = [rnd.choice([0.5, 1.0, -2.0, math.nan, math.inf, 1.5]) for _ in range(rnd.randrange(3))]
                for step, value in enumerate(values):
                    records.append(
                        e.Metrics(
                            time=START + 1, child=child, values={name: e.to_wire(value)}, step=rnd.choice([step, None])
                        )
                    )
        args = {name: {"value": rnd.choice(VALUES), "given": True} for name in NAMES if rnd.random() < 0.5}
        records.append(
            e.Args(time=START, values={name: {**a, "value": _plain(a["value"])} for name, a in args.items()})
        )
        records.append(e.Fact(time=START, name="git", value={"commit": rnd.choice(TEXTS), "dirty": rnd.random() < 0.5}))
        records.append(e.Tags(time=START, add=[tag for tag in ("a", "b%", "base line") if rnd.random() < 0.4]))
        if rnd.random() < 0.5:
            records.append(e.Note(time=START, text=rnd.choice(TEXTS)))
        records.append(e.End(time=START + number + rnd.randrange(500), status=rnd.choice(["completed", "failed"])))
        directory = root / "p" / run
        directory.mkdir(parents=True)
        (directory / "journal.jsonl").write_bytes(b"".join(e.encode(record) + b"\n" for record in records))
    made = Population(index.open_index(root), {path.name: reader.read_run(path) for path in (root / "p").iterdir()})
    yield made
    made.connection.close()


def _plain(value):
    return e.to_wire(value) if isinstance(value, float) else value


def _wire(values):
    return {name: _plain(value) for name, value in values.items()}


# Plain Python: what a query means


def value(run, field):
    """A field of a run: (as a number, as text, is it there)."""
    group = field.group.removeprefix("children.")
    if group == "metrics":
        held = run.metrics.get(field.name)
        found = getattr(held, field.stat) if held else None
        if found is None:
            return None, None, False
        return (None if math.isnan(found) else float(found)), None, True
    if group == "run":
        times = {"started_at": run.started_at, "ended_at": run.ended_at, "age": NOW - run.started_at,
                 "duration": (run.ended_at or NOW) - run.started_at}  # fmt: skip
        if field.name in times:
            return times[field.name], None, times[field.name] is not None
        text = getattr(run, field.name)
        return None, text, bool(text) if field.name == "note" else text is not None
    held = {name: a["value"] for name, a in run.args.items()} if group == "args" else getattr(run, group)
    number, text = entries.text_number(dict(entries.flatten(held, "")).get(field.name))
    return number, text, text is not None


def sides(run, operand):
    if isinstance(operand, c.Literal):
        literal = operand.value
        return [(None, literal, True) if isinstance(literal, str) else (float(literal), None, True)]
    return [value(one, operand) for one in holders(run, operand)]


def holders(run, field):
    return list(summary.descendants(run))[1:] if field.group.startswith("children.") else [run]


def compare(op, left, right):
    if op == "!=":
        return left[2] and right[2] and not compare("==", left, right)
    kind = 0 if left[0] is not None and right[0] is not None else 1
    return left[kind] is not None and right[kind] is not None and OPERATORS[op](left[kind], right[kind])


def holds(run, node):
    kind = type(node)
    if kind is c.All:
        return all(holds(run, part) for part in node.nodes)
    if kind is c.AnyOf:
        return any(holds(run, part) for part in node.nodes)
    if kind is c.Negation:
        return not holds(run, node.node)
    if kind is c.Compare:
        return any(compare(node.op, left, right) for left in sides(run, node.left) for right in sides(run, node.right))
    if node.field == c.Field("run", "tags"):
        return node.text in run.tags if kind is c.Contains else bool(run.tags) != (kind is c.IsNone)
    found = sides(run, node.field)
    if kind is c.Contains:
        return any(text is not None and node.text in text for _, text, _ in found)
    if kind is c.Match:
        return any(text is not None and fnmatch.fnmatchcase(text, node.pattern) for _, text, _ in found)
    if kind is c.IsNone:
        return not any(there for _, _, there in found)
    if node.nan:
        return any(there and number is None for number, _, there in found)
    return any(there and number != 0.0 and text != "" for number, text, there in found)


# Random queries, as text

params = st.sampled_from([f"{group}.{name}" for group in ("params", "args", "children.params") for name in NAMES])
metrics = st.builds(
    lambda group, name, stat: f"{group}[{name!r}]{stat}",
    st.sampled_from(["metrics", "children.metrics"]),
    st.sampled_from(METRICS),
    st.sampled_from(["", ".last", ".min", ".max", ".count", ".last_step"]),
)
texts = st.sampled_from(["name", "id", "status", "note", "facts.git.commit"])
numbers = st.sampled_from(NUMBERS).map(lambda number: str(number) if number != math.inf else "inf")
comparison = st.sampled_from(list(OPERATORS))
conditions = st.one_of(
    st.builds("{} {} {}".format, metrics, comparison, numbers),
    st.builds("{} {} {}".format, numbers, comparison, metrics),
    st.builds("{} {} {}".format, params, comparison, numbers | st.sampled_from(TEXTS).map(repr) | st.just("True")),
    st.builds("{} {} {}".format, st.sampled_from(["name", "id", "note"]), comparison, st.sampled_from(TEXTS).map(repr)),
    st.builds("{} {} {}".format, params, comparison, metrics | params),
    st.builds("{} {} {} < {}".format, numbers, comparison, metrics, numbers),
    st.builds("{} {} None".format, params | metrics | texts | st.just("tags"), st.sampled_from(["is", "is not", "=="])),
    st.builds("{!r} {} {}".format, st.sampled_from([*TEXTS, "a", "b%"]), st.sampled_from(["in", "not in"]),
              st.just("tags") | params | texts),
    st.builds("{} in ({!r}, {!r})".format, st.sampled_from(["name", "params.act"]), *[st.sampled_from(TEXTS)] * 2),
    st.builds("matches({}, {!r})".format, texts | params, st.sampled_from(["*", "r*", "?e*%", "*_*", "re_lu%"])),
    st.builds("isnan({})".format, st.sampled_from(["metrics.loss", "children.metrics['val/loss']"])),
    params, st.just("tags"), st.just("note"),
    st.sampled_from(["age < '950s'", "duration >= '2m'", f"started_at > {START + 50}", "took < 1e2",
                     "started > '2026-11-18T11:07'"]),
)  # fmt: skip
queries = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)


@given(queries)
@settings(max_examples=300, deadline=None)
def test_the_sql_means_what_python_means(population, text):
    tree = query.parse(text)
    statement, bound = search.sqlite_text(search.condition_of(tree, now=NOW))
    found = {run for _, run in population.connection.execute(statement, bound)}
    assert found == {name for name, run in population.runs.items() if holds(run, tree)}


@given(st.text(max_size=40) | st.text("metrics.lo()<='\"and ornt[]0:,_", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_query_or_a_query_error(text):
    problem, tree = None, None
    try:
        tree = query.parse(text)
    except query.QueryError as error:
        problem = error
    if problem:
        assert 0 <= problem.position <= max(len(problem.query), 1)
    else:
        assert search.sqlite_text(search.condition_of(tree, now=NOW))[0].startswith("SELECT ")


def test_values_are_bound_never_written_into_the_sql():
    statement, bound = search.statement("params['n\\'); DROP'] == 'x\\'; DROP TABLE runs' and name == '%'")
    assert "DROP" not in statement
    assert "x'; DROP TABLE runs" in bound.values()


@pytest.mark.parametrize(
    ("text", "problem", "caret"),
    [
        ("stat == 'x'", "unknown name 'stat'; did you mean 'status'?", 0),
        ("age > '1d' and metric.loss < 1", "did you mean 'metrics'?", 15),
        ("status == 'fail'", "no status 'fail'; did you mean 'failed'?", 10),
        ("status = 'failed'", "write == to compare", 7),
        ("name == 'ü' and nam == 'x'", "did you mean 'name'?", 16),
        ("metrics.loss < 'low'", "metrics are numbers", 15),
        ("name == 3", "name is a text: write it in quotes", 8),
        ("1 < 2", "a comparison needs something of the run", 0),
        ("metrics < 3", "metrics needs a name", 0),
        ("tags == 'a'", "tags are asked with in", 8),
        ("started_at > 'yesterday'", "'yesterday' is no time; write '2026-11-01'", 13),
        ("age < 'long'", "'long' is no duration", 6),
        ("age < '7d 3'", "'7d 3' is no duration", 6),
        ("name && note", "write and instead of &&", 5),
        ("name || note", "write or instead of ||", 5),
        ("name <> 'x'", "write != instead of <>", 5),
        ("params.lambda > 1", "goes in brackets", 7),
        ("metrics.loss <", "this is no condition", 14),
        ("(name", "this is no condition", 0),
        ("__import__('os').system('x')", "cannot be called like this", 0),
        ("name.__class__", "unknown name 'name.__class__'", 0),
        ("[name for name in tags]", "a condition is expected here", 0),
        ("metrics.loss < 1 + 1", "a name is expected here", 15),
        ("metrics.loss is 3", "'is' goes with None only", 16),
        ("match(name, 'x*')", "did you mean 'matches'?", 0),
        ("isnan(params.lr)", "only the last value of a metric", 6),
        ("-name == 'x'", "only a number can have a sign", 0),
        ("name in []", "an empty list holds nothing", 8),
        ("'x' in metrics.loss", "a number holds no text", 7),
        ("", "an empty query", 0),
        ("metrics.loss < 1e400 or b'x' == name", "only numbers, texts", 24),
    ],
)
def test_a_mistake_is_shown_where_it_is(text, problem, caret):
    with pytest.raises(store.QueryError) as error:
        query.parse(text)
    assert problem in error.value.problem
    assert error.value.position == caret
    shown = str(error.value).splitlines()
    assert shown[-2] == f"  {text}"
    assert shown[-1] == " " * (caret + 2) + "^"


@pytest.mark.parametrize("text", ["not " * 2400 + "name", "(" * 3000 + "name" + ")" * 3000, "name or " * 1200 + "name"])
def test_a_huge_query_is_an_error(text, tmp_path):
    with pytest.raises(store.QueryError, match=r"nested|conditions|no condition") as error:
        store.runs(text, dir=tmp_path)
    assert len(error.value.problem) < 200


def test_two_hundred_conditions_are_answered(tmp_path):
    assert list(store.runs(" or ".join(["params.lr == metrics.loss"] * 199), dir=tmp_path)) == []


def test_a_name_no_run_has_is_hinted_at(tmp_path):
    directory = tmp_path / "p" / "r"
    directory.mkdir(parents=True)
    records = [e.RunStart(time=START, id="r", name="r", project="p"), e.Metrics(time=START, values={"val_loss": 1})]
    (directory / "journal.jsonl").write_bytes(b"".join(e.encode(record) + b"\n" for record in records))
    found = store.runs("metrics.val_los < 2 and params.lr == 1", dir=tmp_path)
    assert list(found) == []
    assert found.hints == ["no run has metrics.val_los; did you mean 'val_loss'?", "no run has params.lr"]
    assert store.runs("metrics.val_loss < 2", dir=tmp_path).hints == []
