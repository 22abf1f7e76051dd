"""MLflow behind a network that fails, and beside another backend: every point once, whatever has happened."""

import math

import pytest

from autolog import events
from autolog.backends.mlflow_runs import CHILD, RUN, Runs, experiment_named
from tests.fault_proxy import FaultProxy
from tests.mlflow_servers import connect, history, mlflow_server, runs
from tests.waiting import PATIENCE

# MLflow's own use of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

TRAINS = """
    import autolog
    autolog.log_params({"lr": 0.1})
    for n in range(2500):
        autolog.log_metric("loss", 1 / (n + 1), step=n)
    autolog.log_text("notes", "hello")
    autolog.log_dataset("train", [1, 2, 3])
"""


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture
def mlflow_proxy(tracking):
    proxy = FaultProxy(tracking.port)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("mode", ["refuse", "reset", "hang", "slow", "cut", "cut_answer", "500", "429", "html"])
def test_mlflow_behind_a_bad_network(lab, tracking, mlflow_proxy, mode):
    client = connect(lab, tracking.url)
    lab.environment |= {"AUTOLOG_MLFLOW_URI": mlflow_proxy.url, "AUTOLOG_EXIT_WAIT": "0.5",
                        "AUTOLOG_NAME": f"behind-{mode}"}  # fmt: skip
    mlflow_proxy.mode = mode
    training = lab.start(TRAINS)
    _, err = training.communicate(timeout=PATIENCE)
    assert training.returncode == 0
    assert "not everything has reached mlflow" in err
    assert err.count("\n") == 1
    mlflow_proxy.mode = "pass"
    lab.settle(begun=True)
    lab.environment["AUTOLOG_EXIT_WAIT"] = "20"
    lab.autolog("sync")
    assert lab.delivery("mlflow").done
    (run,) = [run for run in runs(client) if run.info.run_name == f"behind-{mode}"]
    assert history(client, run, "loss") == [(n, 1 / (n + 1)) for n in range(2500)]
    assert run.info.status == "FINISHED"
    assert run.data.params["lr"] == "0.1"
    assert [each.dataset.name for each in run.inputs.dataset_inputs] == ["train"]
    assert [item.path for item in client.list_artifacts(run.info.run_id, "text")] == ["text/notes.txt"]


class Twice:
    """A client whose answer to the making of a run was lost, whereupon MLflow asks again by itself."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        return getattr(self._client, name)

    def create_run(self, *given):
        self._client.create_run(*given)
        return self._client.create_run(*given)


def test_a_run_that_mlflow_made_twice_is_one(lab):
    client = connect(lab, f"sqlite:///{lab.folder}/mlflow.db")
    start = events.RunStart(time=1.0, id="20261125-000000-000-0", name="brave-otter-42", project="lab")
    made = Runs(Twice(client), experiment_named(client, "lab"), start)
    made.learn(events.Child(time=1.0, child=name, name=name, kind="fit") for name in ("c1", "c2"))
    ids = {child or "": made.of(child) for child in (None, "c1", "c2")}
    client.log_metric(ids["c1"], "a", 1.0)
    client.create_run(made._experiment, 1000, {RUN: start.id, CHILD: "c1"}, "c1")  # one that came late
    again = Runs(client, made._experiment, start)
    assert {"": again.of(None), **again.children} == ids
    assert {run.info.run_id for run in runs(client)} == set(ids.values())
    fuller = client.create_run(made._experiment, 1000, {RUN: start.id, CHILD: "c2"}, "c2").info.run_id
    client.log_metric(fuller, "a", 1.0)
    client.log_metric(ids["c2"], "a", 2.0)
    Runs(client, made._experiment, start)
    assert {run.info.run_id for run in runs(client)} == {*ids.values(), fuller}  # what holds anything is never deleted


def test_one_of_several_backends_is_broken(lab, server):
    """``backend=["local", "http", "mlflow"]``: the good one has everything, whatever the other does."""
    client = connect(lab, f"sqlite:///{lab.folder}/mlflow.db")
    lab.environment |= {
        "AUTOLOG_BACKEND": "local,http,mlflow", "AUTOLOG_URL": "http://127.0.0.1:1", "AUTOLOG_TOKEN": server.admin,
        "AUTOLOG_EXIT_WAIT": "5",
    }  # fmt: skip
    training = lab.start(TRAINS)
    assert training.wait(PATIENCE) == 0
    lab.until(lambda: lab.delivery("mlflow").done and "cannot be reached" in lab.delivery("http").error)
    lab.kill_beside()  # it would go on with the broken one for twelve times as long as the training waits
    (run,) = runs(client)
    assert len(history(client, run, "loss")) == 2500
    lab.environment["AUTOLOG_URL"] = server.url
    lab.autolog("sync")
    assert lab.delivery().done
    there = server.data / "lab" / lab.only().name / "journal.jsonl"
    assert there.read_bytes() == (lab.only() / "journal.jsonl").read_bytes()


def test_values_beyond_mlflow_are_counted(lab):
    client = connect(lab, f"sqlite:///{lab.folder}/mlflow.db")
    lab.run(
        """
        import autolog, math
        autolog.log_metric("a", math.inf, step=1)
        autolog.log_metric("a", math.nan, step=2)
        autolog.log_metric("a", 1.0, step=10**30)
        autolog.log_params({"long": "x" * 6500})
        """
    )
    changed = lab.delivery("mlflow").changed
    assert changed["infinite values stand as the largest number that MLflow holds"] == 1
    assert changed["steps beyond 64 bits stand as the largest that MLflow holds"] == 1
    assert sum(count for what, count in changed.items() if "longer than 6000" in what) == 1
    assert "changed: 1 x infinite values" in lab.autolog("sync", "--status")
    (run,) = runs(client)
    points = history(client, run, "a")
    assert [step for step, _ in points] == [1, 2, 2**63 - 1]
    assert math.isnan(points[1][1])
