"""Networks at thresholds that were measured independently: sweeps give the same, in kind."""

from __future__ import annotations

from typing import Any

import pytest

import gclip
from gclip.sweeping import FATES, Results, Sweep
from gclip.training.networks import NETWORKS

SEEDS = 3

SWEEPS: dict[str, dict[str, Any]] = {
    "norm": {"low": 0.1, "high": 100, "count": 4},
    "loose norm": {"low": 512, "high": 1000, "count": 2},
    "value": {"rule": "ClipByValue", "low": 0.5, "high": 5, "count": 2},
    "tensor norm": {"rule": "ClipByTensorNorm", "low": 1, "high": 10, "count": 2},
    "AGC": {"rule": "AdaptiveGradientClip", "low": 0.01, "high": 0.1, "count": 2},
    "sine": {"shared": NETWORKS["sine"], "low": 0.03, "high": 1, "count": 2, "seeds": 1},
    "characters": {"shared": NETWORKS["characters"], "low": 0.25, "high": 10, "count": 2, "seeds": 1},
}

ROWS = [
    ("norm", 0.1, "still learning", 11_100, 12_900),
    ("norm", 1, "learned", 11, 38),
    ("norm", 10, "learned", 4.9, 17.5),
    ("norm", 100, "learned", 149, 1_821),
    ("loose norm", 512, "stuck", 26_000, 32_000),
    ("value", 0.5, "learned", 7.3, 21),
    ("value", 5, "learned", 12, 111),
    ("tensor norm", 1, "learned", 12.5, 18.8),
    ("AGC", 0.1, "learned", 2, 4),
    ("AGC", 0.01, "still learning", 18_000, 22_000),
    ("sine", 0.03, "learned", 0.016, 0.021),
    ("sine", 1, "stuck", 0.9, 1.1),
    ("characters", 0.25, "learned", 0.11, 0.16),
    ("characters", 10, "stuck", 10, 50),
]
"""Sweep, threshold, fate, and the lowest and highest test loss: over 20 seeds; of recurrent networks, over 10 or 3."""


@pytest.fixture(scope="module")
def found() -> dict[str, Results]:
    sweeps = {name: Sweep.model_validate({"seeds": SEEDS} | fields) for name, fields in SWEEPS.items()}
    records = iter(gclip.run([config for sweep in sweeps.values() for config in sweep.configs()], gclip.Summary))
    return {name: Results(sweep, [next(records) for _ in sweep.configs()]) for name, sweep in sweeps.items()}


@pytest.mark.parametrize(("name", "threshold", "fate", "lowest", "highest"), ROWS)
def test_a_threshold_does_what_was_measured(
    found: dict[str, Results], name: str, threshold: float, fate: str, lowest: float, highest: float
) -> None:
    results = found[name]
    at = results.sweep.thresholds.index(threshold)
    assert {FATES[i] for i in results.fates()[0, at]} == {fate}
    losses = results.values("test_loss")[0, at]
    assert lowest / 2 <= losses.min()
    assert losses.max() <= 2 * highest  # Single seeds may lie outside of what other 20 gave; the kind is the same.


def test_every_step_is_clipped_at_norm_1_and_value_5_and_few_at_norm_512(found: dict[str, Results]) -> None:
    assert (found["norm"].values("clip_rate")[0, 1] == 1).all()
    assert (found["value"].values("clip_rate")[0, 1] == 1).all()
    assert (found["loose norm"].values("clip_rate")[0, 0] < 0.6).all()
