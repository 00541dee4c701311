"""Clip every tensor by the root mean square of its elements, so that large tensors get no less than small ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from gclip.clipping.norms import tensor_norms
from gclip.clipping.rule import Clipped, State, Tensors, as_lanes, check_thresholds, scaled, threshold


@dataclass(frozen=True)
class ClipByBlockRMS:
    """Scale each tensor whose root mean square exceeds ``threshold`` down to it; the whole gradient may turn.

    ``g_t <- g_t / max(1, rms(g_t) / threshold)`` for every tensor ``t``; with ``n`` elements in it,
    ``rms(g_t) = ||g_t||_2 / sqrt(n)``.

    Args:
        threshold: the largest root mean square allowed for any one tensor, > 0.

    Raises:
        ValueError: if ``threshold`` is not above 0.

    Source: Shazeer and Stern 2018 (Adafactor); ``optax.clip_by_block_rms``.
    """

    threshold: float = threshold(1.0, low=1e-4, high=1e3, title="threshold")

    def __post_init__(self) -> None:
        check_thresholds(self)

    def init(self, params: Tensors) -> State:
        return ()

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return tensor_rms(grads).amax(dim=1)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        bound = as_lanes(self.threshold, grads)
        clip_coef = (bound[:, None] / tensor_rms(grads)).clamp(max=1.0)
        return Clipped(scaled(grads, clip_coef), state, bound)


def tensor_rms(grads: Tensors) -> Tensor:
    """Return the root mean square of every tensor's elements, ``[lanes, tensors]``."""
    norms = tensor_norms(grads)
    return norms / norms.new_tensor([math.sqrt(math.prod(g.shape[1:])) for g in grads.values()])
