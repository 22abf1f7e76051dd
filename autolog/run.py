"""One run, or one child run of it: names, numbers and time go in, records come out.

Everything here ends in :meth:`Run.append`, one line in the journal. Which run is the current one is
:mod:`autolog.current`'s matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from autolog import events
from autolog.children import Children
from autolog.media.logging import MediaLog
from autolog.metrics import MetricLog
from autolog.recorder import Clock, Recorder
from autolog.words import WordLog

if TYPE_CHECKING:
    from pathlib import Path

    from autolog.capture.redact import Redactor
    from autolog.journal import Journal

__all__ = ["Run", "activate", "deactivate", "exception_details", "exit_status", "innermost", "outcome"]

_active: ContextVar[Run | None] = ContextVar("autolog_active", default=None)

_now = time.time


def innermost() -> Run | None:
    """The innermost open child run of this context (thread, asyncio task)."""
    run = _active.get()
    while run is not None and (run._ended or run.journal.closed):  # noqa: SLF001  of this module
        run = run._before  # noqa: SLF001  the same
    return run


def activate(run: Run) -> None:
    """Make a run from :meth:`Run.open_child` the innermost of this context."""
    run._before = innermost()  # noqa: SLF001  the same
    _active.set(run)


def deactivate(run: Run) -> None:
    """Take :func:`activate` back. In another context, or out of order, nothing has to be done: it ends by ending."""
    if _active.get() is run:
        _active.set(run._before)  # noqa: SLF001  the same


class Run(MetricLog, WordLog, MediaLog):
    """A run or a child run. Made by :func:`autolog.start_run`, :func:`autolog.current_run` or :meth:`child`.

    Logging methods raise ``TypeError`` or ``ValueError`` for a wrong argument, and never for what happens to disks.
    A call that has returned is on record, whatever kills the process next.
    """

    __slots__ = (
        "_before",
        "_ended",
        "_home",
        "_ids",
        "before_child",
        "directory",
        "id",
        "integration",
        "journal",
        "kind",
        "on_finish",
        "parent",
        "project",
    )

    def __init__(
        self, *, run_id: str, name: str, project: str, directory: Path, journal: Journal, redactor: Redactor
    ) -> None:
        self.id = run_id
        self.name = name
        self.project = project
        self.directory = directory
        """The run's directory, ``<root>/<project>/<id>``."""
        self.journal = journal
        self.child_id: str | None = None
        """Id of this child run; ``None`` for the run itself."""
        self.parent: Run | None = None
        """The enclosing run of a child run."""
        self.kind = "run"
        self.integration: str | None = None
        """Name of the integration that opened this child run, if one did."""
        self.on_finish: Callable[[events.Status, BaseException | None], None] | None = None
        """What ends the run for its process; see :mod:`autolog.current`."""
        self.before_child: Callable[[], None] | None = None
        """Called when a child run begins: the facts that may have changed since are looked at again."""
        self._redactor = redactor
        self._append = journal.append
        self._clock = Clock()
        self._ids = Children()
        self._prefix = ""
        self._ended = False
        self._home = journal.path  # a fork, which writes to another journal, cannot end what began in this one
        self._before: Run | None = None

    @property
    def step(self) -> float | None:
        """The current step, set by the integration that owns the fit; ``None`` outside a fit."""
        return self._clock.step

    @step.setter
    def step(self, value: float | None) -> None:
        self._clock.step = value

    @property
    def epoch(self) -> float | None:
        """The current epoch, as the framework counts; ``None`` outside a fit."""
        return self._clock.epoch

    @epoch.setter
    def epoch(self, value: float | None) -> None:
        self._clock.epoch = value

    @property
    def ended(self) -> bool:
        """Whether this run or child run has ended."""
        return self._ended

    def append(self, record: events.Record) -> None:
        """Write a record as it is; for integrations that need a type without a method of its own."""
        self._append(record)

    # -- child runs ------------------------------------------------------------------------------------------------

    @contextmanager
    def child(self, name: str, kind: str = "child", integration: str | None = None) -> Iterator[Run]:
        """A child run around a block: a fit, a trial, a fold.

        Inside, it is the current run. An exception marks it failed (Ctrl-C: interrupted) and passes unchanged.

        Args:
            name: what to call it, such as the estimator's class.
            kind: ``fit``, ``evaluate``, ``trial``, ``fold``, ``candidate`` …
            integration: the integration that opens it.

        Yields:
            The child run: the same type, with a parent.
        """
        run = self.open_child(name, kind, integration)
        activate(run)
        try:
            yield run
        except BaseException as error:
            run.close_child(error)
            raise
        finally:
            deactivate(run)
            run.close_child()

    def open_child(self, name: str, kind: str = "child", integration: str | None = None) -> Run:
        """Begin a child run without making it the current one; for callbacks whose begin and end are two calls."""
        if self.before_child is not None:
            self.before_child()
        child = self._twin(
            child_id=self._ids.next(),
            name=name,
            kind=kind,
            integration=integration,
            parent=self,
            _clock=Clock(),
            _ended=False,
            _home=self.journal.path,
        )
        if self._ids.opened is not None:
            self._ids.opened[child.child_id] = child
        self._append(
            events.Child(
                time=_now(), child=child.child_id, name=name, kind=kind, parent=self.child_id, integration=integration
            )
        )
        return child

    def close_child(self, error: BaseException | None = None, status: events.Status = "completed") -> None:
        """End a child run from :meth:`open_child`; the first call counts.

        Args:
            error: the exception that ended it, if one did.
            status: how it ended, where no exception says so.
        """
        if self._ended or self._home is not self.journal.path:
            return
        self._ended = True
        if self._ids.opened:
            self._ids.opened.pop(self.child_id, None)
        if status == "completed":
            status = outcome(error)
        details = None if error is None or status == "completed" else self.described(error)
        self._append(events.ChildEnd(time=_now(), child=self.child_id, status=status, exception=details))

    @contextmanager
    def phase(self, prefix: str) -> Iterator[Run]:
        """A block whose metrics carry ``prefix``; the current run inside is this run under that prefix."""
        run = self._twin(_prefix=prefix)
        activate(run)
        try:
            yield run
        finally:
            deactivate(run)
            run._ended = True  # noqa: SLF001  the same class

    def _twin(self, **changes: Any) -> Run:
        """A run object over the same journal, alike but for ``changes``."""
        twin = object.__new__(Run)
        for slot in (*Recorder.__slots__, *Run.__slots__):
            setattr(twin, slot, changes[slot] if slot in changes else getattr(self, slot))
        return twin

    # -- the process behind it -------------------------------------------------------------------------------------

    def separate(self, prefix: str) -> None:
        """This process has a journal of its own in the run: ids of its child runs begin with ``prefix``."""
        self._ids.begin(prefix)
        self._ids.opened = {}

    def close_children(self, error: BaseException | None, status: events.Status) -> None:
        """A process that works for another one ends: so do the child runs it has opened."""
        for child in list((self._ids.opened or {}).values()):
            child.close_child(error, status)

    def within(self, child_id: str) -> Run:
        """A run like this one, of a process that works for the child run ``child_id`` of another process."""
        return self._twin(child_id=child_id, kind="child", parent=self, _clock=Clock(), _home=None)

    def recount(self, names: Iterable[str]) -> None:
        """Count one more value for each of these metrics, from an earlier process of a resumed run."""
        counts = self._clock.counts
        for name in names:
            counts[name] = counts.get(name, 0) + 1

    def continue_children(self, number: int) -> None:
        """The next child id is ``number``: those before belong to earlier processes of a resumed run."""
        self._ids.begin("", number)

    def close(self) -> None:
        """The run has ended: close the journal. What is logged to this object afterwards is left out."""
        self._ended = True
        self.journal.close()

    @property
    def recording(self) -> bool:
        """Whether what is logged here is kept: not after the end, and not under ``AUTOLOG=off``."""
        return not self.journal.closed

    # -- the end ---------------------------------------------------------------------------------------------------

    def described(self, error: BaseException) -> dict[str, str]:
        """An exception as it goes on record, secrets masked."""
        return {key: self._redactor.text(text, "exception") for key, text in exception_details(error).items()}

    def finish(self, status: events.Status = "completed", error: BaseException | None = None) -> None:
        """End the run; see :func:`autolog.finish`. A child run is closed, which leaves the run itself open."""
        if self.child_id is not None:
            self.close_child(error, status)
        elif not self.journal.closed and self.on_finish is not None:  # else another run may be the current one by now
            self.on_finish(status, error)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._ended:
            self.finish(outcome(error), error)

    def __copy__(self) -> Run:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Run:
        return self  # a model that keeps its run can be cloned; there is one journal, and it has one descriptor

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a run cannot be pickled: it belongs to its process; autolog.log_metric(…) works in workers too"
        )

    def __repr__(self) -> str:
        child = "" if self.child_id is None else f", child {self.child_id}"
        return f"<autolog run {self.name} ({self.id}{child})>"


def outcome(error: BaseException | None) -> events.Status:
    """How something ended, by the exception that left it."""
    if error is None or isinstance(error, GeneratorExit):  # a generator nobody goes on with is no failure
        return "completed"
    if isinstance(error, SystemExit):
        return "failed" if exit_status(error.code) else "completed"
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"


def exit_status(code: object) -> int:
    """The exit code Python makes of what ``sys.exit`` was given."""
    if not isinstance(code, int):
        return 0 if code is None else 1
    return code & 0xFF if -(2**63) <= code < 2**63 else 0xFF


def exception_details(error: BaseException) -> dict[str, str]:
    """``type`` (with its module unless builtin), ``message`` and ``traceback`` of an exception."""
    import traceback

    kind = type(error)
    name = "unknown"
    try:
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        text = "".join(traceback.format_exception(kind, error, error.__traceback__))
    except Exception as failed:  # the user's class has a metaclass or notes whose own code fails
        text = f"(the traceback cannot be formatted: {type(failed).__name__})"
    return {"type": name, "message": _message(error), "traceback": text}


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # as Python shows it
        return "<exception str() failed>"
