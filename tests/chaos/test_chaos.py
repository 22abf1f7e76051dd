"""Everything is killed, at any time and in any order; no training notices, and nothing is lost or doubled.

Eight trainings log in bursts at full speed, while server, sidecars and database are killed by SIGKILL and start again.
Afterwards every store holds the bytes of the local journals, exactly. ``AUTOLOG_CHAOS_SECONDS`` makes it longer,
``AUTOLOG_CHAOS_SEED`` repeats one; both are printed with ``-s``, and in a failure.
"""

import time

import pytest

from autolog import events, journal
from autolog.sidecar import progress
from tests.chaos.misfortunes import SEED, Chaos, ended

TRAININGS = 8
BURST = 500
LEAST = 6
"""So many misfortunes there are, however slow the machine is."""

TRAINS = """
    import autolog, json, pathlib, random, sys, time
    chance = random.Random({number})
    stop = pathlib.Path({stop!r})
    calls, busy = 0, 0.0
    while not stop.exists():
        begun = time.perf_counter()
        for _ in range({burst}):
            autolog.log_metric("loss", 1 / (calls + 1), step=calls)
            calls += 1
        busy += time.perf_counter() - begun
        if chance.random() < 0.2:
            autolog.log_text(f"words {{calls}}", "word " * chance.randrange(1, 5_000))
        time.sleep(chance.random())
    print(json.dumps([calls, busy]))
"""


class Database:
    """PostgreSQL; after a SIGKILL its other processes need a moment to see that they are alone."""

    def __init__(self, postgres) -> None:
        self._postgres = postgres
        self.end = postgres.end

    def restart(self) -> None:
        for again in range(20):
            try:
                self._postgres.start()
            except AssertionError:
                if again == 19:
                    raise
                self._postgres.process = None
                time.sleep(0.25)
            else:
                return


def trainings(lab, count, stop, **environment):
    lab.script(TRAINS.format(number=0, stop=str(stop), burst=BURST))
    return [
        lab.start(TRAINS.format(number=number, stop=str(stop), burst=BURST), name=f"train{number}.py", **environment)
        for number in range(count)
    ]


def rate_alone(lab):
    """Calls a second of the same trainings without a backend and without misfortune, for comparison."""
    stop = lab.folder / "stop alone"
    processes = trainings(lab, TRAININGS, stop, AUTOLOG_BACKEND="local", AUTOLOG_DIR=str(lab.folder / "alone"))
    lab.until(lambda: len(list((lab.folder / "alone").glob("lab/*/journal.jsonl"))) == TRAININGS)
    time.sleep(2.0)
    stop.touch()
    return ended(processes)[1]


@pytest.mark.parametrize("storage_kind", ["local", "remote"], indirect=True)
def test_nothing_is_lost_whatever_is_killed(lab, own_server, storage_kind, request):
    seed = SEED + (storage_kind == "remote")
    database = Database(request.getfixturevalue("postgres")) if storage_kind == "remote" else None
    lab.environment |= {
        "AUTOLOG_BACKEND": "local,http", "AUTOLOG_URL": own_server.url, "AUTOLOG_TOKEN": own_server.admin,
        "AUTOLOG_EXIT_WAIT": "1", "XDG_CONFIG_HOME": str(lab.folder / "config"),
    }  # fmt: skip
    alone = rate_alone(lab)
    stop = lab.folder / "stop"
    processes = trainings(lab, TRAININGS, stop)
    lab.until(lambda: len(lab.sidecars()) >= TRAININGS)
    chaos = Chaos(lab, own_server, database, seed)
    chaos.go_on(LEAST)
    stop.touch()
    calls, rate = ended(processes)
    print(f"seed {seed}, {len(chaos.done)} misfortunes, {sum(calls)} calls; {rate:.0f} calls/s, alone {alone:.0f}")
    chaos.close()
    lab.kill_beside()  # so that nobody but `sync` has anything to do with the rest
    lab.environment["AUTOLOG_EXIT_WAIT"] = "10"
    lab.autolog("sync")
    message = f"AUTOLOG_CHAOS_SEED={seed}: {chaos.done}"
    assert sorted(logged(directory) for directory in lab.directories()) == sorted(calls), message
    own_server.engine.dispose()  # the test's own connections to the database that was killed
    for directory in lab.directories():
        assert_equal(own_server, directory, message)


def logged(directory):
    """How many calls are on record; each once, in order."""
    steps = [record.step for record, _ in journal.read(directory / journal.MAIN) if isinstance(record, events.Metrics)]
    assert steps == list(range(len(steps)))
    return len(steps)


def assert_equal(server, directory, message):
    """The server has what the directory has, byte for byte, and every asset."""
    place = ("lab", directory.name)
    with server.storage() as storage:
        sizes = storage.sizes(place)
        with storage.directory(place) as there:
            for path in journal.journals(directory):
                whole = path.read_bytes()[: progress.whole_size(path)]
                assert sizes[path.name] == len(whole), (message, path)
                assert (there / path.name).read_bytes() == whole, (message, path)
        for path in (directory / "assets").rglob("*.*"):
            stored = storage.open(place, path.relative_to(directory).as_posix())
            assert stored is not None, (message, path)
            assert b"".join(stored.read(0, stored.size)) == path.read_bytes(), (message, path)
    assert progress.states(directory)["http"].done, message
