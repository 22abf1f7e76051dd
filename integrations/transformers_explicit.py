"""``AutologCallback`` for transformers: the trainer's own kind of callback, for those who want to say so.

The methods are here, free of transformers; the class is made of them and of ``TrainerCallback`` when it is first
asked for.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from autolog import current, guard
from autolog.integrations import transformers
from autolog.integrations.transformers_facts import log_arguments, log_begin, training_fact

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["AutologCallback", "explicit_class"]


class AutologCallback:
    """A ``TrainerCallback`` that records its trainer, as the automatic integration would, which steps aside for it.

    It also works where that is disabled (``AUTOLOG_DISABLE=transformers``), so that only chosen trainers are
    recorded. Then it cannot see an exception that ends the training: transformers tells callbacks nothing of it.
    """

    autolog_explicit = True
    _run: Run | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:  # noqa: ARG002  the trainer's signature
        """Record arguments, model and optimizer."""
        if not state.is_world_process_zero:
            return
        with guard.guard("transformers.callback"):
            run = current.fit_in_progress()
            if run is None:
                run = self._open(type(parts["model"]).__name__)
                log_arguments(run, args)
            log_begin(run, state, SimpleNamespace(**parts))

    def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:  # noqa: ARG002  the same
        """Keep the current step."""
        if self._run is not None:
            self._run.step, self._run.epoch = state.global_step, state.epoch

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **parts: Any) -> None:  # noqa: ARG002
        """Record what the trainer logs: losses, learning rate, evaluations, summaries."""
        if not state.is_world_process_zero:
            return
        with guard.guard("transformers.callback"):
            transformers.log(self._run or current.ensure_run(), state, logs)

    def on_predict(self, args: Any, state: Any, control: Any, metrics: dict[str, Any], **parts: Any) -> None:
        """Record the metrics of a prediction, which the trainer does not log."""
        self.on_log(args, state, control, metrics, **parts)

    def on_train_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:  # noqa: ARG002  the same
        """End the child run, if it is ours."""
        run, self._run = self._run, None
        if run is not None:
            with guard.guard("transformers.callback"):
                run.log_fact("training", training_fact(state))
                run.close_child()

    def _open(self, name: str) -> Run:
        if self._run is not None:
            self._run.close_child(RuntimeError("the training did not reach its end"))
        self._run = current.ensure_run().open_child(name, "fit", transformers.integration.name)
        return self._run

    def __getstate__(self) -> dict[str, Any]:
        # An open run does not travel with copies of the trainer.
        return {name: value for name, value in vars(self).items() if name != "_run"}


_class: type | None = None


def explicit_class() -> type:
    """The class, always the same one.

    Raises:
        ImportError: transformers is not there.
    """
    global _class  # noqa: PLW0603  made once
    if _class is None:
        from transformers.trainer_callback import TrainerCallback

        members = {
            "__module__": "autolog.integrations.transformers",
            "__doc__": AutologCallback.__doc__,
            "__qualname__": "AutologCallback",
        }
        _class = type("AutologCallback", (AutologCallback, TrainerCallback), members)
    return _class
