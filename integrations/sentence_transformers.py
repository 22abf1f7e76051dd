"""sentence-transformers: losses and evaluators. Everything else is recorded as any ``Trainer``'s."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autolog import current
from autolog.captures import Captured
from autolog.integrations.torch_facts import plain_attributes
from autolog.integrations.transformers import call_of
from autolog.patching import Call, Hook, Undo, patch

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["SentenceTransformersIntegration", "integration"]

_reported: ContextVar[bool] = ContextVar("autolog_sentence_transformers", default=False)
"""The trainer runs its evaluator, and is going to log what it says."""
_PACKAGE = "sentence_transformers"


class SentenceTransformersIntegration:
    """The integration of sentence-transformers' trainers and evaluators."""

    name = "sentence_transformers"
    module = "sentence_transformers.base.trainer"
    distribution = "sentence-transformers"
    tested = ("6.2.0", "6.2.0")
    captures = (
        Captured("losses with what they were made with, by data set", "fact", ("losses",)),
        Captured("evaluators, the metric each is judged by", "fact", ("evaluators",), "if given"),
        Captured("scores of evaluators in training: `eval_<name>_*`", "metric", ("eval_*_cosine*",), "if given"),
        Captured("an evaluator called by the program", "child", ("evaluate",), "outside of a training"),
    )

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """See :class:`autolog.plugins.Integration`."""
        from sentence_transformers.base.evaluation.evaluator import BaseEvaluator

        return [
            patch(module.BaseTrainer, "_inner_training_loop", _loop),
            patch(module.BaseTrainer, "evaluation_loop", _evaluation_loop),
            patch(BaseEvaluator, "store_metrics_in_model_card_data", _scored),
        ]


integration = SentenceTransformersIntegration()


def _loop(call: Call) -> Hook:
    trainer = call.instance
    known = call_of(trainer)
    if known is not None:
        losses = trainer.loss if isinstance(trainer.loss, dict) else {"": trainer.loss}
        known.run.log_fact("losses", [_loss_fact(name, loss) for name, loss in losses.items()])
        if trainer.evaluator is not None:
            known.run.log_fact("evaluators", [_evaluator_fact(one) for one in _each(trainer.evaluator)])
    yield


def _evaluation_loop(call: Call) -> Hook:  # noqa: ARG001  every hook gets the call
    before = _reported.set(True)
    try:
        yield
    finally:
        _reported.reset(before)


def _scored(call: Call) -> Hook:
    """An evaluator has its scores: those that no trainer logs are recorded here."""
    yield
    if _reported.get():
        return
    metrics, evaluator = call.argument("metrics"), call.instance
    run = current.fit_in_progress()
    if run is not None:
        run.captured_metrics(metrics)
        return
    parent: Run = current.ensure_run()
    with parent.child(type(evaluator).__name__, "evaluate", integration.name) as child:
        child.log_fact("evaluators", [_evaluator_fact(evaluator)])
        child.captured_metrics(metrics)


def _each(evaluator: Any) -> list[Any]:
    parts = getattr(evaluator, "evaluators", None)
    return list(parts) if isinstance(parts, (list, tuple)) else [evaluator]


def _loss_fact(name: str, loss: Any) -> dict[str, Any]:
    kind = type(loss)
    # A loss of the user's own is not called; the library's say more than their attributes do.
    own = kind.__module__.partition(".")[0] == _PACKAGE and hasattr(loss, "get_config_dict")
    told = loss.get_config_dict() if own else plain_attributes(loss)
    return {"class": f"{kind.__module__}.{kind.__qualname__}", "data": name or None, "config": told}


def _evaluator_fact(evaluator: Any) -> dict[str, Any]:
    kind = type(evaluator)
    told: dict[str, Any] = {"class": f"{kind.__module__}.{kind.__qualname__}"}
    names = ("name", "primary_metric", "greater_is_better", "batch_size")
    return told | {name: value for name in names if (value := getattr(evaluator, name, None)) is not None}
