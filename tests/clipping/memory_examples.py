"""Sequences of gradients for rules with a memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, nan

import torch
from clipping_examples import Grads

from gclip.clipping import Clipped, Clipper

SHAPES: dict[str, tuple[int, ...]] = {"hidden.weight": (5, 3), "hidden.bias": (5,), "output.weight": (1, 5)}
SICK = {"a NaN": nan, "an Inf": inf, "an overflowing norm": 3e38}
LANES = 3


def sequence(steps: int = 300, seed: int = 0, lanes: int = LANES) -> list[Grads]:
    """Gradients of slowly falling size with spikes now and then, at other steps and sizes in every lane."""
    generator = torch.Generator().manual_seed(seed)
    spikes = torch.where(torch.rand(steps, lanes, generator=generator) < 0.05, 20.0, 1.0)
    sizes = spikes * torch.exp(0.4 * torch.randn(steps, lanes, generator=generator))
    sizes *= torch.linspace(2, 0.2, steps)[:, None] * torch.logspace(-1, 1, lanes)
    return [
        {n: torch.randn(lanes, *s, generator=generator) * size.view(-1, *[1] * len(s)) for n, s in SHAPES.items()}
        for size in sizes
    ]


def spoil(grads: Grads, lane: int, value: float) -> Grads:
    """Return gradients one element of which, in one lane, is not what it should be."""
    spoilt = {name: g.clone() for name, g in grads.items()}
    spoilt["hidden.weight"][lane, 1, 1] = value
    return spoilt


def run(rule: Clipper, steps: Sequence[Grads]) -> Iterator[Clipped]:
    """Clip step after step, carrying the state."""
    params = {name: torch.ones_like(g) for name, g in steps[0].items()}
    state = rule.init(params)
    for grads in steps:
        clipped = rule.clip(grads, state, params)
        state = clipped.state
        yield clipped


def norms_of(grads: Grads, lane: int) -> list[float]:
    """Return the norm of each tensor of a lane."""
    return [g[lane].double().norm().item() for g in grads.values()]


def lane_of(grads: Grads, lane: int) -> torch.Tensor:
    """Return a lane's whole gradient as one vector."""
    return torch.cat([g[lane].flatten() for g in grads.values()])
