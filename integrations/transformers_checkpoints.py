"""A ``Trainer``'s checkpoints, by reference: which were saved at which step, which is the best, which are gone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["Checkpoints", "log_saved_model"]

_HASHED = 4 << 20
_WEIGHTS = (
    "model.safetensors", "adapter_model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json", "adapter_model.bin",
)  # fmt: skip


class Checkpoints:
    """The checkpoints of one training."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._all: dict[Path, dict[str, Any]] = {}
        self._place: Path | None = None

    def writing(self, place: str) -> None:
        """The trainer saves a model for itself: the folder of the checkpoint that is being made."""
        self._place = _absolute(place)

    def saved(self, args: Any, state: Any) -> None:
        """A checkpoint is whole."""
        place, self._place = self._place, None
        place = place or _absolute(args.output_dir) / f"checkpoint-{state.global_step}"
        if not place.is_dir():  # of a trainer that saves elsewhere, or on another node
            return
        self._look()
        told = {"path": str(place), "step": state.global_step, "epoch": state.epoch}
        best = _is(place, state.best_model_checkpoint)
        if best:
            told["best_so_far"] = state.best_metric
        self._all[place] = told
        self._run.log_fact("checkpoints", [told], append=True)
        more = {"saved_by": "Trainer"} | ({"best_so_far": state.best_metric} if best else {})
        self._run.log_model(place.name, place, state.global_step, checksum=False, metadata=more)

    def end(self, args: Any, state: Any) -> None:
        """The training is over: what has become of them, and which is the best."""
        if self._all:
            self._look()
            best = state.best_model_checkpoint
            self._run.log_fact("checkpoints", [told | {"best": _is(place, best)} for place, told in self._all.items()])
        place = None if state.best_model_checkpoint is None else _absolute(state.best_model_checkpoint)
        if place is not None and place.is_dir():
            told = {"metric": args.metric_for_best_model, "value": state.best_metric}
            step = getattr(state, "best_global_step", None)
            self._run.log_model("best", place, _step_of(place) if step is None else step, checksum=False, metadata=told)

    def _look(self) -> None:
        """Which have been removed since, to make room."""
        gone = [told for place, told in self._all.items() if "removed" not in told and not place.exists()]
        for told in gone:
            told["removed"] = True
        if gone:
            steps = [{"path": told["path"], "step": told["step"]} for told in gone]
            self._run.log_fact("removed_checkpoints", steps, append=True)


def log_saved_model(run: Run, place: str, step: int) -> None:
    """Record a model that the program has saved by ``trainer.save_model``.

    Args:
        run: where.
        place: the folder. It often holds the checkpoints too, so that the weights themselves are what is referred to.
        step: the trainer's step.
    """
    folder = _absolute(place)
    if not folder.is_dir():
        return
    file = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), folder)
    small = file.is_file() and file.stat().st_size <= _HASHED
    told = {"saved_by": "Trainer.save_model", "folder": str(folder)}
    run.log_model(folder.name or file.name, file, step, checksum=small, metadata=told)


def _absolute(place: str) -> Path:
    return Path(place).absolute()


def _is(place: Path, best: str | None) -> bool:
    return best is not None and place == _absolute(best)


def _step_of(place: Path) -> int | None:
    number = place.name.rpartition("-")[2]
    return int(number) if number.isdigit() else None
