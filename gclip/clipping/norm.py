"""Clip by the global norm: one length for the whole gradient, one factor for all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from gclip.clipping.norms import total_norm
from gclip.clipping.rule import Clipped, State, Tensors, as_lanes, check, check_thresholds, scaled, threshold

EPS = 1e-6
"""Added to the norm before dividing, as torch does; it costs one part in a million at the threshold."""


@dataclass(frozen=True)
class ClipByNorm:
    """Scale the whole gradient down to length ``max_norm`` when it is longer; its direction stays.

    ``g <- g * min(1, max_norm / (||g||_p + 1e-6))``, the norm taken over all tensors together.

    Args:
        max_norm: the longest gradient allowed, > 0, in units of the gradient.
        norm_type: p of the norm, any number >= 1, or ``inf`` for the largest element.

    Raises:
        ValueError: if ``max_norm`` is not above 0 or ``norm_type`` is below 1.

    Source: Pascanu, Mikolov and Bengio 2013; ``torch.nn.utils.clip_grad_norm_``.
    """

    max_norm: float = threshold(1.0, low=1e-3, high=1e4, title="max_norm")
    norm_type: float = field(default=2.0, metadata={"choices": (1.0, 2.0, 3.0, math.inf), "title": "norm_type"})

    def __post_init__(self) -> None:
        check_thresholds(self)
        check(self, "norm_type", lambda p: p >= 1, "a number >= 1, or inf")

    def init(self, params: Tensors) -> State:
        return ()

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return total_norm(grads, self.norm_type)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        max_norm = as_lanes(self.max_norm, grads)
        return Clipped(scaled(grads, clip_coef(self.measure(grads, params), max_norm)), state, max_norm)


def clip_coef(norm: Tensor, max_norm: Tensor) -> Tensor:
    """Return the factor that takes a gradient of length ``norm`` down to ``max_norm``, computed as torch does."""
    return (max_norm * (norm + EPS).reciprocal()).clamp(max=1.0)
