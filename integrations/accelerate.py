"""Loops over ``accelerate``: the accelerator's configuration, what it logs, the states it saves, losses undivided.

The loop itself (steps, losses, epochs, model) is recorded as PyTorch without a framework is; see ``torch``. Of a
``Trainer``'s accelerator, which that reports itself, nothing is recorded here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from autolog import current, plugins
from autolog.captures import Captured
from autolog.integrations.torch_logged import finish, log_values
from autolog.integrations.torch_loop import goes_on, is_framework, is_quiet, thread
from autolog.integrations.torch_saves import reported
from autolog.integrations.torch_values import read
from autolog.patching import Call, Hook, Undo, patch

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["AccelerateIntegration", "integration"]

_SETTINGS = (
    "mixed_precision", "gradient_accumulation_steps", "distributed_type", "num_processes", "device", "split_batches",
    "dispatch_batches", "even_batches", "use_seedable_sampler", "step_scheduler_with_optimizer", "project_dir",
    "rng_types",
)  # fmt: skip
_PLUGINS = ("deepspeed_plugin", "fsdp_plugin", "dynamo_plugin", "megatron_lm_plugin", "torch_tp_plugin")


class AccelerateIntegration:
    """The integration of ``accelerate.Accelerator`` in loops of the program's own."""

    name = "accelerate"
    module = "accelerate.accelerator"
    distribution = "accelerate"
    tested = ("1.15.0", "1.15.0")
    captures = (
        Captured("precision, accumulation, processes …: `accelerator.*`", "params", ("accelerate.Accelerator",)),
        Captured("`config` of `init_trackers`", "params", ("accelerate.init_trackers",), "also without `log_with`"),
        Captured("project and trackers", "fact", ("trackers",), "with `init_trackers`"),
        Captured("what `accelerator.log` is given, by its names", "metric", ("*",), "when called"),
        Captured("folders of `save_state`: place, size, files", "asset", ("*",), "when saved"),
        Captured("folder that `load_state` has read", "fact", ("loaded_states",), "when loaded"),
        Captured("states that made room for others", "fact", ("removed_checkpoints",), "with `total_limit`"),
    )

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        hooks = {
            "backward": _backward,
            "log": _log,
            "init_trackers": _init_trackers,
            "save_state": _save_state,
            "load_state": _load_state,
        }
        undos = [patch(module.Accelerator, name, hook) for name, hook in hooks.items()]
        return [plugins.at_end(_at_end), *undos]


integration = AccelerateIntegration()

_described: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""Accelerators of the program's own loops, with the id of the run that knows them; empty for a framework's."""
_saved: dict[str, list[Path]] = {}
"""States that were saved under a limit, by the id of their run."""


def _run_of(accelerator: Any) -> Run | None:
    """The run that an accelerator's words belong to; ``None`` where another integration reports its loop."""
    if is_quiet():
        return None
    known = _described.get(accelerator)
    if known is None and is_framework(sys._getframe(1)):  # noqa: SLF001  once for each accelerator
        known = _described[accelerator] = ""
    if known == "":
        return None
    run = current.ensure_run()
    if known != run.id:
        _described[accelerator] = run.id
        run.log_params({"accelerator": _settings(accelerator)}, "accelerate.Accelerator")
    return run


def _settings(accelerator: Any) -> dict[str, Any]:
    told = {name: getattr(accelerator, name, None) for name in _SETTINGS}
    told["distributed_type"] = getattr(told["distributed_type"], "value", None)
    told["device"] = str(told["device"])
    state = accelerator.state
    told |= {name: part for name in _PLUGINS if (part := getattr(state, name, None)) is not None}
    return {name: value for name, value in told.items() if value is not None}


def _given(call: Call, place: int, name: str) -> Any:
    # `Call.argument` cannot tell: accelerate's own decorator has hidden the signatures of some of these methods.
    return call.args[place] if len(call.args) > place else call.kwargs.get(name)


# -- losses ------------------------------------------------------------------------------------------------------------


def _backward(call: Call) -> Hook:
    """``backward`` divides the loss by the steps of accumulation: what the program gave is the loss."""
    accelerator = call.instance
    run = _run_of(accelerator)
    loss = _given(call, 1, "loss")
    value = read(loss) if run is not None and accelerator.gradient_accumulation_steps != 1 else None
    lists = (thread.losses, thread.evaluated)
    before = [len(seen) for seen in lists]
    yield
    if value is not None:
        for seen, count in zip(lists, before, strict=True):
            if len(seen) > count:
                seen[count] = (seen[count][0], value)


# -- what the program logs ---------------------------------------------------------------------------------------------


def _log(call: Call) -> Hook:
    run = _run_of(call.instance)
    values = _given(call, 1, "values")
    if run is not None and isinstance(values, Mapping):
        step = _given(call, 2, "step")
        log_values(run, {name: value for name, value in values.items() if not isinstance(value, str)}, step)
        texts = {str(name): value for name, value in values.items() if isinstance(value, str)}
        for name, text in texts.items():
            run.log_other(name, text)
    yield


def _at_end() -> None:
    finish()
    _saved.clear()


def _init_trackers(call: Call) -> Hook:
    run = _run_of(call.instance)
    yield
    if run is None:
        return
    config = _given(call, 2, "config")
    names = [tracker.name for tracker in call.instance.trackers]
    run.log_fact("trackers", {"project": _given(call, 1, "project_name"), "trackers": names})
    if isinstance(config, Mapping):
        run.log_params(config, "accelerate.init_trackers")


# -- states ------------------------------------------------------------------------------------------------------------


def _save_state(call: Call) -> Hook:
    accelerator = call.instance
    run = _run_of(accelerator)
    if run is None:
        yield
        return
    with reported():
        place = yield
    if not isinstance(place, (str, Path)) or not Path(place).is_dir():
        return
    folder = Path(place).absolute()
    training = thread.training
    mine = training is not None and goes_on(training)
    owner, step = (training.run, training.top) if training is not None and mine else (run, run.step)
    owner.log_model(folder.name, folder, step, checksum=False, metadata={"saved_by": "Accelerator.save_state"})
    if accelerator.project_configuration.total_limit is not None:
        _look(run, folder)


def _look(run: Run, saved: Path) -> None:
    """Which of the earlier states have made room."""
    known = _saved.setdefault(run.id, [])
    gone = [place for place in known if not place.exists()]
    _saved[run.id] = [*(place for place in known if place not in gone and place != saved), saved]
    if gone:
        run.log_fact("removed_checkpoints", [{"path": str(place)} for place in gone], append=True)


def _load_state(call: Call) -> Hook:
    run = _run_of(call.instance)
    yield
    if run is not None:
        place = _given(call, 1, "input_dir") or call.instance.project_dir  # of which it takes the latest
        run.log_fact("loaded_states", [{"path": None if place is None else str(Path(place).absolute())}], append=True)
