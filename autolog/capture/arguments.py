"""The parsed command-line arguments, watched as argparse parses them; nothing is parsed a second time.

Everything that stands on argparse is seen: sub-parsers, abbreviations, ``HfArgumentParser``, several parsers one after
the other. A later parse of the same name replaces the earlier one. Parsing that fails is not recorded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from autolog import process
from autolog.imports import when_imported
from autolog.patching import Call, Hook, Undo, patch

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Arguments", "install", "listen", "parsed_arguments"]

Arguments: TypeAlias = "dict[str, dict[str, Any]]"
"""By name: ``value`` and ``default`` as plain JSON, ``given`` (it stood on the command line), ``type`` (its name)."""

_TOOLS = ("traitlets.", "IPython.", "ipykernel.", "pytest", "_pytest.", "pip.")  # parsers of tools around a program

_arguments: Arguments = {}
_listeners: list[Callable[[Arguments], None]] = []
_active = threading.local()


class _Parse:
    """One parse with all it leads to: sub-parsers, and both halves of ``parse_intermixed_args``."""

    def __init__(self) -> None:
        self.actions: dict[str, Any] = {}
        self.defaults: dict[str, Any] = {}
        self.given: set[str] = set()


def install() -> Iterable[Undo]:
    """Watch argparse from now on, whether it has been imported yet or not.

    Returns:
        What restores argparse.
    """
    undos: list[Undo] = []
    on = True

    def switch_on(argparse: ModuleType) -> None:
        if on:
            parser = argparse.ArgumentParser
            # The innermost method that every way of parsing passes; the parse of what it finds is `_get_values`.
            undos.append(patch(parser, "_parse_known_args", _parse))
            undos.append(patch(parser, "parse_known_intermixed_args", _parse))
            undos.append(patch(parser, "_get_values", _get_values))

    def undo() -> None:
        nonlocal on
        on = False
        while undos:
            undos.pop()()

    when_imported("argparse", switch_on, "command.install")
    return [undo]


def parsed_arguments() -> Arguments:
    """All arguments parsed in this process so far; as given: the caller masks them (``Redactor.args``)."""
    return dict(_arguments)


def listen(listener: Callable[[Arguments], None]) -> Undo:
    """Call ``listener`` with the arguments of every later parse. Returns what ends that."""
    _listeners.append(listener)

    def undo() -> None:
        if listener in _listeners:
            _listeners.remove(listener)

    return undo


def _parse(call: Call) -> Hook:
    parser = call.instance
    outermost = getattr(_active, "parse", None) is None
    if outermost:
        _active.parse = _Parse()
    parse: _Parse = _active.parse
    try:
        result = yield
    finally:
        if outermost:
            _active.parse = None
    for action in parser._actions:  # noqa: SLF001  argparse has no public list of what it parses
        parse.actions[action.dest] = action
    parse.defaults.update(parser._defaults)  # noqa: SLF001  what set_defaults() has set
    if outermost and not f"{type(parser).__module__}.".startswith(_TOOLS):
        _record(parse, result[0])


def _get_values(call: Call) -> Hook:
    parse: _Parse | None = getattr(_active, "parse", None)
    if parse is not None:
        action, words = call.args[1], call.args[2]
        # An option is here because it was given; a positional with `?` or `*` also comes here with nothing.
        if action.option_strings or any(word != "--" for word in words):
            parse.given.add(action.dest)
    yield


def _record(parse: _Parse, namespace: Any) -> None:
    arguments = {name: _argument(parse, name, value) for name, value in _leaves(parse, namespace)}
    _arguments.update(arguments)
    if process.is_worker():  # what a fork parses is no argument of the run's
        return
    for listener in tuple(_listeners):
        listener(arguments)


def _leaves(parse: _Parse, namespace: Any) -> Iterator[tuple[str, Any]]:
    """The arguments by name; groups of jsonargparse (``--optimizer.lr``) are taken apart."""
    from autolog.media.jsonable import flatten

    for name, value in vars(namespace).items():
        if any(other.startswith(f"{name}.") for other in parse.actions):
            yield from flatten({name: value}).items()
        else:
            yield name, value


def _argument(parse: _Parse, name: str, value: Any) -> dict[str, Any]:
    from autolog.media.jsonable import jsonable

    action = parse.actions.get(name)
    default = parse.defaults.get(name) if action is None or action.default is None else action.default
    given = name in parse.given
    suppressed = isinstance(default, str) and default == "==SUPPRESS=="
    return {
        "value": jsonable(value),
        # Defaults written as text are converted by argparse; where nothing was given, that is the value.
        "default": None if suppressed else jsonable(default if given else value),
        "given": given,
        "type": _type_name(action, value),
    }


def _type_name(action: Any, value: Any) -> str:
    """The name of what argparse converts with: a type, a function, or text where the program names none."""
    kind = getattr(action, "type", None) or getattr(action, "_typehint", None)  # the latter is jsonargparse's
    if kind is None:
        takes_text = action is not None and action.nargs != 0
        return "str" if takes_text else type(value).__name__ if value is not None else ""
    name = getattr(kind, "__name__", None) or type(kind).__name__
    return str(name) if name != "<lambda>" else type(value).__name__
