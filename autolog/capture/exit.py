"""What the training process itself knows of its end, without touching the way it ends.

An ``atexit`` handler, registered by the import of autolog and so among the last to run, ends the run. What the
program died of stands in ``sys.last_exc`` by then; a ``sys.exit(3)`` leaves no trace there, so the last call of
``sys.exit`` is noted. The kernel's word, which the sidecar writes, outranks all of it.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from autolog import current, guard, patching, plugins, process
from autolog.run import exit_status
from autolog.sidecar import leaving

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from autolog import events
    from autolog.patching import Call, Hook, Undo
    from autolog.run import Run

__all__ = ["begin", "end", "exit_code", "install", "uncaught"]


class _State:
    """What this process notes for its end."""

    outermost: FrameType | None = None
    """The frame below everything at the last ``sys.exit``: the program's module, whose globals live on anyway."""
    code: int | None = None
    interrupted = False
    """It was called while a Ctrl-C was being handled, as Lightning does."""
    dies_interrupted = False
    """Python is going to die by SIGINT."""
    dumps: Any = None
    """The file faulthandler writes into, while the run is open."""
    enabled = False
    registered = False
    undo: Undo | None = None


_state = _State()


def install() -> None:
    """Called by the import of autolog: end the run when the process ends."""
    atexit.register(_at_exit)
    os.register_at_fork(after_in_child=_stop_dumps)
    plugins.add_fact("exit", _watch_exit)


def begin(run: Run) -> None:
    """A run has begun: let faulthandler say where the process was when a signal kills it.

    Nothing is taken over: faulthandler stays as it is where it is on already, and SIGTERM is only touched where
    nobody handles it and the kernel could not say later that it was the cause.
    """
    _announce(run)
    if plugins.is_disabled("exit") or _state.dumps is not None:
        return
    import faulthandler

    if faulthandler.is_enabled():
        return
    try:
        _state.dumps = (run.directory / process.own_file("fatal.log")).open("wb", buffering=0)
    except OSError as error:
        guard.report("exit.begin", error)
        return
    faulthandler.enable(file=_state.dumps)
    _state.enabled = True
    _state.undo = patching.patch(faulthandler, "enable", _taken_over)
    _watch_term(faulthandler)


def _taken_over(_: Call) -> Hook:
    """The program switches faulthandler on itself: from then on it is its own, and stays on after the run."""
    yield
    _state.enabled = False


def _announce(run: Run) -> None:
    """Tell an ``autolog run`` above this process where to write how it ended."""
    path = os.environ.get("AUTOLOG_RENDEZVOUS", "")
    if not path:
        return
    try:
        # Only the file it made: where that process is gone, its number and descriptor may be somebody else's.
        if path.startswith("/proc/") and "autolog-run" not in os.readlink(path):  # noqa: PTH115  a str is wanted
            return
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:  # it has ended before us
        return
    try:
        os.write(fd, os.fsencode(f"{os.getpid()}|{process.rank()}|{run.directory}\n"))
    finally:
        os.close(fd)


def _watch_term(faulthandler: Any) -> None:
    import signal

    from autolog.sidecar.kernel import knows_exits

    told_otherwise = knows_exits() or "AUTOLOG_RENDEZVOUS" in os.environ
    if told_otherwise or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return
    faulthandler.register(signal.SIGTERM, file=_state.dumps, chain=True)
    _state.registered = True


def end(run: Run) -> None:
    """The run has ended: signals are again nobody's business of ours, and an empty dump file goes."""
    if _state.dumps is None:
        return
    _stop_dumps()
    if _state.undo is not None:
        _state.undo()
        _state.undo = None
    _state.dumps.close()
    _state.dumps = None
    dump = run.directory / process.own_file("fatal.log")
    try:
        if dump.stat().st_size == 0:
            dump.unlink()
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            guard.report("exit.end", error)


def _stop_dumps() -> None:
    """Also in a forked child: what kills a worker is not how the run ended."""
    if not (_state.enabled or _state.registered):
        return
    import faulthandler
    import signal

    if _state.registered:
        faulthandler.unregister(signal.SIGTERM)
    if _state.enabled:
        faulthandler.disable()
    _state.enabled = _state.registered = False


def _at_exit() -> None:
    with guard.guard("exit"):
        _end_run()
    with guard.guard("exit.delivery"):
        leaving.wait()
    if _state.dies_interrupted:
        _stay_interrupted()


def _end_run() -> None:
    run = current.begun() or current.join_job() or current.join_workers()
    error = uncaught()
    if run is not None and process.is_worker():
        current.finish("completed", error, at_exit=True)
        return
    if run is None or not process.is_owner(run.directory):
        return
    code = None if error is not None else exit_code()
    _state.dies_interrupted = type(error) is KeyboardInterrupt and _dies_interrupted()
    status: events.Status = "interrupted" if _state.interrupted else "failed"
    current.finish(status if code else "completed", error, exit_code=code, at_exit=True)


def _dies_interrupted() -> bool:
    """Whether Python is going to die by SIGINT: exit handlers of others may have taken that back already.

    From Python 3.12 on its flag cannot be read; then it is taken to be set, as it is in most programs.
    """
    import ctypes

    try:
        return bool(ctypes.c_int.in_dll(ctypes.pythonapi, "_Py_UnhandledKeyboardInterrupt").value)
    except ValueError:
        return True


def _stay_interrupted() -> None:
    """Let the process still die by SIGINT, as Python lets it after an uncaught Ctrl-C.

    The interpreter keeps that in a flag, which every later ``eval`` of a text takes back: those of imports that define
    a named tuple, for instance. An ``eval`` that a Ctrl-C ends sets it again.
    """
    try:
        eval("interrupt()", {"interrupt": _interrupt})  # noqa: S307  a constant of ours
    except KeyboardInterrupt:
        return


def _interrupt() -> None:
    raise KeyboardInterrupt


def uncaught() -> BaseException | None:
    """The exception that ended the program; ``None`` where it ended otherwise.

    Shells and test runners put handled exceptions into ``sys.last_exc`` too. Only one that unwound the whole stack
    has a traceback that begins at the outermost frame.
    """
    if hasattr(sys, "ps1") or sys.flags.interactive or _in_ipython():
        return None
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if not isinstance(error, BaseException) or error.__traceback__ is None:
        return error if isinstance(error, SyntaxError) else None
    return error if error.__traceback__.tb_frame.f_back is None else None


def _in_ipython() -> bool:
    module = sys.modules.get("IPython")
    return module is not None and module.get_ipython() is not None


def exit_code() -> int | None:
    """The code of the ``sys.exit`` that ended the program; ``None`` where none is known to have.

    A call that was caught does not count: then the outermost frame has run on to its ``return``, while one that
    ended the program left it elsewhere.
    """
    frame, code = _state.outermost, _state.code
    if frame is None or code is None:
        return None
    import opcode

    last = opcode.opname[frame.f_code.co_code[frame.f_lasti]]
    return None if last.startswith("RETURN") else code


def _watch_exit() -> Iterable[Undo]:
    yield patching.patch(sys, "exit", _exit_hook, awake=True)


def _exit_hook(call: Call) -> Hook:
    status = call.argument("status") if "status" in call.kwargs else (call.args[0] if call.args else None)
    frame = sys._getframe()  # noqa: SLF001  the only way to the caller's stack
    while frame.f_back is not None:
        frame = frame.f_back
    import threading

    if threading.current_thread() is threading.main_thread():
        _state.outermost, _state.code = frame, exit_status(status)
        _state.interrupted = sys.exc_info()[0] is KeyboardInterrupt
    yield
