"""The record vocabulary: what a journal line can say, on disk and on the wire.

Every record is one JSON object on one line with a ``type`` and a ``time`` (seconds since the epoch, UTC).
``child`` names the child run a record belongs to; absent, it belongs to the run itself. Readers skip unknown
types and unknown fields, so that an old reader reads a new file. ``docs/format.md`` documents the format.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, Union, get_args

import msgspec

__all__ = [
    "FORMAT",
    "Archive",
    "Args",
    "Asset",
    "Child",
    "ChildEnd",
    "End",
    "Exit",
    "Fact",
    "Fields",
    "Health",
    "HealthKind",
    "Metrics",
    "Name",
    "Note",
    "Other",
    "Params",
    "Record",
    "Removed",
    "RunStart",
    "Status",
    "System",
    "Tags",
    "decode",
    "encode",
    "encode_text",
    "from_wire",
    "to_wire",
]

FORMAT = 1
"""Version of the file format, written in every ``run`` record."""

Status: TypeAlias = Literal["running", "completed", "failed", "interrupted", "killed", "lost"]
HealthKind: TypeAlias = Literal["lost", "redacted", "error", "notice"]
Number: TypeAlias = int | float | str
"""A metric value as written: a JSON number, or one of the strings ``NaN``, ``Infinity``, ``-Infinity``."""


class _Record(msgspec.Struct, tag_field="type", omit_defaults=True, kw_only=True):
    time: float
    child: str | None = None


class RunStart(_Record, tag="run"):
    """First line of every journal: whose journal this is. A resumed run writes another one."""

    id: str
    name: str
    project: str
    format: int = FORMAT
    version: str = ""
    pid: int = 0
    host: str = ""
    boot: str = ""
    """Kernel boot id: with ``host``, ``pid`` and ``pid_started`` it identifies one process for good."""
    pid_started: float = 0.0
    """Start of the process in clock ticks since boot (field 22 of ``/proc/PID/stat``)."""
    pid_namespace: str = ""
    parent: str | None = None
    """Id of the run whose process started this one, if any."""
    role: str = "main"
    """``main``, ``rank`` or ``worker``."""
    rank: int = 0
    job: str = ""
    """What all ranks of one launch have in common; empty outside of a job."""
    node: str = ""
    """Number or name of the process's node in its job."""
    resumed: bool = False


class Child(_Record, tag="child"):
    """A child run begins. ``child`` is its id, unique within the run."""

    name: str
    kind: str = "child"
    """``fit``, ``evaluate``, ``trial``, ``fold``, ``candidate`` …"""
    parent: str | None = None
    """The enclosing child; absent: the run itself."""
    integration: str | None = None


class ChildEnd(_Record, tag="child_end"):
    status: Status
    exception: dict[str, str] | None = None


class Metrics(_Record, tag="metrics"):
    """One or more metric values of the same moment."""

    values: dict[str, Number]
    step: int | float | None = None
    epoch: int | float | None = None


class Params(_Record, tag="params"):
    """Hyperparameters, flattened with ``.``. A later value of the same name replaces the earlier one in summaries."""

    values: dict[str, Any]
    source: str | None = None
    """Where they were read: ``keras.compile``, ``user`` …"""


class Args(_Record, tag="args"):
    """Parsed command-line arguments: ``{name: {"value", "default", "given", "type"}}``."""

    values: dict[str, dict[str, Any]]
    source: str = "argparse"


class Fact(_Record, tag="fact"):
    """Something known about the process or a fit: ``git``, ``packages``, ``host``, ``gpus``, ``seeds`` …

    A later fact of the same name replaces the earlier one; with ``append`` its value, a list, is added to it.
    """

    name: str
    value: Any
    append: bool = False


class Tags(_Record, tag="tags"):
    add: list[str] = []
    remove: list[str] = []


class Note(_Record, tag="note"):
    text: str


class Name(_Record, tag="name"):
    name: str


class Fields(_Record, tag="fields"):
    """What people add to a run by hand, to sort and find it by: ``{"reviewed": true}``. ``null`` takes a field away."""

    values: dict[str, Any]


class Archive(_Record, tag="archive"):
    """The run is kept, and left out of lists unless it is asked for; or taken back into them."""

    archived: bool = True


class Other(_Record, tag="other"):
    """Anything else a person wants kept beside the run (``log_other``)."""

    values: dict[str, Any]


class Asset(_Record, tag="asset"):
    """A stored or referenced file. ``path`` is relative to the run's directory (stored), ``uri`` a reference."""

    name: str
    kind: str
    """``image``, ``audio``, ``table``, ``histogram``, ``model``, ``dataset``, ``file`` …"""
    media_type: str = "application/octet-stream"
    hash: str | None = None
    """``sha256:<hex>`` of the content."""
    size: int | None = None
    path: str | None = None
    uri: str | None = None
    step: int | float | None = None
    epoch: int | float | None = None
    metadata: dict[str, Any] = {}


class Health(_Record, tag="health"):
    """What was lost, redacted, or failed inside autolog; never what a secret was."""

    kind: HealthKind
    where: str
    count: int = 1
    detail: str = ""


class System(_Record, tag="system"):
    """The sidecar's samples; also its heartbeat (``system.jsonl``)."""

    values: dict[str, Number]


class End(_Record, tag="end"):
    """How the run ended, as its own process saw it."""

    status: Status
    exit_code: int | None = None
    exception: dict[str, str] | None = None
    """``type``, ``message``, ``traceback``."""
    at_exit: bool = False
    """Written while the process was ending, so that an ``exit`` outranks it; otherwise (``finish()``) it is final."""


class Exit(_Record, tag="exit"):
    """How the process ended, as the kernel or a parent told it. It outranks ``end`` where they differ."""

    pid: int
    source: str
    """``pidfd``, ``zombie``, ``parent`` (``autolog run``), ``faulthandler``, ``none``."""
    exit_code: int | None = None
    signal: int | None = None
    oom: bool = False
    detail: str = ""
    rank: int = 0
    """With ``pid``: whose end this is. Processes on two nodes may have the same ``pid``."""


class Removed(_Record, tag="removed"):
    """An asset, tag or the run was removed by a person; kept as a record of it."""

    name: str


Record: TypeAlias = Union[  # noqa: UP007  nineteen types in a column read better than nineteen bars
    RunStart, Child, ChildEnd, Metrics, Params, Args, Fact, Tags, Note, Name, Fields, Archive, Other, Asset, Health,
    System, End, Exit, Removed,
]  # fmt: skip

_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_types = {str(kind.__struct_config__.tag) for kind in get_args(Record)}
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_wire(value: float) -> Number:
    """A metric value as it is written: JSON has no NaN and no infinity, so these become strings."""
    if value - value == 0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def from_wire(value: Number) -> float:
    """The inverse of :func:`to_wire`.

    Raises:
        ValueError: the string is none of the three words.
    """
    if isinstance(value, str):
        try:
            return _WORDS[value]
        except KeyError:
            raise ValueError(f"not a metric value: {value!r}") from None
    return float(value)


def _unknown(value: object) -> object:
    """Whatever JSON cannot hold is written as its text: a captured value never raises."""
    return repr(value)


encode_text = msgspec.json.Encoder(enc_hook=_unknown).encode
"""A record as JSON, quickly. Raises ``UnicodeEncodeError`` for text that is no UTF-8: see :func:`encode`."""


def encode(record: Any) -> bytes:
    """A record as JSON, without the newline. Lone surrogates, which UTF-8 cannot hold, are written as escapes."""
    try:
        return encode_text(record)
    except UnicodeEncodeError:
        return encode_text(_escaped(msgspec.to_builtins(record, enc_hook=_unknown)))


def _escaped(value: Any) -> Any:
    """A plain value whose texts are all UTF-8: undecodable file names, for instance, hold lone surrogates."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_escaped(key): _escaped(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_escaped(part) for part in value]
    return value


def decode(line: bytes) -> Record | None:
    """One line of a journal.

    Returns:
        The record, or ``None`` where its ``type`` is not known to this version.

    Raises:
        msgspec.DecodeError: the line is not JSON, or a known record with wrong fields.
    """
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError:
        loose = msgspec.json.decode(line)
        if isinstance(loose, dict) and loose.get("type") not in _types:
            return None
        raise
