"""What a sweep found: arrays over its cells, from the summaries of its runs, as far as they have come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gclip.sweeping.sweep import Sweep
from gclip.training import Summary
from gclip.training.record import LEARNED, STUCK
from gclip.training.summary import evaluated_epochs
from gclip.training.tasks import task_of

FATES = ("learned", "still learning", "stuck", "diverged", "untrained")
"""What may have become of a run; the first four are verdicts."""

PER_EPOCH = ("train_loss", "test_loss", "clip_rate")

CLOSE = 1.1
"""Within this factor of the best median test loss, a threshold counts as good."""


@dataclass(frozen=True)
class Results:
    """The summaries of a sweep's runs, in the order of `Sweep.configs`; arrays are ``[others, thresholds, seeds]``."""

    sweep: Sweep
    summaries: Sequence[Summary | None]

    @cached_property
    def epochs(self) -> list[int]:
        """Epochs after which the runs are evaluated, the last being the runs' last."""
        return evaluated_epochs(self.sweep.shared)

    def values(self, name: str, at: int | None = None) -> np.ndarray:
        """Return one number of each run, ``[others, thresholds, seeds]``; NaN where there is none yet.

        Args:
            name: "train_loss", "test_loss" or "clip_rate".
            at: position in `epochs`; None takes each run's latest evaluation, which differs while they train.
        """
        found = self._rows[name][np.arange(len(self.summaries)), self._counts - 1 if at is None else at]
        return found.reshape(self.sweep.shape)

    @cached_property
    def _counts(self) -> np.ndarray:
        """How often each run has been evaluated."""
        return np.array([len(s.test_loss) if s else 0 for s in self.summaries])

    @cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        """Each run's numbers ``[runs, epochs]``, NaN behind the last: read out once, asked for often."""
        rows = {n: np.full((len(self.summaries), len(self.epochs)), np.nan, np.float32) for n in PER_EPOCH}
        for i, summary in enumerate(self.summaries):
            for name, table in rows.items():
                if summary:
                    table[i, : self._counts[i]] = getattr(summary, name)
        return rows

    def evaluated(self, at: int | None = None) -> np.ndarray:
        """Return which runs have been evaluated, ``[others, thresholds, seeds]``: after the epoch ``at``, or at all."""
        return (self._counts > (0 if at is None else at)).reshape(self.sweep.shape)

    def fates(self, at: int | None = None) -> np.ndarray:
        """Return positions in `FATES` ``[others, thresholds, seeds]``, judged after the epoch ``at``, or now."""
        score = self.values("test_loss", at) / self.baselines[..., 1]
        steps = self.sweep.shared.steps if at is None else self.epochs[at] * self.sweep.shared.steps_per_epoch
        ended = np.array([s.diverged_at if s and s.diverged_at is not None else np.inf for s in self.summaries])
        with np.errstate(invalid="ignore"):
            fates = np.select([score <= LEARNED, score < STUCK, score >= STUCK], [0, 1, 2], default=4)
        # The weights may still be finite where their loss is not.
        overflown = self.evaluated(at) & ~np.isfinite(score)
        fates[(ended < steps).reshape(fates.shape) | overflown] = 3
        return fates

    def learned(self, at: int | None = None) -> np.ndarray:
        """Return which runs have learned, ``[others, thresholds, seeds]``, judged after the epoch ``at``, or now."""
        return self.fates(at) == FATES.index("learned")

    @cached_property
    def baselines(self) -> np.ndarray:
        """Train and test loss of the best constant answer for each seed, ``[seeds, 2]``."""
        sweep = self.sweep
        return np.array([task_of(config).baseline(config) for config in sweep.cell(sweep.low, sweep.others[0])])

    def band(self, name: str, at: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return median, lowest and highest over seeds, ``[others, thresholds]``; a diverged seed counts as infinite.

        NaN stands where not all seeds have been evaluated.
        """
        values = np.where(self.fates(at) == FATES.index("diverged"), np.inf, self.values(name, at))
        ordered = np.sort(values, axis=-1)  # NaN, which is not evaluated yet, comes last.
        half = ordered.shape[-1] / 2
        middle = ordered[..., int(np.ceil(half)) - 1] / 2 + ordered[..., int(half)] / 2
        missing = np.isnan(values).any(-1)
        return tuple(np.where(missing, np.nan, part) for part in (middle, ordered[..., 0], ordered[..., -1]))  # type: ignore[return-value]

    @property
    def done(self) -> float:
        """Share of the steps that have been trained."""
        steps = sum(summary.steps_done for summary in self.summaries if summary)
        return steps / (len(self.summaries) * self.sweep.shared.steps)

    def good_range(self, at: int | None = None, other: int = 0) -> tuple[int, int] | None:
        """Return the first and the last threshold (positions) of the stretch around the best that is as good.

        As good means a median test loss within `CLOSE` of the best. None while nothing is finite.
        """
        medians = self.band("test_loss", at)[0][other]
        if not np.isfinite(medians).any():
            return None
        return stretch(medians <= CLOSE * np.nanmin(medians), int(np.nanargmin(medians)))

    def learned_range(self, at: int | None = None, other: int = 0) -> tuple[int, int] | None:
        """Return the widest stretch of thresholds (positions) at which every seed has learned; None if none has."""
        learned = self.learned(at)[other].all(-1)
        found = [stretch(learned, int(i)) for i in np.flatnonzero(learned)]
        return max(found, key=lambda ends: ends[1] - ends[0], default=None)


def stretch(good: np.ndarray, inside: int) -> tuple[int, int]:
    """Return the first and the last position of the unbroken stretch of ``good`` around ``inside``."""
    bad = np.flatnonzero(~good)
    return int(max([-1, *bad[bad < inside]])) + 1, int(min([len(good), *bad[bad > inside]])) - 1
