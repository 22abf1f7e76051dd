"""The contracts of integrations and backends, and how they are found, switched on and switched off.

Built-in integrations are the table below; third parties register with the entry-point group
``autolog.integrations``. Nothing of a framework is imported here: an integration is loaded once the module that it
waits for has been imported by the user's program.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from types import ModuleType
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from autolog import config, guard
from autolog.backend import Backend, Chunk, Later, Rejected, Report, RunEnd, RunHeader
from autolog.discovery import entry_points
from autolog.imports import when_imported
from autolog.patching import Undo, all_or_nothing, undo_with

__all__ = [
    "BUILT_IN",
    "FACTS",
    "Backend",
    "Chunk",
    "Entry",
    "Integration",
    "Later",
    "Rejected",
    "Report",
    "RunEnd",
    "RunHeader",
    "State",
    "add_fact",
    "at_end",
    "built_in",
    "disable",
    "enable",
    "ending",
    "forked",
    "in_forks",
    "install",
    "is_disabled",
    "states",
]


@runtime_checkable
class Integration(Protocol):
    """What an integration is: see docs/integration-guide.md.

    Attributes:
        name: in ``AUTOLOG_DISABLE``, in the doctor, on records: ``keras``.
        module: the import that switches it on, such as ``keras.src.models.model``.
        distribution: the package whose version is looked up: ``keras``.
        tested: oldest and newest version it is tested with, both included: ``("3.5", "3.15")``.
    """

    name: str
    module: str
    distribution: str
    tested: tuple[str, str]

    def install(self, module: ModuleType) -> Iterable[Undo]:
        """Patch the framework.

        Args:
            module: the imported ``self.module``.

        Returns:
            What takes each patch back. Where this raises, autolog takes back what was patched before, and what was
            given to :func:`autolog.patching.undo_with`.
        """
        ...


class Entry(NamedTuple):
    """A built-in integration: what it waits for, and where it is."""

    name: str
    module: str
    target: str
    """``package.module:attribute``"""


BUILT_IN = (
    Entry("sklearn", "sklearn.base", "autolog.integrations.sklearn:integration"),
    Entry("keras", "keras.src.models.model", "autolog.integrations.keras:integration"),
    Entry("lightning", "lightning.pytorch.trainer.trainer", "autolog.integrations.lightning:integration"),
    Entry(
        "pytorch_lightning",
        "pytorch_lightning.trainer.trainer",
        "autolog.integrations.pytorch_lightning:integration",
    ),
    Entry("fabric", "lightning.fabric.fabric", "autolog.integrations.fabric:integration"),
    Entry("lightning_fabric", "lightning_fabric.fabric", "autolog.integrations.fabric:lightning_fabric"),
    Entry("transformers", "transformers.trainer", "autolog.integrations.transformers:integration"),
    Entry("trl", "trl.trainer.base_trainer", "autolog.integrations.trl:integration"),
    Entry(
        "sentence_transformers",
        "sentence_transformers.base.trainer",
        "autolog.integrations.sentence_transformers:integration",
    ),
    Entry("accelerate", "accelerate.accelerator", "autolog.integrations.accelerate:integration"),
    Entry("torch", "torch", "autolog.integrations.torch:integration"),
)
FACTS = ("command", "console", "environment", "exit", "git", "host", "notebook", "packages", "seeds", "source")
"""What else can be switched off by name."""


class State:
    """How an integration stands in this process."""

    __slots__ = ("detail", "entry", "integration", "status", "undos")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.status: Literal["waiting", "patched", "off", "failed"] = "waiting"
        self.detail = f"waits for the import of {entry.module}"
        self.integration: Integration | None = None
        self.undos: list[Undo] = []


_states: dict[str, State] = {}
_disabled: set[str] = set()
_fact_switches: dict[str, tuple[Callable[[], Iterable[Undo]], list[Undo]]] = {}


def states() -> dict[str, State]:
    """All known integrations by name."""
    return dict(_states)


def is_disabled(name: str) -> bool:
    """Whether an integration or fact is switched off, by setting or by :func:`disable`."""
    return name in _disabled or name in config.settings().disable


def built_in(name: str) -> Integration:
    """A built-in integration, whether its framework is installed or not.

    Raises:
        KeyError: there is none of that name.
    """
    return _load({entry.name: entry.target for entry in BUILT_IN}[name])


def install() -> None:
    """Wait for the modules of all integrations; those already imported are patched now."""
    for entry in BUILT_IN:
        _add(entry)
    for point in entry_points("autolog.integrations"):
        with guard.guard(f"plugins.{point.name}"):
            integration = point.load()
            if not isinstance(integration, Integration):
                raise TypeError(f"{point.value} is no autolog integration: {_NEEDED}")
            if integration.name in _states:
                raise ValueError(f"{point.value}: an integration named {integration.name!r} is there already")
            _add(Entry(integration.name, integration.module, point.value), integration)


def add_fact(name: str, switch_on: Callable[[], Iterable[Undo]]) -> None:
    """Register a capture that patches (console, seeds, arguments), so that it can be switched by name."""
    undos: list[Undo] = []
    _fact_switches[name] = (switch_on, undos)
    if not is_disabled(name):
        with guard.guard(f"capture.{name}"), all_or_nothing():
            undos.extend([undo_with(undo) for undo in switch_on()])


_at_end: list[Callable[[], None]] = []


def at_end(action: Callable[[], None]) -> Undo:
    """Call ``action`` when the process's run is about to end: what an integration still holds can be written.

    Returns:
        What takes the request back.
    """
    _at_end.append(action)
    return undo_with(lambda: _at_end.remove(action))


def ending() -> None:
    """The process's run is about to end."""
    for action in _at_end:
        with guard.guard("plugins.at_end"):
            action()


_in_forks: list[Callable[[], None]] = []


def in_forks(action: Callable[[], None]) -> Undo:
    """Call ``action`` in a forked child that records its own trainings: those of the parent go on elsewhere.

    Returns:
        What takes the request back.
    """
    _in_forks.append(action)
    return undo_with(lambda: _in_forks.remove(action))


def forked() -> None:
    """This process is such a child."""
    for action in _in_forks:
        with guard.guard("plugins.in_forks"):
            action()


def disable(*names: str) -> None:
    """Switch integrations or facts off: every replaced function is the original again.

    Args:
        *names: such as ``keras`` or ``console``; none: everything.

    Raises:
        ValueError: a name is not known; the message names the nearest.
    """
    for name in names or (*_states, *FACTS):
        _check_name(name)
        _disabled.add(name)
        state = _states.get(name)
        undos = state.undos if state is not None else _fact_switches.get(name, (None, []))[1]
        while undos:
            undos.pop()()
        if state is not None:
            state.status, state.detail = "off", "disabled"


def enable(*names: str) -> None:
    """Switch on again what :func:`disable` switched off.

    Args:
        *names: such as ``keras``; none: everything.

    Raises:
        ValueError: a name is not known; the message names the nearest.
    """
    for name in names or tuple(_disabled):
        _check_name(name)
        _disabled.discard(name)
        state = _states.get(name)
        if state is not None and state.status == "off":
            state.status, state.detail = "waiting", f"waits for the import of {state.entry.module}"
            module = sys.modules.get(state.entry.module)
            if module is not None:
                _switch_on(state, module)
        elif name in _fact_switches and not _fact_switches[name][1]:
            switch_on, undos = _fact_switches[name]
            with all_or_nothing():
                undos.extend([undo_with(undo) for undo in switch_on()])


def _check_name(name: str) -> None:
    known = {*_states, *(entry.name for entry in BUILT_IN), *FACTS}
    if name in known:
        return
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
    raise ValueError(f"nothing named {name!r} can be switched; {hint}")


def _add(entry: Entry, integration: Integration | None = None) -> None:
    state = _states[entry.name] = State(entry)
    state.integration = integration
    if is_disabled(entry.name):
        state.status, state.detail = "off", "disabled"
    when_imported(entry.module, lambda module: _switch_on(state, module), f"{entry.name}.install")


def _switch_on(state: State, module: ModuleType) -> None:
    if state.status in ("off", "patched"):
        return
    state.status, state.detail = "failed", "its installation failed"
    integration = state.integration or _load(state.entry.target)
    state.integration = integration
    with all_or_nothing():
        made = [undo_with(undo) for undo in integration.install(module)]
    state.undos.extend(made)
    count = len(state.undos)
    state.status, state.detail = "patched", f"{count} function{'s' * (count != 1)} of {state.entry.module}"


_NEEDED = "it must have name, module, distribution, tested and install()"


def _load(target: str) -> Integration:
    module, _, attribute = target.partition(":")
    loaded: Integration = getattr(import_module(module), attribute)
    return loaded
