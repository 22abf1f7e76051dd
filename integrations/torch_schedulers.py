"""Schedulers that are made while autolog watches, wherever the program keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from autolog.patching import Call, Hook, Undo, patch

__all__ = ["watch"]


def watch(module: Any, made: Callable[[Any], None]) -> Iterable[Undo]:
    """Patch the constructors that every scheduler of ``torch.optim.lr_scheduler`` goes through.

    Args:
        module: that module.
        made: gets each new scheduler, before its own class may have finished making it.
    """

    def construct(call: Call) -> Hook:
        yield
        made(call.instance)

    base = module.LRScheduler
    kinds = [base, *(kind for kind in base.__subclasses__() if kind.__module__ == module.__name__)]
    return [patch(kind, "__init__", construct) for kind in kinds if kind is base or _is_on_its_own(kind)]


def _is_on_its_own(kind: type) -> bool:
    """Whether a class of torch's makes its instances without its base's constructor."""
    own = vars(kind).get("__init__")
    return own is not None and "super" not in own.__code__.co_names
