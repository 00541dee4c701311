"""Lanes that are clipped in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gclip import clipping
from gclip.clipping import Clipper
from gclip.training.config import RunConfig


@dataclass
class Group:
    """Neighbouring lanes under rules of one family; ``state`` is what the stacked rule remembers."""

    lanes: slice
    rule: Clipper
    state: Any

    def part(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return these lanes' part of every tensor."""
        return {name: tensor[self.lanes] for name, tensor in tensors.items()}


def by_family(config: RunConfig) -> str:
    """Sort key that brings lanes of one family together."""
    return repr(clipping.family(config.clipper))


def group_lanes(configs: Sequence[RunConfig], params: dict[str, Tensor]) -> list[Group]:
    """Put neighbouring lanes whose rules are of one family into one group."""
    families = [clipping.family(config.clipper) for config in configs]
    edges = [i for i in range(1, len(configs)) if families[i] != families[i - 1]]
    groups = []
    for start, stop in zip([0, *edges], [*edges, len(configs)], strict=True):
        group = Group(slice(start, stop), clipping.stack([c.clipper for c in configs[start:stop]], torch.float32), None)
        group.state = group.rule.init(group.part(params))
        groups.append(group)
    return groups
