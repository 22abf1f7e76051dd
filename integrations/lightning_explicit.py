"""``AutologLogger`` and ``AutologCallback``: Lightning's own logger and callback, for those who want to say so.

The methods are here, free of Lightning; the classes are made of them and of the base class of the package in use,
when they are first asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

from autolog import current, guard, plugins

if TYPE_CHECKING:
    from autolog.integrations.lightning import LightningIntegration
    from autolog.run import Run

__all__ = ["AutologCallback", "AutologLogger", "explicit_class"]


class AutologLogger:
    """A Lightning logger that writes to the current autolog run; give it as ``Trainer(logger=AutologLogger())``.

    Metrics and hyperparameters that the trainer hands it are recorded once, also where the automatic integration is
    on; it also takes what is logged to it directly, as ``self.logger.log_metrics(...)``.
    """

    autolog_explicit = "logger"

    @property
    def name(self) -> str | None:
        """The run's project."""
        run = _main_run()
        return None if run is None else run.project

    @property
    def version(self) -> str | None:
        """The run's id."""
        run = _main_run()
        return None if run is None else run.id

    @property
    def experiment(self) -> Run | None:
        """The current :class:`autolog.Run`, for everything else that it can log; ``None`` on other ranks."""
        return current.ensure_run() if _is_rank_zero() else None

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record metrics; ``epoch`` among them is the epoch.

        Args:
            metrics: names and numbers.
            step: as Lightning counts for loggers.
        """
        from autolog.integrations.lightning import fit_of

        fit = fit_of()
        if not _is_rank_zero() or (fit is not None and fit.telling):
            return
        with guard.guard("lightning.logger"):
            values = dict(metrics)
            epoch = values.pop("epoch", None)
            current.ensure_run().captured_metrics(values, step, epoch)

    def log_hyperparams(self, params: Any, *_args: Any, **_options: Any) -> None:
        """Record hyperparameters.

        Args:
            params: a mapping or an ``argparse.Namespace``.
        """
        if not _is_rank_zero():
            return
        with guard.guard("lightning.logger"):
            values = params if isinstance(params, Mapping) else vars(params)
            current.ensure_run().log_params(values, "lightning.logger")


class AutologCallback:
    """A Lightning callback that records the trainer it is given to, as the automatic integration would.

    The automatic one steps aside for that trainer. It also works where that is disabled
    (``AUTOLOG_DISABLE=lightning``), so that only chosen trainers are recorded.
    """

    autolog_explicit = "callback"
    _open: ExitStack | None = None

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ARG002  Lightning's signature
        """Begin a child run."""
        if self._open is not None or not trainer.is_global_zero:
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


def _main_run() -> Run | None:
    if _is_rank_zero():
        current.ensure_run()
    return current.begun()


def _is_rank_zero() -> bool:
    """By Lightning's own account, which both packages share."""
    module = sys.modules.get("lightning_utilities.core.rank_zero")
    return getattr(getattr(module, "rank_zero_only", None), "rank", 0) == 0
