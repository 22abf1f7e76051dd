"""Mixed precision: the losses before ``GradScaler`` scaled them, its scale, and the steps it left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any
from weakref import ref

from autolog.integrations.torch_values import Reading, read
from autolog.patching import Call, Hook, Undo, patch

__all__ = ["Scaled", "watch"]

_MOST = 16


class Scaled:
    """What one thread's scalers have scaled lately.

    Attributes:
        fresh: something has been scaled since the last backward pass.
    """

    __slots__ = ("_known", "fresh")

    def __init__(self) -> None:
        self._known: deque[tuple[Any, float | Reading]] = deque(maxlen=_MOST)
        self.fresh = False

    def add(self, scaled: Any, value: float | Reading) -> None:
        """``scaled`` is ``value``, scaled."""
        self._known.append((ref(scaled), value))
        self.fresh = True

    def before(self, tensor: Any) -> float | Reading | None:
        """What ``tensor`` was before it was scaled; ``None`` where it was not."""
        for index, (scaled, value) in enumerate(self._known):
            if scaled() is tensor:
                del self._known[index]  # a reading can be had once
                return value
        return None


def watch(
    kind: Any,
    scaled: Callable[[], Scaled | None],
    stepping: Callable[[Any], Any],
    updating: Callable[[float | Reading], None],
) -> Iterable[Undo]:
    """Patch ``GradScaler``.

    Args:
        kind: the class.
        scaled: gives what the thread has scaled; ``None`` where nothing is recorded now.
        stepping: called with the optimizer before ``step``; what it returns is called after it.
        updating: gets the scale that was in use, before ``update`` changes it.
    """

    def scale(call: Call) -> Hook:
        result = yield
        notes = scaled()
        outputs = call.args[1] if len(call.args) > 1 else call.kwargs.get("outputs")
        if notes is not None and result is not outputs and hasattr(outputs, "backward"):
            value = read(outputs)
            if value is not None:
                notes.add(result, value)

    def step(call: Call) -> Hook:
        after = stepping(call.args[1] if len(call.args) > 1 else call.kwargs.get("optimizer"))
        yield
        if call.instance.is_enabled():
            after()

    def update(call: Call) -> Hook:
        now = getattr(call.instance, "_scale", None) if call.instance.is_enabled() else None
        value = None if now is None or scaled() is None else read(now)
        yield
        if value is not None:
            updating(value)

    return [patch(kind, "scale", scale), patch(kind, "step", step), patch(kind, "update", update)]
