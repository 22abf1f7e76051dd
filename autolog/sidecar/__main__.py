"""The sidecar's entry: ``python -I …/autolog/sidecar/__main__.py RUN_DIRECTORY FD BEFORE``.

It finds autolog where the training process found it, without the training's directories hiding standard modules.
``BEFORE`` is the number of sidecars of the same process that were killed or have failed.
"""

import marshal
import os
import sys
from pathlib import Path

_NICE = 10


def _main(directory: str, fd: int, before: int) -> int:
    _step_back()
    try:
        job = marshal.loads(os.pread(fd, os.fstat(fd).st_size, 0))  # noqa: S302  the training process wrote it
        os.close(fd)
        own = [entry for entry in sys.path if "site-packages" not in entry and "dist-packages" not in entry]
        rest = [entry for entry in sys.path if entry not in own]
        sys.path[:] = list(dict.fromkeys([*own, str(Path(__file__).parents[2]), *rest, *job["path"]]))
        from autolog.sidecar.loop import main

        return main(job, before)
    except Exception:
        # There is no one to tell: standard error leads nowhere. The run's directory is where a person looks.
        import traceback

        log = Path(directory) / "sidecar.log"
        if log.parent.is_dir():
            log.write_text(traceback.format_exc(), "utf-8")
        return 1


def _step_back() -> None:
    """Training comes first, and so before this process imports anything: a run has just begun."""
    try:
        os.nice(_NICE)
    except OSError:  # a container may forbid it
        return


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
