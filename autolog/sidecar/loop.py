"""The sidecar: sample, watch the training process, and when it is over write how it ended. Then it ends itself.

It never outlives its run: an ``end`` record of a process that goes on, or the death of the process, ends it, once
the metrics are compacted and the backends have what they can get. One that is killed is followed by another.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import msgspec

from autolog import config, events, process
from autolog.journal import MAIN, SYSTEM, Journal, last_line, read
from autolog.plugins import RunEnd, RunHeader
from autolog.sidecar import deliver, dumps, facts, kernel, oom, progress, takeover
from autolog.sidecar.leftovers import Leftovers
from autolog.sidecar.ranks import Ranks
from autolog.sidecar.sample import Sampler

__all__ = ["main"]

_BEAT = 60.0
"""Samples are thinned to this many seconds at most: they are the heartbeat too."""
_FULL_RATE = 3600.0
"""Seconds of full rate; from then on the interval grows with the run's age."""
_TERM_GRACE = 2.0
"""Seconds after SIGTERM to see whether the training process was told to end as well."""


def main(job: dict[str, Any], before: int = 0) -> int:
    """Run the sidecar to its end.

    Args:
        job: what ``launch`` has sent.
        before: how many sidecars of the same process were killed or have failed.

    Returns:
        The exit code: not 0 where another sidecar has to take up the work.
    """
    sidecar = _Sidecar(job, before)
    if before and not sidecar.follow():
        return 0
    sidecar.open()
    try:
        sidecar.watch()
        sidecar.close()
    except Exception:
        sidecar.say("error", "sidecar", traceback.format_exc())
        return 1
    return 0


class _Sidecar:
    def __init__(self, job: dict[str, Any], before: int) -> None:
        self.settings = msgspec.convert(job["settings"], config.Settings)
        self.directory = Path(job["directory"])
        self.pid, self.pid_started = int(job["pid"]), float(job["pid_started"])
        self.pidfd = job["pidfd"] if job["pidfd"] >= 0 else None
        self.wake = job["wake"] if job["wake"] >= 0 else None
        self.interval = min(max(self.settings.sample_interval, 0.05), _BEAT)
        self.node = str(job["node"])
        self.main = self.directory / job["journal"]
        self.path = self.directory / (f"system.{self.node}.jsonl" if self.node else SYSTEM)
        self.terminated = 0.0
        self.dead = False
        self.sampling_failed = False
        self.job, self.before = job, before
        self.header = self._header(job)
        self.known = takeover.before(self.path, self.header.time) if before else takeover.NOBODY
        self.exit: events.Exit | None = None
        self.delivery = deliver.Delivery(self.settings, RunHeader(self.header, str(self.directory)), self.say)
        self.leftovers = Leftovers(self.directory.parent.parent, self.settings, self.directory)

    def follow(self) -> bool:
        """Wait for the time to take up what the last sidecar has left; whether there is anything."""
        if self.delivery.enter():
            if self.delivery.spent():  # it was killed while it took the directory away
                self.delivery.remove()
            self.delivery.leave()
        if self.directory.is_dir():
            takeover.wait(self.known, self.before, (self.pidfd, self.wake))
            self.known = takeover.before(self.path, self.header.time)
            takeover.clear(self.directory, self.known)
        return self.directory.is_dir()

    def open(self) -> None:
        """Begin to write."""
        identity = process.identity()
        own = msgspec.structs.replace(
            self.header, time=time.time(), role="sidecar", resumed=False, **identity._asdict()
        )
        self.started = time.monotonic() - max(0.0, own.time - self.header.time)
        self.journal = Journal(self.path, own)
        if self.before:
            self.append(takeover.notice(self.known, self.before))
        self.oom = oom.Watch(self.pid)
        self.ranks = Ranks(self.directory, self.header, self.oom, over=[word.pid for word in self.known.exits])
        self.sampler = Sampler(self.pid, self.directory, self.job["gpus"])
        self._facts = facts.Gatherer(self.settings, self.job, self.append, self.say, known=self.known.facts)
        self._signals()

    def _header(self, job: dict[str, Any]) -> events.RunStart:
        """The run's own header; made up from the job where its journal could not be written."""
        try:
            for record, _ in read(self.main):
                if isinstance(record, events.RunStart) and record.pid == self.pid:
                    return record
        except OSError:
            return events.RunStart(time=time.time(), id=job["id"], name=job["name"], project=job["project"])
        return events.RunStart(time=time.time(), id=job["id"], name=job["name"], project=job["project"])

    def _signals(self) -> None:
        self.stop_reader, stop = os.pipe()
        os.set_blocking(stop, False)

        def on_term(*_: object) -> None:
            self.terminated = self.terminated or time.monotonic()
            os.write(stop, b".")

        signal.signal(signal.SIGTERM, on_term)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    # -- writing ---------------------------------------------------------------------------------------------------

    def append(self, record: events.Record) -> None:
        """Write a record, but never bring a removed directory back."""
        if self.directory.is_dir():
            self.journal.append(record)
            self.delivery.wake()

    def say(self, kind: str, where: str, detail: str) -> None:
        """Write that something of ours failed, or is worth knowing."""
        self.append(events.Health(time=time.time(), kind=kind, where=where, detail=detail))  # type: ignore[arg-type]  # one of its literals

    # -- watching --------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Sample until the process is dead, the run has ended, or somebody ends the sidecar."""
        if "sampling" not in self.known.facts:
            self.append(events.Fact(time=time.time(), name="sampling", value=self._sampling()))
        self._sample()
        self._facts.start()
        if not self.node:
            self.delivery.start()
            if progress.remote(self.settings):
                self.leftovers.start()
        due = time.monotonic() + min(1.0, self.interval)
        while not self._over():
            ready = self._wait(due)
            self._drain(ready)
            self._note_death(ready)
            self._note_ranks(look=False)
            if time.monotonic() >= due and not self._over():
                self._sample()
                due = time.monotonic() + self._current_interval()
        self._note_death(self._wait(time.monotonic()))  # SIGTERM's grace may be over before a look
        self.delivery.wake()

    def _note_death(self, ready: set[int]) -> None:
        """Write how the training process ended, once it has: ``ready`` are the descriptors that say something."""
        if self.dead:
            return
        self.dead = self.pidfd in ready if self.pidfd is not None else not self._alive()
        if self.dead:
            self._note_ranks()  # those that died first come first
            self._tell_exit()

    def _note_ranks(self, *, look: bool = True) -> None:
        """Write how ranks ended that have died."""
        if look:
            self.ranks.look()
        for record in self.ranks.exits():
            self.append(record)

    def _wait(self, due: float) -> set[int]:
        """Wait for a death, a word, or the next sample; the descriptors that say something."""
        poller = select.poll()
        for fd in (None if self.dead else self.pidfd, self.wake, self.stop_reader, *self.ranks.fds):
            if fd is not None:
                poller.register(fd, select.POLLIN)
        return {fd for fd, _ in poller.poll(max(0.0, self._patience(due)) * 1000)}

    def _sampling(self) -> dict[str, Any]:
        return {
            "interval_seconds": self.interval,
            "thinning": f"after {_FULL_RATE:.0f} seconds the interval grows with the run's age, to {_BEAT:.0f} seconds",
        }

    def _patience(self, due: float) -> float:
        left = due - time.monotonic()
        if self.terminated:
            left = min(left, 0.05)
        return min(left, 1.0) if self.pidfd is None or self.wake is None else left

    def _current_interval(self) -> float:
        age = time.monotonic() - self.started
        return max(self.interval, min(_BEAT, self.interval * age / _FULL_RATE))

    def _drain(self, ready: set[int]) -> None:
        for fd in (self.wake, self.stop_reader):
            if fd is not None and fd in ready:
                os.read(fd, 4096)
                self.delivery.wake()

    def _over(self) -> bool:
        if self.terminated and time.monotonic() - self.terminated > _TERM_GRACE:
            return True
        if not self.dead:
            end = self.end()
            if end is None or end.at_exit:
                return False
        self.ranks.look()  # what it does not see now, nobody watches
        return self.ranks.all_over()

    def _alive(self) -> bool:
        """Without a pidfd: whether a process of that id and start is there and no zombie."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except FileNotFoundError:
            return _responds(self.pid) if sys.platform != "linux" else False
        return fields[0] not in ("Z", "X") and float(fields[19]) == self.pid_started

    def end(self) -> events.End | None:
        """The ``end`` record, which is the last line of the main journal; ``None`` while the run goes on."""
        try:
            line = last_line(self.main)
            record = events.decode(line) if line else None
        except (OSError, msgspec.DecodeError):
            return None
        return record if isinstance(record, events.End) else None

    def _sample(self) -> None:
        if self.oom.rise():
            self.say("notice", "oom", "the kernel killed a process of this run's memory cgroup: out of memory")
        self.ranks.look()
        self.sampler.others = self.ranks.pids
        try:
            values = self.sampler.sample()
        except Exception:  # a sample less must not end the watch; said once
            values = {}
            if not self.sampling_failed:
                self.sampling_failed = True
                self.say("error", "sample", traceback.format_exc())
        self.append(events.System(time=time.time(), values=values))

    # -- the end ---------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Write how the process ended, compact, let the backends catch up, and let go of everything."""
        self._facts.join()
        self.leftovers.close()
        if (self.dead or self.end() is not None) and self.directory.is_dir() and self._leads():
            self._compact()
        if self._leads():
            if self.node:
                self.delivery.start()
            end = self.end()
            self.delivery.close(None if end is None and self.exit is None else RunEnd(end, self.exit))
        if self.leftovers.is_alive():
            self.leftovers.join(deliver.LINGER * self.settings.exit_wait)
        self.journal.close()
        if self._leads() and self.delivery.spent():
            self.delivery.remove()

    def _leads(self) -> bool:
        """Whether nobody else compacts and delivers: not where rank 0 writes into the same directory."""
        return not self.node or not (self.directory / MAIN).exists()

    def _compact(self) -> None:
        from autolog.store import compact

        try:
            compact.compact(self.directory)
        except ImportError:  # without pyarrow the journals are all there is, and enough
            return
        except Exception:
            self.say("error", "compact", traceback.format_exc())

    def _tell_exit(self) -> None:
        """Write how the process ended, unless a sidecar before has done so, and knew as much."""
        told = next((word for word in self.known.exits if word.pid == self.pid and word.source != "none"), None)
        self.exit = told or self._exit()
        if told is None and (self.exit.source != "none" or all(word.pid != self.pid for word in self.known.exits)):
            self.append(self.exit)

    def _exit(self) -> events.Exit:
        now = time.time()
        died = kernel.death(self.pid, self.pid_started, self.pidfd)
        dump = dumps.take(self.directory / self.main.name.replace("journal", "fatal").replace(".jsonl", ".log"))
        source, number, detail = died.source, died.signal, dump
        if died.source == "none" and dump:
            number = dumps.signal_of(dump)
            source = "faulthandler" if number else "none"
        oom_kill = number == signal.SIGKILL and self.oom.explains_death()
        if oom_kill:
            detail = "the kernel's out-of-memory killer"
        return events.Exit(
            time=now, pid=self.pid, rank=self.header.rank, source=source, exit_code=died.exit_code,
            signal=number, oom=oom_kill, detail=detail,
        )  # fmt: skip


def _responds(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
