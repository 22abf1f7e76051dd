"""``pytorch_lightning``, the other copy of Lightning: see :mod:`autolog.integrations.lightning`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autolog.integrations.lightning import pytorch_lightning as integration

__all__ = ["AutologCallback", "AutologLogger", "integration"]


def __getattr__(name: str) -> Any:
    # See autolog.integrations.lightning.
    if name in ("AutologCallback", "AutologLogger"):
        from autolog.integrations.lightning_explicit import explicit_class

        return explicit_class(name, "pytorch_lightning")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if TYPE_CHECKING:
    from autolog.integrations.lightning_explicit import AutologCallback, AutologLogger
