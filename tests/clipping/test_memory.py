"""Rules with a memory: against a plain reference over many steps, and what a bad step leaves behind: nothing."""

from __future__ import annotations

from math import inf, isfinite, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from clipping_examples import Grads, assert_same, same
from memory_examples import LANES, SICK, lane_of, norms_of, run, sequence, spoil

from gclip.clipping import AdaGC, AutoClip, Chain, ClipByNorm, Clipper, PerLayer, ZClip, stack

# ---- plain references, written for one network


def plain_autoclip(steps: list[Grads], lane: int, percentile: float, window: float) -> list[tuple[float, float]]:
    """Return (factor, threshold) of every step, as pseeth/autoclip does; torch's 1e-6 included."""
    history: list[float] = []
    results = []
    for grads in steps:
        norm = sqrt(sum(n**2 for n in norms_of(grads, lane)))
        history.append(norm)
        kept = history if window == inf else history[-int(window) :]
        threshold = float(np.percentile(kept, percentile))
        results.append((min(1.0, threshold / (norm + 1e-6)), threshold))
    return results


def plain_adagc(steps: list[Grads], lane: int, rule: AdaGC) -> list[tuple[list[float], float]]:
    """Return (factor of each tensor, threshold) of every step, as the paper's algorithm 1 does."""
    gamma = [inf] * len(steps[0])
    results = []
    for t, grads in enumerate(steps, start=1):
        norms = norms_of(grads, lane)
        if t <= rule.warmup_steps:
            factors = [min(1.0, rule.max_norm / (sqrt(sum(n**2 for n in norms)) + 1e-6))] * len(norms)
            gamma = [min(g, f * n) for g, f, n in zip(gamma, factors, norms, strict=True)]
            results.append((factors, rule.max_norm))
            continue
        bounds = [rule.relative_threshold * g for g in gamma]
        factors = [b / (n + 1e-6) if n > b else 1.0 for n, b in zip(norms, bounds, strict=True)]
        held = [min(n, b) for n, b in zip(norms, bounds, strict=True)]
        gamma = [rule.beta * g + (1 - rule.beta) * h for g, h in zip(gamma, held, strict=True)]
        results.append((factors, sqrt(sum(b**2 for b in bounds))))
    return results


@pytest.mark.parametrize("window", [inf, 1, 2, 50, 1000])
@pytest.mark.parametrize("percentile", [0.1, 10.0, 37.5, 50.0, 100.0])
def test_autoclip_over_300_steps(percentile: float, window: float):
    steps = sequence()
    ours = list(run(AutoClip(percentile, window), steps))
    for lane in range(LANES):
        for k, (factor, threshold) in enumerate(plain_autoclip(steps, lane, percentile, window)):
            assert ours[k].threshold[lane].item() == pytest.approx(threshold, rel=2e-6)
            torch.testing.assert_close(lane_of(ours[k].grads, lane), factor * lane_of(steps[k], lane))


def test_autoclip_at_10_clips_about_nine_steps_of_ten():
    steps = [{"w": torch.randn(1, 50, generator=torch.Generator().manual_seed(k))} for k in range(1000)]
    results = run(AutoClip(10.0), steps)
    rate = np.mean([bool(g["w"].norm() > r.threshold * 1.00001) for g, r in zip(steps, results, strict=True)])
    assert 0.86 < rate < 0.92


@pytest.mark.parametrize(
    "rule", [AdaGC(), AdaGC(0.3, relative_threshold=1.5, beta=0.5, warmup_steps=1), AdaGC(inf, 1.2, 0.9, 10)], ids=repr
)
def test_adagc_over_300_steps(rule: AdaGC):
    steps = sequence()
    ours, clipped = list(run(rule, steps)), 0
    for lane in range(LANES):
        for k, (factors, threshold) in enumerate(plain_adagc(steps, lane, rule)):
            assert ours[k].threshold[lane].item() == pytest.approx(threshold, rel=1e-5)
            for factor, (name, g) in zip(factors, steps[k].items(), strict=True):
                torch.testing.assert_close(ours[k].grads[name][lane], factor * g[lane], rtol=1e-5, atol=1e-8)
                clipped += factor < 1
    assert clipped > 100


def test_adagc_holds_a_tensor_to_zero_whose_gradient_was_zero_in_the_warm_up():
    dead = [{n: g * (k != 2 or n != "output.weight") for n, g in grads.items()} for k, grads in enumerate(sequence(20))]
    results = list(run(AdaGC(1.0, warmup_steps=5), dead))
    assert all((result.grads["output.weight"] == 0).all() for result in results[5:])
    assert all((result.grads["hidden.weight"] != 0).all() for result in results[5:])


# ---- a bad step is never remembered

REMEMBERING: list[Clipper] = [
    AutoClip(),
    AutoClip(50.0, window=7),
    ZClip(warmup_steps=10),
    ZClip(warmup_steps=10, max_grad_norm=1.0),
    AdaGC(warmup_steps=10),
]
COMPOSED: list[Clipper] = [
    Chain(ZClip(warmup_steps=10), AutoClip(90.0)),
    PerLayer(AutoClip(), hidden=AdaGC(warmup_steps=10)),
]
"""Each of their rules remembers what it was given: a sound layer beside a bad one, the zeros that an Inf left."""


@pytest.mark.parametrize("value", SICK.values(), ids=SICK.keys())
@pytest.mark.parametrize("rule", REMEMBERING, ids=repr)
def test_after_a_bad_step_all_is_as_though_it_had_not_been(rule: Clipper, value: float):
    # The bad steps come first of all, in the warm-up, at its end and after it, two of them in a row.
    steps, bad = sequence(60), [0, 4, 10, 11, 30]
    spoilt: list[Grads] = []
    for k, grads in enumerate(steps):
        spoilt += [spoil(grads, 0, value)] * (k in bad) + [grads]
    good = [k + sum(b <= k for b in bad) for k in range(len(steps))]
    with_bad, without = list(run(rule, spoilt)), list(run(rule, steps))
    for k, place in enumerate(good):
        ours, expected = with_bad[place], without[k]
        assert same(ours.threshold[:1], expected.threshold[:1]), k
        assert same(lane_of(ours.grads, 0), lane_of(expected.grads, 0)), k


@pytest.mark.parametrize("rule", REMEMBERING + COMPOSED, ids=repr)
def test_lanes_may_remember_different_numbers_of_steps(rule: Clipper):
    steps = sequence(60)
    # Lane 0 has a bad step at every third step, lane 1 none, lane 2 ten at the start.
    together = [spoil(g, 0, inf) if k % 3 == 0 else g for k, g in enumerate(steps)]
    together = [spoil(g, 2, inf) if k < 10 else g for k, g in enumerate(together)]
    results = list(run(stack([rule] * LANES), together))
    for lane in range(LANES):
        alone = run(rule, [{name: g[[lane]] for name, g in grads.items()} for grads in together])
        for whole, single in zip(results, alone, strict=True):
            assert same(whole.threshold[[lane]], single.threshold)
            assert_same({name: g[[lane]] for name, g in whole.grads.items()}, single.grads)


@pytest.mark.parametrize("value", SICK.values(), ids=SICK.keys())
def test_while_no_finite_norm_was_seen_autoclip_has_no_threshold(value: float):
    steps = [spoil(grads, 0, value) for grads in sequence(3)]
    for grads, result in zip(steps, run(AutoClip(), steps), strict=True):
        assert result.threshold[0] == inf
        assert same(lane_of(result.grads, 0), lane_of(grads, 0))
        assert result.threshold[1:].isfinite().all()


def test_the_plain_autoclip_dies_of_one_nan():
    with np.errstate(invalid="ignore"):
        steps = [spoil(g, 0, float("nan")) if k == 5 else g for k, g in enumerate(sequence(20))]
        assert not any(isfinite(threshold) for _, threshold in plain_autoclip(steps, 0, 10.0, inf)[5:])


def every_tensor(state: Any) -> list[torch.Tensor]:
    return [state] if isinstance(state, torch.Tensor) else [t for part in state for t in every_tensor(part)]


@pytest.mark.parametrize("rule", REMEMBERING + COMPOSED, ids=repr)
def test_a_state_is_never_written_into(rule: Clipper):
    steps = sequence(40)
    states = [result.state for result in run(rule, steps)]
    kept = [[t.clone() for t in every_tensor(state)] for state in states]
    for k in range(39):
        for grads in (steps[k + 1], steps[0]):  # two ways on from the same state
            rule.clip(grads, states[k], grads)
    assert all(same(a, b) for s, t in zip(states, kept, strict=True) for a, b in zip(every_tensor(s), t, strict=True))


def test_a_window_bounds_the_memory():
    *_, last = run(AutoClip(window=7), sequence(60))
    assert (last.state.ranked.shape, last.state.recent.shape) == ((LANES, 9), (LANES, 7))
    *_, last = run(AutoClip(), sequence(60))
    assert (last.state.ranked.shape, last.state.recent.shape) == ((LANES, 62), (LANES, 0))


def test_one_rule_remembers_nothing():
    assert ClipByNorm().init(sequence(1)[0]) == ()
