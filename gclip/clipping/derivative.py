"""Clip the derivative while it flows back through a recurrent network, before there is a gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from gclip.clipping.norms import total_norm
from gclip.clipping.rule import Clipped, State, Tensors, as_lanes, check_thresholds, threshold


@dataclass(frozen=True)
class ClipDerivative:
    """Clamp derivatives inside the backward pass of a recurrent network; leave the finished gradient as it is.

    ``dL/dz_t <- max(-gate_clip, min(gate_clip, dL/dz_t))`` at every time step ``t``, while it flows back, ``z_t`` being
    the gates' pre-activations (before sigmoid and tanh), and likewise the derivative with respect to the network's
    output at ``output_clip``. What is cut at one time step never reaches the steps before it, so that the product of
    many factors cannot explode on its way; clipping the finished gradient would come too late for that. The trainer
    asks for the bounds by `derivative_clip`; to ``clip`` there is nothing left to do.

    Args:
        gate_clip: the largest derivative allowed with respect to a gate's pre-activation, > 0.
        output_clip: the largest derivative allowed with respect to an output of the network, > 0.

    Raises:
        ValueError: if one of them is not above 0.

    Source: Graves 2013; ``grad_clipping`` of ``lasagne.layers.LSTMLayer``.
    """

    gate_clip: float = threshold(10.0, low=1e-6, high=1e2, title="gate_clip")
    output_clip: float = threshold(100.0, low=1e-5, high=1e3, title="output_clip")

    def __post_init__(self) -> None:
        check_thresholds(self)

    def init(self, params: Tensors) -> State:
        return ()

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return total_norm(grads)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        return Clipped(dict(grads), state, as_lanes(math.inf, grads))
