"""Lanes that are clipped in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gclip import clipping
from gclip.clipping import Clipper
from gclip.training.config import Config


@dataclass
class Group:
    """Neighbouring lanes under rules of one family; ``state`` is what the stacked rule remembers."""

    lanes: slice
    rule: Clipper
    state: Any

    def part(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return these lanes' part of every tensor."""
        return {name: tensor[self.lanes] for name, tensor in tensors.items()}


def by_family(config: Config) -> str:
    """Sort key that brings lanes of one family together."""
    return repr(clipping.family(config.clipper))


def group_lanes(configs: Sequence[Config], params: dict[str, Tensor]) -> list[Group]:
    """Put neighbouring lanes whose rules are of one family into one group."""
    groups = []
    for lanes in stretches(configs):
        group = Group(lanes, clipping.stack([c.clipper for c in configs[lanes]], torch.float32), None)
        group.state = group.rule.init(group.part(params))
        groups.append(group)
    return groups


def stretches(configs: Sequence[Config]) -> list[slice]:
    """Return where neighbouring lanes are under rules of one family."""
    families = [clipping.family(config.clipper) for config in configs]
    edges = [i for i in range(1, len(configs)) if families[i] != families[i - 1]]
    return [slice(*ends) for ends in zip([0, *edges], [*edges, len(configs)], strict=True)]
