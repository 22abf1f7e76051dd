"""The seeds a program sets, read from the calls that set them; no generator is asked or drawn from.

A function that seeds several generators (``seed_everything``) is reported once, with what it covers. Calls in forked
workers are theirs and are not seen. Missed: a function imported by name before autolog (``from random import seed``),
unless a function it calls is watched too.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from autolog.imports import when_imported
from autolog.patching import Call, Hook, HookFunction, Undo, patch

if TYPE_CHECKING:
    from types import FrameType, ModuleType

__all__ = ["Seeds", "install", "listen", "seeds"]

Seeds: TypeAlias = "dict[str, dict[str, Any]]"

_TOLD = 20  # calls of one function that are told at once; later ones are in `seeds()`
_KEPT = 100  # values kept of one function


class _Source(NamedTuple):
    """A function that sets a seed."""

    name: str
    """As people know it."""
    module: str
    attribute: str
    optional: bool = False
    """Called without a seed it sets none of note."""


_SOURCES = (
    _Source("random.seed", "random", "seed"),
    _Source("numpy.random.seed", "numpy.random", "seed"),
    _Source("numpy.random.default_rng", "numpy.random", "default_rng", optional=True),
    _Source("torch.manual_seed", "torch.random", "manual_seed"),
    _Source("torch.cuda.manual_seed", "torch.cuda.random", "manual_seed"),
    _Source("torch.cuda.manual_seed_all", "torch.cuda.random", "manual_seed_all"),
    _Source("keras.utils.set_random_seed", "keras.src.utils.rng_utils", "set_random_seed"),
    _Source("transformers.set_seed", "transformers.trainer_utils", "set_seed"),
    _Source("accelerate.utils.set_seed", "accelerate.utils.random", "set_seed"),
    _Source("lightning.seed_everything", "lightning.fabric.utilities.seed", "seed_everything"),
    _Source("lightning.seed_everything", "lightning_fabric.utilities.seed", "seed_everything"),
)

_seeds: Seeds = {}
_listeners: list[Callable[[Seeds], None]] = []
_active = threading.local()
_count = 0


def install() -> Iterable[Undo]:
    """Watch the functions that set seeds, of libraries imported before or later.

    Returns:
        What restores them.
    """
    undos: list[Undo] = []
    on = True

    def undo() -> None:
        nonlocal on
        on = False
        while undos:
            undos.pop()()

    def watch(source: _Source, module: ModuleType) -> None:
        if on and hasattr(module, source.attribute):
            undos.append(_watch(source, module))

    for source in _SOURCES:
        # Bound now: the loop's variable will be another one when the module is imported.
        when_imported(source.module, lambda module, source=source: watch(source, module), "seeds.install")  # type: ignore[misc]  # mypy does not infer a lambda with a default
    return [undo]


def seeds() -> Seeds:
    """The fact ``seeds``: by function, in the order of their last calls, ``seed`` (the last one; ``None``: from the
    system's entropy), ``order`` (1 for the first call of all), ``calls``, ``covers`` (watched functions it called),
    and ``earlier`` (previous values, oldest first) where there are any.
    """
    return {name: dict(facts) for name, facts in sorted(_seeds.items(), key=lambda item: item[1]["order"])}


def listen(listener: Callable[[Seeds], None]) -> Undo:
    """Call ``listener(seeds())`` after each call that set a seed, for the first twenty of every function.

    Returns:
        What ends that.
    """
    _listeners.append(listener)

    def undo() -> None:
        if listener in _listeners:
            _listeners.remove(listener)

    return undo


def _watch(source: _Source, module: ModuleType) -> Undo:
    """Patch a function, under the same name also where its own package has imported it."""
    original = vars(module)[source.attribute]
    undo_patch = patch(module, source.attribute, _hook(source))
    wrapper = vars(module)[source.attribute]
    # `random.seed` and `numpy.random.seed` are methods of a hidden object: pickle must find ours by the module's name.
    wrapper.__module__, wrapper.__qualname__ = source.module, source.attribute
    package = source.module.partition(".")[0]
    _exchange(source.attribute, original, wrapper, package)

    def undo() -> None:
        undo_patch()
        _exchange(source.attribute, wrapper, original, "")

    return undo


def _exchange(attribute: str, old: Any, new: Any, package: str) -> None:
    """Wherever a module of ``package`` (any, if empty) calls ``old`` by its name, let it call ``new``."""
    for name, module in sys.modules.copy().items():
        if name.partition(".")[0] == package or not package:
            names = getattr(module, "__dict__", None)
            if type(names) is dict and names.get(attribute) is old:
                names[attribute] = new


def _hook(source: _Source) -> HookFunction:
    process = os.getpid()

    def hook(call: Call) -> Hook:
        stack: list[list[str]] = _active.__dict__.setdefault("stack", [])
        covers: list[str] = []
        stack.append(covers)
        try:
            result = yield
        finally:
            stack.pop()
        if os.getpid() != process:
            return
        seed = call.args[0] if call.args else next(iter(call.kwargs.values()), None)
        if source.attribute == "seed_everything":
            seed = result  # it finds a seed in the environment where none is given
        if source.optional and (not isinstance(seed, (int, list, tuple)) or _called_by_a_package()):
            return
        if stack:
            stack[-1] += [source.name, *covers]
        else:
            _record(source.name, seed, covers)

    return hook


def _called_by_a_package() -> bool:
    """Whether installed code made the generator (scipy makes some on import): then it is no seed of the program's."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  the only way to the caller
    while frame is not None and frame.f_globals.get("__name__", "").startswith("autolog."):
        frame = frame.f_back
    return frame is not None and "-packages" in frame.f_code.co_filename


def _record(name: str, seed: Any, covers: list[str]) -> None:
    from autolog.media.jsonable import jsonable

    global _count  # noqa: PLW0603  the order of all calls in this process
    _count += 1
    before = _seeds.get(name)
    facts: dict[str, Any] = {
        "seed": jsonable(seed, 1000),
        "order": _count,
        "calls": before["calls"] + 1 if before else 1,
        "covers": sorted(set(covers)),
    }
    if before:
        facts["earlier"] = [*before.get("earlier", ()), before["seed"]][-_KEPT:]
    _seeds[name] = facts
    if facts["calls"] <= _TOLD:
        for listener in tuple(_listeners):
            listener(seeds())
