"""An MLflow server or store: parameters, metrics, tags, artifacts, data sets and child runs, under MLflow's own names.

Resending doubles nothing: MLflow's databases keep one of equal points, parameters and tags are what they are, and runs
are found again by a tag. docs/mlflow.md says what becomes what.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolog import events
from autolog.backends.mlflow_facts import dataset_of, tags_of
from autolog.backends.mlflow_runs import Runs, experiment_named
from autolog.backends.mlflow_values import Fitter
from autolog.journal import is_system, journals, read
from autolog.plugins import Report

if TYPE_CHECKING:
    from autolog.config import Settings
    from autolog.plugins import Chunk, RunEnd, RunHeader

__all__ = ["Mlflow", "create"]

_METRICS, _OTHERS = 1000, 100
"""Most metrics, and most parameters and tags, of one request."""
_STATUS = {"completed": "FINISHED", "failed": "FAILED", "interrupted": "KILLED", "killed": "KILLED", "lost": "FAILED"}
_NOTES = "autolog.notes"
_NEVER = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST", "INVALID_STATE")
"""MLflow's words for what it will not take however often it is sent."""
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""MLflow's own retries would go on for minutes out of sight: ours are seen, and end when nobody waits any more."""


class _Batch:
    """What one MLflow run gets next."""

    def __init__(self) -> None:
        self.metrics: list[Any] = []
        self.parameters: dict[str, str] = {}
        self.tags: dict[str, str] = {}


class Mlflow:
    """Sends one run to one MLflow.

    Args:
        uri: its tracking address or store.
    """

    name = "mlflow"

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._client: Any = None
        self._runs: Runs | None = None
        self._fit = Fitter()
        self._directory = Path()
        self._report = Report()
        self._start: events.RunStart | None = None
        self._batches: dict[str, _Batch] = {}
        self._careful = "://" not in uri or uri.startswith("file:")
        """Folders of files keep equal points twice: what may have come before is looked up."""
        self._parameters: dict[str, dict[str, str]] = {}
        """Parameters that MLflow has, by its run: it takes no second value."""

    def open(self, run: RunHeader) -> None:
        """Find the runs that there are, or the experiment.

        Raises:
            Exception: MLflow's own: it cannot be reached, or refuses.
        """
        from mlflow import MlflowClient

        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        self._start, self._directory, self._report = run.start, Path(run.directory), run.report
        self._client = MlflowClient(tracking_uri=self._uri)
        self._runs = Runs(self._client, experiment_named(self._client, run.start.project), run.start)
        for path in self._own_journals():
            self._runs.learn(record for record, _ in read(path))

    def _own_journals(self) -> list[Path]:
        return [path for path in journals(self._directory) if not is_system(path.name)]

    def send(self, chunk: Chunk) -> None:
        """Translate the records, and send what came of them.

        Raises:
            Exception: MLflow's own; nothing of the chunk counts as sent then.
        """
        assert self._runs is not None  # noqa: S101  open() comes first
        self._batches.clear()
        self._fit.begin()
        records = list(chunk.records())
        self._runs.learn(records)
        if self._runs.split():
            self._tell_again()
        for record in records:
            self._take(record)
        self._flush()
        self._careful = False
        for what, count in self._fit.changed().items():
            self._report.lost("value", what, count=count)

    def _tell_again(self) -> None:
        """A new parent gets what was said of the run itself so far."""
        for path in self._own_journals():
            for record, _ in read(path):
                if record.child is None:
                    self._take(record)
        self._flush()

    # -- one record ------------------------------------------------------------------------------------------------

    def _take(self, record: events.Record) -> None:
        if isinstance(record, events.Metrics):
            self._take_metrics(record.child, record.values, record.time, self._fit.step(record.step))
        elif isinstance(record, events.System) and self._start is not None:
            values = {f"system/{name}": value for name, value in record.values.items()}
            self._take_metrics(None, values, record.time, max(0, round(record.time - self._start.time)))
        elif isinstance(record, events.Params):
            self._take_parameters(record.child, record.values)
        elif isinstance(record, events.Args):
            self._take_parameters(record.child, {f"args.{name}": each["value"] for name, each in record.values.items()})
        elif isinstance(record, events.Asset):
            self._take_asset(record)
        else:
            tags, removed = tags_of(record)
            self._batch(record.child).tags.update({self._fit.name(name): self._fit.tag(tags[name]) for name in tags})
            for name in removed:
                self._remove_tag(record.child, self._fit.name(name))
            if isinstance(record, events.Name) and record.child is None:
                self._client.update_run(self._of(None), name=record.name)
            elif isinstance(record, events.RunStart) and record.resumed:  # it may have ended before
                self._client.update_run(self._of(None), status="RUNNING")

    def _take_metrics(self, child: str | None, values: dict[str, events.Number], time: float, step: int) -> None:
        from mlflow.entities import Metric

        batch = self._batch(child)
        for name, written in values.items():
            batch.metrics.append(Metric(self._fit.name(name), self._fit.metric(written), int(time * 1000), step))
        if len(batch.metrics) >= _METRICS:
            self._flush()

    def _take_parameters(self, child: str | None, values: dict[str, Any]) -> None:
        batch, run = self._batch(child), self._of(child)
        known = self._parameters.get(run)
        if known is None:
            known = self._parameters[run] = dict(self._client.get_run(run).data.params)
        for given, value in values.items():
            name, text = self._fit.name(given), self._fit.parameter(value)
            before = known.setdefault(name, text)
            if before == text:
                batch.parameters[name] = text
            else:  # MLflow keeps the first value of a parameter; the newest is a tag
                self._fit.changes["parameters changed: MLflow keeps the first value, a tag has the newest"] += 1
                batch.tags[self._fit.name(f"autolog.param.{given}")] = self._fit.tag(text)

    def _take_asset(self, asset: events.Asset) -> None:
        run = self._of(asset.child)
        if asset.kind == "dataset":
            self._client.log_inputs(run, [dataset_of(asset)])
        if asset.path is None:
            if asset.uri:
                self._batch(asset.child).tags[self._fit.name(f"autolog.asset.{asset.name}")] = self._fit.tag(asset.uri)
            return
        path = self._directory / asset.path
        if path.is_file():
            self._log_file(run, path, asset)
            self._report.moving(f"{asset.kind}/{asset.name}")
        else:
            self._report.lost("asset", "the file is gone", where=asset.path)

    def _log_file(self, run: str, path: Path, asset: events.Asset) -> None:
        """MLflow names an artifact as its file: so the file gets the asset's name, by a link in a folder of its own."""
        from tempfile import TemporaryDirectory

        parts = [part for part in asset.name.split("/") if part not in ("", ".", "..")] or ["asset"]
        name = parts[-1] if parts[-1].endswith(path.suffix) else parts[-1] + path.suffix
        if asset.step is not None:
            stem = name.removesuffix(path.suffix)
            name = f"{stem}-{self._fit.step(asset.step)}{path.suffix}"
        with TemporaryDirectory() as folder:
            link = Path(folder) / name
            link.symlink_to(path)
            self._client.log_artifact(run, str(link), "/".join([asset.kind, *parts[:-1]]))

    def _remove_tag(self, child: str | None, name: str) -> None:
        run = self._of(child)
        self._flush()
        if name in self._client.get_run(run).data.tags:
            self._client.delete_tag(run, name)

    # -- sending ---------------------------------------------------------------------------------------------------

    def _of(self, child: str | None) -> str:
        assert self._runs is not None  # noqa: S101  open() comes first
        return self._runs.of(child)

    def _batch(self, child: str | None) -> _Batch:
        return self._batches.setdefault(self._of(child), _Batch())

    def _flush(self) -> None:
        from mlflow.entities import Param, RunTag

        for run, batch in self._batches.items():
            if self._careful:
                batch.metrics = self._missing(run, batch.metrics)
            for at in range(0, len(batch.metrics), _METRICS):
                self._log(run, "metrics", batch.metrics[at : at + _METRICS])
                self._report.moving("metrics")
            parameters = [Param(name, value) for name, value in batch.parameters.items()]
            for at in range(0, len(parameters), _OTHERS):
                self._log(run, "params", parameters[at : at + _OTHERS])
            tags = [RunTag(name, value) for name, value in batch.tags.items()]
            for at in range(0, len(tags), _OTHERS):
                self._log(run, "tags", tags[at : at + _OTHERS])
        self._batches.clear()

    def _log(self, run: str, what: str, items: list[Any]) -> None:
        """One request; where MLflow takes it for invalid, fewer at a time: one bad value must not hold up the rest."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.log_batch(run, synchronous=True, **{what: items})
        except MlflowException as error:
            if error.error_code not in _NEVER:
                raise
            if len(items) == 1:
                self._fit.refused(f"{what} that MLflow refuses ({str(error).splitlines()[0][:200]})")
                return
            middle = len(items) // 2
            self._log(run, what, items[:middle])
            self._log(run, what, items[middle:])

    def _missing(self, run: str, metrics: list[Any]) -> list[Any]:
        known = {
            (key, point.timestamp, point.step, point.value)
            for key in {metric.key for metric in metrics}
            for point in self._client.get_metric_history(run, key)
        }
        return [each for each in metrics if (each.key, each.timestamp, each.step, each.value) not in known]

    # -- the end ---------------------------------------------------------------------------------------------------

    def close(self, end: RunEnd) -> None:
        """Give every MLflow run its end, and the run its console and source.

        Raises:
            Exception: MLflow's own.
        """
        from autolog.store import read_run
        from autolog.store.summary import descendants

        del end  # the journals say more
        assert self._runs is not None  # noqa: S101  open() comes first
        seen, run = read_run(self._directory), self._of(None)
        for path in sorted(self._directory.glob("console*.log")):
            self._client.log_artifact(run, str(path))
        if (self._directory / "source").is_dir():
            self._client.log_artifacts(run, str(self._directory / "source"), "source")
        if (told := self._fit.told()) != "":
            self._client.set_tag(run, _NOTES, told)
        ended = {child.id: child for child in descendants(seen)}
        for child, nested in self._runs.children.items():
            if child in ended:
                self._end(nested, ended[child].status, ended[child].ended_at)
        self._end(run, seen.status, seen.ended_at)

    def _end(self, run: str, status: str, ended_at: float | None) -> None:
        if status in _STATUS:
            self._client.set_terminated(run, _STATUS[status], None if ended_at is None else int(ended_at * 1000))


def create(settings: Settings) -> Mlflow:
    """Make the backend. Where MLflow is: the setting ``mlflow_uri``, or ``url`` where no other backend needs it, else
    ``MLFLOW_TRACKING_URI``.

    Raises:
        ValueError: nothing says where.
    """
    alone = "http" not in settings.backend
    uri = settings.mlflow_uri or (settings.url if alone else "") or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise ValueError("the backend mlflow needs the setting `mlflow_uri`: MLflow's tracking address or store")
    return Mlflow(uri)
