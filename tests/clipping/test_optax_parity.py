"""Parity with optax, lane by lane: the same numbers to within float32's last bits, and how ours differ on purpose."""

from __future__ import annotations

import os
from collections.abc import Hashable
from math import inf, nan
from typing import Any

import numpy as np
import pytest
import torch
from clipping_examples import FINITE, Grads, clip, gradients, grads_of, random_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gclip.clipping import (
    AdaptiveGradientClip,
    Chain,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    Clipper,
    NormalizeGradient,
    PerLayer,
)

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax.numpy as jnp
import optax

PARITY = settings(max_examples=30)
SCALES = [1e-12, 1e-3, 1.0, 1e3, 1e19, 1e30]
BOUNDS = [1e-3, 1.0, 20.0]


def optax_of(rule: Clipper, names: list[str]) -> optax.GradientTransformation:
    """Return optax's own form of a rule, for a network with tensors of these names."""
    match rule:
        case ClipByNorm(c):
            return optax.clip_by_global_norm(c)
        case ClipByTensorNorm(c):  # optax has no rule for each leaf, but it can give each leaf a rule
            return optax.partition({n: optax.clip_by_global_norm(c) for n in names}, {n: n for n in names})
        case ClipByValue(c):
            return optax.clip(c)
        case ClipByBlockRMS(c):
            return optax.clip_by_block_rms(c)
        case NormalizeGradient(scale):
            return optax.normalize_by_update_norm(scale)
        case Chain(rules):
            return optax.chain(*[optax_of(member, names) for member in rules])
        case PerLayer(rest, named):
            members: dict[Hashable, Any] = {
                "rest": optax_of(rest, names),
                **{name: optax_of(member, [name]) for name, member in named},
            }
            return optax.partition(members, {name: name if name in members else "rest" for name in names})
    raise NotImplementedError(rule)


def by_optax(rule: Clipper, grads: Grads, lane: int) -> dict[str, np.ndarray]:
    transformation = optax_of(rule, list(grads))
    updates: Any = {name: jnp.asarray(g[lane].numpy()) for name, g in grads.items()}
    changed: Any = transformation.update(updates, transformation.init(updates))[0]
    return {name: np.asarray(changed[name]) for name in grads}


def assert_parity(rule: Clipper, grads: Grads) -> None:
    ours = clip(rule, grads).grads
    for lane in range(len(next(iter(ours.values())))):
        for name, theirs in by_optax(rule, grads, lane).items():
            # optax does not add 1e-6 to the norm, except where it normalises; XLA makes denormal numbers zero.
            np.testing.assert_allclose(ours[name][lane].numpy(), theirs, rtol=3e-6, atol=2e-38, err_msg=name)


def rules_at(c: float) -> list[Clipper]:
    per_layer = PerLayer(ClipByNorm(c), p1=ClipByNorm(10 * c))
    return [ClipByNorm(c), ClipByTensorNorm(c), ClipByValue(c), ClipByBlockRMS(c), per_layer]


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", [ClipByNorm, ClipByTensorNorm, ClipByValue, ClipByBlockRMS])
def test_random_gradients(kind: type, scale: float, bound: float):
    grads = random_gradients(1, seed=0, scale=scale)
    if kind is ClipByNorm and bound < 1:  # our 1e-6 beside a norm that small is not nothing
        grads = random_gradients(1, seed=0, scale=max(scale, 1.0))
    if scale == 1e30:
        del grads["scale"]
    assert_parity(kind(bound), grads)


@pytest.mark.parametrize("rule", [ClipByTensorNorm(2.0), ClipByBlockRMS(2.0)], ids=repr)
def test_the_norm_of_a_single_number_never_overflows_here(rule: Clipper):
    # torch takes its absolute value, optax the root of its square.
    grads = grads_of([1e30])
    assert by_optax(rule, grads, 0)["p0"].tolist() == 0
    assert clip(rule, grads).grads["p0"].tolist() == [2.0]


@pytest.mark.parametrize("scale", SCALES[1:4])
def test_random_gradients_per_layer_and_in_a_chain(scale: float):
    grads = random_gradients(2, seed=0, scale=scale)
    assert_parity(PerLayer(ClipByNorm(1.0), bias=ClipByNorm(3.0), kernel=ClipByValue(0.5)), grads)
    assert_parity(Chain(ClipByNorm(2.0), ClipByValue(0.1)), grads)
    assert_parity(Chain(ClipByValue(0.5), ClipByBlockRMS(0.1)), grads)


@pytest.mark.parametrize("kind", [ClipByTensorNorm, ClipByValue, ClipByBlockRMS, ClipByNorm])
@PARITY
@given(grads=gradients(max_lanes=1), bound=st.floats(1.0, 1e6))
def test_any_gradient(kind: type, grads: Grads, bound: float):
    assert_parity(kind(bound), grads)


@pytest.mark.parametrize("kind", [ClipByValue, ClipByBlockRMS])
@PARITY
@given(grads=gradients(FINITE, max_lanes=1), bound=st.floats(1e-3, 1e6))
def test_any_finite_gradient(kind: type, grads: Grads, bound: float):
    del grads["scale"]
    normal = {name: torch.where(g.abs() < 1e-15, 0.0, g) for name, g in grads.items()}  # no square may vanish
    assert_parity(kind(bound), normal)


EDGES = {
    "a NaN": grads_of([[nan, 3.0]], [[4.0]]),
    "an Inf": grads_of([[inf, -3.0]], [[4.0]]),
    "minus Inf and NaN": grads_of([[-inf, nan]], [[4.0]]),
    "overflowing norm": grads_of([[3e20, 4e20]], [[4.0]]),
    "zero": grads_of([[0.0, 0.0]], [[0.0]]),
    "at the threshold": grads_of([[3.0, 4.0]], [[0.0]]),
}


@pytest.mark.parametrize("rule", [*rules_at(1.0), *rules_at(5.0), NormalizeGradient(2.0)], ids=repr)
@pytest.mark.parametrize("grads", EDGES.values(), ids=EDGES.keys())
def test_edge_cases(rule: Clipper, grads: Grads):
    assert_parity(rule, grads)


def test_at_the_threshold_ours_adds_one_in_a_million():
    # torch's formula: ClipByNorm has parity with it bit by bit, and so differs here.
    grads = grads_of([[3.0, 4.0]])
    np.testing.assert_array_equal(by_optax(ClipByNorm(5.0), grads, 0)["p0"], [3.0, 4.0])
    assert (clip(ClipByNorm(5.0), grads).grads["p0"] < torch.tensor([3.0, 4.0])).all()


# ---- adaptive gradient clipping: optax's layout is [in, out] unless it is told


def by_optax_agc(g: Tensor, weights: Tensor, clip_factor: float, axis: int | tuple[int, ...] | None) -> np.ndarray:
    transformation = optax.adaptive_grad_clip(clip_factor, eps=1e-3, axis=axis)
    params = jnp.asarray(weights.numpy())
    changed, _ = transformation.update(jnp.asarray(g.numpy()), transformation.init(params), params)
    return np.asarray(changed)


def by_ours(g: Tensor, weights: Tensor, clip_factor: float) -> np.ndarray:
    rule, params = AdaptiveGradientClip(clip_factor), {"w": weights[None]}
    return rule.clip({"w": g[None]}, rule.init(params), params).grads["w"][0].numpy()


@pytest.mark.parametrize("clip_factor", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("scale", SCALES)
def test_adaptive_gradient_clipping(scale: float, clip_factor: float):
    # One tensor at a time: axis=1 is right for a matrix, and for a vector optax takes all of it by default.
    for axis, shape in [(1, (61, 47)), ((1, 2), (3, 5, 7)), (None, (37,))]:
        generator = torch.Generator().manual_seed(len(shape))
        weights, g = torch.randn(2, *shape, generator=generator)
        theirs = by_optax_agc(g * scale, weights, clip_factor, axis)
        np.testing.assert_allclose(by_ours(g * scale, weights, clip_factor), theirs, rtol=2e-6, atol=2e-38)


@pytest.mark.parametrize("value", [nan, inf, 3e38, 0.0])
def test_adaptive_gradient_clipping_of_edge_cases(value: float):
    g, weights = torch.tensor([[value, value], [0.3, 0.4]]), torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    np.testing.assert_allclose(by_ours(g, weights, 0.1), by_optax_agc(g, weights, 0.1, axis=1), rtol=1e-6)


def test_optax_takes_columns_for_units_unless_it_is_told():
    g, weights = torch.tensor([[8.0, 0.0], [0.1, 0.1]]), torch.ones(2, 2)
    np.testing.assert_allclose(by_ours(g, weights, 0.1).T, by_optax_agc(g.T, weights, 0.1, axis=None), rtol=1e-6)
    assert not np.allclose(by_ours(g, weights, 0.1), by_optax_agc(g, weights, 0.1, axis=None))


# ---- normalising


@pytest.mark.parametrize("scale", SCALES[2:4])
def test_normalising(scale: float):
    assert_parity(NormalizeGradient(3.0), random_gradients(2, seed=0, scale=scale))


def test_optax_leaves_a_tiny_gradient_short():
    # It adds 1e-6 to the norm; ours gives every gradient the full length, unless it is zero.
    grads = grads_of([[3e-7, 4e-7]])
    np.testing.assert_allclose(by_optax(NormalizeGradient(1.0), grads, 0)["p0"], [0.2, 0.8 / 3], rtol=1e-5)
    assert clip(NormalizeGradient(1.0), grads).grads["p0"][0].tolist() == pytest.approx([0.6, 0.8])
