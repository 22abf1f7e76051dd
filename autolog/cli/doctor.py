"""``autolog doctor``: what works here, what does not, and why. Needs the base dependencies only."""

from __future__ import annotations

import argparse
import platform
import sys
from typing import TYPE_CHECKING

from autolog import config
from autolog.cli import doctor_checks as checks
from autolog.cli.doctor_delivery import delivery
from autolog.cli.doctor_recording import recording
from autolog.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["doctor"]

_MARKS = {True: ("ok", "32"), False: ("!!", "31"), None: ("--", "2")}
_EPILOG = """\
Examples:
  autolog doctor            try everything, the import of every framework included
  autolog doctor --quick    without importing frameworks
"""


def doctor(arguments: Sequence[str]) -> int:
    """Check the installation by trying it, and print what was found.

    Args:
        arguments: The words after ``autolog doctor``.

    Returns:
        0, or 1 where something is broken. What merely is not there (a framework, a GPU) is not broken.
    """
    parser = argparse.ArgumentParser(
        prog="autolog doctor", description=_description(), epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="do not import the frameworks")
    parser.add_argument("--json", action="store_true", help="the findings as JSON")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    try:
        settings = list(_settings())
    except config.ConfigError as error:
        raise CommandError(str(error)) from None
    sections = _sections(settings, quick=options.quick)
    return _print_json(sections) if options.json else _print(sections)


def _description() -> str:
    """The description in ``--help``."""
    return "Record a test run, import every framework, and say what works here, what does not, and why."


def _sections(settings: list[checks.Finding], *, quick: bool) -> Iterator[tuple[str, Iterable[checks.Finding]]]:
    yield "This machine", _machine()
    yield "Settings", settings
    yield "Integrations", checks.integrations(quick=quick)
    yield "Extras", checks.extras()
    yield "Not delivered", delivery()
    yield "Errors in the newest runs", checks.errors_of_runs()


def _machine() -> Iterator[checks.Finding]:
    from importlib.metadata import version

    text = f"{version('autolog')} on Python {platform.python_version()}, {platform.system()} {platform.release()}"
    yield checks.Finding("autolog", True, text)
    yield checks.directory()
    yield from recording()
    yield checks.kernel()
    yield checks.gpu()


def _settings() -> Iterator[checks.Finding]:
    for name, (value, source) in config.describe().items():
        if source != "default":
            yield checks.Finding(name, None, f"{value!r}, from {source}")


def _print(sections: Iterable[tuple[str, Iterable[checks.Finding]]]) -> int:
    colour = sys.stdout.isatty()
    broken = 0
    for title, findings in sections:
        print(f"\033[1m{title}\033[0m" if colour else title)
        found = None
        for found in findings:
            mark, code = _MARKS[found.fine]
            broken += found.fine is False
            shown = f"\033[{code}m{mark}\033[0m" if colour else mark
            print(f"  {shown} {found.name:<18} {found.text}", flush=True)
        if found is None:
            print("     none" if title != "Settings" else "     all as they come")
        print()
    print(f"{broken} problem{'s' * (broken != 1)}." if broken else "Everything works.")
    return 1 if broken else 0


def _print_json(sections: Iterable[tuple[str, Iterable[checks.Finding]]]) -> int:
    import json

    report = {title: [finding._asdict() for finding in findings] for title, findings in sections}
    print(json.dumps(report, indent=2))
    return int(any(entry["fine"] is False for entries in report.values() for entry in entries))
