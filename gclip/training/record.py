"""What every record of a run is: named arrays that grow while it is trained, first failures, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from gclip.training.config import Config
from gclip.training.tasks import task_of

LEARNED, STUCK = 0.25, 0.9
"""A run has learned below this share of the baseline's test loss, and is stuck above that one."""

KINDS = ("loss", "gradient", "norm", "weight")
"""What a post-mortem looks for, in the order in which a step makes them."""

Series = dict[str, tuple[int, tuple[int, ...], Any]]
"""For each array of a record its full length, the shape of one row, and its type."""


class Event(NamedTuple):
    """The first time that a quantity of the run was not finite: what, at which step (from 0), in which tensor."""

    kind: str
    step: int
    tensor: str


@dataclass
class Chunk:
    """A stretch of steps of several runs: arrays ``[steps, lanes, ...]``, and which run each lane is."""

    runs: list[int]
    steps: range
    arrays: dict[str, np.ndarray]
    events: dict[int, list[Event]] = field(default_factory=dict)

    def of_lane(self, lane: int) -> dict[str, np.ndarray]:
        """Return one lane's arrays, ``[steps, ...]``."""
        return of_lane(self.arrays, lane)


def of_lane(arrays: Mapping[str, np.ndarray], lane: int) -> dict[str, np.ndarray]:
    """Return one lane's part of a chunk's arrays; marks are common to all lanes."""
    return {name: array if name == "mark_step" else array[:, lane] for name, array in arrays.items()}


class Record:
    """The growing record of one run; each name in its `series` is a numpy attribute.

    NaN and Inf are data and stay in it. Arrays hold what has been trained so far.
    """

    PREFIX: ClassVar[str] = ""
    """In front of the run's key in the key of this record of it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.events: list[Event] = []
        self._arrays = {name: np.zeros((n, *shape), kind) for name, (n, shape, kind) in self.series(config).items()}
        self.filled: dict[str, int] = dict.fromkeys(self._arrays, 0)

    @staticmethod
    def series(config: Config) -> Series:
        """Return what is recorded of a run with these settings."""
        raise NotImplementedError

    @classmethod
    def key_of(cls, config: Config) -> str:
        """Return what this record of a run is cached, stored and asked for by."""
        return cls.PREFIX + config.key

    @property
    def key(self) -> str:
        """What this record is cached, stored and asked for by."""
        return self.key_of(self.config)

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_") or name not in self._arrays:
            raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {', '.join(self._arrays)}")
        return self._arrays[name][: self.filled[name]]

    def append(self, arrays: Mapping[str, np.ndarray], events: list[Event]) -> None:
        """Add the next steps' arrays, and what first went non-finite in them."""
        for name, rows in arrays.items():
            start = self.filled[name]
            self._arrays[name][start : start + len(rows)] = rows
            self.filled[name] = start + len(rows)
        self.events.extend(events)

    @property
    def names(self) -> list[str]:
        """Names of its arrays."""
        return list(self._arrays)

    @property
    def steps_done(self) -> int:
        """Steps that the record tells of."""
        raise NotImplementedError

    @property
    def done(self) -> bool:
        """Whether the run has been trained to its end."""
        return self.steps_done == self.config.steps

    @property
    def diverged_at(self) -> int | None:
        """The first step (from 0) after which a weight was not finite, or None."""
        return next((event.step for event in self.events if event.kind == "weight"), None)

    @property
    def lost(self) -> bool:
        """Whether a weight is not finite, or the last test loss: the weights may still be where their loss is not."""
        return self.diverged_at is not None or bool(len(self.test_loss) and not np.isfinite(self.test_loss[-1]))

    @property
    def baseline(self) -> tuple[float, float]:
        """Train and test loss of the best constant answer."""
        return task_of(self.config).baseline(self.config)

    @property
    def verdict(self) -> str:
        """One of "learned", "still learning", "stuck" (finite, but learned nothing) and "diverged"."""
        if self.lost:
            return "diverged"
        if not len(self.test_loss):
            return "still learning"
        ratio = self.test_loss[-1] / self.baseline[1]
        if not ratio > LEARNED:
            return "learned"
        return "stuck" if ratio >= STUCK and self.done else "still learning"

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array by name, as far as it is filled; the memory is shared, not copied."""
        return {name: array[: self.filled[name]] for name, array in self._arrays.items()}

    @classmethod
    def size_of(cls, config: Config) -> int:
        """Return the bytes of a whole record's arrays."""
        return sum(n * prod(shape) * np.dtype(kind).itemsize for n, shape, kind in cls.series(config).values())

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(array.nbytes for array in self._arrays.values())

    def picture(self) -> Self:
        """Return a still picture of a growing record: what is there now, in the same memory."""
        picture = type(self).__new__(type(self))
        picture.config, picture.events = self.config, list(self.events)
        picture._arrays, picture.filled = self.arrays(), dict(self.filled)
        return picture

    @classmethod
    def empty(cls, config: Config) -> Self:
        """Return a record without rows and without room for them: thousands may wait."""
        arrays = {name: np.zeros((0, *shape), kind) for name, (_, shape, kind) in cls.series(config).items()}
        return cls.restore(config, arrays, [])

    @classmethod
    def restore(cls, config: Config, arrays: Mapping[str, np.ndarray], events: list[Event]) -> Self:
        """Return a record of these arrays and events, as one that was read from a store.

        Raises:
            ValueError: if an array is missing, too long, or of another shape or type than `series` says.
        """
        record = cls.__new__(cls)
        record.config, record.events, record._arrays = config, list(events), dict(arrays)
        for name, (n, shape, kind) in cls.series(config).items():
            array = arrays.get(name)
            if array is None or len(array) > n or array.shape[1:] != shape or array.dtype != kind:
                raise ValueError(f"{cls.__name__}: {name} is not its array of at most {n} {np.dtype(kind)}.")
        record.filled = {name: len(array) for name, array in arrays.items()}
        return record
