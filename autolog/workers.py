"""Processes that work for this one: their trainings belong where they were started, and are recorded by themselves.

A process that multiprocessing starts stands where its ``start()`` was called, a task of joblib where ``Parallel`` was.
Inside a fit it serves that fit and is silent, as fits inside fits are. Anywhere else its fits are the program's own:
child runs of this process's run, in the worker's own journal. A fork knows where it stands; the others are told by what
is pickled for them: a :class:`Task` takes effect when the worker unpickles it, with the task itself in its hands.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from autolog import config, current, guard, opening, patching, plugins, process
from autolog.capture import groups
from autolog.imports import when_imported
from autolog.patching import patch

if TYPE_CHECKING:
    from types import ModuleType

    from autolog.patching import Call, Hook
    from autolog.run import Run

__all__ = ["Delivery", "Place", "Task", "arrive", "arrive_with", "here", "install"]

_SERVANTS = ("torch.utils.data.", "multiprocessing.managers", "multiprocess.managers")
"""Modules whose processes serve the one that starts them, and never train: those of data loaders are many."""
_TOLD_BY_TASK = "joblib.externals.loky."
"""joblib keeps its processes for later calls, inside and outside of fits: each of its tasks says where it stands."""
_KEY = "autolog"


class Place(NamedTuple):
    """Where a worker stands: what it needs to record there."""

    directory: str
    """Of the run it works for."""
    pid: int
    """The process whose run that is."""
    within: str | None
    """The child run."""
    silent: bool
    """It serves a fit, or one whose trainings are not recorded."""
    off: tuple[str, ...]
    """Integrations that are switched off."""
    settings: dict[str, Any]
    """What ``configure()`` has said."""


def install() -> None:
    """Called by the import of autolog, in every process: any can start others."""
    os.register_at_fork(after_in_child=_forked)
    current.observe(current.Observer(_nothing, _end, _nothing))
    when_imported("multiprocessing.util", _watch_ends, "workers.multiprocessing")
    for package in ("multiprocessing", "multiprocess"):  # the latter is pathos' and Hugging Face's copy
        when_imported(f"{package}.process", _watch_processes, f"workers.{package}")
    when_imported("joblib._parallel_backends", _watch_joblib, "workers.joblib")


def here() -> Place | None:
    """The place of a worker that is started now, in this thread or task; ``None`` where no run can be told."""
    run, employer = current.current_run(), process.parent() if process.is_worker() else None
    directory = run.directory if run is not None else employer.directory if employer else opening.reserve()
    if directory is None or current.is_off():
        return None
    states = plugins.states()
    return Place(
        directory=str(directory),
        pid=employer.pid if employer else os.getpid(),
        within=run.child_id if run is not None else _within[-1],
        silent=patching.is_silent() or current.serves_fit.get() or current.fit_in_progress() is not None,
        off=tuple(sorted(name for name, state in states.items() if state.status == "off")),
        settings=config.explicit(),
    )


# -- this process starts others ----------------------------------------------------------------------------------------


class Task:
    """A place that travels with a process or task: unpickled in the worker, it takes effect."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return arrive, (self.place,)


class Delivery(Task):
    """A task of joblib on its way to a worker, which gets the very function that was handed over."""

    def __init__(self, place: Place, function: Any) -> None:
        super().__init__(place)
        self.function = function

    def __call__(self) -> Any:
        return self.function()

    def __reduce__(self) -> tuple[Any, ...]:
        return arrive_with, (self.place, self.function)


def _watch_processes(module: ModuleType) -> None:
    patch(module.BaseProcess, "start", _start, awake=True)
    patch(module.BaseProcess, "join", _join)


def _start(call: Call) -> Hook:
    started = call.instance
    if type(started).__module__.startswith(_TOLD_BY_TASK):
        yield
        return
    serves = str(getattr(started._target, "__module__", "")).startswith(_SERVANTS)  # noqa: SLF001  it has no other
    token = current.serves_fit.set(serves or current.serves_fit.get())
    try:
        current.join_workers()
        place = None if serves else here()
        if place is not None:
            started._config[_KEY] = Task(place)  # noqa: SLF001  what is pickled of a process beside the user's
        yield
    finally:
        current.serves_fit.reset(token)
        started._config.pop(_KEY, None)  # noqa: SLF001  the same


def _join(call: Call) -> Hook:  # noqa: ARG001  hooks get their call
    yield
    current.join_workers()


def _watch_joblib(module: ModuleType) -> None:
    backend = module.LokyBackend
    # Later batches are handed over by another thread than the program's: where they stand is known here.
    patch(backend, "start_call" if hasattr(backend, "start_call") else "configure", _begin_call)
    patch(backend, "submit" if hasattr(backend, "submit") else "apply_async", _submit)


_calls: WeakKeyDictionary[Any, Place] = WeakKeyDictionary()
"""Where the call stands that each backend of joblib works for."""
_delivered: list[bool] = []
"""Not empty once a task has been told to record: from then on every task is told."""


def _begin_call(call: Call) -> Hook:
    place = here()
    if place is not None:
        _calls[call.instance] = place
    yield


def _submit(call: Call) -> Hook:
    place = _calls.get(call.instance)
    if place is not None and (_delivered or not place.silent):
        _delivered[:] = [True]
        if len(call.args) > 1:
            call.args = (call.args[0], Delivery(place, call.args[1]), *call.args[2:])
        else:
            call.kwargs = {**call.kwargs, "func": Delivery(place, call.kwargs["func"])}
    yield


# -- this process is one -----------------------------------------------------------------------------------------------


def arrive(place: Place) -> None:
    """A worker is told where it stands. Never raises: the unpickling of the user's work calls it."""
    if current.is_off() or os.getpid() == place.pid:
        return
    with guard.guard("workers.arrive"):
        process.become_worker(Path(place.directory), place.pid)
        current.work_within(place.within)
        _within[:] = [place.within]
        patching.silence(place.silent)
        if place.silent:
            return
        if place.settings != config.explicit():
            config.configure(**place.settings)
        if not plugins.states():
            plugins.install()
        groups.watch()
        if place.off:
            plugins.disable(*place.off)


def arrive_with(place: Place, function: Any) -> Any:
    """A worker of joblib is handed ``function``, and told where it stands."""
    arrive(place)
    with guard.guard("workers.end"):
        _end_with_process()
    return function


def _forked() -> None:
    """In a forked child, after :mod:`autolog.current` has found its place."""
    _ending.clear()
    if not patching.is_silent():
        with guard.guard("workers.fork"):
            plugins.forked()
            groups.watch()


_within: list[str | None] = [None]
"""The child run that this worker was told to work for."""
_ending: list[bool] = []
"""Not empty once this process's end is watched."""


class _Anchor:
    """What multiprocessing holds weakly while it is to call us."""


_anchor = _Anchor()


def _watch_ends(module: Any) -> None:
    """Processes of multiprocessing leave by ``os._exit``; it calls its own functions before."""
    module.register_after_fork(_anchor, _begun)


def _begun(_: object) -> None:
    with guard.guard("workers.begin"):
        _end_with_process()


def _end_with_process() -> None:
    if process.is_worker() and not _ending:
        _ending.append(True)
        sys.modules["multiprocessing.util"].Finalize(None, _leave, exitpriority=10)


def _leave() -> None:
    error = sys.exc_info()[1]
    with guard.guard("workers.leave"):
        current.finish("completed", error, at_exit=True)


def _end(run: Run) -> None:  # noqa: ARG001  observers get their run
    if process.is_worker():
        plugins.ending()


def _nothing(run: Run) -> None:
    """At its begin and after its end a worker has nothing to do."""
