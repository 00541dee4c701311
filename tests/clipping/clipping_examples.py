"""Example rules and gradients that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    Clipped,
    Clipper,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
)

Grads = dict[str, Tensor]

SHAPES: dict[str, tuple[int, ...]] = {"weight": (2, 3), "bias": (2,), "scale": ()}
"""A matrix, a vector and a scalar parameter."""


@dataclass(frozen=True)
class Example:
    """A rule and the laws it promises to keep; a new rule needs at least one of these."""

    rule: Clipper
    loose: Clipper | None  # the same kind of rule with a bound that GENTLE gradients never reach, if it can have one
    others: tuple[Clipper, ...] = ()  # rules of the same family with other thresholds
    after: int = 0  # ordinary steps that come first, so that a rule with a memory is past its warm-up
    keeps_direction: bool = False
    idempotent: bool = True  # clipping what is clipped changes nothing more
    only_shortens: bool = True  # no element grows
    acts_on_gradient: bool = True  # it changes a finished gradient at all

    @property
    def family(self) -> list[Clipper]:
        """All its rules, which may be stacked."""
        return [self.rule, *self.others, *([self.loose] if self.loose else [])]

    def clip(self, grads: Grads, rule: Clipper | None = None) -> Clipped:
        """Clip once, after so many ordinary steps, with parameters that are all ones."""
        return clip(rule or self.rule, grads, self.after)


def _by_norm(norm_type: float) -> Example:
    rules = [ClipByNorm(max_norm, norm_type) for max_norm in (1.0, 1e6, 0.7, 30.0)]
    return Example(rules[0], rules[1], tuple(rules[2:]), keeps_direction=True)


EXAMPLES = [
    Example(NoClip(), NoClip(), (NoClip(),), keeps_direction=True, acts_on_gradient=False),
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
    Example(ClipByBlockRMS(0.5), ClipByBlockRMS(1e6), (ClipByBlockRMS(0.3), ClipByBlockRMS(20.0))),
    Example(
        AdaptiveGradientClip(0.1),
        AdaptiveGradientClip(1e6),
        (AdaptiveGradientClip(0.3), AdaptiveGradientClip(7.0)),
    ),
    Example(AutoClip(50.0), None, (AutoClip(10.0), AutoClip(93.7)), after=4, keeps_direction=True),
    Example(AutoClip(50.0, 3), None, (AutoClip(10.0, 3), AutoClip(100.0, 3)), after=4, keeps_direction=True),
    Example(
        ZClip(1.5, warmup_steps=2),
        ZClip(1e9, warmup_steps=2),
        (ZClip(0.5, warmup_steps=2), ZClip(3.3, warmup_steps=2)),
        after=4,
        keeps_direction=True,
        idempotent=False,  # a norm that was lowered may still stand out, less so
    ),
    Example(
        ZClip(1.5, 0.5, warmup_steps=1, clip_factor=0.5, eps=0.1, max_grad_norm=1.0),
        None,  # the cap always holds
        (ZClip(0.5, 0.5, warmup_steps=1, clip_factor=0.5, eps=0.1, max_grad_norm=1.0),),
        keeps_direction=True,
    ),
    Example(AdaGC(1.0), AdaGC(1e6), (AdaGC(0.7), AdaGC(30.0)), keeps_direction=True),
    Example(
        AdaGC(1.0, warmup_steps=2),
        None,  # past the warm-up it is the tensor's own past that bounds it
        (AdaGC(0.7, warmup_steps=2), AdaGC(30.0, warmup_steps=2)),
        after=4,
    ),
    Example(
        NormalizeGradient(1.0),
        None,  # it changes whatever has not the length already
        (NormalizeGradient(0.7), NormalizeGradient(30.0)),
        keeps_direction=True,
        only_shortens=False,
    ),
    Example(
        ClipDerivative(1.0, 2.0),
        ClipDerivative(1e6, 1e6),
        (ClipDerivative(0.5, 3.0),),
        keeps_direction=True,
        acts_on_gradient=False,
    ),
    Example(
        Chain(ClipDerivative(1.0, 2.0), ClipByNorm(1.0)),
        Chain(ClipDerivative(1e6, 1e6), ClipByNorm(1e6)),
        (Chain(ClipDerivative(3.0, 2.0), ClipByNorm(30.0)),),
        keeps_direction=True,
    ),
    Example(
        PerLayer(ClipByNorm(1.0), bias=ClipByNorm(2.0)),
        PerLayer(ClipByNorm(1e6), bias=ClipByNorm(1e6)),
        (PerLayer(ClipByNorm(30.0), bias=ClipByNorm(0.3)), PerLayer(ClipByNorm(0.7), bias=ClipByNorm(3.0))),
    ),
    Example(
        PerLayer(Chain(ClipByNorm(1.0, 1.0), ClipByValue(0.5)), weight=AutoClip(50.0), scale=NoClip()),
        None,
        (PerLayer(Chain(ClipByNorm(3.0, 1.0), ClipByValue(0.3)), scale=NoClip(), weight=AutoClip(80.0)),),
        after=4,
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


def clip(rule: Clipper, grads: Grads, after: int = 0) -> Clipped:
    """Clip once, from the state ``after`` so many ordinary steps, with parameters that are all ones."""
    params = {name: torch.ones_like(g) for name, g in grads.items()}
    state = rule.init(params)
    for step in range(after):
        # The same for every lane; between 0.1 and 1 in every element, so that every tensor has a norm.
        ordinary = {name: torch.full_like(g, (0.4, 0.7, 0.3, 0.5)[step % 4]) for name, g in grads.items()}
        state = rule.clip(ordinary, state, params).state
    return rule.clip(grads, state, params)


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
