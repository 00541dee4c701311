"""What is drawn across a threshold curve: baseline, good range, suggestion, and percentiles of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gclip.dashboard.stories import naive
from gclip.dashboard.sweep.figures import AMBER, GREEN, GREY
from gclip.dashboard.words import number
from gclip.sweeping import FATES as NAMES
from gclip.sweeping import Results
from gclip.sweeping.results import stretch
from gclip.training.summary import PERCENTILES

Update = dict[str, Any]
SHOWN = (10, 50, 90)
"""Percentiles of what the rule measured that are drawn across the clip rates."""

LEARNED = NAMES.index("learned")


def exactly(threshold: float) -> str:
    """Write a threshold in all of its three digits."""
    return f"{threshold:.3g}" if threshold < 1e-3 else number(threshold)


def across(results: Results, suggested: float | None) -> Update:
    """Return the lines across the threshold curve, and the range of its axis of losses."""
    uprights = [(share, value, "y3 domain", AMBER, "dot") for share, value in drawn_percentiles(results)]
    edges, height = edges_of(results.sweep.thresholds), _height(results)
    shapes, notes = _baseline(results)
    shapes += [_stretch(edges[ends[0]], edges[ends[1] + 1]) for ends in (twice(results), results.good_range()) if ends]
    shapes += [_upright(*upright[1:]) for upright in uprights]
    notes += [
        _note(f"{share} %", float(np.log10(value)), 0.02 + 0.17 * step, "x3", "y3 domain", "left")
        for step, (share, value, *_) in enumerate(uprights)
    ]
    if suggested:
        shapes.append(_upright(suggested, "y2 domain", GREEN, "solid"))
        told = f"suggested: {exactly(suggested)}"
        notes.append(_note(told, float(np.log10(suggested)), 1, "x2", "y2 domain", "left"))
    if height["above"]:
        notes.append(_note(f"↑ up to {number(height['above'])}", 1, 1, "x domain", "y2 domain", "right"))
    return {"shapes": shapes, "annotations": notes, "ranges": {"yaxis2": height["range"]}}


def _baseline(results: Results) -> tuple[list[Update], list[Update]]:
    """Return the line at the test loss of the best constant answer, and its name."""
    loss = float(np.median(results.baselines[:, 1]))
    line = {"color": GREY, "width": 1.4, "dash": "dot"}
    shape = {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "yref": "y2", "y0": loss, "y1": loss, "line": line}
    return [shape], [_note(naive(results.sweep.shared), 0.01, float(np.log10(loss)), "x domain", "y2", "left")]


TALL = 100.0
"""A median above this many times the baseline lies above the chart: it would press the others flat."""


def _height(results: Results) -> Update:
    """Return the range of the axis of losses, and a note of what lies above it."""
    baseline = float(np.median(results.baselines))
    shown = np.concatenate([results.band(name)[i][0] for name in ("train_loss", "test_loss") for i in (0, 1)])
    shown = shown[np.isfinite(shown) & (shown > 0)]
    if not len(shown):
        return {"range": None, "above": None}
    top, low = float(shown.max()), float(shown.min())
    ends = [np.log10(low) - 0.25, np.log10(min(max(top, baseline), TALL * baseline)) + 0.4]
    return {"range": [float(end) for end in ends], "above": top if top > TALL * baseline else None}


def _note(text: str, x: float, y: float, xref: str, yref: str, xanchor: str) -> Update:
    return {"text": text, "x": x, "y": y, "xref": xref, "yref": yref, "xanchor": xanchor, "yanchor": "bottom",
            "showarrow": False, "font": {"size": 11}}  # fmt: skip


def _upright(x: float, yref: str, color: str, dash: str) -> Update:
    line = {"color": color, "width": 2 if dash == "solid" else 1.4, "dash": dash}
    return {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": yref, "y0": 0, "y1": 1, "line": line}


def _stretch(low: float, high: float) -> Update:
    return {"type": "rect", "xref": "x", "x0": low, "x1": high, "yref": "y2 domain", "y0": 0, "y1": 1,
            "fillcolor": GREEN, "opacity": 0.14, "line": {"width": 0}, "layer": "below"}  # fmt: skip


def twice(results: Results) -> tuple[int, int] | None:
    """Return the stretch of thresholds (positions) around the best whose test loss is at most twice the best."""
    medians = results.band("test_loss")[0][0]
    if not np.isfinite(medians).any():
        return None
    return stretch(medians <= 2 * np.nanmin(medians), int(np.nanargmin(medians)))


def drawn_percentiles(results: Results) -> list[tuple[int, float]]:
    """Return the percentiles that lie on the axis of thresholds, with their shares."""
    found, edges = loosest(results), edges_of(results.sweep.thresholds)
    if not found:
        return []
    pairs = [(share, float(found[1][PERCENTILES.index(share)])) for share in SHOWN]
    return [(share, value) for share, value in pairs if edges[0] <= value <= edges[-1]]


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


def edges_of(values: Sequence[float]) -> list[float]:
    """Return the borders between places that are even on a log scale, one more than there are places."""
    logs = np.log10(values)
    half = np.diff(logs) / 2 if len(logs) > 1 else np.array([0.1])
    return [float(v) for v in 10 ** np.concatenate([[logs[0] - half[0]], logs[:-1] + half, [logs[-1] + half[-1]]])]
