"""What a program gave to a ``Trainer`` or to ``LightningCLI``, kept beside the trainer, never on it."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from autolog.imports import when_imported
from autolog.media.jsonable import flatten, jsonable
from autolog.patching import Call, Hook, Undo, patch

__all__ = ["Given", "given_to", "watch_arguments"]

_ELSEWHERE = ("callbacks", "logger")
"""Arguments that are on record as a fact, or are none of training's."""


class Given:
    """What is known of how one trainer was made.

    Attributes:
        arguments: those the program gave, as plain values.
        changed: of these, the ones that are not the defaults.
        cli: the configuration that ``LightningCLI`` has parsed, flat.
    """

    __slots__ = ("arguments", "changed", "cli")

    def __init__(self) -> None:
        self.arguments: dict[str, Any] = {}
        self.changed: dict[str, Any] = {}
        self.cli: dict[str, Any] = {}


_known: dict[int, tuple[weakref.ref[Any], Given]] = {}
"""By ``id`` of the trainer, for as long as it lives: a trainer may compare or hash in ways of its own."""


def given_to(trainer: Any) -> Given | None:
    """What a trainer was given; ``None`` where it was made before autolog was imported, or copied."""
    known = _known.get(id(trainer))
    return known[1] if known is not None and known[0]() is trainer else None


def watch_arguments(module: ModuleType, package: str) -> list[Undo]:
    """Watch trainers being made, by the program and by ``LightningCLI``.

    Args:
        module: ``….trainer.trainer``.
        package: ``lightning.pytorch`` or ``pytorch_lightning``.

    Returns:
        What ends it.
    """
    undos: list[Undo] = [patch(module.Trainer, "__init__", _made)]
    late: list[Undo] = []
    on = True

    def watch_cli(cli: ModuleType) -> None:
        if on:
            late.append(patch(cli.LightningCLI, "instantiate_classes", _instantiated))

    def undo() -> None:
        nonlocal on
        on = False
        while late:
            late.pop()()

    when_imported(f"{package}.cli", watch_cli, "lightning.cli")
    return [*undos, undo]


def _made(call: Call) -> Hook:
    given = dict(call.kwargs)
    yield
    known = _of(call.instance)
    defaults = {name: parameter.default for name, parameter in inspect.signature(call.function).parameters.items()}
    for name, value in given.items():
        if name in _ELSEWHERE or value is None:
            continue
        known.arguments[name] = _plain(value)
        if value is not defaults.get(name) and known.arguments[name] != _plain(defaults.get(name)):
            known.changed[name] = known.arguments[name]


def _instantiated(call: Call) -> Hook:
    yield
    cli = call.instance
    config, subcommand = getattr(cli, "config", None), getattr(cli, "subcommand", None)
    trainer = getattr(cli, "trainer", None)
    if config is None or trainer is None:
        return
    own = config.get(str(subcommand), config) if hasattr(config, "get") else config
    values = own.as_dict() if hasattr(own, "as_dict") else own
    if isinstance(values, Mapping):
        flat = flatten({name: value for name, value in values.items() if name != "config"})
        _of(trainer).cli = {
            name: value for name, value in flat.items() if value is not None or not name.startswith("trainer.")
        }


def _of(trainer: Any) -> Given:
    known = given_to(trainer)
    if known is None:
        key, known = id(trainer), Given()
        _known[key] = (weakref.ref(trainer, lambda gone: _forget(key, gone)), known)
    return known


def _forget(key: int, gone: weakref.ref[Any]) -> None:
    if key in _known and _known[key][0] is gone:
        del _known[key]


def _plain(value: Any) -> Any:
    """A strategy, profiler or plugin is on record by its class: its ``repr`` says nothing more."""
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return jsonable(value) if type(value).__module__ in ("builtins", "datetime", "pathlib") else type(value).__name__
