"""autolog, the experiment recorder: ``import autolog``, train, and the run is on record."""

from typing import TYPE_CHECKING, Any

from autolog.command import IS_COMMAND, public
from autolog.version import VERSION

if TYPE_CHECKING or not IS_COMMAND:  # the command `autolog` trains nothing: it starts quicker without
    from autolog import startup
    from autolog.api import (
        add_tags,
        child_run,
        log_asset,
        log_asset_folder,
        log_audio,
        log_confusion_matrix,
        log_curve,
        log_dataset,
        log_fact,
        log_figure,
        log_histogram,
        log_histograms,
        log_html,
        log_image,
        log_metric,
        log_metrics,
        log_model,
        log_other,
        log_param,
        log_params,
        log_table,
        log_text,
        log_video,
        remove_tags,
        set_fields,
        set_name,
        set_note,
        test,
        train,
        validate,
    )
    from autolog.config import ConfigError, configure
    from autolog.current import current_run, finish, start_run
    from autolog.plugins import disable, enable
    from autolog.run import Run

if TYPE_CHECKING:
    from autolog.store import runs

__all__ = [
    "ConfigError",
    "Run",
    "__version__",
    "add_tags",
    "child_run",
    "configure",
    "current_run",
    "disable",
    "enable",
    "finish",
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
    "runs",
    "set_fields",
    "set_name",
    "set_note",
    "start_run",
    "test",
    "train",
    "validate",
]

__version__ = VERSION


def __getattr__(name: str) -> Any:
    # Reading runs needs SQLAlchemy, which a training process must not import.
    if name == "runs":
        from autolog.store import runs

        return runs
    if IS_COMMAND and name in __all__:
        return public(name)
    raise AttributeError(f"module 'autolog' has no attribute {name!r}")


if not IS_COMMAND:
    startup.install()
