"""Ids and readable names of runs."""

from __future__ import annotations

import os
import time

__all__ = ["new_id", "readable_name"]

_FIRST = (
    "amber azure bold brave brisk calm clear clever coral crisp deft eager early fair fleet fond free fresh gentle "
    "glad golden grand green happy hardy ivory jolly keen kind late light lively loyal lucid lucky lunar mellow merry "
    "mild neat nimble noble olive pale plain polar prime proud quick quiet rapid ready royal sage sharp silent solar "
    "steady still swift tidy vivid warm wise young"
).split()
_SECOND = (
    "acorn aspen badger beech birch bison brook cedar comet crane creek dove eagle elm falcon fern finch fjord fox "
    "gale glade grove harbor hare hawk hazel heron hill iris island ivy jay kestrel lake lark laurel leaf lily linden "
    "lynx maple marten meadow moss newt oak orchid osprey otter owl pebble pine plover quail raven reef river robin "
    "rowan sparrow spruce stone swan thrush tide trout tulip valley willow wren"
).split()


def new_id(now: float | None = None) -> str:
    """A run id: ``20261122-111134-537-9f3c2a81``, UTC date, time, milliseconds and 32 random bits.

    Ids sort by start time. The random part comes from the operating system, so no generator of the training is drawn.
    """
    now = time.time() if now is None else now
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{stamp}-{int(now * 1000) % 1000:03d}-{os.urandom(4).hex()}"


def readable_name(run_id: str) -> str:
    """A short name made from the id's random part, such as ``brave-otter-42``."""
    bits = int(run_id.rsplit("-", 1)[-1], 16)
    bits, number = divmod(bits, 100)
    bits, second = divmod(bits, len(_SECOND))
    return f"{_FIRST[bits % len(_FIRST)]}-{_SECOND[second]}-{number:02d}"
