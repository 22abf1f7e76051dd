"""What records say of a run as MLflow's tags, under MLflow's own names where it has some: its pages show those."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

from autolog import events

__all__ = ["dataset_of", "tags_of"]

_OWN = "tag."
"""Before tags of ours, which have no value: theirs is ``true``."""
_FIELD = "autolog.field."
"""Before fields that people set by hand."""


def tags_of(record: events.Record) -> tuple[dict[str, Any], list[str]]:
    """Tags that a record sets, and names of tags that it removes."""
    translate = _RECORDS.get(type(record))
    return ({} if translate is None else translate(record)), _removed(record)


def _removed(record: events.Record) -> list[str]:
    if isinstance(record, events.Tags):
        return [_OWN + tag for tag in record.remove]
    if isinstance(record, events.Fields):
        return [_FIELD + name for name, value in record.values.items() if value is None]
    return []


def _exception(record: events.ChildEnd | events.End) -> dict[str, Any]:
    known = record.exception
    return {"autolog.exception": f"{known.get('type')}: {known.get('message')}"} if known else {}


def _health(record: events.Health) -> dict[str, Any]:
    return {f"autolog.{record.kind}.{record.where}": record.detail} if record.kind in ("lost", "error") else {}


def _start(record: events.RunStart) -> dict[str, Any]:
    if record.role != "main":
        return {}
    return {"autolog.host": record.host, "autolog.version": record.version, "mlflow.source.type": "LOCAL"}


def _fact(record: events.Fact) -> dict[str, Any]:
    return _FACTS.get(record.name, _nothing)(record.value) if isinstance(record.value, dict) else {}


_RECORDS: dict[type, Callable[[Any], dict[str, Any]]] = {
    events.Tags: lambda record: {_OWN + tag: "true" for tag in record.add},
    events.Fields: lambda record: {
        _FIELD + name: _plain(value) for name, value in record.values.items() if value is not None
    },
    events.Note: lambda record: {"mlflow.note.content": record.text},
    events.Other: lambda record: {f"other.{name}": value for name, value in record.values.items()},
    events.Health: _health,
    events.ChildEnd: _exception,
    events.End: _exception,
    events.RunStart: _start,
    events.Fact: _fact,
}


def _plain(value: Any) -> Any:
    """Truth values in small letters, as everywhere in MLflow's tags and on autolog's command line."""
    return str(value).lower() if isinstance(value, bool) else value


def _nothing(_: dict[str, Any]) -> dict[str, Any]:
    return {}


def _git(value: dict[str, Any]) -> dict[str, Any]:
    named = {
        "mlflow.source.git.commit": value.get("commit"),
        "mlflow.source.git.branch": value.get("branch"),
        "mlflow.source.git.repoURL": value.get("remote"),
        "mlflow.source.git.dirty": None if value.get("dirty") is None else str(value["dirty"]).lower(),
    }
    return {name: text for name, text in named.items() if text}


def _host(value: dict[str, Any]) -> dict[str, Any]:
    return {"mlflow.user": value["user"]} if value.get("user") else {}


def _command(value: dict[str, Any]) -> dict[str, Any]:
    entry = value.get("entry") or {}
    name = entry.get("path") or entry.get("module")
    command = {"autolog.command": shlex.join(map(str, value.get("argv", [])))}
    return command | ({"mlflow.source.name": name} if name else {})


def _model(value: dict[str, Any]) -> dict[str, Any]:
    return {
        f"autolog.model.{name}": value[name]
        for name in ("class", "parameters", "trainable_parameters")
        if name in value
    }


_FACTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "git": _git,
    "host": _host,
    "command": _command,
    "model": _model,
}


def dataset_of(asset: events.Asset) -> Any:
    """A data set as MLflow's input: its name, fingerprint and what is known of it."""
    from mlflow.entities import Dataset, DatasetInput

    digest = asset.hash or str(asset.metadata.get("fingerprint") or asset.metadata.get("hash") or asset.name)
    source: dict[str, Any] = {"uri": asset.uri}
    source |= {name: asset.metadata[name] for name in ("source", "path") if name in asset.metadata}
    return DatasetInput(
        Dataset(
            name=asset.name[:500],
            digest=digest.removeprefix("sha256:")[:36],
            source_type="autolog",
            source=json.dumps(source, default=repr)[:65535],
            profile=json.dumps(asset.metadata, default=repr)[:100_000],
        )
    )
