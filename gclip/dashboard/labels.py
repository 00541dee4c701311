"""What rules and runs are called: in the menu, in the legend, and where a question about a rule has no answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    Clipper,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
)
from gclip.dashboard.settings import Entry

RULES = {
    "NoClip": "No clipping",
    "ClipByNorm": "Norm: the whole gradient",
    "ClipByTensorNorm": "Norm: each tensor by itself",
    "ClipByValue": "Value: each element by itself",
    "ClipByBlockRMS": "RMS: each tensor by itself",
    "NormalizeGradient": "Normalize to one length",
    "AdaptiveGradientClip": "AGC: units by weights",
    "AutoClip": "AutoClip: past norms",
    "ZClip": "ZClip: spikes only",
    "AdaGC": "AdaGC: tensors by past",
    "ClipDerivative": "Graves: inside the cell",
}
"""What each rule is called in the menu."""

NO_WHAT_IF: dict[type, str] = {
    AutoClip: "its threshold moves",
    ZClip: "its threshold moves",
    AdaGC: "its thresholds move",
    NormalizeGradient: "always: every step is rescaled",
    ClipDerivative: "it acts inside the network",
    PerLayer: "each layer has its own",
}
"""Rules for which a threshold's clip rate cannot be told from the norms that were seen, and why."""


def no_what_if(rule: Clipper) -> str:
    """Say why the clip rate at another threshold cannot be told for ``rule``, or nothing if it can."""
    first = rule.rules[0] if isinstance(rule, Chain) else rule
    return NO_WHAT_IF.get(type(first), "")


def _norm_label(rule: ClipByNorm) -> str:
    kind = {2.0: "Norm", 1.0: "L1 norm", np.inf: "Max norm"}.get(rule.norm_type, f"L{rule.norm_type:g} norm")
    return f"{kind} ≤ {rule.max_norm:g}"


LABELS: dict[type, Callable] = {
    NoClip: lambda rule: "No clipping",
    ClipByNorm: _norm_label,
    ClipByTensorNorm: lambda rule: f"Tensor norm ≤ {rule.max_norm:g}",
    ClipByValue: lambda rule: f"Value ≤ {rule.clip_value:g}",
    ClipByBlockRMS: lambda rule: f"RMS ≤ {rule.threshold:g}",
    NormalizeGradient: lambda rule: f"Normalized to {rule.scale:g}",
    AdaptiveGradientClip: lambda rule: f"AGC {rule.clip_factor:g}",
    AutoClip: lambda rule: f"AutoClip {rule.clip_percentile:g} %",
    ZClip: lambda rule: f"ZClip z ≤ {rule.z_thresh:g}",
    AdaGC: lambda rule: f"AdaGC {rule.max_norm:g}",
    ClipDerivative: lambda rule: f"Derivatives ≤ {rule.gate_clip:g}, output ≤ {rule.output_clip:g}",
    Chain: lambda rule: ", then ".join([rule_label(rule.rules[0]), *map(_within, rule.rules[1:])]),
    PerLayer: lambda rule: ", ".join(
        [rule_label(rule.rest), *[f"{name}: {_within(own)}" for name, own in rule.layers]]
    ),
}
"""How the legend names each rule with its threshold."""


def _within(rule: Clipper) -> str:
    """Name a rule inside a phrase: the names that are words begin with a small letter there."""
    label = rule_label(rule)
    return label if label.startswith(("A", "Z", "L", "RMS")) else label[0].lower() + label[1:]


def rule_label(rule: Clipper) -> str:
    """Name a rule with its threshold, as the legend shows it, and every setting that is not the usual one."""
    unusual = [
        f"{spec.name} {getattr(rule, spec.name):g}"
        for spec in fields(rule)
        if "whole" in spec.metadata and getattr(rule, spec.name) != spec.default
    ]
    return LABELS[type(rule)](rule) + (f" ({', '.join(unusual)})" if unusual else "")


def run_label(entry: Entry) -> str:
    """Name a run: its rule, and what else it does differently."""
    changes = entry.changes()
    words = {
        "learning_rate": "lr {:g}",
        "standardize_target": "target {}",
        "cell": "{}",
        "weight_gain": "weight gain {:g}",
    }
    shown = {"standardize_target": "scaled" if changes.get("standardize_target") else "raw"}
    return " · ".join([rule_label(entry.clipper), *[words[n].format(shown.get(n, v)) for n, v in changes.items()]])
