"""What the callbacks of a Keras training are, and what they did."""

from __future__ import annotations

import inspect
from typing import Any

from autolog.integrations.keras_rates import named, number

__all__ = ["Callbacks"]

_KERAS = "keras.src.callbacks."
_ALWAYS_THERE = {"History", "ProgbarLogger"}


class Callbacks:
    """The callbacks of one training, and what is seen of them while it goes on.

    Args:
        used: all of them; those that Keras always adds are left out.
    """

    def __init__(self, used: list[Any]) -> None:
        self._used = [callback for callback in used if not _is_default(callback)]
        self._done: dict[int, dict[str, Any]] = {}

    def described(self) -> list[dict[str, Any]]:
        """Class and arguments of each callback."""
        return [_told(callback) for callback in self._used]

    def outcomes(self, *, finished: bool) -> list[dict[str, Any]]:
        """The same with what each callback did.

        Args:
            finished: whether the training came to its end, so that callbacks did what they do there.
        """
        return [
            {**_told(callback), **_outcome(callback, finished), **self._done.get(id(callback), {})}
            for callback in self._used
        ]

    def __contains__(self, callback: Any) -> bool:
        return any(one is callback for one in self._used)

    def epoch_end(self, epoch: int, logs: dict[str, Any], model: Any) -> None:
        """An epoch has ended and every callback has done its part: note reductions of the learning rate.

        ``ReduceLROnPlateau`` puts the rate of the epoch into ``logs`` before it reduces it.
        """
        for callback in self._used:
            if not _is(callback, "ReduceLROnPlateau"):
                continue
            for name, optimizer in named(getattr(model, "optimizer", None)).items():
                before, after = logs.get(name), number(optimizer.learning_rate)
                if before is not None and after < before:
                    done = self._done.setdefault(id(callback), {})
                    done.setdefault("reductions", []).append({"epoch": epoch, name: after})

    def saved(self, callback: Any, path: str, told: dict[str, Any]) -> None:
        """``ModelCheckpoint`` has saved a file."""
        done = self._done.setdefault(id(callback), {"saved": 0})
        done["saved"] += 1
        done["last"] = {"path": path, **told}


def _is(callback: Any, name: str) -> bool:
    return any(kind.__name__ == name and kind.__module__.startswith(_KERAS) for kind in type(callback).__mro__)


def _is_default(callback: Any) -> bool:
    return type(callback).__name__ in _ALWAYS_THERE and type(callback).__module__.startswith(_KERAS)


def _told(callback: Any) -> dict[str, Any]:
    """Class and arguments: attributes of the names that ``__init__`` takes, where they are plain. No code runs."""
    kind = type(callback)
    told: dict[str, Any] = {"class": kind.__name__}
    attributes = vars(callback)
    try:
        names = list(inspect.signature(kind.__init__).parameters)[1:]
    except (TypeError, ValueError):  # an __init__ without a signature
        names = []
    for name in names:
        value = attributes.get(name)
        if isinstance(value, (bool, int, float, str)):
            told[name] = value
    if isinstance(told.get("min_delta"), (int, float)):
        told["min_delta"] = abs(told["min_delta"])  # Keras turns its sign for itself
    return told


def _outcome(callback: Any, finished: bool) -> dict[str, Any]:
    attributes = vars(callback)
    if _is(callback, "EarlyStopping"):
        return _stopping(attributes, finished)
    if _is(callback, "ModelCheckpoint") and attributes.get("save_best_only"):
        return {"best": attributes.get("best")}
    return {}


def _stopping(attributes: dict[str, Any], finished: bool) -> dict[str, Any]:
    """Epochs are counted from 0, as everywhere."""
    stopped = attributes.get("stopped_epoch") or None
    best = attributes.get("best")
    told = {
        "stopped_epoch": stopped,
        "best": best,
        "best_epoch": None if best is None else attributes.get("best_epoch"),
    }
    # Keras restores when the training ends, whether or not it was stopped.
    restores = finished and attributes.get("restore_best_weights") and attributes.get("best_weights") is not None
    return {**told, "restored_epoch": attributes.get("best_epoch") if restores else None}
