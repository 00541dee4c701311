"""A finished run as a row of the store: JSON and a compressed message of `wire`, never pickle."""

from __future__ import annotations

import json
import zlib
from typing import NamedTuple

from gclip.serving.wire import pack, unpack
from gclip.training import Event, History, restore

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


def to_row(history: History) -> Row:
    """Pack a finished run."""
    payload = zlib.compress(pack({}, history.arrays()), FAST)
    config = json.dumps(history.config.model_dump(mode="json"))
    return Row(history.config.key, config, json.dumps(history.events), payload)


def from_row(row: Row) -> History | None:
    """Unpack a run; None if its config has another key now: the numerics have changed since.

    Raises:
        DamagedRowError: if it is not a whole run.
    """
    try:
        config = restore(json.loads(row.config))
        if config.key != row.key:
            return None
        _, arrays = unpack(zlib.decompress(row.payload))
        events = [Event(str(kind), int(step), str(tensor)) for kind, step, tensor in json.loads(row.events)]
        history = History.restore(config, arrays, events)
    except Exception as error:  # Damage comes as errors of zlib, wire, JSON, pydantic and more.
        raise DamagedRowError(f"{type(error).__name__}: {error}") from error
    if not history.done:
        raise DamagedRowError("it is not whole")
    return history
