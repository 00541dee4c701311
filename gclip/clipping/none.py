"""No clipping: the run that every other run is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from gclip.clipping.norms import total_norm
from gclip.clipping.rule import Clipped, State, Tensors, as_lanes


@dataclass(frozen=True)
class NoClip:
    """Leave every gradient as it is: ``g <- g``."""

    def init(self, params: Tensors) -> State:
        return ()

    def measure(self, grads: Tensors, params: Tensors) -> Tensor:
        return total_norm(grads)

    def clip(self, grads: Tensors, state: State, params: Tensors) -> Clipped:
        return Clipped(dict(grads), state, as_lanes(math.inf, grads))
