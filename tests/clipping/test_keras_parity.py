"""Parity with Keras 3: its optimizers' own clipping, on the torch backend, lane by lane."""

from __future__ import annotations

import os
from math import inf, nan
from typing import Any

import numpy as np
import pytest
import torch
from clipping_examples import Grads, clip, gradients, grads_of, random_gradients
from hypothesis import given, settings
from hypothesis import strategies as st

from gclip.clipping import ClipByNorm, ClipByTensorNorm, ClipByValue, Clipper

os.environ["KERAS_BACKEND"] = "torch"
import keras

PARITY = settings(max_examples=40)
KINDS = {ClipByTensorNorm: "clipnorm", ClipByNorm: "global_clipnorm", ClipByValue: "clipvalue"}
kinds = pytest.mark.parametrize("kind", KINDS, ids=KINDS.values())


def by_keras(rule: Clipper, grads: Grads, lane: int) -> Grads:
    """Return what a Keras optimizer makes of the gradient of one lane before it takes its step."""
    clipping: dict[str, Any] = {KINDS[type(rule)]: next(iter(vars(rule).values()))}
    clipped: Any = keras.optimizers.SGD(**clipping)._clip_gradients([g[lane].clone() for g in grads.values()])
    return dict(zip(grads, clipped, strict=True))


def assert_parity(rule: Clipper, grads: Grads) -> None:
    ours = clip(rule, grads).grads
    for lane in range(len(next(iter(ours.values())))):
        for name, theirs in by_keras(rule, grads, lane).items():
            np.testing.assert_allclose(ours[name][lane].numpy(), theirs.numpy().reshape(ours[name][lane].shape), 3e-6)


@pytest.mark.parametrize("bound", [0.5, 1.0, 20.0])
@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 1e3, 1e15])
@kinds
def test_random_gradients(kind: type, scale: float, bound: float):
    assert_parity(kind(bound), random_gradients(2, seed=0, scale=scale))


@kinds
@PARITY
@given(grads=gradients(), bound=st.floats(1.0, 1e6))
def test_any_gradient(kind: type, grads: Grads, bound: float):
    normal = {name: torch.where(g.abs() < 1e-15, 0.0, g) for name, g in grads.items()}  # no square may vanish
    assert_parity(kind(bound), normal)


SICK = {
    "a NaN": grads_of([[nan, 3.0]], [[4.0]]),
    "an Inf": grads_of([[inf, -3.0]], [[4.0]]),
    "overflowing norm": grads_of([[3e20, 4e20]], [[4.0]]),
}
SOUND = {"zero": grads_of([[0.0, 0.0]], [[0.0]]), "at the threshold": grads_of([[3.0, 4.0]], [[0.0]])}


@pytest.mark.parametrize("bound", [1.0, 5.0])
@pytest.mark.parametrize("grads", SOUND.values(), ids=SOUND.keys())
@kinds
def test_edge_cases(kind: type, grads: Grads, bound: float):
    assert_parity(kind(bound), grads)


@pytest.mark.parametrize("grads", SICK.values(), ids=SICK.keys())
@pytest.mark.parametrize("kind", [ClipByTensorNorm, ClipByValue])
def test_what_is_not_finite(kind: type, grads: Grads):
    assert_parity(kind(1.0), grads)


@pytest.mark.parametrize("grads", SICK.values(), ids=SICK.keys())
def test_keras_makes_all_of_it_nan_when_the_global_norm_is_not_finite(grads: Grads):
    # Ours does as torch: all NaN for a NaN, but zeros where only the norm is infinite.
    assert all(g.isnan().all() for g in by_keras(ClipByNorm(1.0), grads, 0).values())
    total = ClipByNorm(1.0).measure(grads, grads)
    assert bool(clip(ClipByNorm(1.0), grads).grads["p1"].isnan()) == bool(total.isnan())


def test_the_trap():
    # The same word, `clipnorm`, meant one global norm in Keras 2.2, and means one norm per variable now.
    grads = grads_of([[3.0, 4.0]], [[0.5]])
    now = [g.tolist() for g in by_keras(ClipByTensorNorm(1.0), grads, 0).values()]
    assert now[0] == pytest.approx([0.6, 0.8])
    assert now[1] == pytest.approx([0.5])
    assert clip(ClipByNorm(1.0), grads).grads["p0"][0].tolist() == pytest.approx([0.59702, 0.79603], abs=6e-6)
