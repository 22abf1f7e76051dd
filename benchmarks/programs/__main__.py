"""Public programs, bare and under ``autolog run``, as a table.

python -m benchmarks.programs                        # all of them
python -m benchmarks.programs keras gallery/torch    # those of a framework, or whose name holds a word
python -m benchmarks.programs --repeat 3 --markdown table.md --json table.json
python -m benchmarks.programs --strict               # autolog's own errors are raised in the programs
python -m benchmarks.programs --share                # what part of the processor time is autolog's, whatever else runs
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.programs.catalogue import PROGRAMS, Program
from benchmarks.programs.compare import Compared, compare

_SHOWN = 12
_GOAL = 1.05


def main() -> int:
    """The command; 0 where every program behaved the same."""
    options = _options()
    chosen = [program for program in PROGRAMS if _is_wanted(program, options.words)]
    if options.list or not chosen:
        print(*(f"{program.framework:<13} {program.name}" for program in chosen or PROGRAMS), sep="\n")
        return 0 if options.list else 2
    where = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {sys.platform}"
    print(f"{len(chosen)} programs, each {options.repeat} times bare and under autolog: {where}", flush=True)
    os.environ["AUTOLOG"] = "off"  # of this process; the programs get an environment of their own
    for package in ("autolog", "autolog.integrations", "autolog.backends"):  # as pip does: else each process would
        compileall.compile_dir(str(Path(import_module(package).__file__ or "").parent), quiet=1)
    results: list[Compared] = []
    with tempfile.TemporaryDirectory(prefix="autolog-programs-data-") as folder:
        data = Path(folder)
        if any("{data}" in word for program in chosen for word in program.words):
            from benchmarks.programs.data import make

            make(data)
        for program in chosen:
            result = compare(
                program, data, repeat=options.repeat, strict=options.strict, timeout=options.timeout,
                sampled=options.share,
            )  # fmt: skip
            results.append(result)
            _show(result)
            if options.json:
                Path(options.json).write_text(json.dumps([_plain(each) for each in results], indent=1), "utf-8")
    if options.markdown:
        Path(options.markdown).write_text(_markdown(results), "utf-8")
    return _sum_up(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.programs", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("words", nargs="*", help="a framework, or a part of a program's name")
    parser.add_argument("--list", action="store_true", help="show the programs, run nothing")
    parser.add_argument("--repeat", type=int, default=1, help="how often each is run both ways, in turn")
    parser.add_argument("--strict", action="store_true", help="autolog's own errors are raised in the programs")
    parser.add_argument("--share", action="store_true", help="one more run each, to see what part of it is autolog's")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one run")
    parser.add_argument("--json", metavar="FILE", help="write what was found, after each program")
    parser.add_argument("--markdown", metavar="FILE", help="write the table")
    return parser.parse_args()


def _is_wanted(program: Program, words: Sequence[str]) -> bool:
    return not words or any(word in (program.framework, program.name) or word in program.name for word in words)


def _show(result: Compared) -> None:
    mark = "same  " if result.is_same else "DIFFER"
    bare, ours = result.cpu
    cost = f"{bare:7.1f} s {ours:7.1f} s {result.ratio:6.3f} {result.sidecar:5.1f} s"
    print(
        f"{mark} {result.name:<58} exit {result.codes[0]} {result.codes[1]} {cost} {result.children:5} fits", flush=True
    )
    if result.share:
        places = ", ".join(f"{place} {spent:.2f}" for place, spent in [*result.share.places.items()][:6])
        print(
            f"       autolog's share {result.share.ratio - 1:.1%}: {result.share.autolog:.2f} s of "
            f"{result.share.program:.2f} s ({places})", flush=True,
        )  # fmt: skip
    for line in [*result.problems, *result.differences][:_SHOWN]:
        print(f"       {line[:200]}", flush=True)
    for line in result.said[:3]:
        print(f"       said: {line[:200]}", flush=True)


def _plain(result: Compared) -> dict[str, object]:
    return {**result._asdict(), "same": result.is_same, "long": result.is_long}


def _markdown(results: Sequence[Compared]) -> str:
    rows = [
        f"| {each.name} | {each.codes[0]}, {each.codes[1]} | {'same' if not each.differences else 'differs'} | "
        f"{each.cpu[0]:.1f} s | {each.cpu[1]:.1f} s | {each.ratio:.3f} | {each.children} |"
        for each in results
    ]
    head = [
        "| program | exit codes | output | CPU bare | CPU with autolog | ratio | fits |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows, ""])


def _sum_up(results: Sequence[Compared]) -> int:
    same = sum(result.is_same for result in results)
    long = [result for result in results if result.is_long]
    within = sum(result.ratio <= _GOAL for result in long)
    print(f"\n{same} of {len(results)} the same; {within} of {len(long)} that take over 5 s of CPU within 5 %")
    return int(same < len(results))


if __name__ == "__main__":
    sys.exit(main())
