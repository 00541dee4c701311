"""Clip every tensor by its own norm: what Keras 3 means by ``clipnorm``."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gclip.clipping.norms import tensor_norms
from gclip.clipping.rule import Clipped, State, Tensors, as_lanes, check_thresholds, scaled, threshold


@dataclass(frozen=True)
class ClipByTensorNorm:
    """Scale each tensor whose own length exceeds ``max_norm`` down to it; the gradient as a whole may turn.

    ``g_t <- g_t * min(1, max_norm / ||g_t||_2)`` for every tensor ``t``.

    Args:
        max_norm: the longest gradient allowed for any one tensor, > 0.

    Raises:
        ValueError: if ``max_norm`` is not above 0.

    Source: ``clipnorm`` of tf.keras 2 and Keras 3 (``keras.optimizers``).
    """

    max_norm: float = threshold(1.0, low=1e-3, high=1e4, title="max_norm")

    def __post_init__(self) -> None:
        check_thresholds(self)

    def init(self, params: Tensors) -> State:
        return ()

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return tensor_norms(grads).amax(dim=1)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        max_norm = as_lanes(self.max_norm, grads)
        clip_coef = (max_norm[:, None] / tensor_norms(grads)).clamp(max=1.0)
        return Clipped(scaled(grads, clip_coef), state, max_norm)
