"""Python imports this before a script that ``autolog run`` starts: it imports autolog, and leaves no other trace.

The folder stands on ``PYTHONPATH`` for that and stays there, so that Python processes which the command starts
(torchrun's ranks, a shell script's trainings) are recorded too. It leaves this process's ``sys.path`` at once, and
another ``sitecustomize`` that it hid is run.
"""

import os
import sys


def _chain(here: str) -> None:
    """Run the ``sitecustomize`` that would have been found without ours."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]  # noqa: PTH100  pathlib is not loaded yet
    sys.path_importer_cache.pop(here, None)
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401  the host may have one
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)


def _begin() -> None:
    """Import autolog. Where that fails, training runs on without it."""
    try:
        import autolog  # noqa: F401  imported for what it does
    except Exception as error:  # whatever it is, it is ours and not the training's
        # Deeper processes may run under another Python on purpose; only the command itself is promised to be recorded.
        if os.environ.get("AUTOLOG_RENDEZVOUS", "").startswith(f"/proc/{os.getppid()}/"):
            sys.stderr.write(f"autolog: not recorded, autolog cannot be imported by {sys.executable}: {error}\n")


if os.environ.get("AUTOLOG", "").lower() not in ("off", "0", "false", "no"):
    _begin()
_chain(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  the same
