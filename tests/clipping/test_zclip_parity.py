"""Parity with the zclip package, on a real module, over 300 steps; and how ours differs on purpose."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
import torch
from clipping_examples import Grads
from memory_examples import LANES, SHAPES, lane_of, run, sequence, spoil
from reference_files import load
from torch import Tensor, nn

from gclip.clipping import ZClip

Reference = load("zclip", "zclip.py", without="lightning").ZClip

RULES = [
    ZClip(),
    ZClip(max_grad_norm=1.0),
    ZClip(1.5, 0.9, warmup_steps=5, clip_factor=0.7, eps=1e-2),
    ZClip(0.5, 0.5, warmup_steps=1, max_grad_norm=3.0),
]


def reference_of(rule: ZClip) -> Any:
    cap = None if rule.max_grad_norm == inf else rule.max_grad_norm
    return Reference(rule.alpha, rule.z_thresh, cap, rule.eps, rule.warmup_steps, clip_factor=rule.clip_factor)


def module() -> nn.Module:
    params = {name.replace(".", "_"): nn.Parameter(torch.ones(shape)) for name, shape in SHAPES.items()}
    return nn.ParameterDict(params)


def step(reference: Any, network: nn.Module, grads: Grads, lane: int) -> Tensor:
    """Clip a lane's gradient by the package, and return it as one vector."""
    params = dict(network.named_parameters())
    for name, g in grads.items():
        params[name.replace(".", "_")].grad = g[lane].clone()
    reference.step(network)
    return torch.cat([p.grad.flatten() for name in SHAPES if (p := params[name.replace(".", "_")]).grad is not None])


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_300_steps(rule: ZClip):
    steps = sequence()
    ours = list(run(rule, steps))
    for lane in range(LANES):
        reference, network, clipped = reference_of(rule), module(), 0
        for grads, result in zip(steps, ours, strict=True):
            theirs = step(reference, network, grads, lane)
            torch.testing.assert_close(lane_of(result.grads, lane), theirs, rtol=3e-6, atol=0)
            clipped += not torch.equal(theirs, lane_of(grads, lane))
            if reference.initialized:
                memory = [result.state.mean[lane].item(), result.state.variance[lane].item()]
                assert memory == pytest.approx([reference.mean, reference.var], rel=1e-5)
        assert clipped > 5


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_the_threshold_says_which_steps_are_clipped(rule: ZClip):
    for grads, result in zip(sequence(), run(rule, sequence()), strict=True):
        before, after = rule.measure(grads, grads), rule.measure(result.grads, grads)
        changed = torch.stack([lane_of(grads, i) != lane_of(result.grads, i) for i in range(LANES)]).any(1)
        assert torch.equal(before > result.threshold, changed)
        torch.testing.assert_close(after[changed], result.threshold[changed], rtol=1e-5, atol=2e-6)


def test_the_warm_up_is_unbounded_unless_there_is_a_cap():
    for cap in (inf, 1.0):
        thresholds = torch.stack([result.threshold for result in run(ZClip(max_grad_norm=cap), sequence(40))])
        assert (thresholds[:25] == cap).all()
        assert thresholds[25:].isfinite().all()


@pytest.mark.parametrize("size", [0.0, 1.0])
def test_equal_norms_have_no_deviation(size: float):
    steps = [{name: torch.full((1, *shape), size) for name, shape in SHAPES.items()} for _ in range(40)]
    steps += [{name: g * 3 + 1 for name, g in steps[0].items()}]
    reference, network = reference_of(ZClip()), module()
    for grads, result in zip(steps, run(ZClip(), steps), strict=True):
        torch.testing.assert_close(lane_of(result.grads, 0), step(reference, network, grads, 0), rtol=1e-5, atol=1e-7)


# ---- on purpose


def test_ours_has_no_cap_by_default():
    assert (ZClip().max_grad_norm, Reference().max_grad_norm) == (inf, 1.0)


# Past its warm-up the package survives an infinite norm: it remembers the mean in its place.
@pytest.mark.parametrize(("value", "at"), [(nan, 3), (inf, 3), (3e38, 3), (nan, 100)])
def test_in_the_package_one_bad_step_turns_it_off_for_good(value: float, at: int):
    steps = sequence()
    reference, network = reference_of(ZClip()), module()
    theirs = [step(reference, network, spoil(g, 0, value) if k == at else g, 0) for k, g in enumerate(steps)]
    assert all(torch.equal(theirs[k], lane_of(steps[k], 0)) for k in range(at + 1, 300))
    ours = list(run(ZClip(), [spoil(g, 0, value) if k == at else g for k, g in enumerate(steps)]))
    assert any(not torch.equal(lane_of(ours[k].grads, 0), lane_of(steps[k], 0)) for k in range(at + 1, 300))


@pytest.mark.parametrize("value", [nan, inf, 3e38])
def test_what_becomes_of_a_gradient_that_is_not_finite(value: float):
    # The same as in the package: a NaN passes as it came, an infinite norm leaves zeros, and NaN for what was infinite.
    steps = [spoil(g, 0, value) if k == 100 else g for k, g in enumerate(sequence(101))]
    reference, network = reference_of(ZClip()), module()
    theirs = [step(reference, network, grads, 0) for grads in steps][-1]
    ours = lane_of(list(run(ZClip(), steps))[-1].grads, 0)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0, equal_nan=True)
    assert bool(ours.nan_to_num().any()) == (value is nan)
