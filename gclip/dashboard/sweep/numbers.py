"""What a sweep's charts show now: numbers for their traces, and the lines drawn across them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gclip.dashboard.sweep.figures import FATE_TITLES, FATES
from gclip.dashboard.sweep.lines import Update, across, edges_of, exactly
from gclip.dashboard.words import number, percent
from gclip.sweeping import FATES as NAMES
from gclip.sweeping import KINDS, Results
from gclip.training import record
from gclip.training.phrases import amount

DIVERGED, STUCK = NAMES.index("diverged"), NAMES.index("stuck")


def sendable(values: Iterable[Any]) -> list[float | None]:
    """Return numbers as JSON has them, in four digits; None for what no axis can show."""
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]


def curve(results: Results, suggested: float | None = None) -> Update:
    """Return the threshold curve's numbers, as far as the runs have come."""
    thresholds = results.sweep.thresholds
    bands = {name: results.band(name)[0][0] for name in ("train_loss", "test_loss")}
    common = {
        "x": list(thresholds),
        "text": cell_texts(results)[0],
        "customdata": [[i, 0] for i in range(len(thresholds))],
    }
    traces = {
        "train": common | {"y": sendable(bands["train_loss"])},
        "test": common | {"y": sendable(bands["test_loss"])},
        "clip_rate": common | {"y": sendable(clip_rates(results)[0])},
        "test.band": _polygon(thresholds, *_range(results)),
    }
    return {"traces": traces | _fates(results, common), "layout": across(results, suggested)}


def clip_rates(results: Results) -> np.ndarray:
    """Return the median clip rate over those seeds that took a step, ``[others, thresholds]``; NaN where none did."""
    rates = results.values("clip_rate")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Where no seed took a step, NaN is the answer.
        return np.nanmedian(rates, axis=-1)


def _range(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest test loss; where a seed diverged, the range goes on past the highest."""
    middle, low, high = (part[0] for part in results.band("test_loss"))
    highest = max([part[np.isfinite(part)].max(initial=0.0) for part in (middle, low, high, results.baselines)])
    return low, np.where(np.isinf(high), 3 * highest, high)


def _polygon(x: Sequence[float], low: np.ndarray, high: np.ndarray) -> Update:
    kept = [i for i in range(len(x)) if np.isfinite(low[i]) and np.isfinite(high[i])]
    there, back = kept, kept[::-1]
    return {"x": [x[i] for i in (*there, *back)], "y": sendable([*high[there], *low[back]] if kept else [])}


def _fates(results: Results, common: Update) -> dict[str, Update]:
    """Return a row of marks for each verdict, larger where more seeds have it."""
    counts, seeds = counted(results)[0], results.sweep.seeds
    updates = {}
    for row, name in enumerate(FATES):
        at = [i for i, count in enumerate(counts) if count[NAMES.index(name)]]
        sizes = [round(4 + 7 * (counts[i][NAMES.index(name)] / seeds) ** 0.5, 1) for i in at]
        picked = {key: [values[i] for i in at] for key, values in common.items()}
        updates[f"fate.{name}"] = picked | {"y": [row] * len(at), "marker": {"size": sizes}}
    return updates


def counted(results: Results, at: int | None = None) -> np.ndarray:
    """Return how many seeds met each fate, ``[others, thresholds, fates]``."""
    fates = results.fates(at)
    return np.stack([(fates == i).sum(-1) for i in range(len(NAMES))], -1)


def cell_texts(results: Results) -> list[list[str]]:
    """Return what a cell says under the pointer, ``[others][thresholds]``."""
    bands = {name: results.band(name) for name in ("train_loss", "test_loss")}
    rates, counts, sweep = clip_rates(results), counted(results), results.sweep

    def text(o: int, t: int) -> str:
        test, low, high = (part[o, t] for part in bands["test_loss"])
        met = {name: counts[o, t, NAMES.index(name)] for name in FATES}
        lines = [
            f"<b>{place(results, t, o)}</b>",
            f"test loss {number(test)}, from {number(low)} to {number(high)}",
            f"train loss {number(bands['train_loss'][0][o, t])}",
            f"of {amount(sweep.seeds, 'seed')}: "
            + ", ".join(f"{n} {FATE_TITLES.get(name, name)}" for name, n in met.items() if n),
            f"clip rate {percent(float(rates[o, t]))}",
        ]
        return "<br>".join(lines if not np.isnan(test) else [lines[0], "not trained yet"])

    return [[text(o, t) for t in range(len(sweep.thresholds))] for o in range(len(sweep.others))]


def place(results: Results, threshold: int, other: int) -> str:
    """Name a cell by its thresholds, or by its threshold and learning rate."""
    sweep = results.sweep
    return KINDS[sweep.kind].cell.format(exactly(sweep.thresholds[threshold]), exactly(sweep.others[other]))


def budget(results: Results, suggested: float | None = None) -> Update:
    """Return the best threshold, and the range of those as good, after each length of training."""
    found, sweep = best_by_length(results), results.sweep
    x, thresholds = [length for length, _, _ in found], sweep.thresholds
    edges = edges_of(thresholds)
    low, high = (np.array([edges[ends[i] + i] for _, _, ends in found]) for i in (0, 1))
    best = [thresholds[at] for _, at, _ in found]
    text = [f"{amount(length, sweep.unit)}: best at {exactly(t)}" for length, t in zip(x, best, strict=True)]
    return {
        "traces": {"best": {"x": x, "y": best, "text": text}, "good": _polygon(x, low, high)},
        "layout": {},
    }


def best_by_length(results: Results) -> list[tuple[int, int, tuple[int, int]]]:
    """Return for each length of training that all runs have reached the best threshold's position and the good range.

    The length is in the unit of `Sweep.unit`. Lengths after which no threshold is better than a constant answer have
    no best one.
    """
    found, useful = [], record.STUCK * float(np.median(results.baselines[:, 1]))
    for at, epochs in enumerate(results.epochs):
        medians = results.band("test_loss", at)[0][0]
        if np.isnan(medians).any():
            break
        if (ends := results.good_range(at)) and np.nanmin(medians) < useful:
            found.append((results.sweep.length(epochs), int(np.nanargmin(medians)), ends))
    return found


def map_(results: Results, suggested: float | None = None) -> Update:
    """Return the map's numbers: losses of cells that are useful, marks for the others."""
    sweep, medians = results.sweep, results.band("test_loss")[0]
    counts = counted(results)
    stuck = np.isfinite(medians) & (counts[..., STUCK] * 2 > sweep.seeds)
    diverged = np.isinf(medians)
    some = (counts[..., DIVERGED] > 0) & ~diverged
    usable = np.where(stuck | ~np.isfinite(medians), np.nan, np.log10(np.where(np.isfinite(medians), medians, 1)))
    grid = {
        "x": edges_of(sweep.thresholds),
        "y": edges_of(sweep.others),
    }
    cells = [[[t, o] for t in range(len(sweep.thresholds))] for o in range(len(sweep.others))]
    best = np.zeros_like(diverged)
    if np.isfinite(medians).any():
        best[np.unravel_index(np.nanargmin(medians), medians.shape)] = True
    failed = np.where(diverged, 1.0, np.where(stuck, 0.0, np.nan))
    z = {name: [sendable(row) for row in rows] for name, rows in (("loss", usable), ("failed", failed))}
    traces = {
        "loss": grid | {"z": z["loss"], "text": cell_texts(results), "customdata": cells},
        "failed": grid | {"z": z["failed"]},
    }
    marks = {"diverged": diverged, "some": some, "stuck": stuck, "best": best}
    return {"traces": traces | {name: _places(results, which) for name, which in marks.items()}, "layout": {}}


def _places(results: Results, which: np.ndarray) -> Update:
    others, thresholds = np.nonzero(which)
    sweep = results.sweep
    return {"x": [sweep.thresholds[t] for t in thresholds], "y": [sweep.others[o] for o in others]}


NUMBERS = {"curve": curve, "budget": budget, "map": map_}
