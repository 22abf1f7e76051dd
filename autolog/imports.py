"""Call back when a module has been imported, without importing it.

wrapt's post-import hooks do the same, but importing wrapt costs 42 ms of asyncio and importlib.metadata, about as
much as all of autolog. wrapt is loaded where something is patched by path, after a framework's own import.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from autolog import guard

__all__ = ["Action", "when_imported"]

Action = Callable[[ModuleType], None]
_waiting: dict[str, list[tuple[str, Action]]] = {}


def when_imported(name: str, action: Action, where: str) -> None:
    """Call ``action(module)`` once module ``name`` is imported; at once, if it is already.

    Args:
        name: the module's full name.
        action: gets the module, after it has run and before the import statement returns.
        where: the place under which an error of ``action`` is reported; the import never fails for it.
    """
    module = sys.modules.get(name)
    if module is not None and not _is_initializing(module):
        with guard.guard(where):
            action(module)
        return
    _waiting.setdefault(name, []).append((where, action))
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _is_initializing(module: ModuleType) -> bool:
    return bool(getattr(module.__spec__, "_initializing", False))


class _Finder:
    """Lets the other finders find, and only watches the module run."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _waiting:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)  # type: ignore[assignment]  # it delegates what a loader has
                return spec
        return None


class _Loader:
    """The module's own loader, with a call after it has run. It leaves no trace on the module."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        spec.loader = self._loader
        try:
            module: ModuleType | None = self._loader.create_module(spec)
        finally:
            spec.loader = self  # type: ignore[assignment]  # see _Finder
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        for where, action in _waiting.pop(module.__name__, []):
            with guard.guard(where):
                action(module)
