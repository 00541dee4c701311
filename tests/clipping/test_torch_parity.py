"""Parity with ``torch.nn.utils``, lane by lane and BITWISE: the same float32 numbers, the sign of zero included.

A lane of a stacked gradient must come out exactly as torch leaves the gradient of one network, for every norm type, at
every scale and for every edge case; the norm that torch returns must be the one the rule measures. This holds on one
torch thread, which the tests set: see conftest.py.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import pytest
import torch
from clipping_examples import FINITE, Grads, assert_same, clip, gradients, grads_of, random_gradients, same, take
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from gclip.clipping import ClipByNorm, ClipByValue

PARITY = settings(max_examples=60)
norm_types = pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, inf])
scales = pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e12, 1e19, 1e30])
bounds = pytest.mark.parametrize("bound", [1e-3, 0.1, 1.0, 5.0, 1e4])

EDGES = {
    "a NaN": grads_of([[nan, 3.0], [1.0, 2.0]], [[4.0], [5.0]]),
    "an Inf": grads_of([[inf, -3.0], [1.0, 2.0]], [[4.0], [5.0]]),
    "minus Inf": grads_of([[1.0, 2.0], [-inf, 3.0]], [[4.0], [5.0]]),
    "Inf and NaN": grads_of([[nan, inf], [1.0, 2.0]], [[4.0], [5.0]]),
    "overflowing norm": grads_of([[3e20, 4e20], [1.0, 2.0]], [[4.0], [5.0]]),
    "underflowing norm": grads_of([[3e-30, 4e-30], [1.0, 2.0]], [[1e-40], [5.0]]),
    "zero": grads_of([[0.0, -0.0], [1.0, 2.0]], [[0.0], [5.0]]),
    "at the threshold": grads_of([[0.6, 0.8], [3.0, 4.0]], [[0.0], [0.0]]),
    "value at the threshold": grads_of([[1.0, -1.0], [5.0, -5.0]], [[0.1], [-0.1]]),
}
edges = pytest.mark.parametrize("grads", EDGES.values(), ids=EDGES.keys())


Function = Callable[[list[nn.Parameter]], Tensor | None]


def by_torch(grads: Grads, lane: int, function: Function) -> tuple[Grads, Tensor | None]:
    """Return what torch makes of the gradient of one lane, and the norm it returns."""
    params = [nn.Parameter(torch.zeros_like(g[lane])) for g in grads.values()]
    for param, g in zip(params, grads.values(), strict=True):
        param.grad = g[lane].clone()
    total = function(params)
    return {name: p.grad[None] for name, p in zip(grads, params, strict=True) if p.grad is not None}, total


def assert_norm_parity(grads: Grads, max_norm: float, norm_type: float) -> None:
    rule = ClipByNorm(max_norm, norm_type)
    ours, norms = clip(rule, grads).grads, rule.measure(grads, grads)
    for lane in range(len(norms)):
        theirs, total = by_torch(grads, lane, lambda params: clip_grad_norm_(params, max_norm, norm_type))
        assert total is not None
        assert same(norms[lane], total)
        assert_same(take(ours, [lane]), theirs)


def assert_value_parity(grads: Grads, clip_value: float) -> None:
    ours = clip(ClipByValue(clip_value), grads).grads
    for lane in range(len(next(iter(ours.values())))):
        theirs, _ = by_torch(grads, lane, lambda params: clip_grad_value_(params, clip_value))
        assert_same(take(ours, [lane]), theirs)


@bounds
@scales
@norm_types
def test_norm_of_random_gradients(norm_type: float, scale: float, bound: float):
    assert_norm_parity(random_gradients(3, seed=0, scale=scale), bound, norm_type)


@bounds
@scales
def test_value_of_random_gradients(scale: float, bound: float):
    assert_value_parity(random_gradients(3, seed=0, scale=scale), bound)


@norm_types
@PARITY
@given(grads=gradients(FINITE), max_norm=st.floats(1e-6, 1e6))
def test_norm_of_any_finite_gradient(norm_type: float, grads: Grads, max_norm: float):
    assert_norm_parity(grads, max_norm, norm_type)


@PARITY
@given(grads=gradients(st.floats(width=32)), clip_value=st.floats(1e-6, 1e6))
def test_value_of_any_gradient(grads: Grads, clip_value: float):
    assert_value_parity(grads, clip_value)


@edges
@norm_types
def test_norm_of_edge_cases(norm_type: float, grads: Grads):
    for max_norm in (1.0, 5.0):
        assert_norm_parity(grads, max_norm, norm_type)


@edges
def test_value_of_edge_cases(grads: Grads):
    for clip_value in (1.0, 5.0):
        assert_value_parity(grads, clip_value)


@norm_types
def test_large_tensors(norm_type: float):
    # Larger than the 32768 elements from which torch would share the sum among threads.
    generator = torch.Generator().manual_seed(0)
    assert_norm_parity({"weight": torch.randn(2, 300, 301, generator=generator)}, 1.0, norm_type)


def test_double_precision():
    for norm_type in (1.0, 2.0, 3.0, inf):
        assert_norm_parity(random_gradients(2, seed=0, dtype=torch.float64), 0.1, norm_type)
    assert_value_parity(random_gradients(2, seed=0, dtype=torch.float64), 0.1)
