"""What of clipping Keras 3 can say: three arguments of its optimizers, of which it takes one."""

from __future__ import annotations

import math
from dataclasses import fields

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    Clipper,
    NormalizeGradient,
    PerLayer,
    ZClip,
)

CLIPS: dict[type, tuple[str, str]] = {
    ClipByNorm: ("global_clipnorm", "max_norm"),
    ClipByTensorNorm: ("clipnorm", "max_norm"),
    ClipByValue: ("clipvalue", "clip_value"),
}
"""The optimizer's argument for each rule, and the rule's hyperparameter that it takes."""

TRAP = "In Keras 2.2 and 2.3, clipnorm took one norm over all weights; today that is global_clipnorm."

MEANING: dict[type, str] = {
    ClipByNorm: f"Clipping: one norm over all weights together. {TRAP}",
    ClipByTensorNorm: f"Clipping: each weight tensor by its own norm. {TRAP}",
    ClipByValue: "Clipping: each element of the gradient by itself, before the step uses it.",
}
NOT_HERE = "No clipping: the optimizer would take it as an argument here."

NO_MEMORY = "a bound there is a fixed number, and does not follow the norms of earlier steps"

REASONS: dict[type, str] = {
    AdaptiveGradientClip: "they look at the gradient alone, not at the weights that it changes",
    AutoClip: NO_MEMORY,
    ZClip: NO_MEMORY,
    AdaGC: NO_MEMORY,
    ClipByBlockRMS: "a root mean square is a norm by the tensor's size, and clipnorm is one number for all sizes",
    NormalizeGradient: "they only ever shorten a gradient, and this lengthens a short one",
    PerLayer: "one optimizer holds all layers to one bound",
    ClipDerivative: "they act on the finished gradient, and a layer hands out no derivative between its time steps",
}
"""Why the three arguments cannot do it."""


def clipping(rules: list[Clipper]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the threshold by its name in the script, and the optimizer's argument that takes it.

    Raises:
        ValueError: if Keras 3 has no argument for it.
    """
    if not rules:
        return {}, {}
    refuse(rules)
    argument, field = CLIPS[type(rules[0])]
    return {field.upper(): getattr(rules[0], field)}, {argument: field.upper()}


def refuse(rules: list[Clipper]) -> None:
    """Raise ValueError, with the reason, if Keras 3 cannot say ``rules``."""
    names = " then ".join(type(rule).__name__ for rule in rules)
    for rule in rules:
        if type(rule) not in CLIPS:
            because = f"; {REASONS[type(rule)]}" if type(rule) in REASONS else ""
            name = type(rule).__name__
            raise ValueError(
                f"Keras 3 has no argument for {name}: it has global_clipnorm, clipnorm and clipvalue{because}."
            )
    if len(rules) > 1:
        raise ValueError(f"Keras 3 takes only one of global_clipnorm, clipnorm and clipvalue: it cannot do {names}.")
    if math.inf in (getattr(rules[0], spec.name) for spec in fields(rules[0]) if spec.name != "norm_type"):
        raise ValueError(f"Keras 3 needs a finite threshold: it cannot do {rules[0]!r}.")
    norm_type = getattr(rules[0], "norm_type", 2)
    if norm_type != 2:
        raise ValueError(f"Keras 3 measures the L2 norm only: it cannot clip by a norm with norm_type={norm_type:g}.")
