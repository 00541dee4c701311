"""What the tests of the Sweep page's parts share: links to draw from, and results whose every number is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as some
import numpy as np

from gclip.sweeping import Results, Sweep, usual
from gclip.training import Config, Event, RecurrentConfig, RunConfig, Summary
from gclip.training.networks import NETWORKS, network_of

NAN, INF = float("nan"), float("inf")
SHORT = RunConfig(epochs=2)
"""Evaluated after each of its two epochs of 16 steps."""

SHORT_TEXT = RecurrentConfig(problem="characters", steps=40)
"""Likewise evaluated twice, after 20 steps each."""

LEARNED, SLOW, STUCK = 10.0, 15_000.0, 26_000.0
"""Test losses of the tutorial's network that mean so."""

RULES = ("ClipByNorm", "ClipByTensorNorm", "ClipByValue", "AdaptiveGradientClip")


@some.composite
def networks(draw: some.DrawFn) -> Config:
    """Draw what the runs of a sweep may share: any network, with some settings of its own."""
    name = draw(some.sampled_from(sorted(NETWORKS)))
    own: dict[str, Any] = {"learning_rate": draw(some.floats(1e-6, 1.0)), "hidden_units": draw(some.integers(1, 16))}
    own["init_seed"] = draw(some.integers(0, 2**31 - 30))
    if name == "regression":
        own |= {"epochs": draw(some.integers(1, 120)), "standardize_target": draw(some.booleans())}
    else:
        own |= {"steps": 20 * draw(some.integers(1, 5)), "cell": draw(some.sampled_from(["LSTM", "RNN"]))}
    return type(NETWORKS[name])(**NETWORKS[name].model_dump() | own)


@some.composite
def sweeps(draw: some.DrawFn) -> Sweep:
    """Draw a sweep that a link may say."""
    kind = draw(some.sampled_from(["curve", "learning_rate", "both"]))
    rule = "ClipByNorm" if kind == "both" else draw(some.sampled_from(RULES))
    low = draw(some.floats(1e-6, 1e3))
    own: dict[str, Any] = {"low": low, "high": draw(some.floats(low * 1.01, 1e6)), "count": draw(some.integers(2, 12))}
    own["seeds"] = draw(some.integers(1, 4))
    if kind != "curve":
        low = draw(some.floats(1e-6, 1.0))
        own |= {"other_low": low, "other_high": draw(some.floats(low * 1.01, 1e3))}
        own["other_count"] = draw(some.integers(2, 12))
    shared = draw(networks())
    own |= {"kind": kind, "rule": rule, "shared": shared}
    return Sweep(**usual(kind, rule, network_of(shared)).model_dump() | own)


def summary(config: Any, losses: Sequence[float], rate: float) -> Summary:
    """Return a record with these test losses, one for each evaluation so far; a NaN says that the weights were."""
    record = Summary(config)
    arrays = {
        "train_loss": np.array(losses) / 2,
        "test_loss": np.array(losses),
        "clip_rate": np.full(len(losses), rate),
    }
    if len(losses) == 2:
        arrays["percentiles"] = np.array([[1, 2, 3, 4, 5]])
    bad = next((i for i, loss in enumerate(losses) if np.isnan(loss)), None)
    events = [] if bad is None else [Event("weight", bad * config.steps_per_epoch + 3, "hidden.weight")]
    record.append({name: array.astype(np.float32) for name, array in arrays.items()}, events)
    return record


def made(
    rows: Sequence[Sequence[float]], first: Sequence[Sequence[float]] = (), rate: float = 1.0, done: int = 2, **own: Any
) -> Results:
    """Return a curve over thresholds 1, 2, 4 ... with these test losses ``[thresholds][seeds]``; NaN has diverged.

    Args:
        first: those after the first of the two epochs; as at the end if not given.
        done: how many epochs have been evaluated.
        own: other settings of the sweep; for a map ``rows`` are its cells, in the order of `Sweep.configs`.
    """
    count = len(rows)
    begun = {"shared": SHORT, "low": 1.0, "high": 2.0 ** (count - 1), "count": count, "seeds": len(rows[0])}
    sweep = Sweep(**begun | own)
    pairs = zip([x for row in first or rows for x in row], [x for row in rows for x in row], strict=True)
    records = [summary(c, pair[:done], rate) for c, pair in zip(sweep.configs(), pairs, strict=True)]
    return Results(sweep, records)
