"""Confusion matrices: a small JSON of labels and counts, with example assets for its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from autolog.events import to_wire
from autolog.media.arrays import as_numpy, looks_like_array
from autolog.media.base import Media, refusal
from autolog.media.jsonable import jsonable

__all__ = ["MEDIA_TYPE", "Cell", "confusion_matrix", "counted", "examples_by_cell", "given"]

MEDIA_TYPE = "application/vnd.autolog.confusion-matrix+json"
Cell: TypeAlias = tuple[int, int]
"""Row (what it is) and column (what was predicted)."""
_WHAT = "log_confusion_matrix"


def counted(
    y_true: Any, y_pred: Any, labels: Sequence[Any] | None
) -> tuple[list[list[float]], list[str], dict[Cell, list[int]]]:
    """Count pairs of labels.

    Args:
        y_true: what each sample is: labels or class numbers; with two dimensions (one-hot, scores) the largest counts.
        y_pred: what was predicted for it, likewise.
        labels: the classes in their order: the values themselves, or names for class numbers 0, 1, 2 … Without it
            the values that occur, sorted.

    Returns:
        The matrix (rows: true, columns: predicted), the labels, and the sample numbers of each cell.

    Raises:
        TypeError: these are no sequences.
        ValueError: they differ in length, or a value is none of the labels.
    """
    true, predicted = _classes(y_true, "y_true"), _classes(y_pred, "y_pred")
    if len(true) != len(predicted):
        raise ValueError(f"{_WHAT}: y_true has {len(true)} samples, y_pred {len(predicted)}")
    place, names = _places({*true, *predicted}, labels)
    matrix: list[list[float]] = [[0] * len(names) for _ in names]
    samples: dict[Cell, list[int]] = {}
    for number, (row, column) in enumerate(zip(true, predicted, strict=True)):
        try:
            cell = place[row], place[column]
        except KeyError as missing:
            raise ValueError(f"{_WHAT}: the value {missing} of sample {number} is none of the labels {names}") from None
        matrix[cell[0]][cell[1]] += 1
        samples.setdefault(cell, []).append(number)
    return matrix, names, samples


def _classes(values: Any, what: str) -> list[Any]:
    if looks_like_array(values):
        array = as_numpy(values)
        if array.ndim == 2 and array.shape[1] > 1:
            array = array.argmax(axis=1)
        return [_whole(value) for value in array.ravel().tolist()]
    if not isinstance(values, (list, tuple)):
        raise refusal(f"{_WHAT}: {what}", values, "a list, array, tensor or series of labels or class numbers")
    return [_whole(value.item() if hasattr(value, "item") else value) for value in values]


def _whole(value: Any) -> Any:
    """Class numbers often come as floats and bools: 1.0 and True are class 1."""
    return int(value) if isinstance(value, (bool, float)) and value == value // 1 else value


def _places(values: set[Any], labels: Sequence[Any] | None) -> tuple[dict[Any, int], list[str]]:
    if labels is None:
        ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
        return {value: index for index, value in enumerate(ordered)}, [str(value) for value in ordered]
    listed = [_whole(label.item() if hasattr(label, "item") else label) for label in labels]
    if len(set(listed)) != len(listed):
        raise ValueError(f"{_WHAT}: a label occurs twice in {[str(label) for label in listed]}")
    numbers = all(isinstance(value, int) for value in values)
    named = numbers and any(isinstance(label, str) for label in listed)
    place = {index if named else label: index for index, label in enumerate(listed)}
    return place, [str(label) for label in listed]


def given(matrix: Any, labels: Sequence[Any] | None) -> tuple[list[list[float]], list[str]]:
    """A matrix that was computed already: square, rows true, columns predicted; counts or shares.

    Raises:
        TypeError: it is no array or list of rows of numbers.
        ValueError: it is not square, or there are not as many labels.
    """
    rows = as_numpy(matrix).tolist() if looks_like_array(matrix) else matrix
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in rows):
        raise refusal(f"{_WHAT}: matrix", matrix, "a square array, tensor or list of rows")
    plain = [[value.item() if hasattr(value, "item") else value for value in row] for row in rows]
    if any(len(row) != len(plain) for row in plain):
        raise ValueError(f"{_WHAT}: the matrix is not square: {len(plain)} rows of {[len(row) for row in plain]}")
    if not all(isinstance(value, (int, float)) for row in plain for value in row):
        raise refusal(f"{_WHAT}: matrix", matrix, "real numbers")
    names = [str(label) for label in (range(len(plain)) if labels is None else labels)]
    if len(names) != len(plain):
        raise ValueError(f"{_WHAT}: {len(plain)} rows but {len(names)} labels")
    return plain, names


def examples_by_cell(
    examples: Any, labels: list[str], samples: dict[Cell, list[int]], most: int
) -> Iterable[tuple[Cell, Any]]:
    """The examples to be stored, at most ``most`` a cell, first ones first.

    Args:
        examples: one for each sample (a list, an array), a function of the sample's number, or a mapping
            ``{(true, predicted): [example, …]}`` with labels or their positions.
        labels: the matrix's labels.
        samples: the sample numbers of each cell, empty if only a matrix was given.
        most: how many a cell.

    Raises:
        TypeError: it is none of these.
        ValueError: a cell is named by labels that are not there.
    """
    if isinstance(examples, Mapping):
        for key, several in examples.items():
            cell = _cell(key, labels)
            yield from ((cell, example) for example in list(several)[:most])
        return
    take: Callable[[int], Any] | None = examples if callable(examples) else getattr(examples, "__getitem__", None)
    if take is None or not samples:
        raise refusal(
            f"{_WHAT}: examples", examples, "{(true, predicted): [...]}, or with y_true and y_pred one for each sample"
        )
    for cell, numbers in sorted(samples.items()):
        yield from ((cell, take(number)) for number in numbers[:most])


def _cell(key: Any, labels: list[str]) -> Cell:
    def position(label: Any) -> int:
        if str(label) in labels:
            return labels.index(str(label))
        if isinstance(label, int) and 0 <= label < len(labels):
            return label
        raise ValueError(f"{_WHAT}: examples for {key!r}, but the labels are {labels}")

    if not isinstance(key, tuple) or len(key) != 2:
        raise ValueError(f"{_WHAT}: the keys of examples are (true, predicted), given {key!r}")
    return position(key[0]), position(key[1])


def confusion_matrix(
    matrix: list[list[float]], labels: list[str], examples: Iterable[tuple[Cell, dict[str, Any]]] = ()
) -> Media:
    """The matrix as media; docs/media.md has the schema.

    Args:
        matrix: rows true, columns predicted.
        labels: one for each row.
        examples: cells and references to stored assets.
    """
    cells: dict[Cell, list[dict[str, Any]]] = {}
    for cell, reference in examples:
        cells.setdefault(cell, []).append(reference)
    content = {
        "version": 1,
        "labels": jsonable(labels),
        "matrix": [[to_wire(value) for value in row] for row in matrix],
        "examples": [{"true": row, "predicted": column, "assets": found} for (row, column), found in cells.items()],
    }
    metadata = {"classes": len(labels), "count": to_wire(sum(map(sum, matrix)))}
    data = msgspec.json.encode(content)
    return Media(data=data, kind="confusion_matrix", media_type=MEDIA_TYPE, extension=".json", metadata=metadata)
