"""The ``log_*`` methods for what a person looks at or listens to: text, pictures, sound, video, plots."""

from __future__ import annotations

from typing import Any

from autolog.media.logging_data import DataLog
from autolog.media.logging_files import FileLog
from autolog.media.recorder import Metadata

__all__ = ["MediaLog"]


class MediaLog(DataLog, FileLog):
    """Methods of a run that store assets. All of them keep these rules:

    * ``name`` comes first; the same name at several steps is a series.
    * Without ``step`` and ``epoch``, the framework's current ones are taken, outside a fit none.
    * ``metadata`` is a mapping of anything, kept beside the asset.
    * A wrong argument raises ``TypeError``, ``ValueError`` or ``FileNotFoundError`` and says what was given and what is
      accepted. What happens to disks never raises: it is counted and shown on the run.
    * The content is stored exactly as given, once however often it is logged; the user's object is not changed.
    """

    __slots__ = ()

    def log_text(
        self, name: str, text: str, step: float | None = None, *, epoch: float | None = None, metadata: Metadata = None
    ) -> None:
        """Store a text, exactly.

        Args:
            name: what it is called, such as ``prompt`` or ``samples/greedy``.
            text: of any length, as UTF-8.
            step: see :class:`MediaLog`.
            epoch: see :class:`MediaLog`.
            metadata: see :class:`MediaLog`.

        Raises:
            TypeError: ``text`` is no ``str``.
        """
        from autolog.media.base import document

        self._log(name, lambda: [document(text, "text")], step, epoch, metadata)

    def log_html(
        self, name: str, html: str, step: float | None = None, *, epoch: float | None = None, metadata: Metadata = None
    ) -> None:
        """Store a piece of HTML, or a page. It is shown in a sandbox: no network, no reach to the rest of the page.

        Args:
            name: what it is called.
            html: the source, exactly.
            step: see :class:`MediaLog`.
            epoch: see :class:`MediaLog`.
            metadata: see :class:`MediaLog`.

        Raises:
            TypeError: ``html`` is no ``str``.
        """
        from autolog.media.base import document

        self._log(name, lambda: [document(html, "html")], step, epoch, metadata)

    def log_image(
        self,
        name: str,
        image: Any,
        step: float | None = None,
        *,
        channels: str | None = None,
        value_range: tuple[float, float] | None = None,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store one picture: files and encoded bytes as they are, everything else as PNG, without loss.

        Args:
            name: what it is called.
            image: an array or tensor of any library (height x width, or with 1, 3 or 4 channels before or after them;
                uint8 or uint16, or float from 0 to 1), a PIL image, a matplotlib figure, a path, or bytes.
            step: see :class:`MediaLog`.
            channels: ``"first"`` or ``"last"``. Without it: torch tensors first, all others last, unless only the
                other reading gives 1, 3 or 4 channels.
            value_range: the values that are black and white, such as ``(-1, 1)``. Values outside are clipped, and how
                many is kept in the metadata.
            epoch: see :class:`MediaLog`.
            metadata: see :class:`MediaLog`.

        Raises:
            TypeError: the object is no picture.
            ValueError: its shape is none, or the bytes or file are no image.
            FileNotFoundError: there is no such file.
        """
        from autolog.media.images import image as made

        self._log(name, lambda: [made(image, channels=channels, value_range=value_range)], step, epoch, metadata)

    def log_audio(
        self,
        name: str,
        audio: Any,
        sample_rate: float | None = None,
        step: float | None = None,
        *,
        channels: str | None = None,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store one sound: files and encoded bytes as they are, arrays as WAV.

        Args:
            name: what it is called.
            audio: an array or tensor of samples (float from -1 to 1, int16, int32, uint8), of one dimension or with
                channels before or after, a path, or bytes.
            sample_rate: samples a second; needed for arrays.
            step: see :class:`MediaLog`.
            channels: ``"first"`` or ``"last"``; without it the shorter dimension is the channels.
            epoch: see :class:`MediaLog`.
            metadata: see :class:`MediaLog`.

        Raises:
            TypeError: the object is no sound.
            ValueError: no sample rate, a shape that is no sound, or bytes or a file that are no audio.
            FileNotFoundError: there is no such file.
        """
        from autolog.media.sounds import audio as made

        self._log(name, lambda: [made(audio, sample_rate, channels=channels)], step, epoch, metadata)

    def log_video(
        self,
        name: str,
        video: Any,
        fps: float = 10,
        step: float | None = None,
        *,
        format: str = "apng",  # noqa: A002  (the word everybody knows)
        channels: str | None = None,
        value_range: tuple[float, float] | None = None,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store one video: files and encoded bytes as they are, arrays as an animated picture that browsers play.

        Args:
            name: what it is called.
            video: an array or tensor of frames x a picture's shape (see :meth:`log_image`), a list of such pictures,
                a path, or bytes.
            fps: frames a second, for arrays.
            step: see :class:`MediaLog`.
            format: for arrays: ``"apng"`` (exact), or with Pillow ``"webp"`` (small) or ``"gif"``.
            channels: as for :meth:`log_image`.
            value_range: as for :meth:`log_image`.
            epoch: see :class:`MediaLog`.
            metadata: see :class:`MediaLog`.

        Raises:
            TypeError: the object is no video.
            ValueError: its shape is none, or an argument or the bytes do not fit.
            ImportError: ``webp`` and ``gif`` need Pillow.
            FileNotFoundError: there is no such file.
        """
        from autolog.media.videos import video as made

        def make() -> list[Any]:
            return [made(video, fps, format=format, channels=channels, value_range=value_range)]

        self._log(name, make, step, epoch, metadata)

    def log_figure(
        self,
        name: str,
        figure: Any,
        step: float | None = None,
        *,
        svg: bool = False,
        html: bool = False,
        dpi: float | None = None,
        epoch: float | None = None,
        metadata: Metadata = None,
    ) -> None:
        """Store a plot: matplotlib as PNG, plotly and altair as their JSON, which stays interactive.

        The figure is not closed, and no setting of the library is changed.

        Args:
            name: what it is called.
            figure: a matplotlib figure, axes, a seaborn grid, ``pyplot`` itself, a plotly figure, an altair chart.
            step: see :class:`MediaLog`.
            svg: matplotlib: also as SVG.
            html: plotly: also as a page that needs no network (about 4 MB).
            dpi: matplotlib: dots an inch, else the figure's own.
            epoch: see :class:`MediaLog`.
            metadata: see :class:`MediaLog`.

        Raises:
            TypeError: the object is no figure.
            ValueError: ``pyplot`` was given and no figure is open.
        """
        from autolog.media.figures import figure as made

        self._log(name, lambda: made(figure, svg=svg, html=html, dpi=dpi), step, epoch, metadata)
