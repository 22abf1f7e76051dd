"""What a server counts of its own work, in the text format of Prometheus.

The format is small and fixed (https://prometheus.io/docs/instrumenting/exposition_formats), so no package is needed.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["Family", "Meter", "exposition"]

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Family(NamedTuple):
    """One metric with its samples."""

    name: str
    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    about: str
    samples: Iterable[tuple[str, Mapping[str, str], float]]
    """Suffix of the name, labels, value."""


class Meter:
    """Counts since the process began. Used by the event loop's thread, and read there."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        """By method, route and status."""
        self.seconds: dict[tuple[str, str], list[float]] = {}
        """By method and route: how many took at most each of the bounds, how many there were, and their sum."""
        self.refused: Counter[str] = Counter()
        """Requests that were refused, by the code of the error."""
        self.bytes_in = self.bytes_out = self.active = self.streams = 0
        self.journal_bytes = self.journal_records = self.file_bytes = 0

    def took(self, method: str, route: str, seconds: float) -> None:
        """A request was answered."""
        known = self.seconds.setdefault((method, route), [0.0] * (len(_BOUNDS) + 2))
        known[bisect_left(_BOUNDS, seconds)] += 1
        known[-1] += seconds

    def families(self) -> list[Family]:
        """All that is counted here."""
        routes = [
            ("", {"method": method, "route": route, "status": str(status)}, float(count))
            for (method, route, status), count in sorted(self.requests.items())
        ]
        return [
            Family("autolog_http_requests_total", "counter", "Requests by route and status.", routes),
            Family("autolog_http_request_seconds", "histogram", "Time until a request was answered.", self._times()),
            _plain("autolog_http_active_requests", "gauge", "Requests in progress.", self.active),
            _plain("autolog_live_streams", "gauge", "Open streams of live updates.", self.streams),
            _plain("autolog_http_received_bytes_total", "counter", "Bytes of bodies, as sent.", self.bytes_in),
            _plain("autolog_http_sent_bytes_total", "counter", "Bytes of answers.", self.bytes_out),
            _plain("autolog_journal_bytes_total", "counter", "Bytes of journals that were taken.", self.journal_bytes),
            _plain("autolog_journal_records_total", "counter", "Records that were taken.", self.journal_records),
            Family(
                "autolog_refused_total", "counter", "Requests that were refused, by the code of the error.",
                [("", {"code": code}, float(count)) for code, count in sorted(self.refused.items())],
            ),
        ]  # fmt: skip

    def _times(self) -> Iterable[tuple[str, Mapping[str, str], float]]:
        for (method, route), counts in sorted(self.seconds.items()):
            labels, count = {"method": method, "route": route}, 0.0
            for bound, more in zip((*_BOUNDS, math.inf), counts, strict=False):
                count += more
                yield "_bucket", {**labels, "le": "+Inf" if bound == math.inf else repr(bound)}, count
            yield "_sum", labels, counts[-1]
            yield "_count", labels, count


def _plain(name: str, kind: str, about: str, value: float) -> Family:
    return Family(name, kind, about, [("", {}, float(value))])


def exposition(families: Iterable[Family]) -> str:
    """The text that Prometheus reads."""
    lines = []
    for name, kind, about, samples in families:
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        for suffix, labels, value in samples:
            listed = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            lines.append(
                f"{name}{suffix}{{{listed}}} {_number(value)}" if listed else f"{name}{suffix} {_number(value)}"
            )
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
