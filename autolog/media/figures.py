"""Plots of matplotlib, plotly and altair, as they are, for people to see and to open again."""

from __future__ import annotations

import io
from typing import Any

from autolog.media.base import Media, refusal

__all__ = ["ACCEPTED", "figure"]

ACCEPTED = "a matplotlib figure or axes, a plotly figure, an altair chart (and pyplot itself, while a figure is open)"

_PLOTLY = "application/vnd.plotly.v1+json"
_VEGA = "application/vnd.vegalite.v5+json"


def figure(value: Any, *, svg: bool = False, html: bool = False, dpi: float | None = None) -> list[Media]:
    """One figure: matplotlib as PNG, plotly and altair as their JSON, which stays interactive.

    The figure is drawn as it would be by its own ``savefig``; it is not closed, no other figure is touched, and no
    setting is changed.

    Args:
        value: see :data:`ACCEPTED`.
        svg: matplotlib: also as SVG.
        html: plotly: also as one HTML file that needs no network (about 4 MB).
        dpi: matplotlib: dots an inch, else the figure's own.

    Returns:
        The media, the main one first.

    Raises:
        TypeError: the object is none of these.
        ValueError: ``pyplot`` was given and no figure is open.
    """
    root = type(value).__module__.partition(".")[0]
    if root == "plotly" and hasattr(value, "to_json"):
        return _plotly(value, html)
    if root == "altair" and hasattr(value, "to_json"):
        return [Media(data=value.to_json().encode(), kind="figure", media_type=_VEGA, extension=".json")]
    drawn = _matplotlib(value)
    if drawn is None:
        raise refusal("log_figure", value, ACCEPTED)
    return [_saved(drawn, kind, dpi) for kind in (["png", "svg"] if svg else ["png"])]


def _plotly(value: Any, html: bool) -> list[Media]:
    media = [Media(data=value.to_json().encode(), kind="figure", media_type=_PLOTLY, extension=".json")]
    if html:
        page = value.to_html(include_plotlyjs=True).encode()
        media.append(Media(data=page, kind="figure", media_type="text/html; charset=utf-8", extension=".html"))
    return media


def _matplotlib(value: Any) -> Any:
    """The matplotlib figure behind a figure, axes, a seaborn grid or ``pyplot``, or ``None``."""
    if getattr(value, "__name__", "") == "matplotlib.pyplot":
        if not value.get_fignums():
            raise ValueError("log_figure: given matplotlib.pyplot, but no figure is open; give the figure itself")
        return value.gcf()
    for candidate in (value, getattr(value, "figure", None)):
        if hasattr(candidate, "savefig") and hasattr(candidate, "get_size_inches"):
            return candidate
    return None


def _saved(drawn: Any, kind: str, dpi: float | None) -> Media:
    buffer = io.BytesIO()
    drawn.savefig(buffer, format=kind, **({} if dpi is None else {"dpi": dpi}))
    media_type = "image/png" if kind == "png" else "image/svg+xml"
    width, height = (float(side) for side in drawn.get_size_inches())
    metadata = {"width_inches": width, "height_inches": height}
    return Media(data=buffer.getvalue(), kind="figure", media_type=media_type, extension=f".{kind}", metadata=metadata)
