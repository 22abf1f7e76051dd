"""What a program logs may be a tensor on a device: it is recorded once it is there, and not waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autolog.integrations.torch_values import Reading, read
from autolog.integrations.torch_waiting import Waiting

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["finish", "log_values"]

_waiting: dict[Run, Waiting] = {}


def log_values(run: Run, values: Mapping[str, Any], step: Any = None, epoch: Any = None) -> None:
    """Like :meth:`autolog.run.Run.captured_metrics`, without waiting for a device.

    Args:
        run: where.
        values: names and values as they were logged.
        step: without it, the run's.
        epoch: without it, the run's.
    """
    ready = {name: _number(value) for name, value in values.items()}
    waiting = _waiting.get(run)
    if waiting is None and any(type(value) is Reading for value in ready.values()):
        waiting = _waiting[run] = Waiting(run.captured_metrics)
    if waiting is None:
        run.captured_metrics(ready, step, epoch)
        return
    at: Any = run.step if step is None else step  # `None` without a training: then each name has its own count
    waiting.put(ready, at, run.epoch if epoch is None else epoch)
    waiting.settle()


def _number(value: Any) -> Any:
    return read(value) if type(value) is not float and hasattr(value, "device") and hasattr(value, "numel") else value


def finish(run: Run | None = None) -> None:
    """Write what has not arrived yet, of one run or of all."""
    for one in list(_waiting) if run is None else [run]:
        waiting = _waiting.pop(one, None)
        if waiting is None:
            continue
        waiting.finish()
        if waiting.lost:
            one.log_health("lost", "metrics", waiting.lost, "values that the device has not given in time")
