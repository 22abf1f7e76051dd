"""What was printed is in the file as a terminal shows it, and the streams do not change."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolog.capture import console
from autolog.capture.redact import Redactor
from autolog.capture.terminal import Screen
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Stream(io.TextIOWrapper):
    def shown(self) -> str:
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


@contextlib.contextmanager
def watching() -> Iterator[_Stream]:
    """Both streams are one real text file in memory, watched; whatever a test leaves is taken off again."""
    fresh = _Stream(io.BytesIO(), "utf-8", write_through=True)
    kept = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = fresh
    undos = list(console.install())
    try:
        yield fresh
    finally:
        console.detach()
        for undo in reversed(undos):
            undo()
        sys.stdout, sys.stderr = kept


def _watched(test: Callable[..., None]) -> Callable[..., None]:
    """Run the test's body while watching: pytest puts its own streams in place after the fixtures."""
    names = [name for name in inspect.signature(test).parameters if name != "stream"]

    def run(tmp_path: Path) -> None:
        with watching() as stream:
            test(stream, *([tmp_path] if names else []))

    run.__name__ = test.__name__
    return run


def _attach(path: Path, lost: list[tuple[int, str]] | None = None) -> Path:
    console.attach(path, Redactor(environment={}), None if lost is None else lambda *what: lost.append(what))
    return path


def _run(code: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, "AUTOLOG": "off", "AUTOLOG_STRICT": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **options,
    )


START = """
    import os, signal, sys
    from autolog.capture import console
    from autolog.capture.redact import Redactor
    undos = list(console.install())
    path = sys.argv[1]
"""


@_watched
def test_lines_before_and_after_the_run_began(stream: _Stream, tmp_path: Path) -> None:
    print("early")
    print("error", file=sys.stderr)
    log = _attach(tmp_path / "console.log")
    assert log.read_text() == "early\nerror\n"
    print("späť ✓", 1, 2)
    assert log.read_text() == "early\nerror\nspäť ✓ 1 2\n"
    sys.stdout.writelines(["a\n", "b\n"])
    assert log.read_text().endswith("a\nb\n")
    console.detach()
    print("after")
    assert log.read_text().endswith("a\nb\n")
    assert stream.shown() == "early\nerror\nspäť ✓ 1 2\na\nb\nafter\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_streams_are_the_same_objects_and_restored() -> None:
    code = (
        START
        + """
    out, kind, attributes, method = sys.stdout, type(sys.stdout), set(vars(sys.stdout)), type(sys.stdout).write
    assert sys.stdout is sys.__stdout__ and "write" in vars(sys.stdout)
    look = lambda s: [s.isatty(), s.fileno(), s.encoding, s.errors, s.line_buffering]
    facts = look(sys.stdout)
    assert sys.stdout.write("xyz\\n") == 4
    for undo in reversed(undos): undo()
    assert "write" not in vars(sys.stdout) and "write" not in vars(sys.stderr)
    assert type(sys.stdout) is kind and kind.write is method
    assert facts == look(sys.stdout)
    """
    )
    done = _run(code, "-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "xyz\n", "")


def test_a_terminal_stays_a_terminal(tmp_path: Path) -> None:
    import pty

    log = tmp_path / "console.log"
    code = textwrap.dedent(START) + textwrap.dedent("""
    console.attach(path, Redactor())
    print("tty", sys.stdout.isatty(), sys.stderr.isatty())
    print("\\x1b[31mred\\x1b[0m")
    from rich.console import Console
    Console().print("[bold]rich[/bold]")
    """)
    shown = {}
    for watched in (True, False):
        main, side = pty.openpty()
        script = (
            code if watched else code.replace("list(console.install())", "0").replace("console.attach(", "str((")[:]
        )
        script = script if watched else script.replace("str((path, Redactor())", "str((path, Redactor()))")
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(log)],
            stdin=side, stdout=side, stderr=side, env={**os.environ, "AUTOLOG": "off", "TERM": "xterm"},
        )  # fmt: skip
        os.close(side)
        output = b""
        with contextlib.suppress(OSError):  # EIO: the other side is closed
            while piece := os.read(main, 4096):
                output += piece
        os.close(main)
        assert process.wait(PATIENCE) == 0
        shown[watched] = output
    assert b"tty True True" in shown[True]
    assert b"\x1b[31mred" in shown[True]
    assert shown[True] == shown[False]
    assert log.read_text() == "tty True True\nred\nrich\n"


@_watched
def test_progress_bars_are_collapsed(stream: _Stream, tmp_path: Path) -> None:
    tqdm = pytest.importorskip("tqdm").tqdm
    log = _attach(tmp_path / "console.log")
    for epoch in tqdm(range(3), desc="epochs", ascii=True, ncols=60, mininterval=0):
        for _ in tqdm(range(50), desc=f"steps {epoch}", leave=False, position=1, ascii=True, ncols=60, mininterval=0):
            pass
    print("done")
    lines = log.read_text().splitlines()
    assert lines[0].startswith("epochs: 100%|#")
    assert "3/3" in lines[0]
    assert [line.strip() for line in lines[1:] if line.strip()] == ["done"]
    assert len(stream.shown()) > 1000  # the terminal got every update


@_watched
def test_rich_progress_is_collapsed(stream: _Stream, tmp_path: Path) -> None:
    rich_console, progress = pytest.importorskip("rich.console"), pytest.importorskip("rich.progress")
    log = _attach(tmp_path / "console.log")
    terminal = rich_console.Console(file=sys.stdout, force_terminal=True, width=80)
    with progress.Progress(console=terminal, auto_refresh=False) as bars:
        first, second = bars.add_task("one", total=20), bars.add_task("two", total=20)
        for _ in range(20):
            bars.advance(first)
            bars.advance(second)
            bars.refresh()
        bars.print("between")
    print("done")
    lines = [line.rstrip() for line in log.read_text().splitlines() if line.strip()]
    assert [line.split()[0] for line in lines] == ["between", "one", "two", "done"]
    assert all("100%" in line for line in lines[1:3])


@_watched
def test_the_last_state_of_a_line_is_written_at_the_end(stream: _Stream, tmp_path: Path) -> None:
    log = _attach(tmp_path / "console.log")
    for number in range(20_000):
        sys.stdout.write(f"\rstep {number}")
    assert log.read_text().startswith("step ")
    console.detach()
    assert log.read_text() == "step 19999"


@_watched
def test_a_resumed_run_goes_on(stream: _Stream, tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("earlier\n")
    _attach(log)
    print("later")
    assert log.read_text() == "earlier\nlater\n"


def test_switched_off_and_on_during_a_run(tmp_path: Path) -> None:
    code = """
    console.attach(path, Redactor())
    print("one")
    for undo in reversed(undos): undo()
    print("two")
    undos = list(console.install())
    console.install()  # a second time changes nothing
    print("three")
    for undo in reversed(undos): undo()
    print("four")
    """
    log = tmp_path / "console.log"
    done = _run(textwrap.dedent(START) + textwrap.dedent(code), str(log))
    assert done.stdout == "one\ntwo\nthree\nfour\n"
    assert log.read_text() == "one\nthree\n"


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)", "raise SystemExit"])
def test_what_was_printed_survives_a_kill(tmp_path: Path, end: str) -> None:
    code = f"""
    console.attach(path, Redactor())
    for number in range(1000):
        print("line", number)
    print("unfinished", end="")
    {end}
    """
    log = tmp_path / "console.log"
    _run(textwrap.dedent(START) + textwrap.dedent(code), str(log))
    lines = log.read_text().splitlines()
    assert lines[:1000] == [f"line {number}" for number in range(1000)]
    assert lines[1000:] in ([], ["unfinished"])


def test_an_uncaught_exception_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    done = _run(textwrap.dedent(START) + "\nconsole.attach(path, Redactor())\n1 / 0\n", str(log))
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert log.read_text() == done.stderr


def test_a_forked_child_is_silent(tmp_path: Path) -> None:
    code = """
    console.attach(path, Redactor())
    print("before", flush=True)
    pid = os.fork()
    if pid == 0:
        for _ in range(100): print("child", flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    pid = os.fork()
    if pid == 0:
        console.attach(path + ".child", Redactor())  # it joined with a file of its own
        print("joined", flush=True)
        console.detach()
        os._exit(0)
    os.waitpid(pid, 0)
    print("after")
    """
    log = tmp_path / "console.log"
    done = _run(textwrap.dedent(START) + textwrap.dedent(code), str(log))
    assert done.stdout.count("child") == 100
    assert log.read_text() == "before\nafter\n"
    assert (tmp_path / "console.log.child").read_text() == "joined\n"


@_watched
def test_threads(stream: _Stream, tmp_path: Path) -> None:
    log = _attach(tmp_path / "console.log")
    threads = [
        threading.Thread(target=lambda n=n: [sys.stdout.write(f"thread {n} line {i}\n") for i in range(300)])  # type: ignore[misc]
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(log.read_text().splitlines()) == sorted(f"thread {n} line {i}" for n in range(8) for i in range(300))


def test_printing_in_a_signal_handler(tmp_path: Path) -> None:
    code = """
    console.attach(path, Redactor())
    count = 0
    def handler(*_):
        global count
        count += 1
        sys.stderr.write("signal\\n")
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    number = 0
    while count < 50:
        sys.stderr.write(f"line {number}\\n")
        number += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    console.detach()
    print(count, number)
    """
    log = tmp_path / "console.log"
    done = _run(textwrap.dedent(START) + textwrap.dedent(code), str(log))
    count, number = map(int, done.stdout.split())
    lines = log.read_text().splitlines()
    assert lines.count("signal") == count
    assert [line for line in lines if line != "signal"] == [f"line {n}" for n in range(number)]


@_watched
def test_a_full_disk(stream: _Stream) -> None:
    lost: list[tuple[int, str]] = []
    _attach(Path("/dev/full"), lost)
    for number in range(1000):
        print(number)
    console.detach()
    assert sum(count for count, _ in lost) >= 1000
    assert stream.shown().splitlines() == [str(n) for n in range(1000)]


@_watched
def test_a_disk_that_has_space_again(stream: _Stream, tmp_path: Path) -> None:
    import resource

    lost: list[tuple[int, str]] = []
    log = _attach(tmp_path / "console.log", lost)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        for number in range(50):
            print("line", number)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    print("last")
    assert log.read_text().splitlines() == [*(f"line {n}" for n in range(50)), "last"]
    assert lost == []


@_watched
def test_secrets_are_masked(stream: _Stream, tmp_path: Path) -> None:
    print("early password=hunter2")
    redactor = Redactor(environment={})
    log = tmp_path / "console.log"
    console.attach(log, redactor)
    print("api_key:", end=" ")
    print("hunter2")
    print("-----BEGIN PRIVATE KEY-----\nhunter2hunter2\nhunter2==\n-----END PRIVATE KEY-----\nplain")
    text = log.read_text()
    assert "hunter2" not in text
    assert text.endswith("\nplain\n")
    assert redactor.hits["console"] >= 3


@_watched
def test_redirected_output_is_not_ours(stream: _Stream, tmp_path: Path) -> None:
    log = _attach(tmp_path / "console.log")
    with contextlib.redirect_stdout(io.StringIO()) as other:
        print("elsewhere")
    assert other.getvalue() == "elsewhere\n"
    assert log.read_text() == ""


@_watched
def test_errors_of_the_stream_are_its_own(stream: _Stream, tmp_path: Path) -> None:
    _attach(tmp_path / "console.log")
    with pytest.raises(TypeError, match="must be str, not int"):
        sys.stdout.write(5)  # type: ignore[arg-type]
    stream.detach()
    with pytest.raises(ValueError, match="underlying buffer has been detached"):
        print("x")


class _Slotted:
    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...


def test_a_stream_that_takes_no_attribute_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Slotted())
    undos = list(console.install())
    try:
        print("x")
        assert sys.stdout.text == "x\n"
        assert "_Slotted takes no attributes" in console.problems()["stdout"]
    finally:
        for undo in reversed(undos):
            undo()


@_watched
def test_memory_before_a_run_is_bounded(stream: _Stream, tmp_path: Path) -> None:
    for number in range(40_000):
        print(f"{number:06d}", "x" * 93)
    lost: list[tuple[int, str]] = []
    lines = _attach(tmp_path / "console.log", lost).read_text().splitlines()
    assert 5_000 < len(lines) <= 10_000
    assert lines[-1].startswith("039999")
    assert [count for count, _ in lost] == [40_000 - len(lines)]


@_watched
def test_very_long_lines(stream: _Stream, tmp_path: Path) -> None:
    log = _attach(tmp_path / "console.log")
    print("long ", end="")
    print("word " * 200_000)
    for _ in range(100_000):
        sys.stdout.write(".")
    print()
    lines = log.read_text().splitlines()
    assert lines == ["long " + "word " * 200_000, "." * 100_000]


PIECES = st.lists(
    st.sampled_from(
        ["a", "bcd", "é✓", " ", "\n", "\r", "\b", "\x1b[A", "\x1b[2A", "\x1b[B", "\x1b[K", "\x1b[2K", "\x1b[1K",
         "\x1b[31m", "\x1b[0m", "\x1b[3C", "\x1b[2D", "\x1b[5G", "\x1b[J", "\x07",
         "\x1b]0;title\x07", "\x1b[?25l", "\t", "\x1b"]
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(PIECES, st.lists(st.integers(0, 100), max_size=10))
def test_any_cut_of_the_text_gives_the_same_screen(pieces: list[str], cuts: list[int]) -> None:
    text = "".join(pieces)
    whole, parts = Screen(), Screen()
    whole.feed(text)
    at = 0
    for cut in [*sorted(cuts), len(text)]:
        parts.feed(text[at:cut])
        at = max(at, cut)
    whole.settle()
    parts.settle()
    assert whole.rows == parts.rows


@settings(max_examples=200, deadline=None)
@given(pieces=PIECES, burst=st.sampled_from([0.0, 20.0]))
def test_the_file_is_the_screen(tmp_path_factory: pytest.TempPathFactory, pieces: list[str], burst: float) -> None:
    log = tmp_path_factory.mktemp("console") / "console.log"
    expected = Screen()
    watched = console._Console()
    watched.attach(str(log), Redactor(enabled=False), None)
    watched._credit = burst
    for piece in pieces:
        watched.feed(piece)
        expected.feed(piece)
    watched.detach()
    expected.settle()
    assert log.read_text("utf-8") == "\n".join(expected.rows)


SCREENS = [
    ("10%\r50%\r100%\n", "100%\n"),
    ("abc\rX\n", "Xbc\n"),
    ("abc\r\x1b[KX\n", "X\n"),
    ("1/3 ..\b\b\b\b\b\b3/3 ok\n", "3/3 ok\n"),
    ("\nbar2\x1b[A\rbar1\x1b[B\n", "bar1\nbar2\n"),
    ("\x1b[1;32mgreen\x1b[0m plain\n", "green plain\n"),
    ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "link\n"),
    ("one\ntwo\n\x1b[2A\x1b[2Knew\n\x1b[2Ktwo'\n", "new\ntwo'\n"),
    ("a\nb\nc\x1b[2A\x1b[J", "a"),
]


@pytest.mark.parametrize(("text", "shown"), SCREENS)
def test_screen(text: str, shown: str) -> None:
    screen = Screen()
    screen.feed(text)
    screen.settle()
    assert "\n".join(screen.rows) == shown
