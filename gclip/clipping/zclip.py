"""ZClip: cut the norms that stand out from those of late, by their z-score."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gclip.clipping.norm import EPS
from gclip.clipping.norms import total_norm
from gclip.clipping.rule import (
    ABOVE_ZERO,
    COUNT,
    FINITE,
    SHARE,
    Clipped,
    Tensors,
    as_lanes,
    check,
    check_thresholds,
    scaled,
    setting,
    threshold,
)


class Memory(NamedTuple):
    """What is known of the norms so far, ``[lanes]`` each; double precision, as in the reference."""

    seen: Tensor  # finite norms seen
    mean: Tensor
    variance: Tensor


@dataclass(frozen=True)
class ZClip:
    """Scale the whole gradient down when its norm lies more than ``z_thresh`` deviations above the mean norm.

    ``z = (n - mean) / (std + eps)`` of the norm ``n = ||g||_2``; if ``z > z_thresh``, then
    ``c = (mean + z_thresh * std * z_thresh / z) * clip_factor`` and ``g <- g * c / (n + 1e-6)``: the farther out, the
    closer to the mean. ``mean`` and ``std`` are those of all norms in the warm-up, in which nothing is clipped, and
    from then on ``mean <- alpha * mean + (1 - alpha) * n``, ``var <- alpha * var + (1 - alpha) * (n - mean)^2``, with
    ``c`` in place of a norm that was clipped. A step that is not clipped reports the norm from which on it would have
    been, ``mean + z_thresh * (std + eps)``. A non-finite norm is never remembered; in the reference one NaN turns the
    rule off for good. The gradient that has it is left as it is if it holds a NaN, or if nothing bounds it yet; else an
    infinite norm leaves zeros, and NaN where an element was infinite.

    Args:
        z_thresh: how many standard deviations above the mean a norm may lie, > 0.
        alpha: the share of the past in mean and variance, between 0 and 1.
        warmup_steps: how many finite norms are gathered first, a whole number >= 1.
        clip_factor: multiplies the bound of a clipped step, in (0, 1].
        eps: added to the standard deviation before dividing, > 0.
        max_grad_norm: a bound that holds besides, in the warm-up too; ``inf`` for none (the reference's default is 1).

    Raises:
        ValueError: if one of them is not as said.

    Source: Kumar, Owen, Chowdhury and Güra 2025; ``zclip.ZClip`` in its mode "zscore", "adaptive_scaling".
    """

    z_thresh: float = threshold(2.5, low=0.1, high=100.0, title="z_thresh")
    alpha: float = setting(0.97, low=0.5, high=0.999, title="alpha")
    warmup_steps: int = setting(25, low=1, high=1000, title="warmup_steps", whole=True)
    clip_factor: float = setting(1.0, low=0.1, high=1.0, title="clip_factor")
    eps: float = setting(1e-6, low=1e-9, high=1.0, title="eps")
    max_grad_norm: float = setting(math.inf, low=1e-3, high=1e4, title="max_grad_norm")

    def __post_init__(self) -> None:
        check_thresholds(self)
        check(self, "alpha", *SHARE)
        check(self, "warmup_steps", *COUNT)
        check(self, "clip_factor", lambda factor: 0 < factor <= 1, "a number greater than 0 and at most 1")
        check(self, "eps", *FINITE)
        check(self, "max_grad_norm", *ABOVE_ZERO)

    def init(self, params: Tensors) -> Memory:
        like = next(iter(params.values()))
        return Memory(*like.new_zeros(3, like.shape[0], dtype=torch.float64).unbind())

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return total_norm(grads)

    def clip(self, grads: Tensors, state: Memory, params: Tensors) -> Clipped:
        dtype = next(iter(grads.values())).dtype
        norm, warm = total_norm(grads).double(), state.seen >= self.warmup_steps
        spike, bound = self._bound(norm, state, as_lanes(self.z_thresh, grads).double())
        held_to = torch.where(warm, bound, math.inf).clamp(max=self.max_grad_norm)
        coef = torch.where(norm > held_to, held_to / (norm + EPS), 1.0)
        state = self._remember(norm, torch.where(spike, bound, norm), warm, state)
        return Clipped(scaled(grads, coef.to(dtype)), state, held_to.to(dtype))

    def _bound(self, norm: Tensor, memory: Memory, z_thresh: Tensor) -> tuple[Tensor, Tensor]:
        """Return which norms stand out, and the norm that each lane may have at this step."""
        _, mean, variance = memory
        std = variance.sqrt()
        z = (norm - mean) / (std + self.eps)
        spike = z > z_thresh
        lowered = (mean + z_thresh * std * (z_thresh / z)) * self.clip_factor
        return spike, torch.where(spike, lowered, mean + z_thresh * (std + self.eps))

    def _remember(self, norm: Tensor, effective: Tensor, warm: Tensor, memory: Memory) -> Memory:
        seen, mean, variance = memory
        finite = norm.isfinite()
        weight = (seen + 1).reciprocal()  # in the warm-up: mean and variance of all norms, by Welford's update
        plain_mean = mean + weight * (norm - mean)
        plain = variance + weight * ((norm - mean) * (norm - plain_mean) - variance)
        late_mean = self.alpha * mean + (1 - self.alpha) * effective
        late = self.alpha * variance + (1 - self.alpha) * (effective - late_mean).square()
        new_mean, new_variance = torch.where(warm, late_mean, plain_mean), torch.where(warm, late, plain)
        kept = torch.where(finite, new_mean, mean), torch.where(finite, new_variance, variance)
        return Memory(seen + finite, *kept)
