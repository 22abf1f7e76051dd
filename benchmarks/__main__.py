"""All figures, one command."""

from __future__ import annotations

import compileall
import os
import platform
import sys
import tempfile
from pathlib import Path


def main() -> None:
    import autolog

    compileall.compile_dir(str(Path(autolog.__file__).parent), quiet=1)
    with tempfile.TemporaryDirectory(prefix="autolog-bench-", ignore_cleanup_errors=True) as folder:
        os.environ["AUTOLOG_DIR"] = str(Path(folder) / "runs")
        os.environ["AUTOLOG_DISABLE"] = "console"
        from benchmarks import logging, startup
        from benchmarks.timing import show

        if "server" in sys.argv[1:]:
            from benchmarks import server

            for title, rows in server.measure():
                show(title, rows)
            return

        if "bad-servers" in sys.argv[1:]:
            from benchmarks import bad_servers

            show("Servers that are dead, hang or fail", bad_servers.measure())
            return

        print(f"autolog benchmarks: Python {platform.python_version()}, {os.cpu_count()} CPUs, {sys.platform}")
        show("Imports", startup.imports())
        show("A run", logging.begin_and_end())
        show("Values", [*logging.scalars(), *logging.wrapped_call()])
        show("Memory", logging.memory())
        show("Reading", startup.listing(Path(folder) / "many"))


if __name__ == "__main__":
    main()
