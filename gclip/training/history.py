"""What a run leaves behind: every step's measurements, every epoch's losses, a verdict and a post-mortem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gclip.training.config import Config
from gclip.training.measure import BINS
from gclip.training.tasks import task_of

PER_STEP: tuple[str, ...] = (
    "loss",
    "total_norm",
    "clipped_norm",
    "threshold",
    "measured",
    "clip_coef",
    "clipped",
    "clipped_share",
    "cosine",
    "layer_norm",
)
PER_EPOCH: tuple[str, ...] = ("train_loss", "test_loss", "dead_units", "sample")
"""``dead_units`` is the share of hidden units that are of no use: ReLUs that never fire, gates pinned at a limit."""

PER_MARK: tuple[str, ...] = ("mark_step", "histogram", "flow")
"""Marks are the first steps, one by one, and then the last step of every epoch."""


ALWAYS = {*PER_STEP, *PER_EPOCH, *PER_MARK} - {"sample", "flow"}
"""What every run records; the rest is what its task adds."""

FIRST_MARKS = 20
LEARNED, STUCK = 0.25, 0.9
"""A run has learned below this share of the baseline's test loss, and is stuck above that one."""


KINDS = ("loss", "gradient", "norm", "weight")
"""What a post-mortem looks for, in the order in which a step makes them."""


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
        return {name: array if name == "mark_step" else array[:, lane] for name, array in self.arrays.items()}


def series(config: Config) -> dict[str, tuple[int, tuple[int, ...], Any]]:
    """Return for each array of a history its full length, the shape of one row, and its type."""
    task = task_of(config)
    tensors, extras, marks = len(task.shapes(config)), task.extras(config), len(mark_steps(config))
    lengths = dict.fromkeys(PER_STEP, config.steps) | dict.fromkeys(PER_EPOCH, config.epochs)
    lengths |= dict.fromkeys(PER_MARK, marks)
    shape: dict[str, tuple[int, ...]] = {"layer_norm": (tensors,), "histogram": (tensors, BINS)}
    shape |= {name: (width,) for name, width in extras.items()}
    kind = {"clipped": np.bool_, "mark_step": np.int32, "histogram": np.int32}
    return {
        name: (n, shape.get(name, ()), kind.get(name, np.float32))
        for name, n in lengths.items()
        if name in ALWAYS or name in extras
    }


def mark_steps(config: Config) -> list[int]:
    """Return the steps whose gradient elements are counted in a histogram."""
    ends = range(config.steps_per_epoch - 1, config.steps, config.steps_per_epoch)
    return sorted({*range(min(FIRST_MARKS, config.steps)), *ends})


class History:
    """The growing record of one run; each name in PER_STEP, PER_EPOCH and PER_MARK is a numpy attribute.

    NaN and Inf are data and stay in it. Arrays hold what has been trained so far.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.events: list[Event] = []
        self._arrays = {name: np.zeros((n, *shape), kind) for name, (n, shape, kind) in series(config).items()}
        self.filled: dict[str, int] = dict.fromkeys(self._arrays, 0)

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_") or name not in self._arrays:
            raise AttributeError(f"History has no {name!r}; it has {', '.join(self._arrays)}")
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
        """Steps trained so far."""
        return self.filled["loss"]

    @property
    def done(self) -> bool:
        """Whether the run has been trained to its end."""
        return self.steps_done == self.config.steps

    @property
    def tensors(self) -> list[str]:
        """Names of the tensors, in the order of ``layer_norm`` and ``histogram``."""
        return list(task_of(self.config).shapes(self.config))

    @property
    def diverged_at(self) -> int | None:
        """The first step (from 0) after which a weight was not finite, or None."""
        return next((event.step for event in self.events if event.kind == "weight"), None)

    @property
    def post_mortem(self) -> list[Event]:
        """What first went non-finite, in order of step: the loss, the norm, a gradient, a weight."""
        return sorted(self.events, key=lambda event: (event.step, KINDS.index(event.kind)))

    @property
    def last_finite_norms(self) -> np.ndarray:
        """The last eight finite norms before the first that was not, or the run's last eight."""
        bad = np.flatnonzero(~np.isfinite(self.total_norm))
        return self.total_norm[: bad[0] if len(bad) else None][-8:]

    @property
    def baseline(self) -> tuple[float, float]:
        """Train and test loss of the best constant answer."""
        return task_of(self.config).baseline(self.config)

    @property
    def verdict(self) -> str:
        """One of "learned", "still learning", "stuck" (finite, but learned nothing) and "diverged"."""
        if self.diverged_at is not None:
            return "diverged"
        if not len(self.test_loss):
            return "still learning"
        if not np.isfinite(self.test_loss[-1]):
            return "diverged"
        ratio = self.test_loss[-1] / self.baseline[1]
        if not ratio > LEARNED:
            return "learned"
        return "stuck" if ratio >= STUCK and self.done else "still learning"

    def arrays(self) -> dict[str, np.ndarray]:
        """Return every array by name, as far as it is filled; the memory is shared, not copied."""
        return {name: array[: self.filled[name]] for name, array in self._arrays.items()}

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return sum(array.nbytes for array in self._arrays.values())

    def picture(self) -> History:
        """Return a still picture of a growing history: what is there now, in the same memory."""
        picture = History.__new__(History)
        picture.config, picture.events = self.config, list(self.events)
        picture._arrays, picture.filled = self.arrays(), dict(self.filled)
        return picture

    @classmethod
    def restore(cls, config: Config, arrays: Mapping[str, np.ndarray], events: list[Event]) -> History:
        """Return a history of these arrays and events, as one that was read from a store.

        Raises:
            ValueError: if an array is missing, too long, or of another shape or type than `series` says.
        """
        history = cls.__new__(cls)
        history.config, history.events, history._arrays = config, list(events), dict(arrays)
        for name, (n, shape, kind) in series(config).items():
            array = arrays.get(name)
            if array is None or len(array) > n or array.shape[1:] != shape or array.dtype != kind:
                raise ValueError(f"history: {name} is not the array of at most {n} {np.dtype(kind)} that it leaves.")
        history.filled = {name: len(array) for name, array in arrays.items()}
        return history
