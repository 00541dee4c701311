"""Normalise: every gradient gets the same length, so that only its direction counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gclip.clipping.norms import total_norm
from gclip.clipping.rule import FINITE, Clipped, State, Tensors, as_lanes, check, scaled, threshold


@dataclass(frozen=True)
class NormalizeGradient:
    """Give the whole gradient the length ``scale``, at every step: a long one is cut, a short one is lengthened.

    ``g <- g * scale / ||g||_2``. It is what `ClipByNorm` becomes when every step is clipped. A zero gradient stays zero
    (as does one below 1e-19, whose squares vanish in float32); a non-finite norm does what it does to `ClipByNorm`: a
    NaN spreads to every element, an infinite norm leaves zeros, and NaN where an element was infinite.

    Args:
        scale: the length that the gradient gets, finite and > 0.

    Raises:
        ValueError: if ``scale`` is not a finite number above 0.

    Source: Hazan, Levy and Shalev-Shwartz 2015; ``optax.normalize_by_update_norm``.
    """

    scale: float = threshold(1.0, low=1e-3, high=1e4, title="scale")

    def __post_init__(self) -> None:
        check(self, "scale", *FINITE)

    def init(self, params: Tensors) -> State:
        return ()

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return total_norm(grads)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        scale, norm = as_lanes(self.scale, grads), total_norm(grads)
        vanishes = norm < torch.finfo(norm.dtype).tiny ** 0.5
        return Clipped(scaled(grads, torch.where(vanishes, 1.0, scale / norm)), state, scale)
