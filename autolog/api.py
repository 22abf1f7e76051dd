"""The functions of ``autolog.*``: each is the method of the current run, which begins if there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from autolog.current import ensure_run
from autolog.run import Run

__all__ = [
    "add_tags",
    "child_run",
    "log_asset",
    "log_asset_folder",
    "log_audio",
    "log_confusion_matrix",
    "log_curve",
    "log_dataset",
    "log_fact",
    "log_figure",
    "log_histogram",
    "log_histograms",
    "log_html",
    "log_image",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_other",
    "log_param",
    "log_params",
    "log_table",
    "log_text",
    "log_video",
    "remove_tags",
    "set_fields",
    "set_name",
    "set_note",
    "test",
    "train",
    "validate",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def log_metric(name: str, value: Any, step: float | None = None, epoch: float | None = None) -> None:
    """Record one value of a metric; see :meth:`autolog.Run.log_metric`."""
    ensure_run().log_metric(name, value, step, epoch)


def _on_current(method: Callable[Concatenate[Run, _P], _R]) -> Callable[_P, _R]:
    @wraps(method)
    def function(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        return method(ensure_run(), *args, **kwargs)

    import inspect

    signature = inspect.signature(method)
    function.__signature__ = signature.replace(  # type: ignore[attr-defined]  # functions take attributes
        parameters=list(signature.parameters.values())[1:]
    )
    return function


log_metrics = _on_current(Run.log_metrics)
log_param = _on_current(Run.log_param)
log_params = _on_current(Run.log_params)
log_fact = _on_current(Run.log_fact)
log_other = _on_current(Run.log_other)
add_tags = _on_current(Run.add_tags)
remove_tags = _on_current(Run.remove_tags)
set_fields = _on_current(Run.set_fields)
set_note = _on_current(Run.set_note)
set_name = _on_current(Run.set_name)
log_text = _on_current(Run.log_text)
log_html = _on_current(Run.log_html)
log_image = _on_current(Run.log_image)
log_audio = _on_current(Run.log_audio)
log_video = _on_current(Run.log_video)
log_figure = _on_current(Run.log_figure)
log_histogram = _on_current(Run.log_histogram)
log_histograms = _on_current(Run.log_histograms)
log_confusion_matrix = _on_current(Run.log_confusion_matrix)
log_curve = _on_current(Run.log_curve)
log_table = _on_current(Run.log_table)
log_asset = _on_current(Run.log_asset)
log_asset_folder = _on_current(Run.log_asset_folder)
log_model = _on_current(Run.log_model)
log_dataset = _on_current(Run.log_dataset)
child_run = _on_current(Run.child)


@contextmanager
def train() -> Iterator[Run]:
    """Metrics logged inside get the prefix ``train_``: ``loss`` becomes ``train_loss``. Exceptions pass unchanged."""
    with ensure_run().phase("train_") as run:
        yield run


@contextmanager
def validate() -> Iterator[Run]:
    """Metrics logged inside get the prefix ``val_``, as Keras and most Lightning modules name them."""
    with ensure_run().phase("val_") as run:
        yield run


@contextmanager
def test() -> Iterator[Run]:
    """Metrics logged inside get the prefix ``test_``."""
    with ensure_run().phase("test_") as run:
        yield run
