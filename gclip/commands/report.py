"""What a sweep found, as text: a table, the good range in words, and the suggestion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gclip.sweeping import FATES, KINDS, Results, suggest
from gclip.training.phrases import number

LINE = "{:>13} {:>10} {:>10} {:>22} {:>9}  {:>7} {:>8} {:>5} {:>8}"
HEAD = LINE.format(
    *(
        "threshold",
        "train loss",
        "test loss",
        "[lowest, highest]",
        "clip rate",
        "learned",
        "learning",
        "stuck",
        "diverged",
    )
)
COUNTED = FATES[:4]


def report(results: Results) -> str:
    """Return everything that is printed of a sweep."""
    parts = curve(results) if results.sweep.kind == "curve" else overview(results)
    return "\n".join(parts)


def curve(results: Results) -> Iterator[str]:
    """Yield a row for each threshold, the ranges in words, and the suggestion."""
    sweep = results.sweep
    yield f"{sweep.rule}, {sweep.seeds} seed{'s' * (sweep.seeds > 1)} at each threshold; losses are medians"
    yield HEAD
    for i, threshold in enumerate(sweep.thresholds):
        yield row(results, 0, i, f"{threshold:g}")
    yield ""
    yield from ranges(results)
    yield from suggestion(results)


def row(results: Results, other: int, i: int, label: str) -> str:
    """Return one cell's line."""
    (train, *_), (test, low, high) = (results.band(name) for name in ("train_loss", "test_loss"))
    span = f"[{number(low[other, i])}, {number(high[other, i])}]"
    rate = np.median(results.values("clip_rate")[other, i])
    counts = np.bincount(results.fates()[other, i], minlength=len(FATES))[: len(COUNTED)]
    return LINE.format(label, number(train[other, i]), number(test[other, i]), span, f"{rate:.4f}", *counts)


def ranges(results: Results) -> Iterator[str]:
    """Yield the good range and the range in which every seed learned, in words."""
    for found, text in [
        (results.good_range(), "Within 10 % of the best median test loss: {}."),
        (results.learned_range(), "Every seed learned: {}."),
    ]:
        if found:
            yield text.format(span(results, *found))


def span(results: Results, first: int, last: int) -> str:
    """Write a stretch of thresholds, and how wide it is."""
    low, high = (results.sweep.thresholds[i] for i in (first, last))
    return f"{low:g} alone" if first == last else f"{low:g} to {high:g}, a factor of {number(high / low)}"


def suggestion(results: Results) -> Iterator[str]:
    """Yield the suggested threshold with its reasons and limits, or say that there is none."""
    found = suggest(results)
    if found is None:
        whole = all(summary and summary.done for summary in results.summaries)
        why = ": at none did most of the seeds learn" if whole else ", since some runs are missing"
        yield f"\nNo threshold is suggested{why}."
        return
    yield f"\nSuggested threshold: {found.threshold:g}\n\nReasons"
    yield from (f"* {text}" for text in found.reasons)
    yield "\nLimits"
    yield from (f"* {text}" for text in found.limits)


def overview(results: Results) -> Iterator[str]:
    """Yield the best cell of each place of a map's second axis; all cells are in the written table."""
    name = KINDS[results.sweep.kind].second
    yield f"The best threshold at each {name}, {results.sweep.seeds} seeds in each cell; losses are medians"
    yield f"{name:>15} " + HEAD
    medians = results.band("test_loss")[0]
    for other, value in enumerate(results.sweep.others):
        i = int(np.argmin(np.nan_to_num(medians[other], nan=np.inf)))
        yield f"{value:>15g} " + row(results, other, i, f"{results.sweep.thresholds[i]:g}")
    yield ""
    yield best(results, name)


def best(results: Results, name: str) -> str:
    """Say which cell of a map is the best."""
    medians = np.nan_to_num(results.band("test_loss")[0], nan=np.inf)
    other, i = np.unravel_index(np.argmin(medians), medians.shape)
    if not np.isfinite(medians[other, i]):
        return "No cell has a finite median test loss."
    return (
        f"The best median test loss, {number(medians[other, i])}, lies at the threshold "
        f"{results.sweep.thresholds[i]:g} and the {name} {results.sweep.others[other]:g}. "
        "With -o FILE, every run of the map is written."
    )
