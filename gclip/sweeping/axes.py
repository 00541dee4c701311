"""What a sweep may vary, and what each of it is called, for pages, tables and the command line alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Swept:
    """A rule whose threshold is swept.

    Args:
        title: its short name.
        bounds: what the threshold is the largest of that passes.
        measured: what is compared with the threshold at one step.
        steps: the same, of many steps.
        keeps_direction: whether only the gradient's length changes.
    """

    title: str
    bounds: str
    measured: str
    steps: str
    keeps_direction: bool = False


RULES = {
    "ClipByNorm": Swept(
        "Norm",
        "L2 norm of the whole gradient",
        "the norm of the whole gradient",
        "gradient norms",
        keeps_direction=True,
    ),
    "ClipByTensorNorm": Swept(
        "Tensor norm",
        "L2 norm of each tensor",
        "the norm of the longest tensor",
        "tensors' largest gradient norms",
    ),
    "ClipByValue": Swept(
        "Value",
        "size of each element",
        "the largest element of the gradient",
        "gradients' largest elements",
    ),
    "AdaptiveGradientClip": Swept(
        "AGC",
        "gradient norm ÷ weight norm",
        "the largest ratio of a unit's gradient to its weights",
        "largest ratios of a unit's gradient to its weights",
    ),
}
"""The rules of a `Sweep`."""


@dataclass(frozen=True)
class Kind:
    """What varies, in a curve or a map.

    Args:
        title: its short name.
        first, second: its axes.
        column: the second axis in a table.
        cell: one cell, by its two numbers.
    """

    title: str
    first: str
    second: str
    column: str
    cell: str


KINDS = {
    "curve": Kind("Threshold curve", "threshold", "", "", "threshold {}"),
    "learning_rate": Kind(
        "Threshold × learning rate",
        "threshold",
        "learning rate",
        "learning_rate",
        "threshold {}, learning rate {}",
    ),
    "both": Kind("Norm × value", "norm threshold", "value threshold", "clip_value", "norm {}, value {}"),
}
"""The kinds of a `Sweep`."""
