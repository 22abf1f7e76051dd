"""One run, or one child run of it: names, numbers and time go in, records come out.

Everything here ends in :meth:`Run.append`, one line in the journal. Which run is the current one is
:mod:`autolog.current`'s matter.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any

from autolog import events, guard, patching
from autolog.events import Metrics
from autolog.media.jsonable import flatten, jsonable
from autolog.media.logging import MediaLog
from autolog.media.numbers import number

if TYPE_CHECKING:
    from pathlib import Path

    from autolog.capture.redact import Redactor
    from autolog.journal import Journal

__all__ = ["Run", "active", "exception_details", "outcome"]

active: ContextVar[Run | None] = ContextVar("autolog_active", default=None)
"""The innermost open child run of this context (thread, asyncio task)."""

_now = time.time


class _Clock:
    """Where training stands. A run and its phases share one; so do their counts of step-less metrics."""

    __slots__ = ("counts", "epoch", "step")

    def __init__(self) -> None:
        self.step: float | None = None
        self.epoch: float | None = None
        self.counts: dict[str, int] = {}


class _Identifiers:
    """Ids of child runs, unique within the run: ``1``, ``2`` …; in other processes' journals ``w123.1``."""

    __slots__ = ("last", "prefix")

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.last = 0

    def next(self) -> str:
        self.last += 1
        return f"{self.prefix}{self.last}"


class Run(MediaLog):
    """A run or a child run. Made by :func:`autolog.start_run`, :func:`autolog.current_run` or :meth:`child`.

    Logging methods raise ``TypeError`` or ``ValueError`` for a wrong argument, and never for what happens to disks.
    A call that has returned is on record, whatever kills the process next.
    """

    __slots__ = (
        "_append", "_clock", "_ended", "_ids", "_prefix", "_redactor", "child_id", "directory", "id", "integration",
        "journal", "kind", "name", "parent", "project",
    )  # fmt: skip

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
        self._redactor = redactor
        self._append = journal.append
        self._clock = _Clock()
        self._ids = _Identifiers("")
        self._prefix = ""
        self._ended = False

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

    # -- numbers ---------------------------------------------------------------------------------------------------

    def log_metric(self, name: str, value: Any, step: float | None = None, epoch: float | None = None) -> None:
        """Record one value of a metric.

        Args:
            name: any text; ``val/loss`` is a name like any other.
            value: a Python or numpy number, or a tensor or array with one element. NaN and infinities are kept.
            step: usually the optimizer step. Without it the framework's current step is taken, outside a fit the
                metric's own count (0, 1, 2 …). Repeated and backward steps are kept as they are.
            epoch: without it, the framework's current epoch, if any.

        Raises:
            TypeError: the name is no text, or the value (step, epoch) is not one number.
        """
        if type(value) is not float or value - value != 0.0:
            value = events.to_wire(number(value, name))
        if type(name) is not str or self._prefix:
            name = self._full(name)
        clock = self._clock
        if step is None:
            step = clock.step
            if step is None:
                step = clock.counts.get(name, 0)
                clock.counts[name] = step + 1
        elif type(step) is not int:
            step = number(step, "step")
        if epoch is None:
            epoch = clock.epoch
        elif type(epoch) is not int:
            epoch = number(epoch, "epoch")
        self._append(Metrics(time=_now(), child=self.child_id, values={name: value}, step=step, epoch=epoch))

    def log_metrics(self, values: Mapping[str, Any], step: float | None = None, epoch: float | None = None) -> None:
        """Record values of several metrics of the same moment; see :meth:`log_metric`.

        Raises:
            TypeError: a name is no text, or a value is not one number; then nothing of the call is recorded.
        """
        wire: dict[str, events.Number] = {}
        for name, value in values.items():
            if type(value) is not float or value - value != 0.0:
                value = events.to_wire(number(value, name))
            if type(name) is not str or self._prefix:
                name = self._full(name)
            wire[name] = value
        self._write_metrics(wire, step, epoch)

    def captured_metrics(
        self, values: Mapping[str, Any], step: float | None = None, epoch: float | None = None
    ) -> None:
        """Record what an integration has seen: values that are not one number are left out, nothing is raised.

        Args:
            values: names and values as the framework reports them.
            step: see :meth:`log_metric`.
            epoch: see :meth:`log_metric`.
        """
        if patching.is_silent():
            return
        wire: dict[str, events.Number] = {}
        for name, value in values.items():
            try:
                wire[self._full(str(name))] = events.to_wire(number(value, str(name)))
            except TypeError:  # a framework's log may hold text, lists and tensors: they are no metrics
                continue
        if wire:
            self._write_metrics(wire, step, epoch)

    def _write_metrics(self, wire: dict[str, events.Number], step: float | None, epoch: float | None) -> None:
        clock = self._clock
        step = clock.step if step is None else step if type(step) is int else number(step, "step")
        epoch = clock.epoch if epoch is None else epoch if type(epoch) is int else number(epoch, "epoch")
        if step is not None:
            self._append(Metrics(time=_now(), child=self.child_id, values=wire, step=step, epoch=epoch))
            return
        by_count: dict[int, dict[str, events.Number]] = {}
        counts = clock.counts
        for name, value in wire.items():
            count = counts.get(name, 0)
            counts[name] = count + 1
            by_count.setdefault(count, {})[name] = value
        now = _now()
        for count, group in by_count.items():
            self._append(Metrics(time=now, child=self.child_id, values=group, step=count, epoch=epoch))

    def _full(self, name: Any) -> str:
        if not isinstance(name, str):
            raise TypeError(f"the name of a metric must be text, got {name!r} of type {type(name).__name__}")
        return self._prefix + str(name)

    # -- words -----------------------------------------------------------------------------------------------------

    def log_param(self, name: str, value: Any) -> None:
        """Record one hyperparameter. A nested mapping is flattened: ``{"adam": {"lr": 1}}`` becomes ``adam.lr``.

        Any value is taken: what JSON cannot hold is written as text, arrays by shape and type.
        """
        self.log_params({name: value})

    def log_params(self, values: Mapping[str, Any], source: str | None = None) -> None:
        """Record hyperparameters.

        Args:
            values: names and values; nested mappings are flattened with ``.``.
            source: where they were read, such as ``keras.compile``.
        """
        plain = self._masked("params", flatten(values))
        if plain:
            self._append(events.Params(time=_now(), child=self.child_id, values=plain, source=source))

    def log_args(self, values: Mapping[str, Mapping[str, Any]], source: str = "argparse") -> None:
        """Record parsed command-line arguments: ``{name: {"value", "default", "given", "type"}}``."""
        plain = self._redactor.args({name: jsonable(parts) for name, parts in values.items()})
        self._note_redactions()
        self._append(events.Args(time=_now(), child=self.child_id, values=plain, source=source))

    def log_fact(self, name: str, value: Any, *, append: bool = False) -> None:
        """Record something known about the process or the fit.

        Args:
            name: ``command``, ``seeds``, ``model`` …; a later fact of that name replaces the earlier one.
            value: anything; what JSON cannot hold is written as text.
            append: ``value`` is a list to be added to the fact's list.
        """
        plain = self._masked("facts", {name: jsonable(value)})[name]
        self._append(events.Fact(time=_now(), child=self.child_id, name=name, value=plain, append=append))

    def log_other(self, name: str, value: Any) -> None:
        """Record anything else worth keeping beside the run, under a name."""
        plain = self._masked("other", {name: jsonable(value)})
        self._append(events.Other(time=_now(), child=self.child_id, values=plain))

    def add_tags(self, *tags: str) -> None:
        """Add tags."""
        self._append(events.Tags(time=_now(), child=self.child_id, add=_texts(tags, "tag")))

    def remove_tags(self, *tags: str) -> None:
        """Take tags away."""
        self._append(events.Tags(time=_now(), child=self.child_id, remove=_texts(tags, "tag")))

    def set_note(self, text: str) -> None:
        """Set the note, which replaces an earlier one."""
        (text,) = _texts([text], "note")
        masked = self._redactor.text(text, "note")
        self._note_redactions()
        self._append(events.Note(time=_now(), child=self.child_id, text=masked))

    def set_name(self, name: str) -> None:
        """Rename the run or child run."""
        (self.name,) = _texts([name], "name")
        self._append(events.Name(time=_now(), child=self.child_id, name=name))

    def append(self, record: events.Record) -> None:
        """Write a record as it is; for integrations that need a type without a method of its own."""
        self._append(record)

    def _masked(self, where: str, values: dict[str, Any]) -> dict[str, Any]:
        masked = {name: self._redactor.value(name, value, where) for name, value in values.items()}
        self._note_redactions()
        return masked

    def _note_redactions(self) -> None:
        for place, count in self._redactor.take_hits().items():
            self._append(events.Health(time=_now(), kind="redacted", where=place, count=count))

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
        token = active.set(run)
        try:
            yield run
        except BaseException as error:
            run.close_child(error)
            raise
        finally:
            active.reset(token)
            run.close_child()

    def open_child(self, name: str, kind: str = "child", integration: str | None = None) -> Run:
        """Begin a child run without making it the current one; for callbacks whose begin and end are two calls."""
        child = self._sibling()
        child.child_id = self._ids.next()
        child.name = name
        child.kind = kind
        child.integration = integration
        child.parent = self
        child._clock = _Clock()
        child._ended = False
        self._append(
            events.Child(
                time=_now(), child=child.child_id, name=name, kind=kind, parent=self.child_id, integration=integration
            )
        )
        return child

    def close_child(self, error: BaseException | None = None) -> None:
        """End a child run from :meth:`open_child`; the first call counts.

        Args:
            error: the exception that ended it, if one did.
        """
        if self._ended:
            return
        self._ended = True
        status = outcome(error)
        details = None if error is None else self.described(error)
        self._append(events.ChildEnd(time=_now(), child=self.child_id, status=status, exception=details))

    @contextmanager
    def phase(self, prefix: str) -> Iterator[Run]:
        """A block whose metrics carry ``prefix``; the current run inside is this run under that prefix."""
        run = self._sibling()
        run._prefix = prefix
        token = active.set(run)
        try:
            yield run
        finally:
            active.reset(token)

    def _sibling(self) -> Run:
        twin = object.__new__(Run)
        for slot in Run.__slots__:
            setattr(twin, slot, getattr(self, slot))
        return twin

    # -- the process behind it -------------------------------------------------------------------------------------

    def separate(self, prefix: str) -> None:
        """This process has a journal of its own in the run: its child runs get ids that begin with ``prefix``."""
        self._ids.prefix, self._ids.last = prefix, 0

    def recount(self, names: Iterable[str]) -> None:
        """Count one more value for each of these metrics, from an earlier process of a resumed run."""
        counts = self._clock.counts
        for name in names:
            counts[name] = counts.get(name, 0) + 1

    def skip_child(self, number: int) -> None:
        """Child id ``number`` is taken by an earlier process of a resumed run."""
        self._ids.last = max(self._ids.last, number)

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
        from autolog import current

        if self.child_id is not None:
            self.close_child(error)
        else:
            current.finish(status, error)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._ended:
            self.finish(outcome(error), error)

    def __repr__(self) -> str:
        child = "" if self.child_id is None else f", child {self.child_id}"
        return f"<autolog run {self.name} ({self.id}{child})>"


def outcome(error: BaseException | None) -> events.Status:
    """How something ended, by the exception that left it."""
    if error is None:
        return "completed"
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"


def exception_details(error: BaseException) -> dict[str, str]:
    """``type`` (with its module unless builtin), ``message`` and ``traceback`` of an exception."""
    import traceback

    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    with guard.guard("run.exception"):
        message = str(error)
        text = "".join(traceback.format_exception(kind, error, error.__traceback__))
        return {"type": name, "message": message, "traceback": text}
    return {"type": name, "message": "", "traceback": ""}


def _texts(values: Iterable[Any], what: str) -> list[str]:
    texts = list(values)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"a {what} must be text, got {text!r} of type {type(text).__name__}")
    return texts
