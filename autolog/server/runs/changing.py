"""Changes of a run as records: what people say of it goes to a journal of the server's own."""

from __future__ import annotations

import time

from autolog import events, journal
from autolog.server.errors import ApiError
from autolog.server.service import Service
from autolog.server.shapes import Edit
from autolog.store.edit import checked_fields
from autolog.store.layout import Place

__all__ = ["change", "check", "say_ahead"]


def check(edit: Edit) -> None:
    """Whether a change can be made.

    Raises:
        ApiError: 422: a name is blank, a field is none, or a text holds what a text cannot.
    """
    if edit.name is not None and not edit.name.strip():
        raise ApiError(422, "name", "a run needs a name")
    if any(not tag.strip() for tag in edit.add_tags):
        raise ApiError(422, "tag", "a tag cannot be blank")
    try:
        checked_fields(edit.fields)
    except ValueError as error:
        raise ApiError(422, "field", str(error)) from None
    texts = [edit.name, edit.note, *edit.add_tags, *edit.remove_tags, *edit.fields.values()]
    if any(isinstance(text, str) and "\0" in text for text in texts):
        raise ApiError(422, "text", "a text cannot hold the character U+0000")


def change(service: Service, place: Place, name: str, edit: Edit) -> None:
    """Make a change, which :func:`check` has let through. What it says has become durable.

    Args:
        service: the server.
        place: the run, which is there.
        name: what it is called so far.
        edit: the change.
    """
    records = _records(edit, time.time())
    if records:
        _write(service, place, name, records)
        service.indexer.changed(place)


def say_ahead(service: Service, place: Place, begun: events.RunStart) -> None:
    """Say of a run, once, that its times are those of a clock that is ahead. They are kept as they are."""
    if journal.SERVER_EDITS not in service.storage.sizes(place):
        now = time.time()
        detail = f"the clock of {begun.host or 'the machine'} was {begun.time - now:.0f} s ahead of the server's"
        _write(service, place, begun.name, [events.Health(time=now, kind="notice", where="clock", detail=detail)])


def _write(service: Service, place: Place, name: str, records: list[events.Record]) -> None:
    header = events.RunStart(time=records[0].time, id=place[1], name=name, project=place[0], role="edit")
    lines = b"".join(events.encode(record) + b"\n" for record in records)
    service.storage.extend(place, journal.SERVER_EDITS, events.encode(header) + b"\n", lines)


def _records(edit: Edit, now: float) -> list[events.Record]:
    records: list[events.Record] = []
    if edit.name is not None:
        records.append(events.Name(time=now, name=edit.name.strip()))
    if edit.note is not None:
        records.append(events.Note(time=now, text=edit.note))
    if edit.add_tags or edit.remove_tags:
        records.append(events.Tags(time=now, add=edit.add_tags, remove=edit.remove_tags))
    if edit.fields:
        records.append(events.Fields(time=now, values=checked_fields(edit.fields)))
    if edit.archived is not None:
        records.append(events.Archive(time=now, archived=edit.archived))
    return records
