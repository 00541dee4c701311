"""What a sweep begins with where nothing else is asked for: axes that show both failures of the tutorial's network."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gclip.sweeping.sweep import Sweep

SPANS = {
    "ClipByNorm": (0.01, 1000.0),
    "ClipByTensorNorm": (0.01, 1000.0),
    "ClipByValue": (0.01, 1000.0),
    "AdaptiveGradientClip": (0.001, 10.0),
}
"""Thresholds of each rule between which the tutorial's network goes from too tight to too loose."""

AXES: dict[str, dict[str, Any]] = {
    "curve": {},
    "learning_rate": {"count": 16, "other_low": 1e-4, "other_high": 0.1, "other_count": 12, "seeds": 3},
    "both": {"low": 0.1, "count": 16, "other_low": 0.001, "other_high": 10.0, "other_count": 12, "seeds": 3},
}
"""What each kind of sweep begins with, beside its rule's thresholds."""


@lru_cache(maxsize=16)
def usual(kind: str, rule: str) -> Sweep:
    """Return the sweep that this kind and rule begin with; kind "both" has but one rule."""
    rule = "ClipByNorm" if kind == "both" else rule
    low, high = SPANS[rule]
    return Sweep(**{"kind": kind, "rule": rule, "low": low, "high": high} | AXES[kind])
