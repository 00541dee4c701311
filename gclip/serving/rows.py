"""A finished run as a row of the store: JSON and a compressed message of `wire`, never pickle."""

from __future__ import annotations

import json
import zlib
from typing import NamedTuple

from gclip.serving.wire import pack, unpack
from gclip.training import Event, History, Record, Summary, restore

RECORDS: tuple[type[Record], ...] = (Summary, History)
"""What is stored of runs; the first whose prefix the key has. A history's has none."""

FAST = 1
"""Compression level: the higher ones take many times longer and gain a few percent."""


class Row(NamedTuple):
    """What the store keeps of a run."""

    key: str
    config: str
    events: str
    payload: bytes


class DamagedRowError(ValueError):
    """The row is not what was written."""


def to_row(record: Record) -> Row:
    """Pack a finished run."""
    payload = zlib.compress(pack({}, record.arrays()), FAST)
    config = json.dumps(record.config.model_dump(mode="json"))
    return Row(record.key, config, json.dumps(record.events), payload)


def from_row(row: Row) -> Record | None:
    """Unpack a run; None if its config has another key now: the numerics have changed since.

    Raises:
        DamagedRowError: if it is not a whole run.
    """
    try:
        config = restore(json.loads(row.config))
        kind = next(kind for kind in RECORDS if row.key.startswith(kind.PREFIX))
        if kind.key_of(config) != row.key:
            return None
        _, arrays = unpack(zlib.decompress(row.payload))
        events = [Event(str(kind), int(step), str(tensor)) for kind, step, tensor in json.loads(row.events)]
        record = kind.restore(config, arrays, events)
    except Exception as error:  # Damage comes as errors of zlib, wire, JSON, pydantic and more.
        raise DamagedRowError(f"{type(error).__name__}: {error}") from error
    if not record.done:
        raise DamagedRowError("it is not whole")
    return record
