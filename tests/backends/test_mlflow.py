"""The mlflow backend, against MLflow itself: a database, a folder of files, and a server."""

import json
import math
from pathlib import Path

import pytest

from autolog import journal
from autolog.sidecar import progress
from tests.mlflow_servers import connect, history, mlflow_server, runs
from tests.waiting import PATIENCE

# MLflow's own use of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

SCRIPT = """
    import autolog, math, sys
    autolog.log_params({"lr": 0.1, "deep": {"a": [1, 2]}, "long": "x" * 7000})
    for fit in range(%d):
        with autolog.child_run(f"Model{fit}", "fit") as child:
            child.log_params({"fit": fit})
            for step in range(1200):
                autolog.log_metric("loss@train", fit + 1 / (step + 1), step=step)
            autolog.log_metric("odd", math.nan, step=1)
            autolog.log_metric("odd", -math.inf, step=2)
        with autolog.child_run(f"Model{fit}", "evaluate"):
            autolog.log_metric("score", 0.5 + fit)
    autolog.add_tags("good", "gone")
    autolog.current_run().remove_tags("gone")
    autolog.log_text("notes/words", "hello")
    autolog.log_dataset("train", [1, 2, 3])
    autolog.log_params({"lr": 0.2})
    autolog.finish()
"""


@pytest.fixture
def client(lab):
    """MLflow's own client of a database that the lab's runs are sent to."""
    return connect(lab, f"sqlite:///{lab.folder}/mlflow.db")


def test_one_fit_is_one_run(lab, client):
    done = lab.run(SCRIPT % 1, AUTOLOG_DISABLE="")
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = runs(client)
    assert run.info.run_name == lab.summary().name
    assert run.info.status == "FINISHED"
    assert run.data.params["lr"] == "0.1"
    assert run.data.params["deep.a"] == "[1, 2]"
    assert run.data.params["fit"] == "0"
    assert len(run.data.params["long"]) == 6000
    assert history(client, run, "loss_train") == [(step, 1 / (step + 1)) for step in range(1200)]
    assert history(client, run, "score") == [(0, 0.5)]
    (not_a_number, infinite) = history(client, run, "odd")
    assert math.isnan(not_a_number[1])
    assert infinite == (2, -1.7976931348623157e308)
    tags = run.data.tags
    assert tags["tag.good"] == "true"
    assert "tag.gone" not in tags
    assert tags["autolog.param.lr"] == "0.2"
    assert tags["mlflow.source.name"].endswith("train.py")
    assert tags["mlflow.user"]
    for told in ("parameters longer than 6000", "infinite values", "names that hold", "parameters changed"):
        assert told in tags["autolog.notes"]
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == {"console.log", "source", "text"}
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "train"
    assert any(name.startswith("system/") for name in run.data.metrics)


def test_several_fits_are_nested(lab, client):
    lab.run(SCRIPT % 3)
    found = runs(client)
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    nested = {run.info.run_id: run for run in found if run is not parent}
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in nested.values())
    fits = sorted((run for run in nested.values() if "fit" in run.data.params), key=lambda run: run.data.params["fit"])
    assert [run.info.run_name for run in fits] == ["Model0", "Model1", "Model2"]
    for number, run in enumerate(fits):
        assert history(client, run, "loss_train") == [(step, number + 1 / (step + 1)) for step in range(1200)]
        assert run.info.status == "FINISHED"
    assert parent.data.params["lr"] == "0.1"
    assert "loss_train" not in parent.data.metrics
    assert parent.data.tags["tag.good"] == "true"


def state(client):
    return [(run.info.run_id, history(client, run, "loss_train"), run.data.params) for run in runs(client)]


@pytest.mark.parametrize("store", ["database", "files"])
def test_resending_doubles_nothing(lab, client, store, monkeypatch):
    if store == "files":
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        client = connect(lab, f"file:{lab.folder}/mlruns")
    lab.run(SCRIPT % 2)
    before = state(client)
    path = lab.only() / progress.FILE
    states = json.loads(path.read_text())
    assert states["mlflow"]["done"]
    main = (lab.only() / journal.MAIN).read_bytes()
    for offset in (0, main.index(b"\n", len(main) // 2) + 1):
        states["mlflow"]["journals"] = {journal.MAIN: offset}
        path.write_text(json.dumps(states))
        lab.autolog("sync")
        assert [
            (run.info.run_id, history(client, run, "loss_train"), run.data.params) for run in runs(client)
        ] == before


def test_a_killed_training_is_told_and_a_killed_sidecar_lost_nothing(lab, client):
    training = lab.start(
        "import autolog, time\nfor n in range(3000): autolog.log_metric('n', n)\nprint('x', flush=True)\ntime.sleep(60)"
    )
    training.stdout.readline()
    lab.kill_sidecar()
    training.kill()
    training.wait()
    lab.autolog("sync")
    (run,) = runs(client)
    assert run.info.status == "KILLED"
    assert history(client, run, "n") == [(n, n) for n in range(3000)]


def test_failures_are_told(lab, client):
    lab.run("import autolog\nautolog.log_metric('a', 1)\nraise ValueError('no such thing')")
    (run,) = runs(client)
    assert run.info.status == "FAILED"
    assert run.data.tags["autolog.exception"] == "ValueError: no such thing"


def test_a_deleted_experiment_is_said(lab, client):
    client.delete_experiment(client.create_experiment("lab"))
    training = lab.start("import autolog\nautolog.log_metric('a', 1)\nautolog.finish()", AUTOLOG_EXIT_WAIT="5")
    assert training.wait(PATIENCE) == 0
    lab.until(lambda: "was deleted" in lab.delivery("mlflow").error)
    lab.kill_beside()  # it would go on for twelve times as long as the training waits


def test_beside_the_programs_own_use_of_mlflow(lab, client):
    """Its run and ours are two; each is whole."""
    lab.run(
        """
        import autolog, mlflow, os
        mlflow.set_tracking_uri(os.environ["AUTOLOG_MLFLOW_URI"])
        mlflow.set_experiment("its own")
        with mlflow.start_run():
            mlflow.log_metric("own", 1.0)
            for step in range(10):
                autolog.log_metric("loss", step)
        print(mlflow.active_run())
        """
    )
    (run,) = runs(client)
    assert history(client, run, "loss") == [(step, step) for step in range(10)]
    assert "own" not in run.data.metrics
    (own,) = client.search_runs([client.get_experiment_by_name("its own").experiment_id])
    assert set(own.data.metrics) == {"own"}


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


def test_a_server(lab, tracking):
    client = connect(lab, tracking.url)
    lab.run(SCRIPT % 1, AUTOLOG_PROJECT="first")
    (run,) = runs(client, "first")
    assert len(history(client, run, "loss_train")) == 1200
    assert run.data.tags["tag.good"] == "true"
    text = client.download_artifacts(run.info.run_id, "text/notes/words.txt", str(lab.folder))
    assert Path(text).read_text() == "hello"


def test_a_resumed_run_runs_again_and_ends_again(lab, tracking):
    client = connect(lab, tracking.url)
    lab.run("import autolog\nautolog.log_metric('a', 1, step=1)\nraise ValueError('out of memory')")
    (run,) = runs(client)
    assert run.info.status == "FAILED"
    go = lab.folder / "go"
    training = lab.start(
        f"""
        import autolog, pathlib, time
        autolog.start_run(resume={lab.only().name!r})
        autolog.log_metric("a", 2, step=2)
        while not pathlib.Path({str(go)!r}).exists():
            time.sleep(0.05)
        """
    )
    lab.until(lambda: training.poll() is not None or len(history(client, run, "a")) == 2)
    (again,) = runs(client)
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "RUNNING")
    go.touch()
    assert training.wait(PATIENCE) == 0
    lab.settle()
    (ended,) = runs(client)
    assert (ended.info.run_id, ended.info.status) == (run.info.run_id, "FINISHED")
    assert ended.info.end_time > run.info.end_time
    assert history(client, ended, "a") == [(1, 1), (2, 2)]


def test_fields_are_tags(lab, client):
    lab.run(
        """
        import autolog
        autolog.log_metric("a", 1)
        autolog.set_fields({"owner": "ann", "reviewed": False, "gone": 1, "odd %": {"a": 1.5}})
        autolog.set_fields({"gone": None})
        """
    )
    (run,) = runs(client)
    assert fields_of(run) == {"owner": "ann", "reviewed": "false", "odd _": '{"a": 1.5}'}
    lab.autolog("set", "last", "reviewed=true", "owner=", "table=3", "odd %=")
    lab.autolog("sync")
    (run,) = runs(client)
    assert fields_of(run) == {"reviewed": "true", "table": "3"}
    assert run.info.status == "FINISHED"


def fields_of(run):
    before = "autolog.field."
    return {name.removeprefix(before): value for name, value in run.data.tags.items() if name.startswith(before)}
