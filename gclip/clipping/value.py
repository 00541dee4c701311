"""Clip by value: every element by itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gclip.clipping.norms import total_norm
from gclip.clipping.rule import Clipped, State, Tensors, as_lanes, check_thresholds, per_lane, threshold


@dataclass(frozen=True)
class ClipByValue:
    """Cut every element of the gradient to ``[-clip_value, clip_value]``; its direction may turn.

    ``g_i <- max(-clip_value, min(clip_value, g_i))``.

    Args:
        clip_value: the largest element allowed, > 0.

    Raises:
        ValueError: if ``clip_value`` is not above 0.

    Source: Mikolov 2012; ``torch.nn.utils.clip_grad_value_``.
    """

    clip_value: float = threshold(5.0, low=1e-4, high=1e3, title="clip_value")

    def __post_init__(self) -> None:
        check_thresholds(self)

    def init(self, params: Tensors) -> State:
        return ()

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return total_norm(grads, torch.inf)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        bound = as_lanes(self.clip_value, grads)
        lower = -bound
        clipped = {name: torch.clamp(g, per_lane(lower, g), per_lane(bound, g)) for name, g in grads.items()}
        return Clipped(clipped, state, bound)
