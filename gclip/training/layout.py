"""Where the tensors of all lanes lie in one flat vector, so that an optimizer step is a few operations."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor


class Layout:
    """Tensor after tensor, and within each tensor lane after lane: every view ``[lanes, *shape]`` is contiguous."""

    def __init__(self, shapes: dict[str, tuple[int, ...]], lanes: int) -> None:
        self.shapes, self.lanes = shapes, lanes
        self.slices: dict[str, slice] = {}
        self.size = 0
        for name, shape in shapes.items():
            stop = self.size + lanes * prod(shape)
            self.slices[name] = slice(self.size, stop)
            self.size = stop

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Return every tensor of ``flat`` ``[size]`` as a view ``[lanes, *shape]``."""
        return {name: flat[self.slices[name]].view(self.lanes, *shape) for name, shape in self.shapes.items()}

    def rows(self, tape: Tensor) -> dict[str, Tensor]:
        """Return every tensor of a tape ``[..., steps, size]`` as ``[..., steps, lanes, elements]``."""
        return {name: tape[..., part].unflatten(-1, (self.lanes, -1)) for name, part in self.slices.items()}

    def spread(self, per_lane: Tensor) -> Tensor:
        """Repeat one number per lane ``[lanes]`` for each of that lane's elements, ``[size]``, where they differ."""
        if (per_lane == per_lane[0]).all():
            return per_lane[:1].expand(self.size)
        return torch.cat([per_lane.repeat_interleave(prod(shape)) for shape in self.shapes.values()])
