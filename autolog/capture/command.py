"""How this process was started: command line, entry, Python."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["command_facts", "entry", "python_facts"]


def command_facts() -> dict[str, Any]:
    """The fact ``command``. ``argv`` and ``orig_argv`` are as given: the caller masks them (``Redactor.argv``).

    Returns:
        ``argv`` (``sys.argv`` now), ``orig_argv`` (the whole command line of the interpreter), ``directory`` (the
        working directory, ``None`` if it is gone), ``entry`` (see :func:`entry`), ``pid``.
    """
    return {
        "argv": list(sys.argv),
        "orig_argv": list(sys.orig_argv),
        "directory": _directory(),
        "entry": entry(),
        "pid": os.getpid(),
    }


def python_facts() -> dict[str, Any]:
    """The fact ``python``: ``implementation``, ``version``, ``build``, ``executable``, ``prefix``, ``environment``
    (``venv``, ``conda`` or ``None``), ``optimize`` (the ``-O`` level), ``hash_seed`` (``PYTHONHASHSEED`` if set).
    """
    import platform

    conda = os.environ.get("CONDA_PREFIX", "")
    environment = "venv" if sys.prefix != sys.base_prefix else "conda" if conda and conda == sys.prefix else None
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "build": " ".join(platform.python_build()),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "environment": environment,
        "optimize": sys.flags.optimize,
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
    }


def entry() -> dict[str, str | None]:
    """What was started.

    Returns:
        ``kind``: ``script``, ``module`` (``python -m``), ``notebook``, ``interactive`` or ``command`` (``python -c``,
        standard input, an embedding program); ``path``: its file, absolute, if it has one and it is known;
        ``module``: the name given to ``-m``.
    """
    notebook = _notebook()
    if notebook is not None:
        return {"kind": "notebook", "path": notebook or None, "module": None}
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    path = os.path.abspath(file) if file else None  # noqa: PTH100  pathlib has no equal: no link is resolved here
    spec = getattr(main, "__spec__", None)
    if spec is not None and file:
        return {"kind": "module", "path": path, "module": spec.name.removesuffix(".__main__")}
    if path is not None:
        return {"kind": "script", "path": path, "module": None}
    interactive = hasattr(sys, "ps1") or bool(sys.flags.interactive) or "IPython" in sys.modules
    return {"kind": "interactive" if interactive else "command", "path": None, "module": None}


def _notebook() -> str | None:
    """The file of the notebook this is the kernel of, ``""`` where it is not known, ``None`` where this is none."""
    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return None
    shell = sys.modules["IPython"].get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    known = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME") or ""
    return os.path.abspath(known) if known else ""  # noqa: PTH100  as above


def _directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109  the same without pathlib's import
    except OSError:
        return None
