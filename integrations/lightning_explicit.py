"""``AutologLogger`` and ``AutologCallback``: Lightning's own logger and callback, for those who want to say so.

The methods are here, free of Lightning; the classes are made of them and of the base class of the package in use,
when they are first asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

from autolog import current, guard, patching, plugins

if TYPE_CHECKING:
    from autolog.integrations.lightning import LightningIntegration
    from autolog.run import Run

__all__ = ["AutologCallback", "AutologLogger", "explicit_class"]


class _Explicit:
    """What both classes can be told."""

    def __init__(
        self,
        *,
        every_n_steps: int | None = None,
        metrics: str | Iterable[str] | None = None,
        learning_rates: bool = True,
        throughput: bool = True,
        checkpoints: bool = True,
        run: Run | None = None,
        name: str | None = None,
        weights: str | int | None = None,
    ) -> None:
        """Say what is recorded of the trainer's fits; without arguments, all that the automatic integration records.

        Args:
            every_n_steps: record step values at every so many batches that step. Without it at each, or at the
                trainer's own ``log_every_n_steps`` where the program gives one.
            metrics: glob patterns of the names to record, such as ``"val_*"``.
            learning_rates: record the learning rates beside them.
            throughput: record steps and rows per second.
            checkpoints: record the checkpoints.
            run: the run to record into, else the current one. It is left behind where this object is pickled.
            name: what the fit's child run is called, else as the module's class.
            weights: when histograms of weights and gradients are recorded: ``"epoch"``, ``"off"``, or a number of
                steps. Without it, as the setting ``weights`` says.

        Raises:
            ValueError: ``every_n_steps`` is no positive whole number, or ``weights`` none of these.
        """
        from autolog.integrations.lightning_fit import Options
        from autolog.integrations.weights import checked

        super().__init__()
        if every_n_steps is not None and (type(every_n_steps) is not int or every_n_steps < 1):
            raise ValueError(f"every_n_steps must be a positive whole number, given {every_n_steps!r}")
        patterns = (metrics,) if isinstance(metrics, str) else None if metrics is None else tuple(metrics)
        asked = checked(weights, type(self).__name__)
        self.autolog_options = Options(
            every_n_steps, patterns, learning_rates, throughput, checkpoints, run, name, asked
        )

    def __getstate__(self) -> dict[str, Any]:
        """A run belongs to its process: a pickled trainer records into the current one."""
        return {**vars(self), "autolog_options": self.autolog_options._replace(run=None)}


class AutologLogger(_Explicit):
    """A Lightning logger that writes to an autolog run; give it as ``Trainer(logger=AutologLogger())``.

    Metrics and hyperparameters that the trainer hands it are recorded once, also where the automatic integration is
    on; it also takes what is logged to it directly, as ``self.logger.log_metrics(...)``. Its options say what the
    automatic integration records of its trainer.
    """

    autolog_explicit = "logger"

    @property
    def name(self) -> str | None:
        """The run's project."""
        run = self._main_run()
        return None if run is None else run.project

    @property
    def version(self) -> str | None:
        """The run's id."""
        run = self._main_run()
        return None if run is None else run.id

    @property
    def experiment(self) -> Run | None:
        """The :class:`autolog.Run` it writes to, for everything else that can be logged; ``None`` on other ranks."""
        return self._target() if _is_rank_zero() else None

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record metrics; ``epoch`` among them is the epoch.

        Args:
            metrics: names and numbers; in a fit also tensors, which no device is waited for.
            step: as Lightning counts for loggers.
        """
        from autolog.integrations.lightning import fit_of

        fit = fit_of()
        if not _is_rank_zero() or (fit is not None and fit.telling):
            return
        with guard.guard("lightning.logger"):
            values = dict(metrics)
            epoch = values.pop("epoch", None)
            if fit is not None:
                fit.log_directly(values, step, epoch)
            else:
                self._target().captured_metrics(values, step, epoch)

    def log_hyperparams(self, params: Any, *_args: Any, **_options: Any) -> None:
        """Record hyperparameters.

        Args:
            params: a mapping or an ``argparse.Namespace``.
        """
        if not _is_rank_zero():
            return
        with guard.guard("lightning.logger"):
            values = params if isinstance(params, Mapping) else vars(params)
            self._target().log_params(values, "lightning.logger")

    def _target(self) -> Run:
        return current.fit_in_progress() or self.autolog_options.run or current.ensure_run()

    def _main_run(self) -> Run | None:
        given = self.autolog_options.run
        if given is not None or not _is_rank_zero():
            return given or current.begun()
        current.ensure_run()
        return current.begun()


class AutologCallback(_Explicit):
    """A Lightning callback that records the trainer it is given to, as the automatic integration would.

    The automatic one steps aside for that trainer. It also works where that is disabled
    (``AUTOLOG_DISABLE=lightning``), so that only chosen trainers are recorded.
    """

    autolog_explicit = "callback"
    _open: ExitStack | None = None

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ARG002  Lightning's signature
        """Begin a child run."""
        if self._open is not None or not trainer.is_global_zero or patching.is_silent():
            return
        with guard.guard("lightning.callback"):
            integration = _integration_of(trainer)
            stack = ExitStack()
            stack.enter_context(integration.fit(trainer, pl_module))
            if plugins.states()[integration.name].status != "patched":
                for undo in integration.taps(sys.modules[integration.module]):
                    stack.callback(undo)
            self._open = stack

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ARG002  Lightning's signature
        """End it."""
        self._close(None)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:  # noqa: ARG002  the same
        """End it as failed, or interrupted."""
        self._close(exception)

    def _close(self, error: BaseException | None) -> None:
        stack, self._open = self._open, None
        if stack is not None:
            with guard.guard("lightning.callback"):
                stack.__exit__(type(error) if error is not None else None, error, None)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_open": None}


_BASES = {
    "AutologLogger": (AutologLogger, "loggers", "Logger"),
    "AutologCallback": (AutologCallback, "callbacks", "Callback"),
}
_classes: dict[tuple[str, str], type] = {}


def explicit_class(name: str, package: str | None = None) -> type:
    """``AutologLogger`` or ``AutologCallback`` for one of the two packages.

    Args:
        name: of the class.
        package: ``lightning.pytorch`` or ``pytorch_lightning``; without it the one that is imported, of both the
            first.

    Returns:
        The class, always the same one.

    Raises:
        ImportError: neither package is there.
    """
    package = package or _package()
    if (name, package) not in _classes:
        methods, module, base = _BASES[name]
        home = "pytorch_lightning" if package == "pytorch_lightning" else "lightning"
        bases = (methods, getattr(import_module(f"{package}.{module}"), base))
        members = {"__module__": f"autolog.integrations.{home}", "__doc__": methods.__doc__, "__qualname__": name}
        _classes[name, package] = type(name, bases, members)
    return _classes[name, package]


def _package() -> str:
    for package in ("lightning.pytorch", "pytorch_lightning"):
        if package in sys.modules:
            return package
    try:
        import_module("lightning.pytorch")
    except ImportError:
        return "pytorch_lightning"
    return "lightning.pytorch"


def _integration_of(trainer: Any) -> LightningIntegration:
    from autolog.integrations import lightning

    names = {kind.__module__ for kind in type(trainer).__mro__}
    return lightning.pytorch_lightning if lightning.pytorch_lightning.module in names else lightning.integration


def _is_rank_zero() -> bool:
    """By Lightning's own account, which both packages share."""
    module = sys.modules.get("lightning_utilities.core.rank_zero")
    return getattr(getattr(module, "rank_zero_only", None), "rank", 0) == 0
