"""AutoClip: the threshold is a percentile of the norms seen so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gclip.clipping.norm import clip_coef
from gclip.clipping.norms import total_norm
from gclip.clipping.rule import COUNT, Clipped, Tensors, as_lanes, check, scaled, setting, threshold


class Memory(NamedTuple):
    """The norms of earlier steps, each lane's own; where a lane remembers fewer than others, it holds ``inf``."""

    ranked: Tensor  # [lanes, 1 + norms + 1], in ascending order between -inf and inf
    recent: Tensor  # [lanes, norms], in order of arrival, the newest last; only kept for a finite window
    seen: Tensor  # [lanes], how many norms are remembered


@dataclass(frozen=True)
class AutoClip:
    """Scale the whole gradient down to a percentile of the norms of all steps so far, this one among them.

    ``g <- g * min(1, c / (||g||_2 + 1e-6))``, ``c = percentile(norms, clip_percentile)``, interpolated linearly. Only
    finite norms are remembered: in the original one NaN spoils every later threshold. Until one was seen, ``c = inf``.

    Args:
        clip_percentile: in (0, 100]; at 10 about nine steps of ten are clipped.
        window: how many of the last norms are remembered, a whole number >= 1; ``inf`` for all, as in the paper.

    Raises:
        ValueError: if ``clip_percentile`` is not in (0, 100], or ``window`` neither a whole number >= 1 nor ``inf``.

    Source: Seetharaman, Wichern, Pardo and Le Roux 2020; github.com/pseeth/autoclip.
    """

    clip_percentile: float = threshold(10.0, low=1.0, high=100.0, title="clip_percentile")
    window: float = setting(math.inf, low=10, high=10_000, title="window", whole=True)

    def __post_init__(self) -> None:
        check(self, "clip_percentile", lambda p: 0 < p <= 100, "a number greater than 0 and at most 100")
        is_count, counts = COUNT
        check(self, "window", lambda n: n == math.inf or is_count(n), f"{counts}, or inf")

    def init(self, params: Tensors) -> Memory:
        like = next(iter(params.values()))
        lanes = like.shape[0]
        ranked = like.new_tensor([-math.inf, math.inf]).expand(lanes, 2)
        return Memory(ranked, like.new_empty(lanes, 0), ranked.new_zeros(lanes, dtype=torch.int64))

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return total_norm(grads)

    def clip(self, grads: Tensors, state: Memory, params: Tensors) -> Clipped:
        norm = total_norm(grads)
        state = self._remember(norm, state)
        bound = percentile(state, as_lanes(self.clip_percentile, grads))
        coef = torch.where(bound < math.inf, clip_coef(norm, bound), 1.0)
        return Clipped(scaled(grads, coef), state, bound)

    def _remember(self, norm: Tensor, memory: Memory) -> Memory:
        finite = norm.isfinite()
        entry = torch.where(finite, norm, math.inf)
        ranked, recent, seen = insert(memory.ranked, entry), memory.recent, memory.seen + finite
        if self.window == math.inf:
            return Memory(ranked, recent, seen)
        recent = torch.where(finite[:, None], _join(recent, entry), _join(entry, recent))
        if recent.shape[1] > self.window:
            ranked, recent = remove(ranked, recent[:, 0]), recent[:, 1:]
        return Memory(ranked, recent, seen.clamp(max=int(self.window)))


def insert(ranked: Tensor, entry: Tensor) -> Tensor:
    """Return ``ranked`` with one entry more in every row: at each place the middle of left, new and right.

    It is the one operation here whose cost grows with the steps, so it makes no copy but the result.
    """
    longer = ranked.new_empty(len(ranked), ranked.shape[1] + 1)
    longer[:, 0], longer[:, -1] = -math.inf, math.inf
    torch.clamp(entry[:, None], ranked[:, :-1], ranked[:, 1:], out=longer[:, 1:-1])
    return longer


def remove(ranked: Tensor, entry: Tensor) -> Tensor:
    """Return ``ranked`` without one entry in every row; what is not below it moves up by one place."""
    return torch.where(ranked[:, :-1] < entry[:, None], ranked[:, :-1], ranked[:, 1:])


def percentile(memory: Memory, percent: Tensor) -> Tensor:
    """Return the percentile ``[lanes]`` of what each lane remembers, as ``np.percentile`` does; ``inf`` of nothing."""
    last = memory.seen - 1
    place = last * (percent.double() / 100)
    below = place.floor().long()
    neighbours = torch.stack([below, torch.minimum(below + 1, last)], dim=1)
    left, right = memory.ranked.gather(1, neighbours + 1).double().unbind(1)
    value = left + (right - left) * (place - below)
    return torch.where(memory.seen > 0, value, math.inf).to(percent.dtype)


def _join(left: Tensor, right: Tensor) -> Tensor:
    """Put a column ``[lanes]`` before or after ``[lanes, norms]``."""
    return torch.cat([t if t.dim() == 2 else t[:, None] for t in (left, right)], dim=1)
