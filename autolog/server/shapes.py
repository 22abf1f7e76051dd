"""What goes in and out as JSON; the OpenAPI document describes these types."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

__all__ = [
    "Appended", "Edit", "Edited", "Journals", "Me", "Points", "ProjectList", "RunItem", "RunList", "SeriesAnswer",
    "SeriesQuestion", "Text", "Upload", "Version",
]  # fmt: skip

_Tags = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=200)]], msgspec.Meta(max_length=200)
]  # fmt: skip
Number = int | float | str
"""A JSON number, or ``"NaN"``, ``"Infinity"``, ``"-Infinity"``."""


class Me(msgspec.Struct):
    """Whom a token speaks for."""

    user: str
    everywhere: str | None
    """Their role in every project, if they have one."""
    roles: dict[str, str]
    creates: bool


class Journals(msgspec.Struct):
    """How many bytes of each journal are here."""

    journals: dict[str, int]


class Appended(msgspec.Struct):
    """What was sent is on disk, and everything before it."""

    size: int


class Upload(msgspec.Struct):
    """How much of a file is here; ``complete``: all of it, under its name."""

    complete: bool
    size: int


class RunItem(msgspec.Struct):
    """A run in a list."""

    id: str
    name: str
    project: str
    status: str
    started_at: float
    ended_at: float | None
    tags: list[str]
    note: str
    archived: bool
    values: dict[str, Any]
    """The columns that were asked for; those that the run lacks are left out."""


class RunList(msgspec.Struct):
    """A page of runs."""

    runs: list[RunItem]
    total: int
    """How many there are on all pages."""
    cursor: str | None
    """Gives the next page; none: this is the last."""
    hints: list[str] = []
    """What a person should know: names in the query that no run has."""


class SeriesQuestion(msgspec.Struct, forbid_unknown_fields=True):
    """Several metrics of several runs."""

    runs: list[str]
    metrics: list[str]
    points: int | None = None
    """At most about so many of each; none: all, exactly."""


class Points(msgspec.Struct):
    """One metric of a run, or of a child run of it, oldest first; columns of equal length."""

    run: str
    child: str | None
    metric: str
    total: int
    """How many points there are; more than are listed here where they were reduced."""
    steps: list[float | None]
    epochs: list[float | None]
    times: list[float]
    values: list[Number]


class SeriesAnswer(msgspec.Struct):
    """One entry for each run, child run and metric that has points."""

    series: list[Points]


class Edit(msgspec.Struct, forbid_unknown_fields=True):
    """Changes of a run; what is left out stays."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | None = None
    note: Annotated[str, msgspec.Meta(max_length=100_000)] | None = None
    add_tags: _Tags = []
    remove_tags: _Tags = []
    fields: Annotated[dict[str, bool | int | float | str | None], msgspec.Meta(max_length=200)] = {}
    """What people add to find runs by; ``null`` takes one away."""
    archived: bool | None = None
    """Archived runs are left out of lists unless they are asked for."""


class Edited(msgspec.Struct):
    """The run as it is called and described now."""

    name: str
    note: str
    tags: list[str]
    fields: dict[str, Any]
    archived: bool


class ProjectList(msgspec.Struct):
    """Projects, and how many runs each has."""

    projects: dict[str, int]


class Text(msgspec.Struct):
    """The end of a text file: ``text`` begins at byte ``offset`` of ``size``."""

    text: str
    offset: int
    size: int


class Version(msgspec.Struct):
    """The process answers."""

    status: str
    version: str
