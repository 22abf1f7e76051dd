"""Weights of a Keras model at the ends of its epochs, and on the torch backend the gradients that are there too.

Only where an epoch ends are a model's variables in step with the training on every backend. On torch they are reduced
on their device; on JAX and TensorFlow they are copied into host memory for that. Gradients exist on the torch backend
alone: those of the epoch's last batch, as the optimizer got them. JAX and TensorFlow keep none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any
from weakref import ref

from autolog import guard
from autolog.integrations import array_histograms, weights

if TYPE_CHECKING:
    from autolog.integrations.torch_histograms import Pending
    from autolog.integrations.weights import Detail, Snapshots
    from autolog.run import Run

__all__ = ["KerasWeights", "begin"]

_FLOATS = ("float32", "bfloat16", "float16", "float64")
_SECONDS_A_TENSOR = 1e-4
_SECONDS_AN_ELEMENT = 2e-8


class KerasWeights:
    """The snapshots of one ``fit``."""

    def __init__(self, snapshots: Snapshots, model: Any) -> None:
        self._snapshots = snapshots
        self._model = ref(model)
        self._last = 0
        self._waiting: list[tuple[str, Pending, bool, int, int | None]] = []

    def is_due(self, before: int, now: int) -> bool:
        """Whether a snapshot is due at step ``now`` of a training without epochs."""
        return weights.due(self._snapshots.schedule, before, now, epochs=False)

    def epoch_ended(self, step: int, epoch: int | None) -> None:
        """An epoch has ended; Keras has waited for the device. It never raises."""
        schedule = self._snapshots.schedule
        if isinstance(schedule, int) and not weights.due(schedule, self._last, step, epochs=True):
            return
        self._last = step
        with guard.guard("keras.weights"):
            if _backend() == "torch":
                self._reduce("weights", step, epoch)
                self._reduce("gradients", step, epoch)
                self._settle(wait=False)
            else:
                self._read(step, epoch)

    def end(self) -> None:
        """The training has ended. It never raises."""
        with guard.guard("keras.weights"):
            self._settle(wait=True)
            self._snapshots.end()

    def _variables(self) -> list[tuple[str, Any, bool]]:
        """Variables with floating point numbers by their paths, and whether they are trained."""
        model = self._model()
        if model is None:
            return []
        trained = {id(variable) for variable in model.trainable_variables}
        kept = []
        for variable in model.weights:
            if str(variable.dtype) in _FLOATS:
                kept.append((variable.path, variable, id(variable) in trained))
            else:
                self._snapshots.absent(f"of type {variable.dtype}", variable.path)
        return kept

    # -- on torch ------------------------------------------------------------------------------------------------------

    def _reduce(self, kind: str, step: int, epoch: int | None) -> None:
        from autolog.integrations.torch_tensors import reduce

        def tensors() -> list[tuple[str, Any]]:
            values = [(name, variable.value, trained) for name, variable, trained in self._variables()]
            if kind == "weights":
                return [(name, value) for name, value, _ in values]
            return [(name, value.grad) for name, value, trained in values if trained and value.grad is not None]

        taken = reduce(self._snapshots, kind, tensors)
        if taken is not None:
            self._waiting.append((kind, taken.pending, taken.whole, step, epoch))

    def _settle(self, *, wait: bool) -> None:
        while self._waiting and (wait or self._waiting[0][1].ready()):
            kind, pending, whole, step, epoch = self._waiting.pop(0)
            with self._snapshots.spending(kind):
                found, norms, seconds = pending.result()
                self._write(kind, found, norms if whole else {}, step, epoch)
            self._snapshots.spend(kind, seconds)
            self._snapshots.finished(kind)

    # -- on the others -------------------------------------------------------------------------------------------------

    def _read(self, step: int, epoch: int | None) -> None:
        snapshots = self._snapshots
        detail = snapshots.detail("weights")
        if detail is None:
            return
        with snapshots.spending("weights"):
            variables = self._variables()
            if not snapshots.knows("weights"):
                detail = snapshots.detail("weights", lambda detail: _estimate(variables, detail))
            if detail is None:
                return
            shown = sorted(variables, key=lambda one: -_size(one[1]))[: detail.tensors]
            chosen = {name for name, _, _ in shown}
            found, norms = {}, {}
            for name, variable, _ in variables:
                array = _array(variable)
                if array is None:
                    snapshots.absent("on other devices", name)
                    continue
                numbers = array_histograms.row(array, detail.bins if name in chosen else 0)
                norms[name] = array_histograms.norm(numbers)
                if name in chosen:
                    label = {"shape": list(array.shape), "dtype": str(variable.dtype)}
                    found[name] = array_histograms.histogram(numbers) | label
            self._write("weights", found, norms, step, epoch)
        snapshots.finished("weights")

    def _write(self, kind: str, found: Any, norms: dict[str, float], step: int, epoch: int | None) -> None:
        """Put a snapshot on record. The norm is that of the variables that are trained."""
        if kind == "weights":
            trained = [name for name, _, is_trained in self._variables() if is_trained]
            norms = {name: norms[name] for name in trained} if all(name in norms for name in trained) else {}
        self._snapshots.norm(f"{kind.removesuffix('s')}_norm", weights.total_norm(norms), step, epoch)
        self._snapshots.write(kind, found, step, epoch)


def begin(run: Run, model: Any, asked: str | None = None) -> KerasWeights | None:
    """A fit begins: its weights are recorded, if its callback or else the settings say so."""
    with guard.guard("keras.weights"):
        snapshots = weights.begin(run, asked=asked)
        return None if snapshots is None else KerasWeights(snapshots, model)
    return None


def _backend() -> str:
    return str(sys.modules["keras"].backend.backend())


def _array(variable: Any) -> Any:
    """A variable's values in host memory; ``None`` where other processes have parts of them."""
    import numpy as np

    value = variable.value
    if not getattr(value, "is_fully_addressable", True):
        return None
    array = value.numpy() if hasattr(value, "numpy") else np.asarray(value)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def _size(variable: Any) -> int:
    size = 1
    for length in variable.shape:
        size *= int(length)
    return size


def _estimate(variables: list[tuple[str, Any, bool]], detail: Detail) -> float:
    elements = sum(_size(variable) for _, variable, _ in variables)
    return _SECONDS_A_TENSOR * min(len(variables), detail.tensors) + _SECONDS_AN_ELEMENT * elements
