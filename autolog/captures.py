"""What an integration says it records: docs/integrations.md is made from it, and tests check it on real runs."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

__all__ = ["Captured", "Place"]

Place: TypeAlias = Literal["child", "params", "metric", "fact", "asset"]


class Captured(NamedTuple):
    """One row of an integration's ``captures``.

    Attributes:
        what: what is recorded, as a person would call it.
        place: the kind of record it is in.
        names: which of them, as glob patterns of which each must be there. Of ``child`` the kind of the child run, of
            ``params`` the source, of ``metric``, ``fact`` and ``asset`` the name.
        when: under which circumstances; empty: in every training.
    """

    what: str
    place: Place
    names: tuple[str, ...]
    when: str = ""
