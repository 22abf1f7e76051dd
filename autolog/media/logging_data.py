"""The ``log_*`` methods for numbers that belong together: histograms, matrices, curves, tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autolog.media.recorder import AssetRecorder, Metadata

if TYPE_CHECKING:
    from autolog.media.base import Media

__all__ = ["DataLog"]


class DataLog(AssetRecorder):
    """Mixed into the run; see :class:`autolog.media.logging.MediaLog` for what holds for all methods."""

    __slots__ = ()

    def log_histogram(
        self,
        name: str,
        values: Any = None,
        step: float | None = None,
        *,
        bins: int = 64,
        counts: Any = None,
        edges: Any = None,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store a distribution: all values are counted, NaN and infinities apart; only the counts are stored.

        Args:
            name: what it is called.
            values: an array, tensor or series of any shape, or a list of numbers.
            step: see :class:`~autolog.media.logging.MediaLog`.
            bins: how many equal bins between minimum and maximum.
            counts: instead of ``values``: how many each bin holds.
            edges: the limits of these bins, ascending, one more than ``counts``.
            epoch: see :class:`~autolog.media.logging.MediaLog`.
            metadata: see :class:`~autolog.media.logging.MediaLog`.

        Raises:
            TypeError: neither values nor counts with edges, or they are no real numbers.
            ValueError: counts and edges do not fit, or bins is not positive.
        """
        from autolog.media import histogram

        def make() -> list[Media]:
            if (values is None) == (counts is None) or (counts is None) != (edges is None):
                raise TypeError("log_histogram: give values, or counts= together with edges=")
            return [histogram.histogram(values, bins) if counts is None else histogram.from_counts(counts, edges)]

        self._log(name, make, step, epoch, metadata)

    def log_histograms(
        self,
        name: str,
        histograms: Any,
        step: float | None = None,
        *,
        bins: int = 32,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store the distributions of many arrays of one moment in one small asset: the weights of a model, say.

        Args:
            name: what they are called together.
            histograms: names and arrays or tensors; or names and mappings that are histograms already, with ``counts``
                and ``min`` and ``max`` (or ``edges``) and any of the other fields in docs/media.md.
            step: see :class:`~autolog.media.logging.MediaLog`.
            bins: how many equal bins between minimum and maximum, for arrays.
            epoch: see :class:`~autolog.media.logging.MediaLog`.
            metadata: see :class:`~autolog.media.logging.MediaLog`.

        Raises:
            TypeError: no such mapping, or an array's elements are no real numbers.
            ValueError: counts and edges do not fit, or bins is not positive.
        """
        from autolog.media.histograms import histograms as made

        self._log(name, lambda: [made(histograms, bins)], step, epoch, metadata)

    def log_confusion_matrix(
        self,
        name: str,
        y_true: Any = None,
        y_pred: Any = None,
        step: float | None = None,
        *,
        matrix: Any = None,
        labels: Sequence[Any] | None = None,
        examples: Any = None,
        examples_per_cell: int = 5,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store a confusion matrix, and pictures, sounds or texts of samples for its cells.

        Args:
            name: what it is called.
            y_true: what each sample is: labels or class numbers; of two dimensions (one-hot, scores) the largest.
            y_pred: what was predicted, likewise.
            step: see :class:`~autolog.media.logging.MediaLog`.
            matrix: instead of both: a square matrix, rows true, columns predicted.
            labels: the classes in order: the values themselves, or names for the class numbers 0, 1, 2 …
            examples: one for each sample (list, array), a function of the sample's number, or a mapping
                ``{(true, predicted): [example, …]}``. An example is whatever :meth:`log_image` takes, media from
                ``autolog.media`` or a text.
            examples_per_cell: at most so many of a cell are stored, the first ones.
            epoch: see :class:`~autolog.media.logging.MediaLog`.
            metadata: see :class:`~autolog.media.logging.MediaLog`.

        Raises:
            TypeError: neither both of ``y_true`` and ``y_pred`` nor a matrix, or an argument of the wrong kind.
            ValueError: lengths, labels or cells do not fit together.
        """
        from autolog.media import confusion

        def make() -> list[Media]:
            if (y_true is None) != (y_pred is None) or (y_true is None) == (matrix is None):
                raise TypeError("log_confusion_matrix: give y_true and y_pred, or matrix=")
            samples: dict[confusion.Cell, list[int]] = {}
            if matrix is None:
                counts, names, samples = confusion.counted(y_true, y_pred, labels)
            else:
                counts, names = confusion.given(matrix, labels)
            stored = []
            if examples is not None:
                for cell, example in confusion.examples_by_cell(examples, names, samples, examples_per_cell):
                    stored.append((cell, self._example(example, f"an example of {name!r}")))
            return [confusion.confusion_matrix(counts, names, stored)]

        self._log(name, make, step, epoch, metadata)

    def log_curve(
        self,
        name: str,
        x: Any,
        y: Any,
        step: float | None = None,
        *,
        x_label: str = "x",
        y_label: str = "y",
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store a curve whose points belong together, such as ROC, precision and recall, calibration.

        Args:
            name: what it is called.
            x: list, array, tensor or series of numbers, in the order of the curve.
            y: as many.
            step: see :class:`~autolog.media.logging.MediaLog`.
            x_label: what the horizontal axis is.
            y_label: what the vertical axis is.
            epoch: see :class:`~autolog.media.logging.MediaLog`.
            metadata: see :class:`~autolog.media.logging.MediaLog`.

        Raises:
            TypeError: x or y are no numbers.
            ValueError: they differ in length.
        """
        from autolog.media.curves import curve

        self._log(name, lambda: [curve(x, y, x_label=x_label, y_label=y_label)], step, epoch, metadata)

    def log_table(
        self,
        name: str,
        table: Any,
        step: float | None = None,
        *,
        columns: Sequence[str] | None = None,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store a table as JSON that anything reads. For millions of rows write Parquet and use ``log_asset``.

        Args:
            name: what it is called.
            table: a pandas or polars frame, a pyarrow table, a list of dicts, a dict of lists, or a list of rows or an
                array of two dimensions. Cells may be pictures and plots, or media from ``autolog.media``, such as
                ``autolog.media.image(array)``: these are stored as assets of their own.
            step: see :class:`~autolog.media.logging.MediaLog`.
            columns: names for rows that have none.
            epoch: see :class:`~autolog.media.logging.MediaLog`.
            metadata: see :class:`~autolog.media.logging.MediaLog`.

        Raises:
            TypeError: it is no table.
            ValueError: rows or columns differ in length.
        """
        from autolog.media import tables

        def make() -> list[Media]:
            def store(cell: Any) -> dict[str, Any] | None:
                return self._cell(cell, f"a cell of {name!r}")

            return [tables.table(tables.read(table, columns), store)]

        self._log(name, make, step, epoch, metadata)

    def _example(self, example: Any, what: str) -> dict[str, Any]:
        """Store an example; a text is a text here, not a path."""
        from autolog.media.base import document
        from autolog.media.images import image

        return self._reference(document(example, "text") if isinstance(example, str) else image(example), what)

    def _cell(self, cell: Any, what: str) -> dict[str, Any] | None:
        """Store a table's cell if it is media, a PIL image or a plot, else ``None``."""
        from autolog.media.base import Media
        from autolog.media.figures import figure
        from autolog.media.images import image

        root = type(cell).__module__.partition(".")[0]
        if isinstance(cell, Media):
            return self._reference(cell, what)
        if root == "PIL":
            return self._reference(image(cell), what)
        if root in ("matplotlib", "plotly", "altair") and (hasattr(cell, "savefig") or hasattr(cell, "to_json")):
            return self._reference(figure(cell)[0], what)
        return None

    def _reference(self, media: Media, what: str) -> dict[str, Any]:
        """Store media and refer to it; where the disk refused it, the reference says ``lost``."""
        kind = {"media_type": media.media_type, "kind": media.kind}
        stored = self._stored(media.data, media.extension, what)
        if stored is None:
            return {**kind, "lost": True}
        return {"hash": stored.hash, "path": stored.path, "size": stored.size, **kind}
