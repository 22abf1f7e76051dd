"""The log: JSON, one object a line, for machines; or lines for people, where stderr is a terminal."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from autolog import events

__all__ = ["FORMATS", "LEVELS", "log_to_stderr"]

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("auto", "json", "text")
_KNOWN = ("request", "method", "route", "status", "ms")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }  # fmt: skip
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return events.encode(told).decode()


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        facts = getattr(record, "facts", {})
        message = record.getMessage()
        if "route" in facts:
            rest = " ".join(f"{name}={value}" for name, value in facts.items() if name not in _KNOWN)
            message = f"{facts['status']} {facts['method']} {facts['route']} {facts['ms']} ms {rest}"
        text = f"{clock} {record.levelname.lower():7} {message}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def log_to_stderr(level: str, form: str = "auto") -> None:
    """Set up the log of a server process: its own, and what uvicorn has to say.

    Args:
        level: one of :data:`LEVELS`.
        form: one of :data:`FORMATS`; ``auto``: JSON unless stderr is a terminal.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Text() if form == "text" or (form == "auto" and sys.stderr.isatty()) else _Json())
    for name, least in (("autolog", level.upper()), ("uvicorn", "WARNING")):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(least)
