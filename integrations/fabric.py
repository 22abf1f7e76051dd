"""Fabric: its configuration, what it logs, the checkpoints it saves and loads.

The loop itself (steps, losses, epochs, model) is recorded as PyTorch without a framework is; see ``torch``.
``lightning.fabric`` and ``lightning_fabric`` are two copies of one code: one class here, two integrations.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from autolog import current, plugins
from autolog.captures import Captured
from autolog.integrations.lightning_checkpoints import absolute, log_file
from autolog.integrations.lightning_fit import is_explicit
from autolog.integrations.lightning_values import Late, begin
from autolog.integrations.torch_loop import goes_on, is_quiet, thread
from autolog.integrations.torch_saves import reported
from autolog.patching import Call, Hook, Undo, patch

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["FabricIntegration", "integration", "lightning_fabric"]


class FabricIntegration:
    """The integration of one of the two packages."""

    tested = ("2.1.0", "2.6.6")
    captures = (
        Captured("accelerator, strategy, precision, processes: `fabric.*`", "params", ("fabric",), "with `setup`"),
        Captured("what `fabric.log` and `log_dict` are given", "metric", ("*",), "also without a logger"),
        Captured("files and folders of `fabric.save`: place, size, step", "asset", ("*",), "when saved"),
        Captured("the checkpoint that `fabric.load` has read", "fact", ("restored_checkpoint",), "when loaded"),
    )

    def __init__(self, name: str, package: str, distribution: str) -> None:
        self.name = name
        self.package = package
        self.module = f"{package}.fabric"
        self.distribution = distribution

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        hooks = {
            "setup": _setup, "setup_optimizers": _setup, "log_dict": _log, "save": _save, "load": _load,
            "load_raw": _load,
        }  # fmt: skip
        launcher = sys.modules[f"{self.package}.strategies.launchers.subprocess_script"]._SubprocessScriptLauncher  # noqa: SLF001  it has no public place
        return [
            plugins.at_end(_at_end),
            patch(launcher, "launch", _launch),
            *(patch(module.Fabric, name, hook) for name, hook in hooks.items()),
        ]


integration = FabricIntegration("fabric", "lightning.fabric", "lightning")
lightning_fabric = FabricIntegration("lightning_fabric", "lightning_fabric", "pytorch-lightning")

_described: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""Of each Fabric, the id of the run that knows it."""
_late: dict[Run, Late] = {}


def _launch(call: Call) -> Hook:  # noqa: ARG001  hooks get their call
    """Fabric is about to start the other ranks of a job: the run begins before, so that they find it."""
    current.ensure_run()
    yield


def _setup(call: Call) -> Hook:
    """A training is going to begin if there is an optimizer."""
    fabric = call.instance
    optimizers = [part for part in call.args[1:] if hasattr(part, "param_groups")]
    yield
    if not optimizers or is_quiet():
        return
    run = current.ensure_run()
    if _described.get(fabric) == run.id:
        return
    _described[fabric] = run.id
    settings = {
        "accelerator": type(fabric.accelerator).__name__,
        "strategy": type(fabric.strategy).__name__,
        "precision": fabric._precision.precision,  # noqa: SLF001  it has no public place
        "world_size": fabric.world_size,
        "device": str(fabric.device),
        "callbacks": [type(callback).__name__ for callback in fabric._callbacks],  # noqa: SLF001  the same
        "loggers": [type(logger).__name__ for logger in fabric.loggers],
    }
    run.log_params({"fabric": {name: value for name, value in settings.items() if value != []}}, "fabric")


def _owner() -> tuple[Run | None, Any]:
    """The run that something belongs to now, and its step: of the training in progress, if there is one."""
    training = thread.training
    if training is not None and goes_on(training):
        return training.run, training.top
    run = current.current_run()
    return run, None if run is None else run.step


def _log(call: Call) -> Hook:
    metrics, step = call.argument("metrics"), call.argument("step")
    if isinstance(metrics, Mapping) and not is_quiet() and not is_explicit(call.instance.loggers, "logger"):
        current.ensure_run()
        run, now = _owner()
        if run is not None:
            late = _late.get(run) or _late.setdefault(run, Late(run))
            late.put(begin(metrics), now if step is None else step, run.epoch)
    yield


def _at_end() -> None:
    for late in _late.values():
        late.finish()
    _late.clear()


def _save(call: Call) -> Hook:
    if is_quiet():
        yield
        return
    with reported():
        yield
    path = call.argument("path")
    run, step = _owner()
    if run is None or not isinstance(path, (str, os.PathLike)):
        return
    place = os.fspath(path)
    if "://" in place or Path(place).exists():
        log_file(run, Path(place).name, place, (step, run.epoch), {"saved_by": "Fabric.save"})


def _load(call: Call) -> Hook:
    remainder = yield
    run, path = current.begun(), call.argument("path")
    if run is None or is_quiet() or not isinstance(path, (str, os.PathLike)):
        return
    told: dict[str, Any] = {"path": absolute(os.fspath(path))}
    for values in (call.argument("state"), remainder):
        if isinstance(values, Mapping):
            told |= {str(name): value for name, value in values.items() if type(value) in (int, float, str)}
    run.log_fact("restored_checkpoint", told)
