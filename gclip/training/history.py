"""The full record of a run: every step's measurements, every epoch's losses, a verdict and a post-mortem."""

from __future__ import annotations

import numpy as np

from gclip.training.config import Config
from gclip.training.measure import BINS
from gclip.training.record import KINDS, Event, Record, Series
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


def mark_steps(config: Config) -> list[int]:
    """Return the steps whose gradient elements are counted in a histogram."""
    ends = range(config.steps_per_epoch - 1, config.steps, config.steps_per_epoch)
    return sorted({*range(min(FIRST_MARKS, config.steps)), *ends})


class History(Record):
    """The full record of one run; each name in PER_STEP, PER_EPOCH and PER_MARK is a numpy attribute."""

    @staticmethod
    def series(config: Config) -> Series:
        """Return for each array its full length, the shape of one row, and its type."""
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

    @property
    def steps_done(self) -> int:
        """Steps trained so far."""
        return self.filled["loss"]

    @property
    def tensors(self) -> list[str]:
        """Names of the tensors, in the order of ``layer_norm`` and ``histogram``."""
        return list(task_of(self.config).shapes(self.config))

    @property
    def post_mortem(self) -> list[Event]:
        """What first went non-finite, in order of step: the loss, the norm, a gradient, a weight."""
        return sorted(self.events, key=lambda event: (event.step, KINDS.index(event.kind)))

    @property
    def lost_at(self) -> int | None:
        """The step (from 0) at which the run was lost, or None.

        It is the first after which a weight was not finite; where every weight still is and the last test loss is not,
        the first at which anything was not finite.
        """
        if not self.lost or self.diverged_at is not None:
            return self.diverged_at
        if self.events:
            return self.post_mortem[0].step
        epochs = int(np.flatnonzero(~np.isfinite(self.test_loss))[0]) + 1
        return epochs * self.config.steps_per_epoch - 1

    @property
    def lived(self) -> slice:
        """The steps before a weight was not finite, at least the first: what comes after them tells of no gradient."""
        return slice(None if self.diverged_at is None else max(1, self.diverged_at))

    @property
    def last_finite_norms(self) -> np.ndarray:
        """The last eight finite norms before the first that was not, or the run's last eight."""
        bad = np.flatnonzero(~np.isfinite(self.total_norm))
        return self.total_norm[: bad[0] if len(bad) else None][-8:]
