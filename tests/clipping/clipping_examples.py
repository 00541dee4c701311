"""Example rules and gradients that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, Clipped, Clipper, NoClip

Grads = dict[str, Tensor]

SHAPES: dict[str, tuple[int, ...]] = {"weight": (2, 3), "bias": (2,), "scale": ()}
"""A matrix, a vector and a scalar parameter."""


@dataclass(frozen=True)
class Example:
    """A rule and the laws it promises to keep; a new rule needs at least one of these."""

    rule: Clipper
    loose: Clipper  # the same kind of rule with a bound that GENTLE gradients never reach
    others: tuple[Clipper, ...] = ()  # rules of the same family with other thresholds
    keeps_direction: bool = False
    idempotent: bool = True  # clipping what is clipped changes nothing more


def _by_norm(norm_type: float) -> Example:
    rules = [ClipByNorm(max_norm, norm_type) for max_norm in (1.0, 1e6, 0.7, 30.0)]
    return Example(rules[0], rules[1], tuple(rules[2:]), keeps_direction=True)


EXAMPLES = [
    Example(NoClip(), NoClip(), (NoClip(),), keeps_direction=True),
    *map(_by_norm, (1.0, 2.0, 3.0, inf)),
    Example(ClipByTensorNorm(1.0), ClipByTensorNorm(1e6), (ClipByTensorNorm(0.7), ClipByTensorNorm(30.0))),
    Example(ClipByValue(0.5), ClipByValue(1e6), (ClipByValue(0.3), ClipByValue(20.0))),
    Example(
        Chain(ClipByNorm(1.0), ClipByValue(0.5)),
        Chain(ClipByNorm(1e6), ClipByValue(1e6)),
        (Chain(ClipByNorm(0.7), ClipByValue(0.6)), Chain(ClipByNorm(30.0), ClipByValue(0.1))),
    ),
    Example(
        Chain(ClipByValue(0.5), ClipByNorm(1.0, 1.0)),
        Chain(ClipByValue(1e6), ClipByNorm(1e6, 1.0)),
        (Chain(ClipByValue(3.0), ClipByNorm(0.6, 1.0)),),
    ),
    Example(
        Chain(Chain(NoClip(), ClipByTensorNorm(2.0)), ClipByNorm(1.0, inf)),
        Chain(Chain(NoClip(), ClipByTensorNorm(1e6)), ClipByNorm(1e6, inf)),
        (Chain(Chain(NoClip(), ClipByTensorNorm(0.6)), ClipByNorm(2.0, inf)),),
    ),
]


def name_of(example: Any) -> str:
    """Name a test case after its rule."""
    return repr(example.rule) if isinstance(example, Example) else repr(example)


GENTLE = st.floats(-1e3, 1e3, width=32)
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
"""Any finite float32, so that norms overflow and squares underflow."""


@st.composite
def gradients(draw: st.DrawFn, elements: st.SearchStrategy[float] = GENTLE, max_lanes: int = 4) -> Grads:
    """Draw gradients of `SHAPES` for one lane or more."""
    lanes = draw(st.integers(1, max_lanes))
    sizes = {name: lanes * torch.Size(shape).numel() for name, shape in SHAPES.items()}
    values = {name: draw(st.lists(elements, min_size=size, max_size=size)) for name, size in sizes.items()}
    return {name: torch.tensor(values[name]).reshape(lanes, *shape) for name, shape in SHAPES.items()}


def random_gradients(lanes: int, seed: int, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> Grads:
    """Return gradients of a network; the odd sizes leave a remainder in every vector instruction."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"weight": (61, 47), "kernel": (3, 5, 7), "bias": (37,), "scale": ()}
    return {
        name: torch.randn(lanes, *shape, generator=generator, dtype=dtype) * scale for name, shape in shapes.items()
    }


def grads_of(*tensors: Sequence[Any]) -> Grads:
    """Name tensors by their place; each is written with its lane axis."""
    return {f"p{i}": torch.tensor(t, dtype=torch.float32) for i, t in enumerate(tensors)}


def clip(rule: Clipper, grads: Grads) -> Clipped:
    """Clip once, from the rule's first state, with parameters that are all ones."""
    params = {name: torch.ones_like(g) for name, g in grads.items()}
    return rule.clip(grads, rule.init(params), params)


def take(grads: Grads, lanes: Sequence[int]) -> Grads:
    return {name: g[list(lanes)] for name, g in grads.items()}


def flat(grads: Grads) -> Tensor:
    """Return the whole gradient of each lane as one vector, ``[lanes, elements]``, in float64."""
    return torch.cat([g.reshape(g.shape[0], -1).double() for g in grads.values()], dim=1)


def same(actual: Tensor, expected: Tensor) -> bool:
    """Are they equal bit by bit? The sign of a zero counts, the kind of a NaN does not."""
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return False
    a, b = (torch.where(t.isnan(), torch.zeros_like(t), t) for t in (actual, expected))
    return torch.equal(actual.isnan(), expected.isnan()) and torch.equal(a, b) and torch.equal(a.signbit(), b.signbit())


def assert_same(actual: Grads, expected: Grads) -> None:
    assert actual.keys() == expected.keys()
    for name in expected:
        assert same(actual[name], expected[name]), f"{name}: {actual[name]} is not {expected[name]}"
