"""Where a program spends its processor time: in autolog's code, or in its own. Python imports this at its start.

Every few milliseconds of processor time the stack of the main thread is looked at, and the time since the last look
is put to the account of what is found there. From the innermost frame outwards, the first one that says whose work it
is decides: a frame of autolog's is autolog's, with all that it has called; but where autolog called the program's own
function (:data:`_CALLS`), it is the program's. Other than two processor times compared, that share does not depend on
how busy the machine is. What it leaves out: the command ``autolog run`` itself, threads, autolog's own process.
"""

import atexit
import json
import opcode
import os
import signal
import sys
import time

_EVERY = 0.005
_CALLS = {"patching.py:wrapper", "imports.py:exec_module", "sklearn_live.py:_told", "sklearn.py:_around"}
"""Functions of autolog that call the program's, or go on with its generators: what is above them on the stack is the
program's, unless it is ours."""


_RESUME = opcode.opmap.get("RESUME", -1)


def _begins(frame: object) -> bool:
    """Whether a function has been called and has not done anything yet."""
    place = frame.f_lasti  # type: ignore[attr-defined]
    return place < 0 or frame.f_code.co_code[place] == _RESUME  # type: ignore[attr-defined,no-any-return]


class _Sampler:
    def __init__(self, place: str, ours: tuple[str, ...]) -> None:
        self.place = place
        self.ours = ours
        self.pid = os.getpid()
        self.spent: dict[str, float] = {}
        self.before = time.process_time()
        """What the start of Python and the import of autolog took."""
        self.last = time.thread_time()

    def look(self, _: int, frame: object) -> None:
        now = time.thread_time()
        late = now - self.last > 1.5 * _EVERY  # C code has run for long, and Python sees the signal only now
        where = self.owner(frame, late=late)
        self.spent[where] = self.spent.get(where, 0.0) + now - self.last
        self.last = time.thread_time()

    def owner(self, frame: object, *, late: bool) -> str:
        """The place in autolog that works; empty: it is the program's own work.

        Where the signal is seen late, at the very beginning of a function, the work was done before it was called; and
        right after autolog has called the program's function, it was that one's.
        """
        inner = None
        if late and _begins(frame):
            frame = frame.f_back  # type: ignore[attr-defined]
        while frame is not None:
            code = frame.f_code  # type: ignore[attr-defined]
            path = code.co_filename
            if path.startswith(self.ours):
                place = f"{path.rpartition('/')[2]}:{code.co_name}"
                return "" if place in _CALLS and (late or inner is not None) else place
            inner, frame = frame, frame.f_back  # type: ignore[attr-defined]
        return ""

    def end(self) -> None:
        if os.getpid() != self.pid:
            return
        signal.setitimer(signal.ITIMER_PROF, 0)
        ours = {where: seconds for where, seconds in self.spent.items() if where}
        command = "autolog.cli" in sys.orig_argv[:3]
        main = sum(self.spent.values())
        told = {"command": command, "before": self.before, "all": time.process_time(), "main": main, "ours": ours}
        with open(f"{self.place}.{self.pid}", "w") as file:  # noqa: PTH123  pathlib is not loaded yet
            json.dump(told, file)


def _begin(place: str) -> None:
    module = sys.modules.get("autolog")
    folder = os.path.realpath(os.path.dirname(module.__file__ or "")) if module else "/nowhere"  # noqa: PTH120
    above = os.path.dirname(folder)  # noqa: PTH120
    ours = tuple(os.path.join(above, name, "") for name in ("autolog", "integrations", "backends"))  # noqa: PTH118
    sampler = _Sampler(place, (*ours, os.path.join(folder, "")))  # noqa: PTH118
    signal.signal(signal.SIGPROF, sampler.look)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
    atexit.register(sampler.end)


if place := os.environ.get("AUTOLOG_BENCH_SAMPLES"):
    _begin(place)
