"""What goes wrong in the chaos tests, and how the trainings have come through it."""

import contextlib
import json
import os
import random
import signal
import subprocess
import time

from tests.labs import is_alive
from tests.waiting import PATIENCE

__all__ = ["SEED", "Chaos", "ended"]

SECONDS = float(os.environ.get("AUTOLOG_CHAOS_SECONDS", "12"))
SEED = int(os.environ.get("AUTOLOG_CHAOS_SEED", "0")) or random.randrange(1, 1 << 30)


class Chaos:
    """What is killed and started again.

    Args:
        lab: whose sidecars are killed.
        server: what they send to; has ``start`` and ``end``.
        database: the same, of the server's database; ``None``: it has none of its own.
        seed: decides what happens when.
    """

    def __init__(self, lab, server, database, seed: int) -> None:
        self.lab, self.server, self.database = lab, server, database
        self.chance = random.Random(seed)
        self.done: list[str] = []
        self.beside: subprocess.Popen[bytes] | None = None

    def go_on(self, least: int) -> None:
        """One misfortune after another for ``AUTOLOG_CHAOS_SECONDS``, and so many at least, of every kind one."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until or len(self.done) < least:
            self.step()

    def step(self) -> None:
        """One misfortune; each kind has its turn before chance alone decides."""
        kinds = [self.kill_server, self.kill_server, self.kill_sidecar, self.deliver_beside]
        kinds += [self.kill_database] * 2 if self.database is not None else []
        kind = self.chance.choice([kind for kind in kinds if kind.__name__ not in self.done] or kinds)
        self.done.append(kind.__name__)
        kind()
        time.sleep(self.chance.random() * 0.7)

    def kill_server(self) -> None:
        self.server.end(signal.SIGKILL)
        time.sleep(self.chance.random() * 0.5)
        self.server.start()

    def kill_database(self) -> None:
        self.database.end(signal.SIGKILL)
        time.sleep(self.chance.random() * 0.5)
        self.database.restart()

    def kill_sidecar(self) -> None:
        alive = [pid for pid in self.lab.sidecars() if is_alive(pid)]
        if alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(alive), signal.SIGKILL)

    def deliver_beside(self) -> None:
        """``autolog sync`` while everything goes on: it takes the place of sidecars that are gone."""
        if self.beside is None or self.beside.poll() is not None:
            self.beside = self.lab.begin_command("sync")

    def close(self) -> None:
        """Let what delivers beside come to its end."""
        if self.beside is not None:
            self.beside.wait(PATIENCE)


def ended(processes):
    """What the trainings have counted: calls, and calls a second; each has ended as it should."""
    told = []
    for process in processes:
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        told.append(json.loads(out.splitlines()[-1]))
    return [calls for calls, _ in told], sum(calls for calls, _ in told) / sum(busy for _, busy in told)
