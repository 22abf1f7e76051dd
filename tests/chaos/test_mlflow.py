"""MLflow's server and the sidecars are killed at any time; afterwards MLflow has everything exactly once.

As with autolog's own server, but the trainings pace themselves: MLflow's server takes few points a second.
"""

from collections import Counter
from pathlib import Path

import pytest

from autolog import events, journal
from autolog.backends.mlflow_values import Fitter
from autolog.store import read_run
from tests.chaos.misfortunes import SEED, Chaos, ended
from tests.mlflow_servers import connect, mlflow_server, runs

# MLflow's own use of SQLAlchemy.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

TRAININGS = 2
LEAST = 3
"""Each kind once: MLflow's server takes long to start."""

TRAINS = """
    import autolog, json, pathlib, time
    stop = pathlib.Path({stop!r})
    calls, busy = 0, 0.0
    while not stop.exists() or calls < 300:
        begun = time.perf_counter()
        for _ in range(100):
            autolog.log_metric("loss", 1 / (calls + 1), step=calls)
            calls += 1
        autolog.log_params({{f"number.{{calls}}": {number} + calls}})
        autolog.add_tags(f"seen-{{calls}}")
        autolog.set_fields({{"calls": calls}})
        autolog.log_text(f"words/{{calls}}", f"{number} " * calls)
        busy += time.perf_counter() - begun
        time.sleep(0.7)
    print(json.dumps([calls, busy]))
"""


def test_mlflow_has_everything_once_whatever_is_killed(lab):
    with mlflow_server(lab.folder) as server:
        client = connect(lab, server.url)
        lab.environment |= {"AUTOLOG_EXIT_WAIT": "1", "XDG_CONFIG_HOME": str(lab.folder / "config")}
        stop = lab.folder / "stop"
        processes = [
            lab.start(TRAINS.format(number=number, stop=str(stop)), name=f"train{number}.py")
            for number in range(TRAININGS)
        ]
        lab.until(lambda: len(lab.sidecars()) >= TRAININGS)
        chaos = Chaos(lab, server, None, SEED)
        chaos.go_on(LEAST)
        stop.touch()
        calls, _ = ended(processes)
        chaos.close()
        lab.kill_beside()  # so that nobody but `sync` has anything to do with the rest
        lab.environment["AUTOLOG_EXIT_WAIT"] = "10"
        lab.autolog("sync")
        message = f"AUTOLOG_CHAOS_SEED={SEED}: {chaos.done}"
        print(f"{message}, {sum(calls)} calls")
        there = {run.data.tags["autolog.run"]: run for run in runs(client)}
        assert len(runs(client)) == len(there) == TRAININGS, message
        for directory in lab.directories():
            assert_equal(client, server, there[directory.name], directory, message)
        assert sorted(len(client.get_metric_history(run.info.run_id, "loss")) for run in there.values()) == sorted(
            calls
        )


def assert_equal(client, server, run, directory, message):
    """The run in MLflow has what the directory has: points, parameters, tags, fields, files and status."""
    seen, data = read_run(directory), run.data
    assert run.info.status == "FINISHED", message
    points = Counter(
        (name, point.step, point.value)
        for name in data.metrics
        for point in client.get_metric_history(run.info.run_id, name)
    )
    assert points == recorded(directory), message
    params = {name: str(value) for name, value in seen.params.items()}
    assert {name: value for name, value in data.params.items() if name.startswith("number.")} == params, message
    assert tags(data, "tag.") == dict.fromkeys(seen.tags, "true"), message
    assert tags(data, "autolog.field.") == {name: str(value) for name, value in seen.fields.items()}, message
    (artifacts,) = (server.folder / "artifacts").glob(f"*/{run.info.run_id}/artifacts")
    assets = {
        f"{record.kind}/{record.name}": (directory / record.path).read_bytes()
        for record, _ in journal.read(directory / journal.MAIN)
        if isinstance(record, events.Asset) and record.path
    }
    held = {path.relative_to(artifacts).with_suffix("").as_posix(): path for path in files(artifacts / "text")}
    assert {name: path.read_bytes() for name, path in held.items()} == assets, message
    for name in ("source", "console.log"):
        for path in files(directory / name):
            assert (artifacts / path.relative_to(directory)).read_bytes() == path.read_bytes(), message


def tags(data, before):
    return {name.removeprefix(before): value for name, value in data.tags.items() if name.startswith(before)}


def files(path: Path):
    return [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]


def recorded(directory):
    """Every point of the journals as MLflow should have it, and how often."""
    fit, points, began = Fitter(), Counter(), read_run(directory).started_at
    for path in journal.journals(directory):
        for record, _ in journal.read(path):
            if isinstance(record, events.Metrics):
                points.update((fit.name(name), int(record.step), value) for name, value in record.values.items())
            elif isinstance(record, events.System):
                step = max(0, round(record.time - began))
                points.update((fit.name(f"system/{name}"), step, float(each)) for name, each in record.values.items())
    return points
