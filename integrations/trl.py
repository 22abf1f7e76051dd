"""TRL: what its trainers have sampled, as tables. Everything else they log is recorded as any ``Trainer``'s.

Only texts that the trainer itself holds are read: nothing is generated, decoded or scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from autolog.captures import Captured
from autolog.integrations.transformers import TrainerCall, call_of
from autolog.patching import Call, Hook, Undo, patch

__all__ = ["Samples", "TrlIntegration", "integration"]

_FEW = 8
"""Rows of a table that nobody asked for."""
_CHARACTERS = 2000
"""Characters kept of a text in such a table."""
_TABLES = 100
"""So many tables that nobody asked for come at every log, as many more at every second, then at every fourth …"""

_REWARDS = ("reward", "reward_std", "rewards/*/mean", "rewards/*/std", "completions/mean_length", "entropy")


class TrlIntegration:
    """The integration of TRL's trainers."""

    name = "trl"
    module = "trl.trainer.base_trainer"
    distribution = "trl"
    tested = ("1.16.0", "1.16.0")
    captures = (
        Captured("prompts, completions, rewards, advantages", "asset", ("completions",), "GRPO, RLOO, distillation"),
        Captured("those of evaluations", "asset", ("eval_completions",), "the same"),
        Captured("names of the reward functions, the reference model", "fact", ("trainer",)),
        Captured("rewards, entropy, lengths", "metric", _REWARDS, "GRPO, RLOO"),
        Captured("KL divergence", "metric", ("kl",), "GRPO, with `beta`"),
        Captured("rewards, log probabilities", "metric", ("rewards/chosen", "rewards/margins", "logps/*"), "DPO"),
        Captured("tokens, accuracy", "metric", ("num_tokens", "mean_token_accuracy"), "SFT, DPO"),
    )

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        return [patch(module._BaseTrainer, "log", _log)]  # noqa: SLF001  TRL has no public place that all logs pass


integration = TrlIntegration()


def _log(call: Call) -> Hook:
    trainer = call.instance
    known = call_of(trainer)
    held = getattr(trainer, "_logs", None)
    if known is not None and isinstance(held, Mapping) and "completion" in held:
        samples = _samples.get(known)
        if samples is None:
            samples = _samples[known] = Samples(known)
        samples.log(held)
    yield


class Samples:
    """The completions of one training. A trainer holds the last ones, and logs them again until there are new ones."""

    __slots__ = ("_call", "_last", "_logs", "_tables")

    def __init__(self, call: TrainerCall) -> None:
        self._call = call
        self._last: list[tuple[Any, ...]] = []
        self._logs = 0
        self._tables = 0

    def log(self, held: Mapping[str, Any]) -> None:
        """Record the completions that have come since the last time.

        Args:
            held: what the trainer holds: columns of equal length, rewards and more columns by name.
        """
        columns = _columns(held)
        rows = list(zip(*columns.values(), strict=True))
        new = rows[_overlap(self._last, rows) :]
        self._last = rows
        trainer, limit = self._call.trainer, self._call.options.completions
        asked = limit is not None or bool(getattr(trainer, "log_completions", False))
        if not new or limit == 0 or not (asked or self._is_due()):
            return
        total = len(new)
        if not asked:
            limit = _FEW
            new = [tuple(_cut(cell) for cell in row) for row in new[:limit]]
        metadata = {"rows_in_all": total, "trainer": type(trainer).__name__}
        if not asked:
            metadata["every"] = self._stride()
        name = "completions" if trainer.model.training else "eval_completions"
        table = [dict(zip(columns, row, strict=True)) for row in new[:limit]]
        self._call.run.log_table(name, table, trainer.state.global_step, metadata=metadata)

    def _stride(self) -> int:
        return int(2 ** (self._tables // _TABLES))

    def _is_due(self) -> bool:
        """Whether it is this log's turn: the longer the training, the rarer."""
        due = self._logs % self._stride() == 0
        self._logs += 1
        self._tables += due
        return due


_samples: WeakKeyDictionary[TrainerCall, Samples] = WeakKeyDictionary()


def _columns(held: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Columns by TRL's own names. Those that are not there for every row cannot be told to which they belong."""
    prompts = list(held["prompt"])
    columns = {"prompt": prompts, "completion": list(held["completion"])}
    columns |= {str(name): list(values) for name, values in _named(held.get("rewards"))}
    columns |= {str(name): list(values) for name, values in _named(held.get("extra"))}
    columns["advantage"] = list(held.get("advantages") or ())
    return {name: values for name, values in columns.items() if len(values) == len(prompts)}


def _named(columns: Any) -> Iterable[tuple[Any, Any]]:
    return columns.items() if isinstance(columns, Mapping) else ()


def _overlap(before: list[tuple[Any, ...]], now: list[tuple[Any, ...]]) -> int:
    """How many rows at the beginning of ``now`` are the last ones of ``before``."""
    for dropped in range(len(before)):
        kept = before[dropped:]
        if kept == now[: len(kept)]:
            return len(kept)
    return 0


def _cut(cell: Any) -> Any:
    """A text cut short; of a conversation each message's."""
    if isinstance(cell, str):
        return cell if len(cell) <= _CHARACTERS else f"{cell[:_CHARACTERS]}… ({len(cell)} characters in all)"
    if isinstance(cell, list):
        return [_cut(part) for part in cell]
    if isinstance(cell, Mapping):
        return {name: _cut(part) for name, part in cell.items()}
    return cell
