"""The weights of scikit-learn's neural networks, layer by layer. Coefficients of other estimators are facts."""

from __future__ import annotations

from typing import Any

from autolog.integrations import array_histograms, weights
from autolog.run import Run

__all__ = ["expected", "record"]

_BINS = 32


def _layers(estimator: Any) -> dict[str, Any]:
    """``coefs_.0``, ``intercepts_.0`` … of an estimator that has been fitted."""
    fitted = vars(estimator)
    found: dict[str, Any] = {}
    for name in ("coefs_", "intercepts_"):
        layers = fitted.get(name)
        if isinstance(layers, list) and all(getattr(getattr(one, "dtype", None), "kind", "") == "f" for one in layers):
            found |= {f"{name}.{number}": layer for number, layer in enumerate(layers)}
    return found


def expected(estimator: Any) -> float | None:
    """Seconds that :func:`record` takes, about; ``None`` where there is nothing to record."""
    layers = _layers(estimator) if weights.every() is not None else {}
    return 0.001 + sum(1e-4 + 2e-8 * layer.size for layer in layers.values()) if layers else None


def record(run: Run, estimator: Any) -> None:
    """Store the histograms ``weights`` and the metric ``autolog/weight_norm``."""
    layers = _layers(estimator)
    rows = {name: array_histograms.row(layer, _BINS) for name, layer in layers.items()}
    run.log_histograms(
        "weights",
        {
            name: array_histograms.histogram(row)
            | {"shape": list(layers[name].shape), "dtype": str(layers[name].dtype)}
            for name, row in rows.items()
        },
    )
    norm = weights.total_norm({name: array_histograms.norm(row) for name, row in rows.items()})
    run.captured_metrics({"autolog/weight_norm": norm})
