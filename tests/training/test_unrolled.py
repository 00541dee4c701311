"""Graves' derivative clipping: the layer written out, against the fused one and against hooks in autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from recurrent_examples import CELLS, PROBLEMS, SMALL, drawn, unrolled_loss
from torch import Tensor
from training_examples import differing

import gclip
from gclip.clipping import Chain, ClipByNorm, ClipDerivative, NoClip, stack
from gclip.training import RecurrentConfig, recurrence, recurrent, sequences, unrolled

EACH = [RecurrentConfig(**SMALL, problem=problem, cell=cell) for problem in PROBLEMS for cell in CELLS]
NAN, INF = math.nan, math.inf

Lanes = tuple[dict[str, Tensor], Tensor, Tensor]


def named(config: RecurrentConfig) -> str:
    return f"{config.problem} {config.cell}"


def lanes(config: RecurrentConfig, count: int) -> Lanes:
    """Weights, inputs and targets of several lanes; the weights are large enough for gates to bend."""
    generator = torch.Generator().manual_seed(8)
    params = {n: 0.7 * torch.randn(count, *s, generator=generator) for n, s in recurrent.shapes(config).items()}
    batches = [drawn(config, seed) for seed in range(count)]
    return params, torch.stack([x for x, _ in batches]), torch.stack([y for _, y in batches])


def of_lane(params: dict[str, Tensor], lane: int) -> list[Tensor]:
    return [p[lane].clone().requires_grad_() for p in params.values()]


def written_out(
    config: RecurrentConfig, case: Lanes, rules: list[ClipDerivative]
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    clip: Any = stack(rules, torch.float32)
    params, x, y = case
    return unrolled.gradients(config.cell, x, y, params, sequences.PROBLEMS[config.problem], clip)


def by_hooks(config: RecurrentConfig, case: Lanes, lane: int, rule: ClipDerivative | None) -> tuple[Tensor, list[Any]]:
    """Return one lane's loss and gradients by autograd, with a hook at every step as Graves' rule says."""
    params, clip = of_lane(case[0], lane), (rule.gate_clip, rule.output_clip) if rule else None
    loss, _ = unrolled_loss(config, params, case[1][lane], case[2][lane], clip)
    loss.backward()
    return loss.detach(), [p.grad for p in params]


# ---- what the layer computes


@pytest.mark.parametrize("config", EACH, ids=named)
def test_the_layer_written_out_equals_the_fused_one(config: RecurrentConfig) -> None:
    params, x, y = case = lanes(config, 3)
    problem = sequences.PROBLEMS[config.problem]
    layer = unrolled.run(config.cell, x.movedim(2, 0), list(params.values())[:4])
    loss, raw, clipped = written_out(config, case, [ClipDerivative(1e6, 1e6)] * 3)
    for lane in range(3):
        mine = [p[lane] for p in params.values()]
        want = recurrent.fused(config.cell, x[lane], mine[:4])
        torch.testing.assert_close(layer.outputs[1:, lane].movedim(0, 1), want, rtol=1e-5, atol=1e-6)
        value, grads = recurrent.gradients(config.cell, x[lane], y[lane], mine, problem.score, problem.every_step)
        torch.testing.assert_close(loss[lane], value)
        torch.testing.assert_close([g[lane] for g in raw.values()], grads, rtol=1e-4, atol=1e-6)
    assert all(torch.equal(raw[name], clipped[name]) for name in params)


BOUNDS = [(1e-4, 1e6), (1e-3, 3e-3), (1e-2, 1e6), (1e6, 1e-3), (1e-5, 1e-5)]
"""Of the gates, of the output: only the one, both, hardly the one, only the other, nearly everything."""


@pytest.mark.parametrize("config", EACH, ids=named)
def test_clipped_gradients_equal_those_of_hooks_at_every_step(config: RecurrentConfig) -> None:
    # All bounds at once, each in its lane.
    case, rules = lanes(config, len(BOUNDS)), [ClipDerivative(*bounds) for bounds in BOUNDS]
    loss, raw, clipped = written_out(config, case, rules)
    for lane, rule in enumerate(rules):
        want_loss, want_raw = by_hooks(config, case, lane, None)
        _, want = by_hooks(config, case, lane, rule)
        torch.testing.assert_close(loss[lane], want_loss)
        torch.testing.assert_close([g[lane] for g in raw.values()], want_raw, rtol=1e-4, atol=1e-6)
        # Clamped derivatives are small: in units of the largest of a tensor, not in absolute ones.
        for name, mine, hooked in zip(clipped, [g[lane] for g in clipped.values()], want, strict=True):
            assert (mine - hooked).abs().max() <= 1e-4 * hooked.abs().max(), (rule, name)


@pytest.mark.parametrize("config", EACH, ids=named)
def test_every_bound_of_those_examples_changes_the_gradient(config: RecurrentConfig) -> None:
    # Else the comparison above would compare nothing.
    case = lanes(config, len(BOUNDS))
    _, raw, clipped = written_out(config, case, [ClipDerivative(*bounds) for bounds in BOUNDS])
    name = next(iter(raw))
    changed = [not torch.equal(raw[name][lane], clipped[name][lane]) for lane in range(len(BOUNDS))]
    assert changed == [True] * len(BOUNDS)


def test_clamping_inside_is_not_clamping_the_finished_gradient() -> None:
    config = EACH[0]
    case = lanes(config, 1)
    _, raw, clipped = written_out(config, case, [ClipDerivative(1e-3, 1e6)])
    name = "lstm.weight_hh"
    largest = clipped[name].abs().max()
    assert not torch.allclose(raw[name].clamp(-largest, largest), clipped[name], rtol=0.1)
    # A sum over time steps and rows of clamped derivatives times outputs below 1 is bounded, and no closer than that.
    assert 1e-3 < largest < 1e-3 * config.sequence_length * config.batch_size


# ---- lane by lane


@pytest.mark.parametrize("count", [2, 5, 16])
@pytest.mark.parametrize("config", EACH, ids=named)
def test_a_lane_alone_equals_a_lane_among_others_bit_for_bit(config: RecurrentConfig, count: int) -> None:
    case, rules = lanes(config, count), [ClipDerivative(1e-3 * (i + 1), 1e-2 * (i + 1)) for i in range(count)]
    together = written_out(config, case, rules)
    for lane in (0, count - 1):
        params, x, y = case
        only = ({name: p[[lane]] for name, p in params.items()}, x[[lane]], y[[lane]])
        alone = written_out(config, only, [rules[lane]])
        assert torch.equal(alone[0], together[0][[lane]])
        for mine, ours in zip(alone[1:], together[1:], strict=True):
            assert [name for name in mine if not torch.equal(mine[name], ours[name][[lane]])] == []


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("place", ["weight_hh", "bias_ih", "output.weight"])
@pytest.mark.parametrize("cell", CELLS)
def test_what_is_not_finite_stays_in_its_lane(cell: Any, place: str, bad: float) -> None:
    config = RecurrentConfig(**SMALL, cell=cell)
    (params, x, y), rules = lanes(config, 3), [ClipDerivative(1e-3, 1e-2)] * 3
    clean = written_out(config, (params, x, y), rules)
    spoilt = {name: p.clone() for name, p in params.items()}
    name = next(name for name in params if name.endswith(place))
    spoilt[name][1].view(-1)[2] = bad
    dirty = written_out(config, (spoilt, x, y), rules)
    others = [0, 2]
    assert torch.equal(clean[0][others], dirty[0][others])
    for before, after in zip(clean[1:], dirty[1:], strict=True):
        assert [n for n in params if not torch.equal(before[n][others], after[n][others])] == []
    assert not torch.equal(clean[1]["output.weight"][1], dirty[1]["output.weight"][1])


# ---- in a run


def graves(**fields: Any) -> RecurrentConfig:
    return RecurrentConfig(**{**SMALL, "weight_gain": 2.0, **fields})


def test_a_step_at_which_nothing_is_clamped_counts_as_not_clipped() -> None:
    loose, tight = gclip.run([graves(clipper=ClipDerivative(c, c)) for c in (1e3, 1e-4)])
    assert not loose.clipped.any()
    assert loose.total_norm.tobytes() == loose.clipped_norm.tobytes()
    assert (loose.clip_coef == 1).all()
    assert (loose.cosine == 1).all()
    assert tight.clipped.all()
    assert (tight.clipped_norm < tight.total_norm).all()
    assert np.isinf(tight.threshold).all()


def test_a_loose_derivative_clip_trains_as_no_clip_does() -> None:
    plain, loose = gclip.run([graves(), graves(clipper=ClipDerivative(1e3, 1e3))])
    for name in ("loss", "total_norm", "test_loss", "flow"):
        np.testing.assert_allclose(getattr(loose, name), getattr(plain, name), rtol=1e-3, err_msg=name)


def test_a_chain_clips_what_the_clamped_derivatives_leave() -> None:
    # Each step's gradient is clamped on its way, then scaled to the norm; at this bound both always act.
    inside = ClipDerivative(1e-3, 1e6)
    alone, chained = gclip.run([graves(clipper=inside), graves(clipper=Chain(inside, ClipByNorm(1e-3)))])
    assert chained.done
    assert alone.clipped_norm.min() > 1e-3
    np.testing.assert_allclose(chained.clipped_norm, 1e-3, rtol=1e-3)
    # The first step starts from equal weights: the chain scales what the derivative clip alone leaves, direction kept.
    assert chained.total_norm[0] == alone.total_norm[0]
    assert chained.cosine[0] == pytest.approx(alone.cosine[0], abs=1e-6)
    assert alone.cosine[0] < 0.999


def test_a_chain_with_a_loose_norm_is_the_derivative_clip() -> None:
    inside = ClipDerivative(1e-3, 1e6)
    alone, chained = gclip.run([graves(clipper=inside), graves(clipper=Chain(inside, ClipByNorm(1e6)))])
    assert [name for name in differing(alone, chained) if name != "measured"] == []


def test_the_derivative_clip_saves_the_run_that_explodes_without() -> None:
    fields: dict[str, Any] = {"steps": 200}
    free, clamped = gclip.run(
        [RecurrentConfig(clipper=rule, **fields) for rule in (NoClip(), ClipDerivative(1e-4, 1e-4))]
    )
    assert free.verdict == "diverged"
    assert clamped.verdict != "diverged"
    assert np.isfinite(clamped.loss).all()


# ---- the flow through time


@pytest.mark.parametrize("config", EACH, ids=named)
def test_the_flow_without_a_bound_is_the_fused_layers(config: RecurrentConfig) -> None:
    params, x, y = lanes(config, 2)
    problem, loose = sequences.PROBLEMS[config.problem], stack([ClipDerivative(1e6, 1e6)] * 2, torch.float32)
    flow = unrolled.gradient_flow(config.cell, x, y, params, problem, loose)  # type: ignore[arg-type]
    for lane in range(2):
        mine = [p[lane] for p in params.values()]
        want = recurrent.gradient_flow(config.cell, x[lane], y[lane], mine, problem.score, problem.every_step)
        torch.testing.assert_close(flow[lane], want, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("config", EACH, ids=named)
def test_the_flow_is_clamped_on_its_way(config: RecurrentConfig) -> None:
    case, rules = lanes(config, 2), [ClipDerivative(1e-4, 1e-3), ClipDerivative(1e-2, 1e6)]
    params, x, y = case
    clip: Any = stack(rules, torch.float32)
    flow = unrolled.gradient_flow(config.cell, x, y, params, sequences.PROBLEMS[config.problem], clip)
    for lane, rule in enumerate(rules):
        loss, states = unrolled_loss(
            config, of_lane(params, lane), x[lane], y[lane], (rule.gate_clip, rule.output_clip)
        )
        loss.backward()
        want = [state.grad.norm() for state in states if state.grad is not None]
        torch.testing.assert_close(flow[lane], torch.stack(want), rtol=1e-4, atol=1e-9)


def test_many_lanes_are_unrolled_in_pieces_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [NoClip(), *[ClipDerivative(10.0**-k, 10.0**-k) for k in range(2, 7)]]
    configs = [RecurrentConfig(**SMALL, clipper=rule, init_seed=i) for i, rule in enumerate(rules)]
    whole = gclip.run(configs)
    monkeypatch.setattr(recurrence, "UNROLLED_ELEMENTS", 2 * 9 * 5 * 7)
    assert recurrence.together(configs[0]) == 2
    assert [differing(a, b) for a, b in zip(whole, gclip.run(configs), strict=True)] == [[]] * 6
