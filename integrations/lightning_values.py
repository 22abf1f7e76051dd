"""Logged values on their way from a device to the record: nothing waits for the device while a training goes on."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autolog.integrations.torch_values import Reading, read

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["Late", "begin", "settled"]

_COPY = ("cuda", "xpu")
_HELD = 256


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
    """One value that is needed now, such as a checkpoint's score; waits for the device, without its being stopped."""
    return _value(begin({"": value}).get(""))


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
            self._run.captured_metrics(values, step, epoch)

    def settle(self, *, wait: bool = False, held: bool = False) -> None:
        """Record what has arrived.

        Args:
            wait: also what has not: the fit is over.
            held: also what can only be read by waiting: an epoch is over, where Lightning waits too.
        """
        while self._waiting:
            record = self._waiting[0]
            parts = (*record[0].values(), record[1], record[2])
            if not wait:
                if any(type(part) is Reading and not part.ready() for part in parts):
                    return
                if not held and len(self._waiting) < _HELD and any(map(_is_tensor, parts)):
                    return
            self._waiting.popleft()
            values, step, epoch = record
            self._run.captured_metrics(
                {name: _value(value) for name, value in values.items()}, _whole(step), _whole(epoch)
            )


def _is_late(value: Any) -> bool:
    kind = type(value)
    return kind is not float and kind is not int and (kind is Reading or _is_tensor(value))


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _value(value: Any) -> Any:
    return value.value() if type(value) is Reading else value.item() if _is_tensor(value) else value


def _whole(value: Any) -> Any:
    """A step or epoch; Lightning keeps the one a program logs as a float."""
    number = _value(value)
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
