"""Keep ``torch.compile`` out of autolog: it neither traces what is patched here nor compiles autolog's own frames.

Without this, Dynamo would compile our hooks like the program's own functions wherever a compiled function breaks its
graph to call ``backward`` or a scaler: more graphs, more time, and warnings that the program would not have had.
"""

from __future__ import annotations

from types import CodeType, ModuleType
from typing import Any

from autolog import patching

__all__ = ["keep_out", "mark"]

_SKIPPED = "_torchdynamo_disable"


class _Mark:
    """What compiled code leaves behind when it has made an optimizer's step.

    Dynamo traces torch's hook into the compiled function. An attribute that is written there, and never read, is
    written again by the compiled function each time it has run: without a break of the graph, without a guard, and
    without a tensor operation.
    """

    __slots__ = ("optimizer",)

    def __init__(self) -> None:
        self.optimizer: Any = None


mark = _Mark()


def keep_out(torch: ModuleType, replaced: list[Any], hooks: list[Any]) -> None:
    """Tell Dynamo to leave these alone.

    Args:
        torch: the module.
        replaced: replacements of torch's functions: called inside a compiled function, they break its graph, as the
            originals do.
        hooks: functions of ours that torch itself calls; those it traces must not do anything then.
    """
    for function in replaced:
        setattr(function, _SKIPPED, True)
    strategies = _strategies(torch)
    if strategies is None:
        return
    mark, callees_too, itself = strategies
    for function in replaced:
        mark(_code(function), itself)
    for hook in (*hooks, *_AROUND):
        mark(_code(hook), callees_too)


_AROUND = (
    patching.Call.__init__,
    patching._begin,  # noqa: SLF001  part of the machinery that runs hooks
    patching._send,  # noqa: SLF001  the same
    patching._throw,  # noqa: SLF001  the same
)


def _strategies(torch: Any) -> tuple[Any, Any, Any] | None:
    """What marks code, and the marks for "this and all it calls" and "this"; ``None`` in versions without them."""
    frames = torch._C._dynamo.eval_frame  # noqa: SLF001  its public face would import all of Dynamo
    strategy, action = getattr(frames, "_FrameExecStrategy", None), getattr(frames, "_FrameAction", None)
    if strategy is None or action is None:
        return None
    return frames.set_code_exec_strategy, strategy(action.SKIP, action.SKIP), strategy(action.SKIP, action.DEFAULT)


def _code(function: Any) -> CodeType:
    code: CodeType = function.__code__
    return code
