"""``AutologCallback``: the callback of Keras' own kind by which a training is reported, given by the user or added."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from autolog import current, guard, patching
from autolog.integrations.keras_facts import handed, record_data
from autolog.integrations.keras_reporter import Options, Reporter, evaluation_end
from autolog.integrations.weights import checked

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["callback_class", "given"]


class _Callback:
    """What ``AutologCallback`` does; its other base class is ``keras.callbacks.Callback``."""

    async_safe = True  # Keras may call from threads of its own: a journal takes records from any
    model: Any
    params: Any
    _reporter: Reporter | None = None
    _evaluation: Run | None = None
    _evaluation_owned = False
    beside: tuple[Any, ...] = ()
    """The callbacks of the training that ours is one of."""

    def __init__(
        self,
        *,
        run: Run | None = None,
        log_batches: bool = True,
        every_n_batches: int | None = None,
        log_learning_rate: bool | None = None,
        log_model: bool = True,
        weights: str | int | None = None,
    ) -> None:
        super().__init__()
        if every_n_batches is not None and (not isinstance(every_n_batches, int) or every_n_batches < 1):
            raise ValueError(f"every_n_batches must be a positive integer or None, given {every_n_batches!r}")
        asked = checked(weights, "AutologCallback")
        self.options = Options(run, log_batches, every_n_batches, log_learning_rate, log_model, asked)

    # -- fit -----------------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002  Keras passes it
        with guard.guard("keras.on_train_begin"):
            child, owned = self._begin("fit")
            if child is not None:
                self._start(child, owned=owned)

    def _start(self, child: Run, *, owned: bool) -> None:
        params, hand = self.params or {}, handed.get()
        length = None if hand is None else hand.length
        reporter = self._reporter = Reporter(child, self.model, self.options, params.get("epochs"), length, owned=owned)
        if hand is not None:
            hand.reporter = reporter
        record_data(child, hand, params)
        reporter.begin([one for one in self.beside if one is not self])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras passes it
        if self._reporter is not None:
            with guard.guard("keras.on_epoch_begin"):
                self._reporter.epoch_begin(epoch)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002  Keras passes it
        if self._reporter is not None:
            with guard.guard("keras.on_train_batch_begin"):
                self._reporter.batch_begin(batch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._reporter is not None:
            with guard.guard("keras.on_train_batch_end"):
                self._reporter.batch_end(batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._reporter is not None:
            with guard.guard("keras.on_epoch_end"):
                self._reporter.epoch_end(epoch, logs or {})

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002  Keras passes it
        reporter, self._reporter, self.beside = self._reporter, None, ()
        if reporter is not None:
            with guard.guard("keras.on_train_end"):
                reporter.close(finished=True)

    # -- evaluate and predict ------------------------------------------------------------------------------------------

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002  Keras passes it
        hand = handed.get()
        if self._reporter is None or (hand is not None and hand.child is not None):  # else the validation of an epoch
            with guard.guard("keras.on_test_begin"):
                self._evaluation, self._evaluation_owned = self._begin("evaluate")
                if self._evaluation is not None:
                    record_data(self._evaluation, hand, self.params or {})

    def on_test_end(self, logs: Any = None) -> None:
        evaluation, self._evaluation = self._evaluation, None
        if evaluation is not None:
            with guard.guard("keras.on_test_end"):
                evaluation_end(evaluation, self.model, logs or {})
                if self._evaluation_owned:
                    evaluation.close_child()

    # -- whose child run ----------------------------------------------------------------------------------------------

    def _begin(self, kind: str) -> tuple[Run | None, bool]:
        """The hook's child run, a new one (ours to end), or nobody's."""
        if patching.is_silent():
            return None, False
        hand = handed.get()
        if hand is not None:
            child, hand.child = hand.child, None
            return child, False
        if self.options.run is None and current.fit_in_progress() is not None:
            return None, False
        parent = self.options.run or current.ensure_run()
        return parent.open_child(self.model.name, kind, "keras"), True


_TEXT = """Records ``fit`` and ``evaluate``; given by the user, the automatic recording steps aside.

Give it last, so that it sees what the callbacks before it did.

Args:
    run: the run or child run to record in; without it the current one.
    log_batches: record the values of batches.
    every_n_batches: record every so many batches of an epoch. Without it every batch is recorded, after the first
        10,000 at most 200 a second.
    log_learning_rate: ``False``: do not record it. ``True``: also call a schedule or function of your own to learn the
        rate where autolog cannot see that this has no side effects.
    log_model: store the model's summary and architecture.
    weights: when histograms of weights and gradients are recorded: ``"epoch"``, ``"off"``, or a number of steps.
        Without it, as the setting ``weights`` says.

Raises:
    ValueError: ``every_n_batches`` is not a positive integer, or ``weights`` none of these.
"""


@cache
def callback_class() -> Any:
    """``AutologCallback``, made at its first use: its base class needs Keras."""
    import keras  # not `keras.callbacks`: in old versions that makes a second module of the same name

    module = "autolog.integrations.keras"
    return type("AutologCallback", (_Callback, keras.callbacks.Callback), {"__doc__": _TEXT, "__module__": module})


def given(callbacks: Any) -> Any:
    """The user's own ``AutologCallback`` among callbacks; ``None`` where there is none."""
    listed = getattr(callbacks, "callbacks", callbacks)
    listed = listed if isinstance(listed, (list, tuple)) else [listed]
    kind = callback_class()
    return next((one for one in listed if isinstance(one, kind)), None)
