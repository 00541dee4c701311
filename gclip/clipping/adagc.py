"""AdaGC: every tensor is held to its own recent norms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.linalg import vector_norm

from gclip.clipping.norm import EPS, clip_coef
from gclip.clipping.norms import tensor_norms, total_norm
from gclip.clipping.rule import (
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
    """What is known of the norms so far, in double precision."""

    seen: Tensor  # [lanes], steps with a finite norm
    gamma: Tensor  # [lanes, tensors], the norm that each tensor had of late


@dataclass(frozen=True)
class AdaGC:
    """Scale each tensor down that is longer than ``relative_threshold`` times its norm of late.

    For every tensor ``t``, ``b_t = relative_threshold * gamma_t``; if ``||g_t|| > b_t``, then
    ``g_t <- g_t * b_t / (||g_t|| + 1e-6)``. Then ``gamma_t <- beta * gamma_t + (1 - beta) * min(||g_t||, b_t)``. In the
    warm-up the whole gradient is clipped by `ClipByNorm`, and ``gamma_t`` is the smallest norm that tensor ``t`` had
    after it: a tensor whose gradient was once zero there is held to zero for good. After it, the threshold is the
    length of the longest gradient let through, ``sqrt(sum_t b_t^2)``. A step whose norm is not finite is never
    remembered.

    Args:
        max_norm: the longest gradient allowed in the warm-up, > 0.
        relative_threshold: how long a tensor may be, > 0, in units of its norm of late; lambda in the paper.
        beta: the share of the past in ``gamma``, between 0 and 1.
        warmup_steps: how many steps with a finite norm the warm-up takes, a whole number >= 1.

    Raises:
        ValueError: if one of them is not as said.

    Source: Wang et al. 2025, "AdaGC: Improving Training Stability for Large Language Model Pretraining".
    """

    max_norm: float = threshold(1.0, low=1e-3, high=1e4, title="max_norm")
    relative_threshold: float = setting(1.04, low=1.01, high=10.0, title="relative_threshold")
    beta: float = setting(0.99, low=0.5, high=0.999, title="beta")
    warmup_steps: int = setting(100, low=1, high=1000, title="warmup_steps", whole=True)

    def __post_init__(self) -> None:
        check_thresholds(self)
        check(self, "relative_threshold", *FINITE)
        check(self, "beta", *SHARE)
        check(self, "warmup_steps", *COUNT)

    def init(self, params: Tensors) -> Memory:
        like = next(iter(params.values()))
        gamma = like.new_full((like.shape[0], len(params)), math.inf, dtype=torch.float64)
        return Memory(gamma.new_zeros(like.shape[0]), gamma)

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return total_norm(grads)

    def clip(self, grads: Tensors, state: Memory, params: Tensors) -> Clipped:
        norms, max_norm = tensor_norms(grads), as_lanes(self.max_norm, grads)
        total = vector_norm(norms, dim=1)
        warming, bound = state.seen < self.warmup_steps, self.relative_threshold * state.gamma
        in_warmup = clip_coef(total, max_norm).double()
        coef = torch.where(warming[:, None], in_warmup[:, None], later_coef(norms.double(), bound))
        held_to = torch.where(warming, max_norm, vector_norm(bound, dim=1))
        state = self._remember(norms.double(), in_warmup, total.isfinite(), state)
        return Clipped(scaled(grads, coef.to(norms.dtype)), state, held_to.to(norms.dtype))

    def _remember(self, norms: Tensor, in_warmup: Tensor, finite: Tensor, memory: Memory) -> Memory:
        seen, gamma = memory
        smallest = torch.minimum(gamma, norms * in_warmup[:, None])
        late = self.beta * gamma + (1 - self.beta) * torch.minimum(norms, self.relative_threshold * gamma)
        new_gamma = torch.where((seen < self.warmup_steps)[:, None], smallest, late)
        return Memory(seen + finite, torch.where(finite[:, None], new_gamma, gamma))


def later_coef(norms: Tensor, bound: Tensor) -> Tensor:
    """Return the factors after the warm-up; where nothing is too long, exactly 1."""
    return torch.where(norms > bound, bound / (norms + EPS), 1.0)
