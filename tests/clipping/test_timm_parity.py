"""Parity with timm's ``adaptive_clip_grad``, lane by lane."""

from __future__ import annotations

from math import inf, nan

import pytest
import torch
from clipping_examples import FINITE, SHAPES, Grads, assert_same, gradients, grads_of, random_gradients, take
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_files import load
from torch import nn

from gclip.clipping import AdaptiveGradientClip

adaptive_clip_grad = load("timm", "utils/agc.py").adaptive_clip_grad
PARITY = settings(max_examples=60)

EDGES = {
    "a NaN": grads_of([[[nan, 3.0], [1.0, 2.0]]], [[4.0, 5.0]]),
    "an Inf": grads_of([[[1.0, 3.0], [-inf, 2.0]]], [[4.0, inf]]),
    "overflowing norm": grads_of([[[3e20, 4e20], [1.0, 2.0]]], [[3e20, 4e20]]),
    "underflowing norm": grads_of([[[3e-30, 4e-30], [1e-4, 0.0]]], [[1e-40, 0.0]]),
    "norm between the bound and 1e-6": grads_of([[[4.8e-7, 6.4e-7], [6e-7, 0.0]]], [[4e-7, 0.0]]),
    "zero": grads_of([[[0.0, -0.0], [1.0, 2.0]]], [[0.0, 0.0]]),
    "at the threshold": grads_of([[[3.0, 4.0], [0.6, 0.8]]], [[3.0, 4.0]]),
}


def by_timm(rule: AdaptiveGradientClip, grads: Grads, weights: Grads, lane: int) -> Grads:
    params = [nn.Parameter(weights[name][lane].clone()) for name in grads]
    for param, g in zip(params, grads.values(), strict=True):
        param.grad = g[lane].clone()
    adaptive_clip_grad(params, rule.clip_factor, rule.eps)
    return {name: p.grad[None] for name, p in zip(grads, params, strict=True) if p.grad is not None}


def assert_parity(rule: AdaptiveGradientClip, grads: Grads, weights: Grads) -> None:
    ours = rule.clip(grads, rule.init(weights), weights).grads
    for lane in range(len(next(iter(ours.values())))):
        assert_same(take(ours, [lane]), by_timm(rule, grads, weights, lane))


@pytest.mark.parametrize("eps", [1e-3, 10.0])
@pytest.mark.parametrize("clip_factor", [1e-3, 0.01, 0.1, 10.0])
@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1e-3, 1.0, 1e3, 1e19, 1e30])
def test_random_gradients(scale: float, clip_factor: float, eps: float):
    weights = random_gradients(3, seed=1)
    assert_parity(AdaptiveGradientClip(clip_factor, eps), random_gradients(3, seed=0, scale=scale), weights)


@PARITY
@given(grads=gradients(FINITE, 1), weights=gradients(max_lanes=1), clip_factor=st.floats(1e-6, 1e6))
def test_any_finite_gradient(grads: Grads, weights: Grads, clip_factor: float):
    assert_parity(AdaptiveGradientClip(clip_factor), grads, weights)


@pytest.mark.parametrize("grads", EDGES.values(), ids=EDGES.keys())
def test_edge_cases(grads: Grads):
    weights = grads_of([[[3.0, 4.0], [0.0, 0.0]]], [[0.3, 0.4]])
    for clip_factor in (1e-7, 0.1, 1.0, 10.0):
        assert_parity(AdaptiveGradientClip(clip_factor), grads, weights)


def test_weights_that_are_zero_count_as_eps():
    grads, weights = grads_of([[[3.0, 4.0], [3.0, 4.0]]]), grads_of([[[0.0, 0.0], [30.0, 40.0]]])
    assert AdaptiveGradientClip(0.1, eps=0.5).measure(grads, weights).tolist() == [10.0]
    assert AdaptiveGradientClip(0.1).measure(grads_of([[[0.0, 0.0]]]), grads_of([[[0.0, 0.0]]])).tolist() == [0.0]


@pytest.mark.parametrize("seed", range(20))
def test_the_measure_tells_which_steps_timm_clips(seed: int):
    shapes = {name: (1, *shape) for name, shape in SHAPES.items()}
    generator = torch.Generator().manual_seed(seed)
    grads = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    rule = AdaptiveGradientClip(3.0)
    kept = all(torch.equal(by_timm(rule, grads, weights, 0)[name], g) for name, g in grads.items())
    assert (rule.measure(grads, weights) > rule.clip(grads, (), weights).threshold).tolist() == [not kept]
