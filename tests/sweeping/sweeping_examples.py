"""What the tests of gclip.sweeping share: results made by hand, whose every number is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gclip.sweeping import Results, Sweep
from gclip.training import Event, RunConfig, Summary

SHORT = RunConfig(epochs=2)
"""Evaluated after each of its two epochs of 16 steps."""

LEARNED, SLOW, STUCK = 10.0, 15_000.0, 26_000.0
"""Test losses of the tutorial's network that mean so; a constant answer has about 26,000."""

NAN, INF = float("nan"), float("inf")

Row = Sequence[float | None]


def summary(config: Any, losses: Sequence[float], rate: float = 1.0, percentiles: Any = (1, 2, 3, 4, 5)) -> Summary:
    """Return a record with these test losses, one for each evaluation so far; a NaN says that the weights were."""
    record = Summary(config)
    arrays: dict[str, Any] = {"train_loss": np.array(losses) / 2, "test_loss": np.array(losses)}
    arrays["clip_rate"] = np.full(len(losses), rate)
    if len(losses) == len(record._arrays["test_loss"]):
        arrays["percentiles"] = np.array([percentiles])
    bad = next((i for i, loss in enumerate(losses) if np.isnan(loss)), None)
    events = [] if bad is None else [Event("weight", bad * config.steps_per_epoch + 3, "hidden.weight")]
    record.append({name: array.astype(np.float32) for name, array in arrays.items()}, events)
    return record


def made(
    rows: Sequence[Row],
    first: Sequence[Row] | None = None,
    rates: Sequence[float] | None = None,
    percentiles: Any = (1, 2, 3, 4, 5),
    **fields: Any,
) -> Results:
    """Return the results of a curve over thresholds 1, 2, 4 ... with these test losses ``[thresholds][seeds]``.

    Args:
        rows: test losses at the end; NaN for a run that diverged, None for one that has not begun.
        first: those after the first of the two epochs; as at the end if not given.
        rates: clip rate at each threshold; 1 if not given.
    """
    count = len(rows)
    usual = {"shared": SHORT, "low": 1.0, "high": 2.0 ** (count - 1), "count": count, "seeds": len(rows[0])}
    sweep = Sweep(**usual | fields)
    configs = iter(sweep.configs())
    summaries = [
        None if loss is None else summary(config, [early or 0.0, loss], (rates or [1.0] * count)[i], percentiles)
        for i, (row, early_row) in enumerate(zip(rows, first or rows, strict=True))
        for loss, early, config in zip(row, early_row, configs, strict=False)
    ]
    return Results(sweep, summaries)
