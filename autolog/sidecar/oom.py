"""Whether the kernel's out-of-memory killer has been at work in a process's memory cgroup."""

from __future__ import annotations

import math
import time
from pathlib import Path

__all__ = ["Watch", "memory_cgroup", "oom_kills"]

_AFTER, _BEFORE = 0.1, 10.0
_KEPT = 4


class Watch:
    """Counts of OOM kills around one process, from one look to the next.

    The cgroup is looked up at every :meth:`rise`, since schedulers move processes. The last few are kept: a zombie is
    back in the root cgroup, where nothing of it was counted.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._files: list[Path] = []
        self._counts: dict[Path, int] = {}
        self._risen_at = -math.inf
        self.rise()

    def rise(self) -> int:
        """OOM kills since the last look. Where the process has no memory cgroup that counts: those of the machine."""
        self._files = list(dict.fromkeys([*memory_cgroup(self._pid), *self._files]))[:_KEPT]
        risen, readable = 0, False
        for file in self._files:
            count = oom_kills(file)
            if count is None:
                continue
            risen = max(risen, count - self._counts.get(file, count))
            self._counts[file] = count
            readable = True
        machine = Path("/proc/vmstat")
        count = oom_kills(machine)
        if count is not None:
            if not readable:
                risen = count - self._counts.get(machine, count)
            self._counts[machine] = count
        if risen:
            self._risen_at = time.monotonic()
        return risen

    def explains_death(self) -> bool:
        """Whether there was an OOM kill just before the process died by SIGKILL.

        The kernel counts the kill right after it has sent the signal, and the process may be dead sooner, or take
        seconds to give its memory back: so both a little later and a little earlier is looked at.
        """
        until = time.monotonic() + _AFTER
        while not self.rise() and time.monotonic() < until:
            time.sleep(0.01)
        return time.monotonic() - self._risen_at < _BEFORE


def memory_cgroup(pid: int) -> list[Path]:
    """The files that count OOM kills for process ``pid``: cgroup v2's, or v1's; none where it cannot be seen."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text("utf-8", "replace").splitlines()
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found += _below(mounts, "cgroup2", "", path, "memory.events")
        elif "memory" in controllers.split(","):
            found += _below(mounts, "cgroup", "memory", path, "memory.oom_control")
    return found


def _below(mounts: list[str], kind: str, option: str, path: str, name: str) -> list[Path]:
    for mount in mounts:
        left, _, right = mount.partition(" - ")
        fields, options = left.split(), right.split()
        if options[0] != kind or (option and option not in options[-1].split(",")):
            continue
        root, point = fields[3], Path(fields[4])
        # Inside a container the mount may show only the container's own part of the tree.
        inner = path[len(root) :] if root != "/" and path.startswith(root) else path
        for folder in (point / inner.lstrip("/"), point):
            if (folder / name).exists():
                return [folder / name]
    return []


def oom_kills(file: Path) -> int | None:
    """The ``oom_kill`` count of ``memory.events``, ``memory.oom_control`` or ``/proc/vmstat``; ``None``: no word."""
    try:
        text = file.read_text("ascii")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill":
            return int(value)
    return None
