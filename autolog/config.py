"""Settings: ``configure()``, ``AUTOLOG_*`` variables, ``autolog.toml`` and ``[tool.autolog]``.

Precedence, highest first: ``configure()`` > environment variables > ``autolog.toml`` > ``[tool.autolog]`` in
``pyproject.toml`` > the defaults below. Both files are looked for from the working directory upwards, and the
first directory that holds one of them ends the search.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from autolog.saying import say

__all__ = [
    "ConfigError",
    "Settings",
    "configure",
    "describe",
    "explicit",
    "load",
    "project_root",
    "runs_root",
    "settings",
    "spare_root",
    "weights_schedule",
]


class ConfigError(ValueError):
    """A setting is unknown or has a wrong value; the message names it, where it stands, and what would do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings with their defaults. Each is also ``AUTOLOG_<NAME>`` in the environment."""

    project: str = ""
    """Project of new runs. Empty: the name of the git root, else of the working directory."""
    dir: str = ""
    """Where runs are kept; a relative one in a file is meant from that file's folder on. Empty: ``.autolog`` in the git
    root, else in the working directory."""
    backend: list[str] = msgspec.field(default_factory=lambda: ["local"])
    """Where the record goes: ``local``, ``http``, ``mlflow``, or names of installed plugins."""
    url: str = ""
    """Address of the autolog or MLflow server."""
    token: str = ""
    """Access token for the server. Never written to a record."""
    name: str = ""
    """Name of the next run. Empty: a readable name is made."""
    tags: list[str] = []
    """Tags of new runs."""
    resume: str = ""
    """Id of a run that is to be continued."""
    disable: list[str] = []
    """Integrations and facts that stay off: ``keras``, ``console``, ``git`` …"""
    strict: bool = False
    """Raise autolog's own errors instead of recording them: for tests of integrations."""
    ranks: bool = True
    """Processes that torchrun, SLURM or MPI has started together are ranks of one run. Off: each has its own run."""
    sidecar: bool = True
    """Start the process beside training (system samples, git and package facts, how the run died)."""
    sample_interval: float = 5.0
    """Seconds between two system samples; they are the heartbeat as well."""
    mlflow_uri: str = ""
    """Tracking address or store of MLflow. Empty: ``url``, if no other backend has it, or ``MLFLOW_TRACKING_URI``."""
    bandwidth: float = 0.0
    """Most bytes a second that are sent to a server; 0: no bound."""
    ca_bundle: str = ""
    """File of certificates that an autolog server's is checked with, where the system's or REQUESTS_CA_BUNDLE's will
    not do."""
    search_candidates: int = 30
    """Most candidates of a hyperparameter search that get a child run of their own: the best; a table has all."""
    exit_wait: float = 5.0
    """Most seconds that the process waits at its end for remote backends."""
    redact: bool = True
    """Mask secrets before anything is written."""
    redact_names: list[str] = []
    """More names whose values are secret (matched case-insensitively as part of a name)."""
    source_max_bytes: int = 20_000_000
    """Most bytes of source code kept with a run."""
    weights: str = "epoch"
    """When histograms of weights and gradients are recorded: ``epoch``, ``off``, or a number of steps."""
    weights_budget: float = 0.01
    """Share of the training time that these histograms and norms may take; they thin themselves to keep it."""
    activations: bool = False
    """Also histograms of what the layers of a torch module put out, by forward hooks."""


_LISTS = {name for name, kind in Settings.__annotations__.items() if "list" in str(kind)}
# Variables that steer autolog without being settings.
_OTHER_VARIABLES = {"LAUNCHED", "PARENT", "RENDEZVOUS"}

_Layer: TypeAlias = "tuple[str, Mapping[str, Any]]"
_Problem: TypeAlias = "Callable[[ConfigError], None]"

_explicit: dict[str, Any] = {}
_cached: Settings | None = None


def configure(**values: Any) -> Settings:
    """Change settings of this process; they hold for runs that begin afterwards.

    Args:
        **values: fields of :class:`Settings`. A single string is accepted for a list
            (``backend="http"``). ``None`` takes an earlier ``configure`` of that setting back.

    Returns:
        The settings now in force.

    Raises:
        ConfigError: an unknown setting, or a value of the wrong type. Nothing is changed then.
    """
    global _cached  # noqa: PLW0603  the settings of the process are one of its few globals
    merged = {name: value for name, value in {**_explicit, **values}.items() if value is not None}
    for name in values:
        _known(name, "configure()")
    checked = _merge([("configure()", merged)], _raise)
    _explicit.clear()
    _explicit.update(checked)
    _cached = None
    return settings()


def explicit() -> dict[str, Any]:
    """What ``configure()`` has said: a worker process is told the same."""
    return dict(_explicit)


def settings() -> Settings:
    """The settings in force, read once from files and environment.

    A wrong setting in a file or variable is said on stderr and left out: it must not stop a training.
    """
    global _cached  # noqa: PLW0603  see configure()
    if _cached is None:
        _cached = Settings(**_merge([*_layers(_say), ("configure()", _explicit)], _say))
    return _cached


def load() -> Settings:
    """The settings as files, environment and ``configure()`` say now, for a command a person runs.

    Raises:
        ConfigError: a file or a variable holds an unknown or ill-typed setting.
    """
    return Settings(**_merge([*_layers(_raise), ("configure()", _explicit)], _raise))


def describe() -> dict[str, tuple[Any, str]]:
    """Every setting with its value and where it comes from, for ``autolog doctor``.

    Raises:
        ConfigError: see :func:`load`.
    """
    layers = [*_layers(_raise), ("configure()", _explicit)]
    sources = {name: source for source, values in layers for name in values}
    values = msgspec.structs.asdict(load())
    values["token"] = "(set)" if values["token"] else ""
    return {name: (value, sources.get(name, "default")) for name, value in values.items()}


def spare_root() -> Path:
    """Where runs are kept that have no other place."""
    import tempfile

    return Path(tempfile.gettempdir()) / f"autolog-{os.getuid()}"


def _here() -> Path:
    """The working directory; where it has been removed, a place for runs without any."""
    try:
        return Path.cwd()
    except OSError:
        return spare_root()


def project_root(start: Path | None = None) -> Path:
    """The git root above ``start`` (default: the working directory), else ``start`` itself."""
    here = (start or _here()).resolve()
    for folder in (here, *here.parents):
        if os.path.exists(folder / ".git"):  # noqa: PTH110  in a folder that may not be searched, pathlib raises
            return folder
    return here


def runs_root(chosen: Settings | None = None) -> Path:
    """The directory that holds ``<project>/<run-id>``."""
    configured = (chosen or settings()).dir
    return Path(configured) if configured else project_root() / ".autolog"


def _raise(problem: ConfigError) -> None:
    raise problem


def _say(problem: ConfigError) -> None:
    say(f"{problem} (this setting is ignored)")


def _merge(layers: list[_Layer], problem: _Problem) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for source, values in layers:
        for name, value in values.items():
            try:
                merged[name] = _checked(name, value, source)
            except ConfigError as error:
                problem(error)
    return merged


def _layers(problem: _Problem) -> list[_Layer]:
    return [*_file_layers(problem), ("environment", _environment())]


def _file_layers(problem: _Problem) -> list[_Layer]:
    here = _here()
    for folder in (here, *here.parents):
        project, own = folder / "pyproject.toml", folder / "autolog.toml"
        found: list[_Layer] = []
        try:
            if os.path.isfile(project) and b"[tool.autolog" in _bytes(project):  # noqa: PTH113  it never raises
                found.append((str(project), _toml(project).get("tool", {}).get("autolog", {})))
            if os.path.isfile(own):  # noqa: PTH113  the same
                found.append((str(own), _toml(own)))
        except ConfigError as error:
            problem(error)
        if found:
            return found
    return []


def _toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        values: dict[str, Any] = tomllib.loads(_bytes(path).decode("utf-8"))
        return values
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be read as TOML: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _environment() -> dict[str, Any]:
    return {
        variable[8:].lower(): text
        for variable, text in os.environ.items()
        if variable.startswith("AUTOLOG_") and variable[8:] not in _OTHER_VARIABLES
    }


def _known(name: str, source: str) -> None:
    if name in Settings.__struct_fields__:
        return
    import difflib

    near = difflib.get_close_matches(name, Settings.__struct_fields__, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known settings: {', '.join(Settings.__struct_fields__)}"
    raise ConfigError(f"{source}: unknown setting {name!r}; {hint}")


def _checked(name: str, value: Any, source: str) -> Any:
    _known(name, f"variable AUTOLOG_{name.upper()}" if source == "environment" else source)
    kind = str(Settings.__annotations__[name])
    if name in _LISTS and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    wanted: Any = {"str": str, "bool": bool, "float": float, "int": int, "list[str]": list[str]}[kind]
    if name == "weights":
        return weights_schedule(value, source)
    try:
        # Variables are text: "0.5", "true" and "1" are read as what the setting is. Files are typed already.
        converted = msgspec.convert(value, wanted, strict=source != "environment")
    except msgspec.ValidationError:
        where = f"variable AUTOLOG_{name.upper()}" if source == "environment" else source
        raise ConfigError(f"{where}: setting {name!r} must be {kind}, got {value!r}") from None
    if name == "dir" and converted:  # it must mean the same after a chdir, and in every folder below its file
        base = Path(source).parent if source.endswith(".toml") else _here()
        return str(base / Path(converted).expanduser())
    if kind in ("float", "int") and not converted >= 0:
        raise ConfigError(f"{source}: setting {name!r} must not be negative, got {value!r}")
    return converted


def weights_schedule(value: Any, source: str) -> str:
    """The setting ``weights`` as text: ``False`` is ``off``, a number of steps its digits.

    Args:
        value: as it was given.
        source: where, for the message.

    Raises:
        ConfigError: it is neither ``epoch``, ``off`` nor a number of steps.
    """
    if value is False or str(value).lower() in ("off", "0", "false", "no"):
        return "off"
    text = str(value).lower()
    if value is True or text in ("epoch", "true", "on"):
        return "epoch"
    if isinstance(value, (str, int)) and text.isdecimal():
        return str(int(text))
    where = "variable AUTOLOG_WEIGHTS" if source == "environment" else source
    raise ConfigError(f"{where}: setting 'weights' must be 'epoch', 'off' or a number of steps, got {value!r}")
