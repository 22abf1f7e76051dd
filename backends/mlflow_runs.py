"""Which MLflow run is which run or child run of ours.

A script with one fit is one MLflow run: the fit's records go to the run itself. Once a second outermost fit begins, the
MLflow run that there is becomes the first fit's, and gets a parent: so nothing has to be copied or taken back, and a
run can be watched from its first step. Every MLflow run carries whose it is as tags, and is found again by them after
any crash.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from autolog import events

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CHILD", "RUN", "Runs", "experiment_named"]

RUN, CHILD = "autolog.run", "autolog.child"
_PARENT = "mlflow.parentRunId"
_EVALUATIONS = {"evaluate", "evaluation", "test", "validate", "predict"}


class _Child(NamedTuple):
    id: str
    name: str
    kind: str
    parent: str | None
    time: float


class Runs:
    """The MLflow runs of one run of ours.

    Args:
        client: ``mlflow.MlflowClient``.
        experiment: id of the experiment.
        start: our run.
    """

    def __init__(self, client: Any, experiment: str, start: events.RunStart) -> None:
        self._client = client
        self._experiment = experiment
        self._start = start
        self._children: dict[str, _Child] = {}
        self._known: dict[str, str] = {}
        """MLflow's run ids by child id; ``""``: the run itself."""
        self._told: set[str] = set()
        found: dict[str, list[Any]] = {}
        for run in self._search():
            found.setdefault(run.data.tags.get(CHILD, ""), []).append(run)
        for child, same in found.items():
            self._known[child] = self._only(same)

    def learn(self, records: Iterable[events.Record]) -> None:
        """Take note of child runs that have begun, without making anything of them yet."""
        for record in records:
            if isinstance(record, events.Child) and record.child is not None:
                self._children.setdefault(
                    record.child, _Child(record.child, record.name, record.kind, record.parent, record.time)
                )

    def of(self, child: str | None) -> str:
        """MLflow's id of the run that a record of this child belongs to, which is made where it is missing."""
        home = self._home(child)
        if home not in self._known:
            self._known[home] = self._make(home)
        return self._known[home]

    def split(self) -> bool:
        """Once there are two outermost fits, the first one gets the MLflow run that there is, under a new parent.

        Returns:
            Whether the parent is new, and so lacks all that was said of the run itself.
        """
        fits = self._fits()
        if len(fits) < 2:
            return False
        first = self._known.get(fits[0])
        if first is None and "" in self._known:
            first = self._known[fits[0]] = self._known.pop("")
            self._client.set_tag(first, CHILD, fits[0])
            self._client.update_run(first, name=self._children[fits[0]].name)
        new = "" not in self._known
        parent = self.of(None)
        if first is not None and (new or fits[0] not in self._told):  # after a crash it may lack its parent
            self._client.set_tag(first, _PARENT, parent)
            self._told.add(fits[0])
            return True
        return new

    @property
    def children(self) -> dict[str, str]:
        """MLflow's ids of child runs that have runs of their own."""
        return {child: run for child, run in self._known.items() if child}

    def _fits(self) -> list[str]:
        return [each.id for each in self._children.values() if each.parent is None and each.kind not in _EVALUATIONS]

    def _home(self, child: str | None) -> str:
        if child is None or child not in self._children:
            return ""
        outermost = self._children[child].parent is None
        return "" if outermost and len(self._fits()) < 2 else child

    def _make(self, home: str) -> str:
        if not home:
            return self._create("", self._start.name, self._start.time, {})
        child = self._children[home]
        return self._create(home, child.name, child.time, {_PARENT: self.of(child.parent)})

    def _create(self, child: str, name: str, began: float, tags: dict[str, str]) -> str:
        marks = {RUN: self._start.id, CHILD: child} if child else {RUN: self._start.id}
        made = self._client.create_run(self._experiment, int(began * 1000), {**marks, **tags}, name)
        same = self._search(f" and tags.`{CHILD}` = '{child}'" if child else "")
        return self._only([run for run in same if run.data.tags.get(CHILD, "") == child] or [made])

    def _only(self, same: list[Any]) -> str:
        """MLflow asks again where an answer was lost, and then has two runs: one that holds nothing goes."""
        kept = max(same, key=lambda run: (len(run.data.metrics) + len(run.data.params), run.info.run_id))
        for run in same:
            if run is not kept and not run.data.metrics and not run.data.params:
                self._client.delete_run(run.info.run_id)
        return str(kept.info.run_id)

    def _search(self, more: str = "") -> list[Any]:
        found: list[Any] = []
        token = None
        mine = f"tags.`{RUN}` = '{self._start.id}'{more}"
        while True:
            page = self._client.search_runs([self._experiment], mine, page_token=token)
            found += page
            token = page.token
            if not token:
                return found


def experiment_named(client: Any, name: str) -> str:
    """Id of the experiment of that name, which is made where it is missing; another process may make it meanwhile.

    Raises:
        RuntimeError: it was deleted: MLflow takes nothing for it then.
        Exception: MLflow's own, where it does not make one.
    """
    for again in (True, True, False):
        known = client.get_experiment_by_name(name)
        if known is not None:
            if known.lifecycle_stage != "active":
                raise RuntimeError(f"MLflow's experiment {name!r} was deleted: restore it, or choose another project")
            return str(known.experiment_id)
        try:
            return str(client.create_experiment(name))
        except Exception:  # somebody was quicker: then it is found
            if not again:
                raise
            time.sleep(0.2)
    raise AssertionError("the last try returns or raises")
