"""What a sweep begins with where nothing else is asked for: axes that show both failures of a network."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gclip.sweeping.sweep import Sweep
from gclip.training.networks import NETWORKS

Span = tuple[float, float]

SPANS: dict[str, dict[str, Span]] = {
    "regression": {
        "ClipByNorm": (0.01, 1000.0),
        "ClipByTensorNorm": (0.01, 1000.0),
        "ClipByValue": (0.01, 1000.0),
        "AdaptiveGradientClip": (0.001, 10.0),
    },
    "sine": {
        "ClipByNorm": (1e-4, 10.0),
        "ClipByTensorNorm": (1e-5, 10.0),
        "ClipByValue": (1e-6, 1.0),
        "AdaptiveGradientClip": (1e-5, 10.0),
    },
    "bad_batch": {
        "ClipByNorm": (1e-4, 100.0),
        "ClipByTensorNorm": (1e-4, 100.0),
        "ClipByValue": (1e-6, 1.0),
        "AdaptiveGradientClip": (1e-4, 10.0),
    },
    "characters": {
        "ClipByNorm": (1e-3, 100.0),
        "ClipByTensorNorm": (1e-3, 100.0),
        "ClipByValue": (1e-6, 1.0),
        "AdaptiveGradientClip": (1e-4, 10.0),
    },
    "sum": {
        "ClipByNorm": (0.01, 1000.0),
        "ClipByTensorNorm": (1e-3, 1000.0),
        "ClipByValue": (1e-4, 10.0),
        "AdaptiveGradientClip": (1e-3, 100.0),
    },
}
"""Thresholds of each rule between which a network goes from too tight to too loose, where it does."""

BOTH: dict[str, tuple[Span, Span]] = {"regression": ((0.1, 1000.0), (0.001, 10.0))}
"""Norm and value thresholds of a map of the two, where they are others than those of the rules alone."""

CURVE, MAP = {"count": 24, "seeds": 8}, {"count": 16, "other_count": 12, "seeds": 3}
RECURRENT_CURVE, RECURRENT_MAP = {"count": 16, "seeds": 3}, {"count": 9, "other_count": 7, "seeds": 1}
"""Places and seeds; fewer where the network is recurrent, since a run then takes some hundred times as long."""

RATES = (1 / 100, 10.0)
"""Learning rates of a map, as multiples of the network's own."""


@lru_cache(maxsize=64)
def usual(kind: str, rule: str, network: str = "regression") -> Sweep:
    """Return the sweep that this kind, rule and network begin with; kind "both" has but one rule."""
    shared, rule = NETWORKS[network], "ClipByNorm" if kind == "both" else rule
    own: dict[str, Any] = {"kind": kind, "rule": rule, "shared": shared} | _counts(kind, shared.RECURRENT)
    own["low"], own["high"] = SPANS[network][rule]
    if kind == "learning_rate":
        own["other_low"], own["other_high"] = (float(f"{shared.learning_rate * factor:.3g}") for factor in RATES)
    if kind == "both":
        spans = BOTH.get(network, (SPANS[network]["ClipByNorm"], SPANS[network]["ClipByValue"]))
        (own["low"], own["high"]), (own["other_low"], own["other_high"]) = spans
    return Sweep(**own)


def _counts(kind: str, recurrent: bool) -> dict[str, int]:
    if kind == "curve":
        return RECURRENT_CURVE if recurrent else CURVE
    return RECURRENT_MAP if recurrent else MAP
