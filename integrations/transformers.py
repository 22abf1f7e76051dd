"""Transformers' ``Trainer``, and every trainer derived from it: arguments, model, data, and every value it logs.

The trainer's own events are read where its ``CallbackHandler`` receives them, so that its list of callbacks, which
users print, search and change, stays theirs. ``train``, ``evaluate`` and ``predict`` tell begin, end and errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autolog import current, guard, plugins
from autolog.integrations.torch_logged import finish
from autolog.integrations.transformers_calls import AUTOMATIC, Options, TrainerCall, log
from autolog.integrations.transformers_captures import CAPTURES
from autolog.integrations.transformers_checkpoints import log_saved_model
from autolog.integrations.transformers_facts import log_arguments, log_begin
from autolog.patching import Call, Hook, Undo, patch

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["AutologCallback", "TrainerCall", "TransformersIntegration", "call_of", "integration", "watch_chosen"]

_calls: dict[int, TrainerCall] = {}
"""Calls in progress, by ``id`` of their trainer's callback handler."""
_searches: dict[int, Run] = {}
"""Searches for hyperparameters in progress, by the same."""
_automatic = False
"""Trainers without an explicit callback are recorded too."""
_chosen: list[Undo] | None = None
"""``None`` until there is an explicit callback; what takes its patches back while the integration is off."""


class TransformersIntegration:
    """The integration of ``transformers.Trainer`` and of every trainer derived from it."""

    name = "transformers"
    module = "transformers.trainer"
    distribution = "transformers"
    tested = ("4.57.6", "5.24.0")
    captures = CAPTURES

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        global _automatic  # noqa: PLW0603  one class is patched, whoever asked for it
        _automatic = True
        while _chosen:
            _chosen.pop()()
        return [_switched_off, plugins.in_forks(_calls.clear), plugins.at_end(finish), *_taps(module)]


integration = TransformersIntegration()


def _taps(module: ModuleType) -> list[Undo]:
    trainer, handler = module.Trainer, module.CallbackHandler
    hooks = {
        "train": _train,
        "_inner_training_loop": _loop,  # also for trainers with a `train` of their own
        "evaluate": _evaluate,
        "predict": _predict,
        "hyperparameter_search": _search,
        "save_model": _save_model,
        "get_batch_samples": _fetch,
    }
    events = {
        "on_train_begin": _on_train_begin,
        "on_step_end": _on_step_end,
        "on_epoch_end": _on_epoch_end,
        "on_log": _on_log,
        "on_predict": _on_predict,
        "on_save": _on_save,
    }
    return [
        *(patch(trainer, name, hook) for name, hook in hooks.items()),
        *(patch(handler, name, hook) for name, hook in events.items()),
    ]


def _switched_off() -> None:
    """The integration is off. Trainers with an explicit callback are recorded on."""
    global _automatic  # noqa: PLW0603  see install()
    _automatic = False
    if _chosen is not None:
        watch_chosen()


def watch_chosen() -> None:
    """There is an explicit callback: its trainers are recorded, whether the integration is on or off."""
    global _chosen  # noqa: PLW0603  see install()
    if _chosen is None:
        _chosen = []
    if not _automatic and not _chosen and not current.is_off():
        from transformers import trainer

        _chosen.extend(_taps(trainer))


def call_of(trainer: Any) -> TrainerCall | None:
    """The call in progress of a trainer."""
    return _calls.get(id(trainer.callback_handler))


def _options(handler: Any) -> Options | None:
    """What is asked for a trainer; ``None`` where it is not to be recorded."""
    for callback in handler.callbacks:
        if getattr(type(callback), "autolog_explicit", False):
            options: Options = callback.options
            return options
    return AUTOMATIC if _automatic else None


# -- calls of the trainer ----------------------------------------------------------------------------------------------


def _train(call: Call) -> Hook:
    with _calling(call.instance, "fit"):
        yield


def _loop(call: Call) -> Hook:
    with _calling(call.instance, "fit"):
        known = call_of(call.instance)
        if known is not None:
            known.entering(call.argument("resume_from_checkpoint"), call.argument("batch_size"))
        yield


def _evaluate(call: Call) -> Hook:
    with _calling(call.instance, "evaluate", call.argument("eval_dataset")):
        yield


def _predict(call: Call) -> Hook:
    with _calling(call.instance, "predict", call.argument("test_dataset")):
        yield


@contextmanager
def _calling(trainer: Any, kind: str, data: Any = None) -> Iterator[None]:
    """A child run around a call; none within a call, and on ranks that do not report."""
    handler = trainer.callback_handler
    options = _options(handler)
    parent = None if options is None or id(handler) in _calls else _parent(trainer, options)
    if options is None or parent is None:
        yield
        return
    kind = "trial" if kind == "fit" and parent is _searches.get(id(handler)) else kind
    with parent.child(options.name or type(trainer.model).__name__, kind, integration.name) as run:
        known = _calls[id(handler)] = TrainerCall(run, trainer, kind, options)
        with guard.guard("transformers.begin"):
            known.open()
        with guard.guard("transformers.data"):
            known.describe_data(data)
        try:
            yield
        except Exception as error:
            if kind == "trial" and type(error).__name__ == "TrialPruned":  # the search has seen enough of it
                run.log_fact("pruned", {"step": trainer.state.global_step})
                run.close_child()
            raise
        finally:
            del _calls[id(handler)]
            with guard.guard("transformers.end"):
                known.end()


def _parent(trainer: Any, options: Options) -> Run | None:
    """The run that a call is a child of; ``None`` where it is none, for another integration's fit reports it."""
    if not trainer.is_world_process_zero():
        return None
    owner = current.fit_in_progress()
    # A trainer inside another one's training has a series of its own: both call their loss `loss`.
    if owner is not None and owner.integration != integration.name:
        return None
    return owner or options.run or current.ensure_run()


def _search(call: Call) -> Hook:
    trainer = call.instance
    options = _options(trainer.callback_handler)
    parent = None if options is None else _parent(trainer, options)
    if parent is None:
        yield
        return
    key = id(trainer.callback_handler)
    with parent.child(type(trainer.model).__name__, "search", integration.name) as run:
        _searches[key] = run
        run.log_params({"n_trials": call.argument("n_trials", 20)}, "transformers.search")
        try:
            best = yield
            with guard.guard("transformers.search"):
                run.log_fact("best_trial", _best(best))
        finally:
            del _searches[key]


def _best(best: Any) -> Any:
    if isinstance(best, list):
        return [_best(one) for one in best]
    names = ("run_id", "objective", "hyperparameters")
    return {name: getattr(best, name, None) for name in names}


def _save_model(call: Call) -> Hook:
    trainer = call.instance
    known = call_of(trainer)
    place = call.argument("output_dir") or trainer.args.output_dir
    internal = call.argument("_internal_call", False)
    if known is not None and internal:
        known.writing(place)
    yield
    options = _options(trainer.callback_handler)
    if not internal and options is not None and options.checkpoints and trainer.is_world_process_zero():
        run = current.ensure_run() if known is None else known.run
        log_saved_model(run, place, trainer.state.global_step)


def _fetch(call: Call) -> Hook:
    known = call_of(call.instance)
    if known is None:
        yield
        return
    known.fetch()
    result = yield
    if isinstance(result, tuple):
        known.fetched(result[0])


# -- events of its callback handler ------------------------------------------------------------------------------------


def _on_train_begin(call: Call) -> Hook:
    handler, (args, state) = call.instance, _arguments(call, "args", "state")
    known = _calls.get(id(handler))
    if known is not None:
        known.begin(state, handler)
    elif current.fit_in_progress() is None and (run := _run_of(handler, state)) is not None:
        # A loop without a Trainer: it reports to the run itself.
        log_arguments(run, args)
        log_begin(run, state, handler)
    yield


def _on_step_end(call: Call) -> Hook:
    known = _calls.get(id(call.instance))
    if known is not None:
        known.step(_arguments(call, "state")[0])
    yield


def _on_epoch_end(call: Call) -> Hook:
    known = _calls.get(id(call.instance))
    if known is not None:
        known.epoch_ended(_arguments(call, "state")[0])
    yield


def _on_log(call: Call) -> Hook:
    _log(call.instance, *_arguments(call, "state", "logs"))
    yield


def _on_predict(call: Call) -> Hook:
    _log(call.instance, *_arguments(call, "state", "metrics"))
    yield


def _on_save(call: Call) -> Hook:
    known = _calls.get(id(call.instance))
    if known is not None:
        known.saved(*_arguments(call, "args", "state"))
    yield


def _log(handler: Any, state: Any, values: Any) -> None:
    known = _calls.get(id(handler))
    if known is not None:
        known.log(state, values)
    elif (run := _run_of(handler, state)) is not None:
        log(run, state, values)


def _run_of(handler: Any, state: Any) -> Run | None:
    """Where a handler's events go outside of calls; ``None`` where they are not asked for, or another rank reports."""
    options = _options(handler)
    if options is None or not state.is_world_process_zero:
        return None
    return current.fit_in_progress() or options.run or current.ensure_run()


_PLACES = {"args": 1, "state": 2, "control": 3, "logs": 4, "metrics": 4}


def _arguments(call: Call, *names: str) -> list[Any]:
    """Arguments of a handler's method; ``Call.argument`` binds signatures, too slow for every step."""
    return [call.args[_PLACES[name]] if len(call.args) > _PLACES[name] else call.kwargs[name] for name in names]


# -- explicit control --------------------------------------------------------------------------------------------------


def __getattr__(name: str) -> Any:
    # The class derives from transformers' own, which must not be imported before the user does.
    if name == "AutologCallback":
        from autolog.integrations.transformers_explicit import explicit_class

        return explicit_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if TYPE_CHECKING:
    from autolog.integrations.transformers_explicit import AutologCallback
