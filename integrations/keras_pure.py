"""Whether a schedule of the program's own can be called once more without anybody noticing.

It can where its code only calculates: it stores nothing but local variables, and names nothing but mathematics, plain
numbers, and what is itself as plain. Everything else is taken to have side effects.
"""

from __future__ import annotations

import dis
import inspect
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

__all__ = ["is_pure"]

_STORING = ("STORE_ATTR", "STORE_SUBSCR", "STORE_GLOBAL", "STORE_NAME", "DELETE_", "IMPORT_", "YIELD", "SEND")
_MODULES = {"keras", "tensorflow", "jax", "numpy", "torch", "math"}
_BUILTINS = {"abs", "bool", "float", "int", "len", "max", "min", "pow", "range", "round", "tuple", "zip", "enumerate"}
_MATHEMATICS = {
    "abs", "add", "array", "asarray", "astype", "backend", "cast", "ceil", "clip", "clip_by_value", "cond", "constant",
    "convert_to_tensor", "cos", "divide", "dtype", "equal", "exp", "float32", "float64", "floor", "floor_divide",
    "greater", "greater_equal", "int32", "int64", "jnp", "less", "less_equal", "log", "logical_and", "logical_or",
    "math", "maximum", "minimum", "mod", "multiply", "name_scope", "negative", "numpy", "ops", "pi", "pow", "power",
    "rsqrt", "sin", "sqrt", "square", "subtract", "tanh", "where",
}  # fmt: skip
_DEPTH = 4


def is_pure(rate: Any) -> bool:
    """Whether calling a schedule or function has no effect that the program could see. In doubt it has."""
    try:
        if isinstance(rate, FunctionType):
            return _function(rate, None, _DEPTH)
        call = inspect.getattr_static(type(rate), "__call__", None)
        return isinstance(call, FunctionType) and _function(call, rate, _DEPTH)
    except Exception:  # an unusual object: not known to be plain
        return False


def _function(function: FunctionType, owner: Any, depth: int) -> bool:
    if depth == 0:
        return False
    names = inspect.getclosurevars(function)
    if not all(_value(value, owner, depth) for value in (*names.globals.values(), *names.nonlocals.values())):
        return False
    if not set(names.builtins) <= _BUILTINS or not all(_attribute(name, owner, depth) for name in names.unbound):
        return False
    return _code(function.__code__)


def _code(code: CodeType) -> bool:
    for step in dis.get_instructions(code):
        # An operation in place changes an array, whoever else holds it.
        in_place = step.opname.startswith("INPLACE_") or (step.opname == "BINARY_OP" and step.argrepr.endswith("="))
        if in_place or step.opname.startswith(_STORING):
            return False
    return all(_code(inner) for inner in code.co_consts if isinstance(inner, CodeType))


def _attribute(name: str, owner: Any, depth: int) -> bool:
    """A name after a dot: mathematics of a library, or something plain of the schedule's own."""
    if owner is not None:
        if name in vars(owner):
            return _value(vars(owner)[name], owner, depth)
        found = inspect.getattr_static(type(owner), name, None)
        if found is not None:
            found = found.__func__ if isinstance(found, staticmethod) else found
            found = found.fget if isinstance(found, property) else found
            return _value(found, owner, depth)
    return name in _MATHEMATICS


def _value(value: Any, owner: Any, depth: int) -> bool:
    if value is None or isinstance(value, (bool, int, float, str)):
        return True
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(_value(part, owner, depth - 1) for part in value)
    if isinstance(value, (FunctionType, BuiltinFunctionType, type, ModuleType)):
        return _named(value, owner, depth)
    if type(value).__module__.startswith("keras.src.optimizers.schedules.") or hasattr(value, "dtype"):
        return True
    return _top(type(value)) not in _MODULES and is_pure(value)


def _named(value: Any, owner: Any, depth: int) -> bool:
    """A module, a function or a class: of mathematics, or plain itself."""
    if isinstance(value, ModuleType):
        return value.__name__.partition(".")[0] in _MODULES
    if _top(value) == "builtins":
        return value.__name__ in _BUILTINS
    if _top(value) in _MODULES:
        return value.__name__ in _MATHEMATICS
    return isinstance(value, FunctionType) and _function(value, owner, depth - 1)


def _top(value: Any) -> str:
    return (getattr(value, "__module__", None) or "").partition(".")[0]
