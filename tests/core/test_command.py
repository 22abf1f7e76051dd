"""The command line and what argparse made of it, in the words of argparse; argparse itself is as before."""

from __future__ import annotations

import argparse
import copy
import enum
import inspect
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autolog.capture import arguments
from autolog.capture.command import command_facts, python_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGINALS = {
    name: vars(argparse.ArgumentParser)[name]
    for name in ("_parse_known_args", "_get_values", "parse_known_intermixed_args")
}


@pytest.fixture(autouse=True)
def _watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(arguments, "_arguments", {})
    undos = list(arguments.install())
    yield
    for undo in undos:
        undo()


def _seen(*names: str) -> dict[str, tuple[Any, Any, bool, str]]:
    found = arguments.parsed_arguments()
    return {name: tuple(found[name][part] for part in ("value", "default", "given", "type")) for name in names or found}  # type: ignore[misc]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?", default="mnist")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--name")
    parser.add_argument("-v", "--verbose", action="count", default=0)
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    return parser


def test_values_defaults_and_what_was_given() -> None:
    namespace = _parser().parse_args(["--lr", "1e-3", "-vv", "--amp", "--no-compile"])
    assert namespace.lr == 1e-3
    assert _seen() == {
        "data": ("mnist", "mnist", False, "str"),
        "lr": (0.001, 0.1, True, "float"),
        "layers": ([1, 2], [1, 2], False, "int"),
        "name": (None, None, False, "str"),
        "verbose": (2, 0, True, "int"),
        "amp": (True, False, True, "bool"),
        "compile": (False, True, True, "bool"),
    }


def test_given_as_the_default_is_still_given() -> None:
    _parser().parse_args(["--lr", "0.1", "mnist"])
    assert _seen("lr", "data") == {"lr": (0.1, 0.1, True, "float"), "data": ("mnist", "mnist", True, "str")}


def test_abbreviations_and_equals() -> None:
    _parser().parse_args(["--la", "3", "4", "--lr=2"])
    assert _seen("layers", "lr") == {"layers": ([3, 4], [1, 2], True, "int"), "lr": (2.0, 0.1, True, "float")}


def test_sub_parsers() -> None:
    parser = _parser()
    commands = parser.add_subparsers(dest="command")
    train = commands.add_parser("train")
    train.add_argument("--epochs", type=int, default="3")
    train.add_argument("--seed", type=int, default=0)
    train.set_defaults(run=len)
    parser.parse_args(["--lr", "2", "mnist", "train", "--seed", "5"])
    assert _seen("command", "epochs", "seed", "lr", "data") == {
        "command": ("train", None, True, "str"),
        "epochs": (3, 3, False, "int"),
        "seed": (5, 0, True, "int"),
        "lr": (2.0, 0.1, True, "float"),
        "data": ("mnist", "mnist", True, "str"),
    }
    assert _seen("run")["run"][2] is False


def test_intermixed_arguments() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--wd", type=float, default=0.5)
    parser.add_argument("files", nargs="*", default=["none"])
    parser.parse_intermixed_args(["a", "--lr", "3", "b"])
    assert _seen() == {
        "lr": (3.0, 0.1, True, "float"),
        "wd": (0.5, 0.5, False, "float"),
        "files": (["a", "b"], ["none"], True, "str"),
    }


def test_several_parses_and_known_args() -> None:
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--config")
    first.parse_known_args(["--config", "x.yaml", "--lr", "2"])
    seen: list[arguments.Arguments] = []
    stop = arguments.listen(seen.append)
    second = argparse.ArgumentParser(parents=[first])
    second.add_argument("--lr", type=float)
    second.set_defaults(lr=7.0)
    second.parse_args(["--config", "x.yaml"])
    stop()
    second.parse_args(["--lr", "9"])
    assert [set(found) for found in seen] == [{"config", "lr"}]
    assert seen[0]["lr"] == {"value": 7.0, "default": 7.0, "given": False, "type": "float"}
    assert _seen() == {"config": (None, None, False, "str"), "lr": (9.0, 7.0, True, "float")}


class Colour(enum.Enum):
    RED = "red"


def test_values_are_plain_json() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", type=Path)
    parser.add_argument("--colour", type=Colour)
    parser.add_argument("--double", type=lambda text: 2 * int(text))
    parser.add_argument("--out", type=argparse.FileType("w"), default="-")
    parser.parse_args(["--path", "a/b", "--colour", "red", "--double", "4"])
    assert _seen("path", "colour", "double") == {
        "path": ("a/b", None, True, "Path"),
        "colour": ("red", None, True, "Colour"),
        "double": (8, None, True, "int"),
    }
    assert arguments.parsed_arguments()["out"]["type"] == "FileType"
    json.dumps(arguments.parsed_arguments())


def test_errors_are_those_of_argparse(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        _parser().parse_args(["--lr", "fast"])
    assert exit_.value.code == 2
    watched = capsys.readouterr().err
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--lr", type=float)
    with pytest.raises(argparse.ArgumentError):
        parser.parse_args(["--lr", "fast"])
    assert arguments.parsed_arguments() == {}
    _parser().parse_args([])  # the failure left nothing behind
    assert _seen("lr") == {"lr": (0.1, 0.1, False, "float")}
    for undo in arguments.install():
        undo()
    with pytest.raises(SystemExit):
        _parser().parse_args(["--lr", "fast"])
    assert capsys.readouterr().err == watched


def test_argparse_stays_itself() -> None:
    for name, function in ORIGINALS.items():
        assert inspect.signature(getattr(argparse.ArgumentParser, name)) == inspect.signature(function)
    parser = _parser()
    before = pickle.dumps(parser.parse_args(["--lr", "1"]))
    assert copy.deepcopy(parser).parse_args(["--lr", "1"]) == parser.parse_args(["--lr", "1"])
    undos = list(arguments.install())
    for undo in undos:
        undo()
    assert pickle.dumps(parser.parse_args(["--lr", "1"])) == before


def test_undo_restores_the_originals() -> None:
    code = """
import argparse, sys
names = ("_parse_known_args", "_get_values", "parse_known_intermixed_args")
before = [vars(argparse.ArgumentParser)[name] for name in names]
from autolog.capture import arguments
undos = list(arguments.install())
during = [vars(argparse.ArgumentParser)[name] for name in names]
for undo in undos: undo()
after = [vars(argparse.ArgumentParser)[name] for name in names]
assert all(a is b for a, b in zip(before, after)) and not any(a is b for a, b in zip(before, during))
"""
    _python("-c", code)


def test_argparse_imported_later() -> None:
    code = """
import sys
for name in list(sys.modules):
    if name == "argparse": del sys.modules[name]
from autolog.capture import arguments
arguments.install()
import argparse
parser = argparse.ArgumentParser(); parser.add_argument("--x", type=int); parser.parse_args(["--x", "3"])
assert arguments.parsed_arguments()["x"]["value"] == 3
"""
    _python("-c", code)


def test_parser_built_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr", "3"])
    _parser().parse_args()
    assert _seen("lr") == {"lr": (3.0, 0.1, True, "float")}


def test_hf_argument_parser() -> None:
    code = """
import dataclasses, typing
from autolog.capture import arguments
arguments.install()
from transformers import HfArgumentParser
@dataclasses.dataclass
class Model:
    name: str = "gpt2"
    dropout: typing.Optional[float] = None
    freeze: bool = False
@dataclasses.dataclass
class Train:
    lr: float = 0.1
    betas: list[float] = dataclasses.field(default_factory=lambda: [0.9, 0.99])
model, train = HfArgumentParser((Model, Train)).parse_args_into_dataclasses(
    ["--dropout", "0.5", "--freeze", "--lr", "3"]
)
assert train.lr == 3
found = arguments.parsed_arguments()
assert found["dropout"] == {"value": 0.5, "default": None, "given": True, "type": "float"}, found
assert found["freeze"]["value"] is True and found["freeze"]["given"]
assert found["name"] == {"value": "gpt2", "default": "gpt2", "given": False, "type": "str"}, found
assert found["betas"]["value"] == [0.9, 0.99] and not found["betas"]["given"]
"""
    pytest.importorskip("transformers")
    _python("-c", code)


def test_jsonargparse_groups_are_taken_apart() -> None:
    code = """
import dataclasses, jsonargparse
from autolog.capture import arguments
arguments.install()
@dataclasses.dataclass
class Optimizer:
    lr: float = 0.1
    name: str = "adam"
def train(epochs: int = 3, optimizer: Optimizer = Optimizer()): return epochs
assert jsonargparse.CLI(train, args=["--optimizer.lr", "0.5", "--epochs", "4"]) == 4
found = arguments.parsed_arguments()
assert found["optimizer.lr"] == {"value": 0.5, "default": 0.1, "given": True, "type": "float"}, found
assert found["optimizer.name"] == {"value": "adam", "default": "adam", "given": False, "type": "str"}, found
assert found["epochs"] == {"value": 4, "default": 3, "given": True, "type": "int"}, found
"""
    pytest.importorskip("jsonargparse")
    _python("-c", code)


def _python(*command: str, **environment: str) -> str:
    env = {**os.environ, "AUTOLOG": "off", "AUTOLOG_STRICT": "1", **environment}
    done = subprocess.run([sys.executable, *command], env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


SHOW = "import json; from autolog.capture.command import *; print(json.dumps([entry(), command_facts()]))"


def test_entry_of_scripts_modules_and_commands(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SHOW)
    found, facts = json.loads(_python(str(script), "--lr", "3"))
    assert found == {"kind": "script", "path": str(script), "module": None}
    assert facts["argv"] == [str(script), "--lr", "3"]
    assert facts["orig_argv"][-3:] == [str(script), "--lr", "3"]
    assert facts["directory"] == str(Path.cwd())
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SHOW)
    found, _ = json.loads(_python("-m", "pack", PYTHONPATH=str(tmp_path)))
    assert found == {"kind": "module", "path": str(package / "__main__.py"), "module": "pack"}
    found, _ = json.loads(_python("-c", SHOW))
    assert found == {"kind": "command", "path": None, "module": None}


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); {SHOW}"
    _, facts = json.loads(_python("-c", code))
    assert facts["directory"] is None


def test_python() -> None:
    facts = python_facts()
    assert facts["version"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["executable"] == sys.executable
    assert json.loads(json.dumps(facts)) == facts
    assert command_facts()["pid"] == os.getpid()
