"""Processes that work for another one: where trainings in them go, by real processes of every kind."""

import re
from collections import Counter

import pytest

from autolog import events, journal
from autolog.store import read_run
from tests.waiting import LONG

pytest.importorskip("sklearn")

BEGIN = """
import autolog, multiprocessing as mp, os, sys
import numpy as np
from sklearn.linear_model import Ridge

X = np.arange(60.0).reshape(20, 3)
y = X.sum(1)

def train(alpha):
    return Ridge(alpha=alpha).fit(X, y).score(X, y)
"""


def tree(run):
    """Child runs by the name of what encloses them: kind, name and status of each."""
    found = {}

    def look(children, place):
        for child in children:
            found.setdefault(place, []).append((child.kind, child.name, child.status))
            look(child.children, child.name)

    look(run.children, "")
    return found


def fits(run):
    return {place: sum(kind == "fit" for kind, _, _ in told) for place, told in tree(run).items()}


def ended(lab, text):
    """Run a program to its end: what it said on stderr. Without a sidecar: none of this is its matter."""
    process = lab.start(text, AUTOLOG_SIDECAR="0")
    _, said = process.communicate(timeout=LONG)
    assert process.returncode == 0, said
    return said


def finished(lab, text):
    assert ended(lab, text) == ""
    run = lab.summary()
    assert (run.status, run.health["errors"], run.health["lost"]) == ("completed", [], [])
    return run


EVERY_KIND = (
    BEGIN
    + """
from concurrent.futures import ProcessPoolExecutor
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.ensemble import BaggingRegressor

ALPHAS = (0.1, 1.0, 10.0)

def processes(kind):
    started = [mp.get_context(kind).Process(target=train, args=(alpha,)) for alpha in ALPHAS[:2]]
    [one.start() for one in started]
    [one.join() for one in started]
    assert [one.exitcode for one in started] == [0, 0]
    assert all("autolog" not in one._config for one in started)

if __name__ == "__main__":
    expected = [train(alpha) for alpha in ALPHAS]
    with autolog.child_run("fork"):
        processes("fork")
    with autolog.child_run("spawn"):
        processes("spawn")
    with autolog.child_run("Pool"), mp.get_context("fork").Pool(2) as pool:
        assert pool.map(train, ALPHAS) == expected
    with autolog.child_run("ProcessPoolExecutor"), ProcessPoolExecutor(2, mp.get_context("fork")) as pool:
        assert list(pool.map(train, ALPHAS)) == expected
    search = lambda: GridSearchCV(Ridge(), {"alpha": ALPHAS}, n_jobs=2, cv=2)
    with autolog.child_run("search before"):
        search().fit(X, y)
    with autolog.child_run("joblib"):
        assert Parallel(n_jobs=2)(delayed(train)(alpha) for alpha in ALPHAS * 5) == expected * 5
    with autolog.child_run("search after"):  # in the very processes that have just recorded
        search().fit(X, y)
    with autolog.child_run("search in forks"), parallel_config("multiprocessing"):
        search().fit(X, y)
    with autolog.child_run("bagging"):
        BaggingRegressor(Ridge(), 4, n_jobs=2).fit(X, y)
"""
)


def test_trainings_of_every_kind_of_worker_are_recorded_and_those_of_fits_are_not(lab):
    pytest.importorskip("joblib")
    run = finished(lab, EVERY_KIND)
    assert fits(run) == {
        "": 3, "fork": 2, "spawn": 2, "Pool": 3, "ProcessPoolExecutor": 3, "joblib": 15,
        "search before": 1, "search after": 1, "search in forks": 1, "bagging": 1,
        "GridSearchCV": 0,
    }  # fmt: skip
    params = [child.params["alpha"] for child in next(one for one in run.children if one.name == "joblib").children]
    assert Counter(params) == {0.1: 5, 1.0: 5, 10.0: 5}
    mine = {record.child for record in lab.records(events.Child, journal.MAIN) if record.name == "Ridge"}
    assert len(mine) == 3, "a worker wrote to its parent's journal"
    for path in lab.only().glob("journal.w*.jsonl"):
        (start,) = (record for record, _ in journal.read(path) if isinstance(record, events.RunStart))
        assert (start.role, start.id) == ("worker", run.id)


@pytest.mark.parametrize("kind", ["fork", "spawn", "forkserver"])
def test_the_run_of_a_program_that_trains_in_its_workers_only(lab, kind):
    """The workers begin to write; the program's own run begins when it is back from one, or at its end."""
    text = f"""
if __name__ == "__main__":
    for alpha in (0.1, 1.0):
        assert autolog.current_run() is None or alpha == 1.0
        worker = mp.get_context({kind!r}).Process(target=train, args=(alpha,))
        worker.start()
        worker.join()
        assert worker.exitcode == 0 and autolog.current_run() is not None
"""
    run = finished(lab, BEGIN + text)
    assert tree(run) == {"": [("fit", "Ridge", "completed")] * 2}
    assert run.facts["command"]["orig_argv"][-1].endswith("train.py")
    (start,) = lab.records(events.RunStart, journal.MAIN)
    assert start.role == "main"


def test_a_program_that_ends_without_waiting_for_its_workers_has_a_run_too(lab):
    text = """
if __name__ == "__main__":
    reader, writer = mp.Pipe()
    def work():
        train(1.0)
        writer.send(1)
    mp.get_context("fork").Process(target=work).start()
    reader.recv()
    assert autolog.current_run() is None
"""
    assert fits(finished(lab, BEGIN + text)) == {"": 1}


def test_workers_that_train_nothing_leave_no_trace(lab):
    text = """
if __name__ == "__main__":
    for kind in ("fork", "spawn"):
        with mp.get_context(kind).Pool(2) as pool:
            pool.map(abs, range(4))
"""
    assert ended(lab, BEGIN + text) == ""
    assert not lab.runs.exists()


def test_a_worker_that_fails_is_a_failed_child_of_a_run_that_goes_on(lab):
    text = """
def work():
    autolog.start_run(name="open at the end")
    autolog.log_metric("loss", 1.0)
    Ridge().fit(X, y[:3])

if __name__ == "__main__":
    with autolog.child_run("sweep"):
        worker = mp.get_context("fork").Process(target=work)
        worker.start()
        worker.join()
        assert worker.exitcode == 1
"""
    assert ended(lab, BEGIN + text).count("Traceback (most recent call last)") == 1
    run = lab.summary()
    (sweep,) = run.children
    (worker,) = sweep.children
    (fit,) = worker.children
    assert (run.status, sweep.status, worker.status, fit.status) == ("completed", "completed", "failed", "failed")
    for failed in (worker, fit):
        assert "inconsistent numbers of samples" in failed.end["exception"]["message"]


def test_a_run_that_a_worker_begins_is_a_child_run(lab):
    text = """
def work(alpha):
    with autolog.start_run(name=f"alpha {alpha}", tags=["sweep"]):
        train(alpha)
        autolog.log_metric("score", alpha)
    autolog.log_metric("afterwards", 1)

if __name__ == "__main__":
    autolog.log_param("sweep", True)
    for kind in ("fork", "spawn"):
        with mp.get_context(kind).Pool(1) as pool:
            pool.map(work, [0.1, 1.0])
"""
    run = finished(lab, BEGIN + text)
    assert Counter(name for _, name, _ in tree(run)[""]) == {"alpha 0.1": 2, "alpha 1.0": 2}
    assert len({child.id for child in run.children}) == 4
    for child in run.children:
        assert (child.kind, child.status, child.tags) == ("run", "completed", ["sweep"])
        assert f"alpha {child.metrics['score'].last}" == child.name
        assert [inner.name for inner in child.children] == ["Ridge"]
    assert run.metrics["afterwards"].count == 4


def test_workers_are_told_what_was_configured(lab):
    text = """
from joblib import Parallel, delayed

def said(value):
    autolog.log_param("mine", {"password": "hunter2", "plain": value})
    train(1.0)

if __name__ == "__main__":
    autolog.configure(redact_names=["plain"])
    autolog.disable("sklearn")
    autolog.start_run()
    Parallel(n_jobs=2)(delayed(said)(n) for n in range(2))
    worker = mp.get_context("spawn").Process(target=said, args=(3,))
    worker.start()
    worker.join()
"""
    run = finished(lab, BEGIN + text)
    assert run.children == []
    assert re.search("hunter2", (lab.only() / "journal.jsonl").read_text()) is None
    assert all(value not in (1, 2, 3) for value in run.params.values()), run.params


def test_a_fork_is_where_it_was_started(lab):
    """Threads and tasks have contexts of their own; a fork inherits that of the thread that forks."""
    text = """
import asyncio, threading
from joblib import Parallel, delayed

def forked(alpha):
    pid = os.fork()
    if pid == 0:
        train(alpha)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def in_thread(name):
    with autolog.child_run(name):
        forked(1.0)

async def task(name):
    with autolog.child_run(name):
        await asyncio.sleep(0)
        train(1.0)
        await asyncio.to_thread(train, 2.0)
        await asyncio.sleep(0)
        forked(3.0)

async def main():
    await asyncio.gather(task("task one"), task("task two"))

if __name__ == "__main__":
    for n in (1, 2):
        thread = threading.Thread(target=in_thread, args=(f"thread {n}",))
        thread.start()
        thread.join()
    asyncio.run(main())
    forked(4.0)
    with autolog.child_run("joblib threads"):
        Parallel(2, prefer="threads")(delayed(train)(alpha) for alpha in (1.0, 2.0))
"""
    run = finished(lab, BEGIN + text)
    found = fits(run)
    assert {place: found[place] for place in ("thread 1", "thread 2", "task one", "task two")} == {
        "thread 1": 1, "thread 2": 1, "task one": 3, "task two": 3,
    }  # fmt: skip
    assert found[""] + found.get("joblib threads", 0) == 3
    assert {status for told in tree(run).values() for _, _, status in told} == {"completed"}


def test_a_fork_ends_nothing_of_its_parent(lab):
    text = """
from sklearn.linear_model import SGDRegressor

if __name__ == "__main__":
    model = SGDRegressor()
    model.partial_fit(X, y)
    with autolog.child_run("block") as block:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            assert not block.ended
    if pid == 0:
        model.partial_fit(X, y)
    else:
        model.partial_fit(X, y)
        model.partial_fit(X, y)
"""
    run = finished(lab, BEGIN + text)
    ends = [record.child for record in lab.records(events.ChildEnd, journal.MAIN)]
    (path,) = lab.only().glob("journal.w*.jsonl")
    elsewhere = [record for record, _ in journal.read(path)]
    assert len(ends) == len(set(ends)) == 2
    assert not [one.child for one in elsewhere if isinstance(one, events.ChildEnd) and not one.child.startswith("w")]
    calls = {child.id: child.facts["fit"]["calls"] for child in read_run(lab.only()).children if child.kind == "fit"}
    assert sorted(calls.values()) == [1, 3]
    assert run.status == "completed"
