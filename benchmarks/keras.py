"""What a recorded Keras training costs more than a bare one: ``python -m benchmarks.keras [backend …]``.

Each backend is a process of its own, in which bare and recorded fits take turns: medians of CPU time for each batch of
a model so small that the batch itself takes next to nothing, and for a whole fit of one batch.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, child, show

__all__ = ["measure"]

_BACKENDS = ("torch", "jax", "tensorflow")
_BATCHES = 400
_TURNS = 7


def measure(backend: str) -> list[Row]:
    """The rows of one backend, measured in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="autolog-bench-") as folder:
        told = child(
            "from benchmarks.keras import figures; figures()",
            {
                "KERAS_BACKEND": backend,
                "AUTOLOG_DIR": str(Path(folder) / "runs"),
                "AUTOLOG_DISABLE": "console",
                "AUTOLOG_SIDECAR": "0",
                "OMP_NUM_THREADS": "1",
            },
        )
    bare, more, first, whole = (float(figure) for figure in told.split())
    return [
        Row(f"{backend}: a batch, bare, more", f"{bare:.0f}, {more:.1f} µs", f"{100 * more / bare:.1f} %"),
        Row(f"{backend}: a fit of one batch, bare, more", f"{first:.1f}, {whole:.1f} ms"),
    ]


def figures() -> None:
    """In the process of a backend: µs of a bare batch, µs more; ms of a bare fit of one batch, ms more."""
    import keras
    import numpy as np

    import autolog

    layers = [keras.layers.Input((8,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 10_000)), "mse", metrics=["mae"])
    x: Any = np.ones((8 * _BATCHES, 8), "float32")

    def fit(batches: int) -> Callable[[], object]:
        rows = x[: 8 * batches]
        return lambda: model.fit(rows, rows[:, 0], batch_size=8, verbose=0)

    def spent(action: Callable[[], object]) -> float:
        begin = time.process_time()
        action()
        return time.process_time() - begin

    def in_turn(action: Callable[[], object]) -> tuple[float, float]:
        bare, recorded = [], []
        for _ in range(_TURNS + 1):
            autolog.disable("keras")
            bare.append(spent(action))
            autolog.enable("keras")
            recorded.append(spent(action))
        return statistics.median(bare[1:]), statistics.median(recorded[1:])

    one, with_one = in_turn(fit(1))
    many, with_many = in_turn(fit(_BATCHES))
    each, more = many / _BATCHES, ((with_many - with_one) - (many - one)) / _BATCHES
    print(each * 1e6, more * 1e6, one * 1e3, (with_one - one) * 1e3)


def main() -> None:
    """Print the figures of the backends named, or of all that are installed."""
    named = sys.argv[1:] or [name for name in _BACKENDS if importlib.util.find_spec(name) is not None]
    print(f"Keras trainings, {os.cpu_count()} CPUs")
    for backend in named:
        show(backend, measure(backend))


if __name__ == "__main__":
    main()
