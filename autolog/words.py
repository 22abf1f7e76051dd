"""Words on record: parameters, arguments, facts, tags, note, name. Secrets are masked here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autolog import events
from autolog.events import HealthKind
from autolog.media.jsonable import flatten, jsonable
from autolog.recorder import Recorder, texts

if TYPE_CHECKING:
    from autolog.capture.redact import Redactor

__all__ = ["WordLog"]

_now = time.time


class WordLog(Recorder):
    """The methods of a run for everything that is text."""

    __slots__ = ()

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
        self.note_redactions()
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
        masked = [self._redactor.text(tag, "tags") for tag in texts(tags, "tag")]
        self.note_redactions()
        self._append(events.Tags(time=_now(), child=self.child_id, add=masked))

    def remove_tags(self, *tags: str) -> None:
        """Take tags away."""
        self._append(events.Tags(time=_now(), child=self.child_id, remove=texts(tags, "tag")))

    def set_note(self, text: str) -> None:
        """Set the note, which replaces an earlier one."""
        (text,) = texts([text], "note")
        masked = self._redactor.text(text, "note")
        self.note_redactions()
        self._append(events.Note(time=_now(), child=self.child_id, text=masked))

    def set_fields(self, values: Mapping[str, Any]) -> None:
        """Set fields of one's own, to sort and find runs by: ``{"reviewed": True, "owner": "ann"}``.

        Args:
            values: names and values; ``None`` takes a field away. What was set before stays.
        """
        plain = self._masked("fields", {str(name): jsonable(value) for name, value in values.items()})
        if plain:
            self._append(events.Fields(time=_now(), child=self.child_id, values=plain))

    def set_name(self, name: str) -> None:
        """Rename the run or child run."""
        (name,) = texts([name], "name")
        self.name = self._redactor.text(name, "name")
        self.note_redactions()
        self._append(events.Name(time=_now(), child=self.child_id, name=self.name))

    def _masked(self, where: str, values: dict[str, Any]) -> dict[str, Any]:
        masked = {name: self._redactor.value(name, value, where) for name, value in values.items()}
        self.note_redactions()
        return masked

    @property
    def redactor(self) -> Redactor:
        """What masks this run's secrets, for captures that write files of their own."""
        return self._redactor

    def log_health(self, kind: HealthKind, where: str, count: int = 1, detail: str = "") -> None:
        """Record that something was lost or failed, or is worth knowing about the record itself."""
        self._append(events.Health(time=_now(), kind=kind, where=where, count=count, detail=detail))

    def note_redactions(self) -> None:
        """Write down where secrets have been masked since the last call."""
        for place, count in self._redactor.take_hits().items():
            self._append(events.Health(time=_now(), kind="redacted", where=place, count=count))
