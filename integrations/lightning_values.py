"""Logged values on their way from a device to the record: nothing waits for the device while a training goes on."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autolog.integrations.torch_values import Reading, read

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["Late", "begin", "settled"]

_COPY = ("cuda", "xpu")
_HELD = 256
_PATIENCE = 10.0
"""Seconds that the end of a fit waits for a device."""


def begin(values: Mapping[str, Any]) -> dict[str, Any]:
    """Begin to read values; those on a device are not waited for.

    Args:
        values: numbers, tensors and whatever else a program logs.

    Returns:
        Numbers where they are there at once, a :class:`Reading` where a copy is on its way, a tensor where the device
        cannot copy without waiting. A tensor that holds no single number is left out.
    """
    begun: dict[str, Any] = {}
    for name, value in values.items():
        now = value if type(value) is float or not _is_tensor(value) else _begin(value)
        if now is not None:
            begun[name] = now
    return begun


def settled(value: Any) -> Any:
    """One value that is needed now, such as a checkpoint's score: Lightning itself has just read it.

    Args:
        value: a number or tensor.

    Returns:
        The number; ``None`` where the device does not give it.
    """
    now = begin({"": value}).get("")
    return _value(now) if _arrives([now], time.monotonic() + _PATIENCE) else None


class Late:
    """Records of one child run that still miss a number, in the order in which they are written."""

    __slots__ = ("_run", "_waiting")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._waiting: deque[tuple[dict[str, Any], Any, Any]] = deque()

    def put(self, values: dict[str, Any], step: Any, epoch: Any) -> None:
        """Record values that :func:`begin` has returned, once all of them are there.

        Args:
            values: of one moment; ``step`` and ``epoch`` may be on their way too.
            step: see :meth:`autolog.Run.log_metric`.
            epoch: the same.
        """
        if self._waiting:
            self.settle()
        if any(_is_late(value) for value in (*values.values(), step, epoch)):
            self._waiting.append((values, step, epoch))
        elif values:
            self._run.captured_metrics(values, _whole(step), _whole(epoch))

    def settle(self, *, held: bool = False) -> None:
        """Record what has arrived.

        Args:
            held: also what can only be read by waiting: an epoch is over, where Lightning waits too.
        """
        while self._waiting:
            parts = _parts(self._waiting[0])
            if any(type(part) is Reading and not part.ready() for part in parts):
                return
            if not held and len(self._waiting) < _HELD and any(map(_is_tensor, parts)):
                return
            self._write(self._waiting.popleft())

    def finish(self) -> None:
        """Record the rest: the fit is over. A device that hangs is waited for only a while."""
        deadline = time.monotonic() + _PATIENCE
        while self._waiting and _arrives(_parts(self._waiting[0]), deadline):
            self._write(self._waiting.popleft())
        if self._waiting:
            lost = sum(len(values) for values, _, _ in self._waiting)
            self._waiting.clear()
            self._run.log_health("lost", "lightning", lost, "values that the device has not given in time")

    def _write(self, record: tuple[dict[str, Any], Any, Any]) -> None:
        values, step, epoch = record
        self._run.captured_metrics(
            {name: _value(value) for name, value in values.items()}, _whole(_value(step)), _whole(_value(epoch))
        )


def _parts(record: tuple[dict[str, Any], Any, Any]) -> list[Any]:
    return [*record[0].values(), record[1], record[2]]


def _arrives(parts: list[Any], deadline: float) -> bool:
    """Whether all of them are there before the deadline."""
    while any(type(part) is Reading and not part.ready() for part in parts):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.0001)
    return True


def _is_late(value: Any) -> bool:
    kind = type(value)
    return kind is not float and kind is not int and (kind is Reading or _is_tensor(value))


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _value(value: Any) -> Any:
    return value.value() if type(value) is Reading else value.item() if _is_tensor(value) else value


def _whole(number: Any) -> Any:
    """A step or epoch; Lightning keeps the one a program logs as a float."""
    return int(number) if type(number) is float and number.is_integer() else number


def _begin(tensor: Any) -> Any:
    device = tensor.device.type
    plain = _plain(tensor)
    if plain is None:  # a subclass that computes differently: only its own code knows its number
        return tensor if device == "cpu" else None
    number = read(plain)
    if number is not None or device in (*_COPY, "cpu", "meta") or plain.numel() != 1 or plain.is_complex():
        return number
    return plain.detach().clone()  # a learning rate is changed in place later


def _plain(tensor: Any) -> Any:
    torch = sys.modules["torch"]
    kind = type(tensor)
    if kind in (torch.Tensor, torch.nn.Parameter):
        return tensor
    if kind.__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        return None
    with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001  it has no public name
        return tensor.detach().as_subclass(torch.Tensor)
