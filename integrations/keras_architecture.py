"""The architecture of a Keras model as JSON, which ``keras.models.model_from_json`` takes.

It is what ``model.to_json()`` gives, without how the model was compiled, and made only where that runs no code but
Keras' own and warns of nothing.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType, SimpleNamespace
from typing import Any

__all__ = ["architecture"]

_LONGEST = 4 << 20
"""Longest architecture that is kept, in characters."""
_PACKAGES = ("keras", "keras_hub", "keras_cv", "keras_nlp")
_lock = threading.Lock()


def architecture(model: Any, layers: list[Any]) -> tuple[str | None, str]:
    """The JSON, or ``None`` and why there is none.

    Args:
        model: the model.
        layers: every layer in it, those inside others too.
    """
    reason = next((found for one in (model, *layers) if (found := _foreign(one, inside=one is not model))), None)
    if reason is not None:
        return None, f"left out: {reason}"
    with _without_tensorflow() as serialization:
        config = serialization.serialize_with_public_class(type(model), model.get_config())
        if config is None:
            return None, f"left out: {type(model).__name__} has no public name"
        build = model.get_build_config()
        if build is not None:
            config["build_config"] = serialization.serialize_dict(build)
    text = json.dumps(config)
    return (text, "") if len(text) <= _LONGEST else (None, f"left out: {len(text)} characters")


@contextmanager
def _without_tensorflow() -> Iterator[Any]:
    """Keras' serialization, which imports TensorFlow to ask whether an object is of it, kept from that.

    Where TensorFlow has not been imported, there is no such object.
    """
    serialization = sys.modules["keras.src.saving.serialization_lib"]
    if "tensorflow" in sys.modules:
        yield serialization
        return
    with _lock:
        kept = serialization.tf
        serialization.tf = SimpleNamespace(available=False)  # type: ignore[attr-defined]
        try:
            yield serialization
        finally:
            serialization.tf = kept  # type: ignore[attr-defined]


def _foreign(layer: Any, *, inside: bool) -> str | None:
    """Why a layer cannot be asked for its configuration."""
    kind = type(layer)
    if not _of_keras(kind):
        return f"{kind.__name__} is a class of the program's own"
    if kind.__name__ == "Lambda":
        return f"{layer.name} is a Lambda layer"
    if inside and getattr(layer, "compiled", False):
        return f"{layer.name} is a compiled model inside"
    for name, value in _kept(layer):
        if isinstance(value, FunctionType) and not _of_keras(value):
            return f"{name} of {layer.name} is a function of the program's own"
        if hasattr(type(value), "get_config") and not _of_keras(type(value)):
            return f"{name} of {layer.name} is of the program's own {type(value).__name__}"
    return None


def _kept(layer: Any) -> list[tuple[str, Any]]:
    """What a layer's configuration may be made of; how a model was compiled is no part of it."""
    return [(name, value) for name, value in vars(layer).items() if not name.startswith("_") and name not in _COMPILED]


_COMPILED = {"history", "loss", "optimizer", "predict_function", "test_function", "train_function"}


def _of_keras(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "").partition(".")[0] in _PACKAGES
