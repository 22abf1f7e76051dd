"""``AutologCallback`` for transformers: the trainer's own kind of callback, for those who want to say so.

It holds what its trainer's recording is asked for; the recording is the automatic one. The methods are here, free of
transformers; the class is made of them and of ``TrainerCallback`` when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autolog.integrations import transformers
from autolog.integrations.transformers_calls import Options
from autolog.integrations.weights import checked

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["AutologCallback", "explicit_class"]


class AutologCallback:
    """A ``TrainerCallback``: its trainer is recorded, as it would be without, and as is asked for here.

    It also works where the automatic integration is disabled (``AUTOLOG_DISABLE=transformers``), so that only chosen
    trainers are recorded.

    Args:
        run: trainings become child runs of it; without it, of the current run.
        name: what they are called; without it, as the model's class.
        every_n_steps: of the values logged during training, at most those of every so many steps. What the trainer
            logs at all is its own ``logging_steps``. Evaluations and summaries are always recorded.
        metrics: which metrics, as patterns: ``["loss", "eval_*"]``. Without it all.
        datasets: record what the data sets are, and their fingerprints.
        checkpoints: record where checkpoints and models are saved.
        completions: how many sampled completions of each log (TRL) are recorded; 0 for none. Without it all of them
            where the trainer was told ``log_completions``, else a few.
        weights: when histograms of weights and gradients are recorded: ``"epoch"``, ``"off"``, or a number of steps.
            Without it, as the setting ``weights`` says.

    Raises:
        ValueError: ``every_n_steps`` is below 1, ``completions`` below 0, or ``weights`` none of these.
        TypeError: ``metrics`` is no list of patterns.
    """

    autolog_explicit = True

    def __init__(
        self,
        run: Run | None = None,
        *,
        name: str | None = None,
        every_n_steps: int = 1,
        metrics: Sequence[str] | None = None,
        datasets: bool = True,
        checkpoints: bool = True,
        completions: int | None = None,
        weights: str | int | None = None,
    ) -> None:
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps counts steps from 1 on, given {every_n_steps!r}")
        if completions is not None and completions < 0:
            raise ValueError(f"completions is a number of rows, given {completions!r}")
        if isinstance(metrics, str) or not all(isinstance(pattern, str) for pattern in metrics or ()):
            raise TypeError(f'metrics takes a list of patterns such as ["loss", "eval_*"], given {metrics!r}')
        patterns = ("*",) if metrics is None else tuple(metrics)
        asked = checked(weights, "AutologCallback")
        self.options = Options(run, name, every_n_steps, patterns, datasets, checkpoints, completions, asked)
        transformers.watch_chosen()

    def __getstate__(self) -> dict[str, Any]:
        # A run does not travel to another process.
        return {**vars(self), "options": self.options._replace(run=None)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        transformers.watch_chosen()


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
