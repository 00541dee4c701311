"""Which threshold of a sweep is chosen: one that was trained, that learned, and far from both failures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gclip.sweeping.results import CLOSE, Results, stretch


@dataclass(frozen=True)
class Choice:
    """Where the suggestion lies, as positions in `Sweep.thresholds`.

    Args:
        at: the suggested threshold, in the middle of the stretch.
        best: that of the lowest median test loss.
        first, last: the stretch around the best of thresholds that cannot be told from it.
        within: the median test loss up to which they cannot.
    """

    at: int
    best: int
    first: int
    last: int
    within: float


def choose(results: Results) -> Choice | None:
    """Return the middle of the stretch around the best that is as good, among thresholds at which most seeds learned.

    The lowest median itself would follow the luck of the seeds, and may lie next to a threshold that fails.
    """
    if results.sweep.kind != "curve" or not all(summary and summary.done for summary in results.summaries):
        return None
    learned = results.learned()[0].sum(-1)
    if 2 * learned.max() <= results.sweep.seeds:
        return None
    medians = np.where(learned == learned.max(), results.band("test_loss")[0][0], np.inf)
    best = int(np.argmin(medians))
    within = as_good(results, best)
    first, last = stretch(medians <= within, best)
    last = min(last, first_idle(results))
    middle = (first + last) // 2, (first + last + 1) // 2  # Even on a log scale, so that it is the geometric middle.
    return Choice(min(middle, key=lambda i: medians[i]), best, first, last, within)


def as_good(results: Results, best: int) -> float:
    """Return the median test loss up to which a threshold cannot be told from the best one.

    That is `CLOSE` times the best median or, where the seeds differ by more, what a quarter of the best threshold's
    own seeds exceed.
    """
    losses = results.values("test_loss")[0, best][results.learned()[0, best]]
    return float(max(CLOSE * results.band("test_loss")[0][0, best], np.quantile(losses, 0.75)))


def first_idle(results: Results) -> int:
    """Return the first threshold that clips no step, or the last: all above it give the very same runs."""
    idle = np.flatnonzero(results.values("clip_rate")[0].max(-1) == 0)
    return int(idle[0]) if len(idle) else len(results.sweep.thresholds) - 1
