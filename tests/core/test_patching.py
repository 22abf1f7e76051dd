"""Replacing foreign functions: nothing about them changes, and our errors stay ours."""

import copy
import inspect
import pickle
import sys
import types

import pytest

from autolog import config, guard, patching
from autolog.patching import patch

MODULE = sys.modules[__name__]


def add(a: int, b: int = 2, *rest: int, scale: float = 1.0) -> float:
    """Adds."""
    return (a + b + sum(rest)) * scale


class Base:
    def greet(self, word="hello"):
        return f"{word} {type(self).__name__}"

    @classmethod
    def make(cls):
        return cls.__name__

    @staticmethod
    def plain(x):
        return x * 2


class Derived(Base):
    def fail(self):
        raise KeyError("mine")


def watching(seen):
    def hook(call):
        seen.append(("before", call.args, call.kwargs))
        result = yield
        seen.append(("after", result))

    return hook


@pytest.fixture
def production(monkeypatch):
    """As in production: autolog's own errors are recorded, not raised."""
    monkeypatch.setenv("AUTOLOG_STRICT", "0")
    monkeypatch.setattr(config, "_cached", None)
    monkeypatch.setattr(guard, "_failures", {})
    yield
    config._cached = None


@pytest.fixture
def patched():
    undos = []

    def do(owner, name, hook):
        undos.append(patch(owner, name, hook))
        return undos[-1]

    yield do
    for undo in reversed(undos):
        undo()


def test_the_original_runs_once_with_the_users_arguments(patched):
    seen = []
    patched(MODULE, "add", watching(seen))
    assert add(1, scale=2.0) == 6.0
    assert seen == [("before", (1,), {"scale": 2.0}), ("after", 6.0)]


def test_what_is_known_of_a_function_stays(patched):
    before = (
        add.__name__, add.__qualname__, add.__doc__, add.__module__, add.__annotations__, add.__defaults__,
        inspect.signature(add), inspect.getfullargspec(add), inspect.getsource(add), pickle.dumps(add),
    )  # fmt: skip
    original = add
    undo = patched(MODULE, "add", watching([]))
    assert add is not original
    after = (
        add.__name__, add.__qualname__, add.__doc__, add.__module__, add.__annotations__, original.__defaults__,
        inspect.signature(add), inspect.getfullargspec(add), inspect.getsource(add), pickle.dumps(add),
    )  # fmt: skip
    assert before == after
    assert inspect.isfunction(add)
    assert copy.copy(add) is add
    assert copy.deepcopy(add) is add
    assert pickle.loads(pickle.dumps(add)) is add
    assert patching.original(add) is original
    undo()
    assert add is original


def test_methods_stay_methods(patched):
    for name in ("greet", "make", "plain"):
        patched(Base, name, watching([]))
    thing = Derived()
    assert (thing.greet("hi"), Derived.make(), Derived.plain(2), thing.plain(3)) == ("hi Derived", "Derived", 4, 6)
    assert pickle.loads(pickle.dumps(Base.greet)) is Base.greet
    assert pickle.loads(pickle.dumps(thing.greet))() == "hello Derived"
    assert isinstance(vars(Base)["make"], classmethod)
    assert isinstance(vars(Base)["plain"], staticmethod)


def test_undo_puts_back_the_identical_objects():
    before = dict(vars(Base))
    undos = [patch(Base, name, watching([])) for name in ("greet", "make", "plain")]
    assert vars(Base)["greet"] is not before["greet"]
    for undo in undos:
        undo()
    assert all(vars(Base)[name] is before[name] for name in before)


def test_undo_of_an_inherited_method_leaves_no_attribute():
    seen = []
    undo = patch(Derived, "greet", watching(seen))
    assert Derived().greet() == "hello Derived"
    assert Base().greet() == "hello Base"
    assert len(seen) == 2
    undo()
    assert "greet" not in vars(Derived)


def test_undo_under_another_tools_patch_only_goes_to_sleep():
    seen = []
    original = vars(Base)["greet"]
    undo = patch(Base, "greet", watching(seen))
    ours = Base.greet
    Base.greet = lambda self: ours(self) + "!"
    try:
        undo()
        assert Base().greet() == "hello Base!"
        assert seen == []
    finally:
        Base.greet = original


def test_a_dotted_path_names_a_method_of_a_module(patched):
    seen = []
    patched(MODULE, "Base.greet", watching(seen))
    Derived().greet()
    assert seen[-1] == ("after", "hello Derived")


def test_the_hosts_error_passes_unchanged(patched):
    seen = []

    def hook(call):
        try:
            yield
        except KeyError as error:
            seen.append(error)
            raise RuntimeError("a hook may raise here") from error

    def quiet(call):
        with pytest.raises(KeyError):
            yield

    expected = None
    try:
        Derived().fail()
    except KeyError as error:
        expected = (type(error), error.args, error.__cause__, error.__context__)
    for one in (quiet, watching([])):
        undo = patch(Derived, "fail", one)
        with pytest.raises(KeyError) as caught:
            Derived().fail()
        undo()
        error = caught.value
        assert (type(error), error.args, error.__cause__, error.__context__) == expected
        names = [entry.name for entry in caught.traceback]
        assert names[-1] == "fail"
        assert "throw" not in names
    patched(Derived, "fail", hook)
    with pytest.raises(RuntimeError, match="a hook may raise"):  # strict: tests see what production swallows
        Derived().fail()
    assert isinstance(seen[0], KeyError)


@pytest.mark.usefixtures("production")
def test_our_errors_are_counted_and_never_reach_the_host(patched, caplog):
    def before(call):
        call.args = ("broken",)
        raise ValueError("ours, before")
        yield

    def after(call):
        yield
        raise ValueError("ours, after")

    def twice(call):
        yield
        yield

    def no_generator(call):
        return None

    def never_yields(call):
        return
        yield

    for hook in (before, after, twice, no_generator, never_yields):
        undo = patch(MODULE, "add", hook)
        assert [add(1), add(1)] == [3, 3]
        undo()
    (failure,) = guard.failures().values()
    assert failure.count == 10
    assert "ours, before" in failure.traceback
    assert len(caplog.records) == 1  # once per place

    def breaks_on_error(call):
        try:
            yield
        except KeyError:
            raise ZeroDivisionError from None

    patched(Derived, "fail", breaks_on_error)
    with pytest.raises(KeyError, match="mine"):
        Derived().fail()


def test_ctrl_c_in_a_hook_belongs_to_the_host(patched):
    def hook(call):
        raise KeyboardInterrupt
        yield

    patched(MODULE, "add", hook)
    with pytest.raises(KeyboardInterrupt):
        add(1)


def test_hooks_may_replace_arguments_by_copies(patched):
    def hook(call):
        call.kwargs = {**call.kwargs, "scale": 10.0}
        yield

    patched(MODULE, "add", hook)
    mine = {"scale": 1.0}
    assert add(1, **mine) == 30.0
    assert mine == {"scale": 1.0}


def test_arguments_are_found_however_they_are_passed(patched):
    found = []

    def hook(call):
        found.append((call.argument("b"), call.argument("scale"), call.argument("nothing", "default")))
        yield

    patched(MODULE, "add", hook)
    add(1, 5)
    add(1, b=6, scale=3.0)
    with pytest.raises(TypeError):
        add()
    assert found == [(5, None, "default"), (6, 3.0, "default"), (None, None, "default")]


def test_builtins_without_a_signature_can_be_patched():
    seen = []
    module = types.ModuleType("m")
    module.vars = vars
    undo = patch(module, "vars", watching(seen))
    assert module.vars(Base) is not None
    assert len(seen) == 2
    undo()
    assert module.vars is vars


def test_a_missing_attribute_is_an_error():
    with pytest.raises(AttributeError):
        patch(Base, "nothing", watching([]))


def test_workers_hooks_sleep(patched, monkeypatch):
    seen = []
    patched(MODULE, "add", watching(seen))
    monkeypatch.setattr(patching, "_silent", True)
    assert add(1) == 3
    assert seen == []


def decorated(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


@decorated
def kept_by_name(x):
    return x + 1


def test_what_a_decorator_wraps_is_reached_through_the_same_object():
    seen = []

    def hook(call):
        seen.append(call.args)
        seen.append((yield))

    before, inside = kept_by_name, kept_by_name.__closure__[0].cell_contents
    undo = patching.patch_closure(kept_by_name, "function", hook)
    assert before(2) == 3
    assert seen == [(2,), 3]
    undo()
    assert kept_by_name.__closure__[0].cell_contents is inside
    assert before(2) == 3
    assert len(seen) == 2
    with pytest.raises(AttributeError, match="no 'other' in its closure"):
        patching.patch_closure(kept_by_name, "other", hook)
    with pytest.raises(AttributeError):
        patching.patch_closure(len, "function", hook)


def test_a_class_pickled_by_value_holds_the_original():
    class Mine:
        def fit(self, x):
            return x

    kept, seen = vars(Mine)["fit"], []

    def hook(call):
        seen.append(call.args[1])
        yield

    undo = patch(Mine, "fit", hook, by_value=True)
    assert Mine().fit(1) == Mine.fit(Mine(), 1) == 1
    assert seen == [1, 1]
    assert pickle.loads(pickle.dumps(vars(Mine)["fit"].__reduce__()[0])) is copy.copy
    function, (argument,) = vars(Mine)["fit"].__reduce__()
    assert function(argument) is kept
    assert inspect.isfunction(Mine.fit)
    assert vars(Mine)["fit"].__name__ == "fit"
    undo()
    assert vars(Mine)["fit"] is kept
