"""What a Keras model is: class, size, summary, and its architecture."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from autolog import guard
from autolog.integrations.keras_architecture import architecture

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["record_model"]

_LAYERS = 1000
"""Most layers a summary is made for: Keras takes about a millisecond for each ten."""
_ARCHITECTURE = "architecture.json"

_texts: WeakKeyDictionary[Any, tuple[Any, dict[str, str]]] = WeakKeyDictionary()
"""What has been made of a model, and what the model was like then: many programs call ``fit`` once for each epoch."""


def record_model(child: Run, model: Any, *, full: bool) -> None:
    """Write class and size, and where ``full``, the summary and the architecture."""
    with guard.guard("keras.model"):
        texts = _described(model) if full else {}
        text = texts.pop(_ARCHITECTURE, None)
        child.log_fact("model", {**_size(model), **texts})
        if text is not None:
            child.log_asset(text.encode(), _ARCHITECTURE)


def _size(model: Any) -> dict[str, Any]:
    trainable, fixed = _count(model.trainable_weights), _count(model.non_trainable_weights)
    own = {"layers": len(model.layers)} if hasattr(model, "layers") else {}  # a trainer need not be a model
    return {
        "name": model.name,
        "class": type(model).__qualname__,
        "backend": sys.modules["keras"].backend.backend(),
        "dtype_policy": model.dtype_policy.name,
        **own,
        "parameters": trainable + fixed,
        "trainable_parameters": trainable,
        "non_trainable_parameters": fixed,
    }


def _count(weights: list[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _described(model: Any) -> dict[str, str]:
    layers = _inside(model)
    if len(layers) > _LAYERS:
        return {"architecture": f"left out: more than {_LAYERS} layers"}
    state = [(id(layer), layer.trainable, layer.built, len(layer.weights)) for layer in layers]
    known = _texts.get(model)
    if known is None or known[0] != state:
        text, missing = architecture(model, layers)
        told = {"architecture": missing} if text is None else {_ARCHITECTURE: text}
        known = _texts[model] = (state, {**_summary(model), **told})
    return dict(known[1])


def _inside(model: Any) -> list[Any]:
    """All layers, those inside others too."""
    found, known = [model], {id(model)}
    for layer in found:
        for part in getattr(layer, "_layers", ()):
            if id(part) not in known:
                known.add(id(part))
                found.append(part)
        if len(found) > _LAYERS:
            break
    return found[1:]


def _summary(model: Any) -> dict[str, str]:
    if not hasattr(model, "summary"):
        return {}
    lines: list[str] = []
    with guard.guard("keras.summary"):  # Keras refuses in a terminal of a few columns
        model.summary(print_fn=lines.append)
    return {"summary": "\n".join(lines)}
