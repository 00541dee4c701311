"""Why a threshold is suggested: sentences whose every number comes from the sweep."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from gclip.sweeping.axes import RULES
from gclip.sweeping.choice import Choice
from gclip.sweeping.results import CLOSE, FATES, Results
from gclip.training.phrases import amount, listed, number, percent
from gclip.training.summary import PERCENTILES

ENDS = {
    "stuck": "{count} stuck, having learned nothing",
    "diverged": "{count} diverged",
    "still learning": "{count} not there yet",
    "learned": "{count} learned",
}

ORDINALS = tuple(f"{n}st" if n == 1 else f"{n}th" for n in PERCENTILES)

WHERE = (
    f"below the {ORDINALS[0]}",
    *[f"between the {a} and the {b}" for a, b in pairwise(ORDINALS)],
    f"above the {ORDINALS[-1]}",
)
"""Where a number lies that is greater than none, one, two ... of the percentiles."""

Reason = Callable[[Results, Choice], str]
"""One sentence, or nothing where it has nothing to say."""


def best(results: Results, choice: Choice) -> str:
    """Say where the best lies."""
    (middle, *_), seeds = losses(results, choice.best), results.sweep.seeds
    over = f"median test loss over {seeds} seeds" if seeds > 1 else "test loss"
    return f"The best {over}, {number(middle)}, lies at {threshold(results, choice.best)}."


def width(results: Results, choice: Choice) -> str:
    """Say how wide the stretch of thresholds is that are as good, and where in it the suggestion lies."""
    low, high = threshold(results, choice.first), threshold(results, choice.last)
    if choice.first == choice.last:
        others = "No other threshold" if results.values("clip_rate")[0, choice.at].max() else "No threshold that clips"
        return f"{others} is as good as {low}: that would be a median test loss up to {number(choice.within)}."
    ratio = results.sweep.thresholds[choice.last] / results.sweep.thresholds[choice.first]
    (middle, *_), (top, *_) = losses(results, choice.at), losses(results, choice.best)
    measure = (
        "within 10 % of the best" if choice.within <= CLOSE * top else "which a quarter of the best's own seeds exceed"
    )
    return (
        f"From {low} to {high}, over a factor of {number(ratio)}, thresholds cannot be told from the best: a median "
        f"test loss of at most {number(choice.within)}, {measure}. {threshold(results, choice.at)} lies nearest the "
        f"middle, away from both ends, and has {number(middle)}."
    )


def clip_rate(results: Results, choice: Choice) -> str:
    """Say how much is clipped there, and what that makes of the threshold."""
    rate = float(np.median(results.values("clip_rate")[0, choice.at]))
    text = f"At {threshold(results, choice.at)}, {steps_clipped(rate)}"
    if rate > 0.99:
        return f"{text}: the threshold sets the size of the updates, much as a learning rate does."
    if rate == 0:
        return f"{text}: the threshold only guards against larger gradients than came."
    return f"{text}: all others pass unchanged."


def place(results: Results, choice: Choice) -> str:
    """Say where the threshold lies among the percentiles of what the rule measured in those runs."""
    found = observed(results, choice.at)
    shown = listed([f"{number(value)} ({n})" for n, value in zip(ORDINALS, found, strict=True)])
    return (
        f"In those runs {RULES[results.sweep.rule].measured} had the percentiles {shown}: "
        f"{threshold(results, choice.at)} lies {WHERE[int((found < results.sweep.thresholds[choice.at]).sum())]}."
    )


def too_tight(results: Results, choice: Choice) -> str:
    """Say what fails below, and how."""
    return fails(results, choice, range(choice.at - 1, -1, -1), "Too tight", "down to")


def too_loose(results: Results, choice: Choice) -> str:
    """Say what fails above, and how."""
    return fails(results, choice, range(choice.at + 1, len(results.sweep.thresholds)), "Too loose", "up to")


def fails(results: Results, choice: Choice, side: range, name: str, until: str) -> str:
    """Say at which threshold of one side the first seed fails, and what becomes of the runs there."""
    if not side:
        return ""
    count = results.learned()[0].sum(-1)
    failing = next((i for i in side if count[i] < results.sweep.seeds), None)
    if failing is None:
        return f"Every seed learned {until} {threshold(results, side[-1])}, the end of the sweep."
    return f"{name}: at {threshold(results, failing)}, {fates(results, failing)}{progress(results, failing)}."


def fates(results: Results, position: int) -> str:
    """Say how many runs came to which end at one threshold."""
    counts = np.bincount(results.fates()[0, position], minlength=len(FATES))
    parts = [
        ENDS[fate].format(count=f"{count} of {results.sweep.seeds}")
        for fate, count in zip(FATES, counts, strict=True)
        if count and fate in ENDS
    ]
    return listed(parts)


def progress(results: Results, position: int) -> str:
    """Say whether the loss still falls at the end, where it may only want more time."""
    if len(results.epochs) < 2:
        return ""
    before, now = (float(results.band("test_loss", at)[0][0, position]) for at in (-2, -1))
    if not (np.isfinite(before) and now < 0.99 * before):
        return ""
    return (
        f"; the median test loss still falls, from {number(before)} after {budget(results, -2)} "
        f"to {number(now)} after {budget(results, -1)}"
    )


REASONS: tuple[Reason, ...] = (best, width, clip_rate, place, too_tight, too_loose)


def losses(results: Results, position: int) -> tuple[float, float, float]:
    """Return median, lowest and highest test loss at one threshold."""
    median, lowest, highest = (float(part[0, position]) for part in results.band("test_loss"))
    return median, lowest, highest


def observed(results: Results, position: int) -> np.ndarray:
    """Return the median over seeds of each of the `PERCENTILES` of what the rule measured at one threshold."""
    start = position * results.sweep.seeds
    return np.median([s.percentiles[0] for s in results.summaries[start : start + results.sweep.seeds] if s], axis=0)


def threshold(results: Results, position: int) -> str:
    """Write a threshold."""
    return f"{results.sweep.thresholds[position]:g}"


def steps_clipped(rate: float) -> str:
    """Say how many steps are clipped."""
    whole = {0.0: "no step is clipped", 1.0: "every step is clipped"}
    return whole.get(rate, f"{percent(rate)} of the steps are clipped")


def budget(results: Results, at: int) -> str:
    """Write the length of training up to an evaluation."""
    sweep = results.sweep
    return amount(sweep.length(results.epochs[at]), sweep.unit)
