"""Adaptive gradient clipping: a gradient may be as long as a share of the weights that it changes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gclip.clipping.norms import at_least_2d
from gclip.clipping.rule import (
    FINITE,
    Clipped,
    State,
    Tensors,
    as_lanes,
    check,
    check_thresholds,
    per_lane,
    setting,
    threshold,
)

SMALLEST_NORM = 1e-6
"""A gradient is divided by its norm or by this, whichever is larger, as in timm."""


@dataclass(frozen=True)
class AdaptiveGradientClip:
    """Scale the gradient of each unit down to ``clip_factor`` times the length of the unit's weights.

    ``g_u <- g_u * b / max(||g_u||, 1e-6)`` if ``||g_u|| >= b``, with ``b = clip_factor * max(||w_u||, eps)``. A unit is
    one row of a matrix or kernel (the weights into one neuron), and the whole of a vector, such as a bias. What it
    measures is the largest ``||g_u|| / max(||w_u||, eps)`` of all units, so that its threshold is ``clip_factor``.

    Args:
        clip_factor: the longest gradient allowed, > 0, as a share of the weights.
        eps: what the weights' norm counts for at least, > 0, so that weights that start at zero can learn.

    Raises:
        ValueError: if ``clip_factor`` is not above 0, or ``eps`` not a finite number above 0.

    Source: Brock, De, Smith and Simonyan 2021; ``timm.utils.agc.adaptive_clip_grad``.
    """

    clip_factor: float = threshold(0.01, low=1e-4, high=1e2, title="clip_factor")
    eps: float = setting(1e-3, low=1e-6, high=1.0, title="eps")

    def __post_init__(self) -> None:
        check_thresholds(self)
        check(self, "eps", *FINITE)

    def init(self, params: Tensors) -> State:
        return ()

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        ratios = [unit_norms(g) / unit_norms(params[name]).clamp(min=self.eps) for name, g in grads.items()]
        return torch.cat([at_least_2d(ratio).flatten(1) for ratio in ratios], dim=1).amax(dim=1)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        clip_factor = as_lanes(self.clip_factor, grads)
        clipped = {name: self._clip_units(g, params[name], clip_factor) for name, g in grads.items()}
        return Clipped(clipped, state, clip_factor)

    def _clip_units(self, g: Tensor, weights: Tensor, clip_factor: Tensor) -> Tensor:
        norm = unit_norms(g)
        bound = unit_norms(weights).clamp(min=self.eps) * per_lane(clip_factor, norm)
        return torch.where(norm < bound, g, g * (bound / norm.clamp(min=SMALLEST_NORM)))


def unit_norms(tensor: Tensor) -> Tensor:
    """Return the L2 norm of each unit, shaped so that it multiplies ``tensor`` ``[lanes, *shape]``."""
    if tensor.dim() == 1:
        return tensor.abs()
    keep = 1 if tensor.dim() == 2 else 2
    return torch.linalg.vector_norm(tensor, dim=tuple(range(keep, tensor.dim())), keepdim=True)
