"""Ranks of one job are one run: real processes with the variables of each launcher, started in any order."""

import signal
import sys

import pytest

from autolog import events, job, journal
from autolog.store import read_run, runs, status
from autolog.store.series import system_samples
from tests.waiting import LONG, PATIENCE

TRAIN = """
import autolog, os, sys
print("hello from", os.environ["ME"])
run = autolog.current_run() or autolog.start_run()
autolog.log_metric("loss" if os.environ["ME"] == "0" else "mine/" + os.environ["ME"], 0.5, step=1)
run.captured_metrics({"seen_by_hooks": 1.0}, step=1)
"""
WAIT = """
import autolog, os, time
autolog.start_run()
print("begun", flush=True)
time.sleep(600)
"""


def torchrun(rank, size=4, **more):
    return {
        "TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "RANK": str(rank),
        "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank % 2), "GROUP_RANK": str(rank // 2),
        "TORCHELASTIC_RESTART_COUNT": "0", **more,
    }  # fmt: skip


def slurm(rank, size=4, **more):
    return {
        "SLURM_JOB_ID": "77", "SLURM_STEP_ID": "0", "SLURM_PROCID": str(rank), "SLURM_NTASKS": str(size),
        "SLURM_LOCALID": str(rank % 2), "SLURM_NODEID": str(rank // 2), **more,
    }  # fmt: skip


def openmpi(rank, size=4, **more):
    return {
        "OMPI_COMM_WORLD_RANK": str(rank), "OMPI_COMM_WORLD_SIZE": str(size), "OMPI_COMM_WORLD_LOCAL_RANK": str(rank),
        "PMIX_NAMESPACE": "prterun-host-1234@1", **more,
    }  # fmt: skip


def hydra(rank, size=4, **more):
    return {"PMI_RANK": str(rank), "PMI_SIZE": str(size), "MPI_LOCALRANKID": str(rank), **more}


def plain(rank, size=4, **more):
    return {
        "MASTER_ADDR": "n1", "MASTER_PORT": "1", "RANK": str(rank), "WORLD_SIZE": str(size),
        "LOCAL_RANK": str(rank % 2), "NODE_RANK": str(rank // 2), **more,
    }  # fmt: skip


def start(lab, text, rank, launcher=torchrun, **more):
    return lab.start(text, ME=str(rank), **launcher(rank, **more))


def finish(lab, *processes):
    for process in processes:
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    settle(lab)


def settle(lab):
    """Wait for the sidecars of all nodes; one may just be starting."""
    for directory in directories(lab):
        nodes = {"system.jsonl"} if (directory / "journal.jsonl").exists() else set()
        for path in directory.glob("journal.*.jsonl"):
            start = next(record for record, _ in journal.read(path))
            if start.rank == 2 and start.node == "1":
                nodes.add("system.1.jsonl")
        lab.until(lambda directory=directory, nodes=nodes: nodes <= {path.name for path in directory.iterdir()})
    lab.settle()


def directories(lab):
    return sorted(path for path in lab.runs.glob("lab/*") if list(path.glob("journal*.jsonl")))


def has_begun(process):
    assert process.stdout.readline() == "begun\n"


@pytest.mark.parametrize("launcher", [torchrun, slurm, openmpi, hydra, plain])
def test_ranks_in_any_order_are_one_run(lab, launcher):
    finish(lab, *[start(lab, TRAIN, rank, launcher) for rank in (3, 1, 0, 2)])
    (directory,) = directories(lab)
    assert sorted(path.name for path in directory.glob("journal*")) == [
        "journal.1.jsonl", "journal.2.jsonl", "journal.3.jsonl", "journal.jsonl",
    ]  # fmt: skip
    for rank, name in enumerate(["console.log", "console.1.log", "console.2.log", "console.3.log"]):
        assert (directory / name).read_text() == f"hello from {rank}\n"
    run = read_run(directory)
    assert (run.status, run.end.get("rank")) == ("completed", None)
    # Where the launcher starts tasks that may know nothing of each other, all report until they find each other.
    reporting = 1 if launcher in (torchrun, plain) else 4
    assert {name: metric.count for name, metric in run.metrics.items()} == {
        "loss": 1, "seen_by_hooks": reporting, "mine/1": 1, "mine/2": 1, "mine/3": 1,
    }  # fmt: skip
    ranks = [one for one in run.processes if one["role"] in ("main", "rank")]
    assert sorted((one["rank"], one["status"]) for one in ranks) == [(rank, "completed") for rank in range(4)]
    assert run.facts["command"]["orig_argv"]
    assert "broken_lines" not in run.health
    assert run.health["errors"] == []


def test_every_node_is_sampled_once(lab):
    finish(lab, *[start(lab, TRAIN, rank) for rank in (2, 3, 1, 0)])
    (directory,) = directories(lab)
    assert [path.name for path in sorted(directory.glob("system*.jsonl"))] == ["system.1.jsonl", "system.jsonl"]
    assert next(iter(system_samples(directory))).values["memory.host_percent"] > 0
    assert next(iter(system_samples(directory, "1"))).values["memory.host_percent"] > 0
    facts = read_run(directory).facts
    assert facts["host.1"]["name"] == facts["host"]["name"]
    assert "packages.1" not in facts


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_ranks_one_after_the_other(lab, order):
    for rank in order:  # the first is long over when the second comes: the same process has launched both
        finish(lab, start(lab, TRAIN, rank, size=2))
    (directory,) = directories(lab)
    assert read_run(directory).status == "completed"


def test_the_same_variables_again_are_another_run(lab):
    for _ in range(3):
        finish(lab, *[start(lab, TRAIN, rank, size=2) for rank in (0, 1)])
    assert [len(list(path.glob("journal*"))) for path in directories(lab)] == [2, 2, 2]


def test_processes_that_all_say_they_are_rank_0_share_nothing(lab):
    finish(lab, *[start(lab, TRAIN, 0, slurm) for _ in range(5)])  # trainings in the background of one batch script
    told = [read_run(path) for path in directories(lab)]
    assert [run.metrics["loss"].count for run in told] == [1] * 5


def test_a_restart_of_the_launcher_is_another_run(lab):
    first = start(lab, WAIT, 0, size=2)
    has_begun(first)
    first.kill()  # rank 1 of this attempt comes to nothing
    finish(lab, *[start(lab, TRAIN, rank, size=2, TORCHELASTIC_RESTART_COUNT="1") for rank in (1, 0)])
    first.wait()
    assert sorted((read_run(path).status, len(list(path.glob("journal*")))) for path in directories(lab)) == [
        ("completed", 2), ("killed", 1),
    ]  # fmt: skip


def test_another_launcher_process_does_not_join_a_run_that_is_over(lab):
    through = ("sh", "-c", f'{sys.executable} "$0"; exit $?')  # the shell is the process that launches the rank
    finish(lab, lab.start(TRAIN, before=through, ME="0", **torchrun(0, 2)))
    finish(lab, lab.start(TRAIN, before=through, ME="1", **torchrun(1, 2)))
    assert len(directories(lab)) == 2


def test_several_runs_in_turn_are_the_same_on_every_rank(lab):
    script = """
    import autolog, os
    for name in ("first", "second"):
        with autolog.start_run(name=name):
            autolog.log_param("rank." + os.environ["ME"], name)
    """
    finish(lab, *[start(lab, script, rank, size=2) for rank in (1, 0)])
    told = [read_run(path) for path in directories(lab)]
    assert sorted((run.name, run.params) for run in told) == [
        ("first", {"rank.0": "first", "rank.1": "first"}), ("second", {"rank.0": "second", "rank.1": "second"}),
    ]  # fmt: skip
    assert {run.status for run in told} == {"completed"}


def test_a_rank_that_raises_is_named_though_rank_0_was_terminated(lab):
    failing = "import autolog\nautolog.start_run()\nraise ValueError('rank trouble')"
    main = start(lab, WAIT, 0, size=2)
    has_begun(main)
    other = start(lab, failing, 1, size=2)
    _, err = other.communicate(timeout=PATIENCE)
    assert (other.returncode, err.count("Traceback")) == (1, 1), err
    main.terminate()  # as torchrun does then
    main.wait(timeout=PATIENCE)
    settle(lab)
    run = read_run(directories(lab)[0])
    assert (run.status, run.end["rank"], run.end["exception"]["message"]) == ("failed", 1, "rank trouble")
    assert "rank 1 failed first" in run.end["cause"]


def test_a_rank_that_is_killed_is_named_and_the_run_goes_on(lab):
    main, other = start(lab, WAIT, 0, size=2), start(lab, WAIT, 1, size=2)
    has_begun(main)
    has_begun(other)
    (directory,) = directories(lab)
    lab.sidecar()
    looks = len(lab.records(events.System))
    # Before each sample the sidecar looks for new ranks; for that of the next one it may have looked already.
    lab.until(lambda: len(lab.records(events.System)) > looks + 1)
    other.kill()
    other.wait()

    def rank():
        return next(one for one in read_run(directory).processes if one["role"] == "rank")

    lab.until(lambda: rank()["status"] == "killed")
    assert read_run(directory).status == "running"
    main.terminate()
    main.wait(timeout=PATIENCE)
    settle(lab)
    run = read_run(directory)
    assert (run.status, run.end["rank"]) == ("killed", 1)
    assert [record.rank for record in lab.records(events.Exit)] == [1, 0]


def test_the_killed_rank_of_a_node_without_rank_0_is_named(lab):
    everyone = [start(lab, WAIT, rank) for rank in range(4)]
    for process in everyone:
        has_begun(process)
    (directory,) = directories(lab)
    looks = len(list(system_samples(directory, "1")))
    lab.until(lambda: len(list(system_samples(directory, "1"))) > looks + 1)
    everyone[3].kill()
    everyone[3].wait()
    for process in everyone[:3]:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=PATIENCE)
    settle(lab)
    run = read_run(directory)
    fates = {one["rank"]: one["status"] for one in run.processes if one["role"] == "rank"}
    assert fates == {1: "killed", 2: "killed", 3: "killed"}
    records = [record for record, _ in journal.read(directory / "system.1.jsonl")]
    assert {record.rank for record in records if isinstance(record, events.Exit)} == {2, 3}


def test_a_rank_that_records_nothing_still_says_how_it_ended(lab):
    quiet = "import autolog\nprint('quiet')\nimport sys\nsys.exit(3)"
    main = start(lab, WAIT, 0, size=2)
    has_begun(main)
    other = start(lab, quiet, 1, size=2)
    assert other.wait(timeout=PATIENCE) == 3
    main.terminate()
    main.wait(timeout=PATIENCE)
    settle(lab)
    (directory,) = directories(lab)
    (rank,) = (one for one in read_run(directory).processes if one["role"] == "rank")
    assert (rank["rank"], rank["status"], rank["exit_code"]) == (1, "failed", 3)
    assert (directory / "console.1.log").read_text() == "quiet\n"


def test_ranks_that_only_import_autolog_record_nothing(lab):
    finish(lab, *[start(lab, "import autolog", rank, size=2) for rank in (0, 1)])
    assert list(lab.runs.glob("*")) == []


def test_a_script_that_a_rank_starts_is_a_run_of_its_own(lab):
    script = """
    import autolog, os, subprocess, sys
    autolog.start_run()
    code = "import autolog; autolog.log_metric('inner', 1)"
    if os.environ["ME"] == "1":
        subprocess.run([sys.executable, "-c", code], check=True)
    """
    finish(lab, *[start(lab, script, rank, size=2) for rank in (0, 1)])
    outer, inner = sorted((read_run(path) for path in directories(lab)), key=lambda run: run.started_at)
    assert (inner.parent, list(inner.metrics), outer.metrics) == (outer.id, ["inner"], {})


@pytest.mark.parametrize("more", [{"AUTOLOG_RANKS": "0"}, {"WORLD_SIZE": ""}])
def test_without_a_job_each_is_a_run_of_its_own(lab, more):
    processes = [lab.start(TRAIN, ME=str(rank), **torchrun(rank, 2) | more) for rank in (0, 1)]
    finish(lab, *processes)
    told = [read_run(path) for path in directories(lab)]
    assert len(told) == 2
    assert all("seen_by_hooks" in run.metrics for run in told)


@pytest.mark.parametrize("launcher", [slurm, openmpi, hydra, torchrun, plain])
def test_trainings_of_tasks_that_know_nothing_of_each_other(lab, launcher):
    """Of SLURM and MPI each task may be a training of its own; the others start processes that are going to meet."""
    pytest.importorskip("sklearn")
    script = """
    import autolog, os
    from sklearn.linear_model import Ridge
    Ridge(alpha=1.0 + float(os.environ["ME"])).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    """
    processes = [start(lab, script, rank, launcher, size=2, AUTOLOG_SIDECAR="0") for rank in (1, 0)]
    for process in processes:
        _, err = process.communicate(timeout=LONG)
        assert process.returncode == 0, err
        assert ("AUTOLOG_RANKS=0" in err) is (launcher in (torchrun, plain) and process is processes[0])
    (directory,) = directories(lab)
    found = sorted(child.params["alpha"] for child in read_run(directory).children)
    assert found == ([1.0] if launcher in (torchrun, plain) else [1.0, 2.0])


def test_a_run_that_began_with_its_job_takes_the_programs_name(lab):
    script = """
    import autolog, os
    from autolog import current
    current.start_for_job()
    with autolog.start_run(name="mine", project="other", tags=["t"]):
        autolog.log_metric("loss", 1) if os.environ["ME"] == "0" else None
    with autolog.start_run(name="second"):
        pass
    """
    finish(lab, *[start(lab, script, rank, size=2) for rank in (1, 0)])
    found = sorted(((run.name, run.project, run.tags) for run in runs(dir=lab.runs)), key=lambda told: told[0])
    assert found == [("mine", "other", ["t"]), ("second", "lab", [])]


@pytest.mark.parametrize(
    ("trains", "rank", "variables", "said"),
    [(True, 1, {}, True), (True, 0, {}, False), (False, 1, {}, False), (True, 1, {"AUTOLOG_RANKS": "0"}, False)],
)
def test_tasks_that_may_be_no_ranks_are_told(lab, trains, rank, variables, said):
    script = "import autolog\nimport sklearn.base" if trains else "import autolog"
    if trains:
        pytest.importorskip("sklearn")
    process = start(lab, script, rank, plain, **variables)
    _, err = process.communicate(timeout=PATIENCE)
    assert ("AUTOLOG_RANKS=0" in err) is said, err


def test_rank_0_ended_before_its_first_word(lab):
    """Its launcher ended it when another had failed: the run is that other's, and not said to be running."""
    failing = """
        import autolog
        autolog.start_run()
        raise RuntimeError("once")
    """
    process = start(lab, failing, 1, size=2)
    process.communicate(timeout=PATIENCE)
    (directory,) = directories(lab)
    for empty in (False, True):
        if empty:
            (directory / "journal.jsonl").touch()  # it had just taken its place
        run = read_run(directory)
        assert (run.status, run.end["exception"]["message"]) == ("failed", "once")
        assert run.ended_at is not None


def test_what_launchers_say():
    found = job.from_environment(torchrun(3))
    assert (found.rank, found.world_size, found.local_rank, found.node) == (3, 4, 1, "1")
    assert {job.from_environment(torchrun(rank)).key for rank in range(4)} == {found.key}
    assert job.from_environment(torchrun(1, MASTER_PORT="29501")).key != found.key
    assert job.from_environment(slurm(1, SLURM_STEP_ID="1")).key != job.from_environment(slurm(1)).key
    # The innermost launcher counts: here torchrun's only process, in a step of four tasks.
    assert job.from_environment(slurm(1) | torchrun(0, 1)) is None
    assert job.from_environment(slurm(0) | openmpi(2)).rank == 2


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"},  # in an allocation, not started by srun
        slurm(0, 1),
        torchrun(0, 1),
        {"RANK": "1", "WORLD_SIZE": "2"},
        {"RANK": "x", "WORLD_SIZE": "2", "MASTER_ADDR": "a"},
        {"RANK": "5", "WORLD_SIZE": "2", "MASTER_ADDR": "a"},
    ],
)
def test_no_job(variables):
    assert job.from_environment(variables) is None


ERROR = {"type": "ValueError", "message": "no"}
OTHER_FAILED = status.Fate(2, "failed", {"exception": ERROR, "exit_code": 1}, 10.0)
KILLED = status.Fate(3, "killed", {"signal": "KILL"}, 9.0)
OUT_OF_MEMORY = status.Fate(4, "killed", {"signal": "KILL", "oom": True}, 9.0)
TERMINATED = status.Fate(1, "killed", {"signal": "TERM"}, 8.0)
LATER = status.Fate(2, "failed", {"exception": ERROR}, 30.0)
RULES = {
    "all well": (("completed", {}), [], ("completed", None)),
    "only another rank failed": (("completed", {}), [OTHER_FAILED], ("completed", None)),
    "running on": (("running", {}), [KILLED], ("running", None)),
    "ended after another failed": (("killed", {"signal": "TERM"}), [TERMINATED, OTHER_FAILED], ("failed", 2)),
    "ended after another was killed": (("killed", {"signal": "TERM"}), [OTHER_FAILED, KILLED], ("killed", 3)),
    "left no word, another failed": (("killed", {"source": "none"}), [OTHER_FAILED], ("failed", 2)),
    "all were killed, nobody knows why": (("killed", {"signal": "KILL"}), [KILLED], ("killed", None)),
    "all were killed after one failed": (("killed", {"signal": "KILL"}), [KILLED, OTHER_FAILED], ("failed", 2)),
    "one was out of memory": (("killed", {"signal": "KILL"}), [OUT_OF_MEMORY], ("killed", 4)),
    "ended from outside": (("killed", {"signal": "TERM"}), [TERMINATED], ("killed", None)),
    "out of memory itself": (("killed", {"signal": "KILL", "oom": True}), [OTHER_FAILED], ("killed", 2)),
    "failed itself, after another": (("failed", {"exception": {}}), [KILLED], ("failed", 3)),
    "failed itself, first": (("failed", {"exception": {}}), [LATER], ("failed", None)),
    "interrupted": (("interrupted", {}), [OTHER_FAILED], ("interrupted", None)),
}


@pytest.mark.parametrize("case", RULES)
def test_rule_of_jobs(case):
    (own, details), others, (expected, named) = RULES[case]
    found, told = status.of_job(status.Fate(0, own, details, 20.0), others)
    assert (found, told.get("rank")) == (expected, named)
