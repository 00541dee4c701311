"""What a sweep's charts show now: numbers for their traces, and the lines drawn across them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gclip.dashboard.sweep_figures import AMBER, FATE_TITLES, FATES, GREEN, GREY
from gclip.dashboard.words import number, percent
from gclip.sweeping import FATES as NAMES
from gclip.sweeping import Results
from gclip.sweeping.results import stretch
from gclip.training.summary import PERCENTILES

Update = dict[str, Any]
SHOWN = (10, 50, 90)
"""Percentiles of what the rule measured that are drawn across the clip rates."""

DIVERGED, STUCK, LEARNED = (NAMES.index(name) for name in ("diverged", "stuck", "learned"))


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
    return {"traces": traces | _fates(results, common), "layout": _across(results, suggested)}


def clip_rates(results: Results) -> np.ndarray:
    """Return the median clip rate over those seeds that took a step, ``[others, thresholds]``; NaN where none did."""
    rates = results.values("clip_rate")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Where no seed took a step, NaN is the answer.
        return np.nanmedian(rates, axis=-1)


def _range(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest test loss; where a seed diverged, the range goes on to the top."""
    _, low, high = (part[0] for part in results.band("test_loss"))
    finite = [*high[np.isfinite(high)], *low[np.isfinite(low)], *results.baselines[:, 1]]
    return low, np.where(np.isinf(high), 3 * max(finite), high)


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
            f"of {sweep.seeds} seeds: "
            + ", ".join(f"{n} {FATE_TITLES.get(name, name)}" for name, n in met.items() if n),
            f"clip rate {percent(float(rates[o, t]))}",
        ]
        return "<br>".join(lines if not np.isnan(test) else [lines[0], "not trained yet"])

    return [[text(o, t) for t in range(len(sweep.thresholds))] for o in range(len(sweep.others))]


def place(results: Results, threshold: int, other: int) -> str:
    """Name a cell by its thresholds, or by its threshold and learning rate."""
    sweep = results.sweep
    first, second = number(sweep.thresholds[threshold]), number(sweep.others[other])
    names = {"curve": "threshold {}", "learning_rate": "threshold {}, learning rate {}", "both": "norm {}, value {}"}
    return names[sweep.kind].format(first, second)


def _across(results: Results, suggested: float | None) -> Update:
    """Return the lines across the threshold curve: baseline, good range, suggestion and percentiles."""
    thresholds, baseline = results.sweep.thresholds, float(np.median(results.baselines[:, 1]))
    shapes: list[Update] = [
        {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "yref": "y2", "y0": baseline, "y1": baseline,
         "line": {"color": GREY, "width": 1.4, "dash": "dot"}},
    ]  # fmt: skip
    notes: list[Update] = [_note("predicting the mean", 0.5, float(np.log10(baseline)), "x domain", "y2", "center")]
    edges = edges_of(thresholds)
    shapes += [_stretch(edges[ends[0]], edges[ends[1] + 1]) for ends in (twice(results), results.good_range()) if ends]
    if suggested:
        shapes.append(_upright(suggested, "y2 domain", GREEN, "solid", 2))
        notes.append(_note(f"suggested: {number(suggested)}", float(np.log10(suggested)), 1, "x2", "y2 domain", "left"))
    for share, value in drawn_percentiles(results):
        shapes.append(_upright(value, "y3 domain", AMBER, "dot", 1.4))
        notes.append(_note(f"{share} %", float(np.log10(value)), 0.02, "x3", "y3 domain", "left"))
    return {"shapes": shapes, "annotations": notes}


def twice(results: Results) -> tuple[int, int] | None:
    """Return the stretch of thresholds (positions) around the best whose test loss is at most twice the best."""
    medians = results.band("test_loss")[0][0]
    if not np.isfinite(medians).any():
        return None
    return stretch(medians <= 2 * np.nanmin(medians), int(np.nanargmin(medians)))


def _stretch(low: float, high: float) -> Update:
    return {"type": "rect", "xref": "x", "x0": low, "x1": high, "yref": "y2 domain", "y0": 0, "y1": 1,
            "fillcolor": GREEN, "opacity": 0.14, "line": {"width": 0}, "layer": "below"}  # fmt: skip


def _upright(x: float, yref: str, color: str, dash: str, width: float) -> Update:
    line = {"color": color, "width": width, "dash": dash}
    return {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": yref, "y0": 0, "y1": 1, "line": line}


def _note(text: str, x: float, y: float, xref: str, yref: str, xanchor: str) -> Update:
    return {"text": text, "x": x, "y": y, "xref": xref, "yref": yref, "xanchor": xanchor, "yanchor": "bottom",
            "showarrow": False, "font": {"size": 11}}  # fmt: skip


def loosest(results: Results) -> tuple[int, np.ndarray] | None:
    """Return the loosest threshold at which a run learned, or else stayed finite, and its `PERCENTILES`, or None.

    A run that is stuck is passed over where there is a better one: a network of dead units has small gradients.
    """
    fates, seeds = results.fates()[0], results.sweep.seeds
    for wanted in ((LEARNED,), (0, 1, 2)):
        for i in range(len(fates) - 1, -1, -1):
            for seed in np.flatnonzero(np.isin(fates[i], wanted)):
                summary = results.summaries[i * seeds + int(seed)]
                if summary and len(summary.percentiles) and np.isfinite(summary.percentiles[0]).all():
                    return i, summary.percentiles[0]
    return None


def drawn_percentiles(results: Results) -> list[tuple[int, float]]:
    """Return the percentiles that lie on the axis of thresholds, with their shares."""
    found, edges = loosest(results), edges_of(results.sweep.thresholds)
    if not found:
        return []
    pairs = [(share, float(found[1][PERCENTILES.index(share)])) for share in SHOWN]
    return [(share, value) for share, value in pairs if edges[0] <= value <= edges[-1]]


def edges_of(values: Sequence[float]) -> list[float]:
    """Return the borders between places that are even on a log scale, one more than there are places."""
    logs = np.log10(values)
    half = np.diff(logs) / 2 if len(logs) > 1 else np.array([0.1])
    return [float(v) for v in 10 ** np.concatenate([[logs[0] - half[0]], logs[:-1] + half, [logs[-1] + half[-1]]])]


def budget(results: Results, suggested: float | None = None) -> Update:
    """Return the best threshold, and the range of those as good, after each number of epochs."""
    found = best_by_epochs(results)
    x, thresholds = [epochs for epochs, _, _ in found], results.sweep.thresholds
    edges = edges_of(thresholds)
    low, high = (np.array([edges[ends[i] + i] for _, _, ends in found]) for i in (0, 1))
    best = [thresholds[at] for _, at, _ in found]
    text = [f"{epochs} epochs: best at {number(t)}" for (epochs, _, _), t in zip(found, best, strict=True)]
    return {
        "traces": {"best": {"x": x, "y": best, "text": text}, "good": _polygon(x, low, high)},
        "layout": {},
    }


def best_by_epochs(results: Results) -> list[tuple[int, int, tuple[int, int]]]:
    """Return for each number of epochs that all runs have reached the best threshold's position and the good range."""
    found = []
    for at, epochs in enumerate(results.epochs):
        medians = results.band("test_loss", at)[0][0]
        if np.isnan(medians).any():
            break
        if ends := results.good_range(at):
            found.append((epochs, int(np.nanargmin(medians)), ends))
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
