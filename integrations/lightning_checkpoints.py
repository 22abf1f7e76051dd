"""A ``Trainer``'s checkpoints, by reference: step and score of each, the best, the last, those removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autolog.integrations.lightning_values import settled

if TYPE_CHECKING:
    from autolog.run import Run

__all__ = ["Checkpoints", "absolute", "log_file", "log_saved"]

_HASHED = 4 << 20
_AXES = ("path", "step", "epoch")


class Checkpoints:
    """The checkpoints of one fit."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._all: dict[str, dict[str, Any]] = {}
        self._later: list[str] = []

    def saved(self, trainer: Any, place: str) -> None:
        """``Trainer.save_checkpoint`` has returned."""
        told: dict[str, Any] = {"path": absolute(place), "step": trainer.global_step, "epoch": trainer.current_epoch}
        owner = next((each for each in trainer.checkpoint_callbacks if place in _places(each)), None)
        told["saved_by"] = "Trainer.save_checkpoint" if owner is None else type(owner).__name__
        if owner is not None:
            told |= _score(owner, place)
            if "score" in told and place == owner.best_model_path:
                told["best_so_far"] = True
        self._all[place] = told
        self._run.log_fact("checkpoints", [told], append=True)
        if _exists(place):
            self._log(Path(place).name, place, told)
        else:  # an asynchronous plugin is still writing it
            self._later.append(place)

    def end(self, trainer: Any) -> None:
        """The fit is over: which is the best, which the last, and which have been removed to make room."""
        for place in self._later:
            if _exists(place):
                self._log(Path(place).name, place, self._all[place])
        callbacks = [each for each in trainer.checkpoint_callbacks if hasattr(each, "best_model_path")]
        for callback in callbacks:  # of a trainer that saves in another way; a link
            for place in sorted(_places(callback) - set(self._all)):
                if _exists(place):
                    self._all[place] = {"path": absolute(place), **_score(callback, place)}
        best = {each.best_model_path for each in callbacks}
        last = {each.last_model_path for each in callbacks}
        if self._all:
            self._run.log_fact("checkpoints", [_ended(place, told, best, last) for place, told in self._all.items()])
        for callback in callbacks:
            suffix = "" if len(callbacks) == 1 else f"/{callback.monitor or 'unmonitored'}"
            for what in ("best", "last"):
                place = getattr(callback, f"{what}_model_path")
                if place and _exists(place):
                    self._log(what + suffix, place, _settled(self._all.get(place, {})))

    def _log(self, name: str, place: str, told: dict[str, Any]) -> None:
        more = {key: value for key, value in told.items() if key not in _AXES}
        log_file(self._run, name, place, (told.get("step"), told.get("epoch")), more)


def log_saved(run: Run, trainer: Any, place: str) -> None:
    """A checkpoint that the program has saved outside of a fit."""
    if _exists(place):
        at = (trainer.global_step, trainer.current_epoch)
        log_file(run, Path(place).name, place, at, {"saved_by": "Trainer.save_checkpoint"})


def log_file(run: Run, name: str, place: str, at: tuple[Any, Any], more: dict[str, Any]) -> None:
    """Record a checkpoint by reference; the content of a small file is hashed.

    Args:
        run: where.
        name: of the asset.
        place: path or URI.
        at: step and epoch.
        more: what is known of it.
    """
    file = Path(place)
    small = "://" not in place and file.is_file() and file.stat().st_size <= _HASHED
    run.log_model(name, place, at[0], checksum=small, epoch=at[1], metadata=more)


def absolute(place: str) -> str:
    """The path as it can be found from elsewhere; a URI stays."""
    return place if "://" in place else str(Path(place).absolute())


def _ended(place: str, told: dict[str, Any], best: set[str], last: set[str]) -> dict[str, Any]:
    marks = {"best": place in best, "last": place in last, "removed": not _exists(place)}
    return _settled(told) | {name: True for name, holds in marks.items() if holds}


def _settled(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "best_so_far"}


def _places(callback: Any) -> set[str]:
    """Paths that a callback knows as its own; ``OnExceptionCheckpoint`` has one of its own."""
    places = {getattr(callback, name, None) for name in ("best_model_path", "last_model_path", "ckpt_path")}
    return {str(place) for place in (*places, *getattr(callback, "best_k_models", ())) if place}


def _score(callback: Any, place: str) -> dict[str, Any]:
    monitor = getattr(callback, "monitor", None)
    if monitor is None:
        return {}
    told = {"monitor": monitor, "mode": getattr(callback, "mode", None)}
    score = getattr(callback, "best_k_models", {}).get(place)
    return told if score is None else told | {"score": settled(score)}


def _exists(place: str) -> bool:
    return "://" in place or Path(place).exists()
