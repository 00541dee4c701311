"""The laws that every rule of the registry keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields
from math import inf, nan
from typing import Any

import pytest
import torch
from clipping_examples import (
    EXAMPLES,
    FINITE,
    GENTLE,
    Example,
    Grads,
    assert_same,
    clip,
    flat,
    gradients,
    name_of,
    random_gradients,
    same,
    take,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gclip.clipping import (
    CLIPPERS,
    AdaGC,
    AdaptiveGradientClip,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    Clipped,
    Clipper,
    NoClip,
    ZClip,
    family,
    parse,
    stack,
)

settings.register_profile("clipping", max_examples=40)
LAWS = settings.get_profile("clipping")

every_rule = pytest.mark.parametrize("example", EXAMPLES, ids=name_of)


def run(rule: Clipper, steps: list[Grads], params: Grads) -> Iterator[Clipped]:
    """Clip step after step, carrying the state, so that rules with a memory are tested too."""
    state = rule.init(params)
    for grads in steps:
        clipped = rule.clip(grads, state, params)
        state = clipped.state
        yield clipped


def some_steps(lanes: int, dtype: torch.dtype = torch.float32) -> list[Grads]:
    """Gradients below and above every example's bound, each lane of its own size."""
    sizes = torch.logspace(-3, 1, lanes, dtype=dtype)
    steps = [random_gradients(lanes, seed, dtype=dtype) for seed in range(6)]
    return [{n: g * sizes.reshape(-1, *[1] * (g.dim() - 1)) for n, g in grads.items()} for grads in steps]


def assert_lane(whole: Clipped, lane: int, alone: Clipped) -> None:
    assert_same(take(whole.grads, [lane]), alone.grads)
    assert same(whole.threshold[[lane]], alone.threshold)


# ---- the registry


def test_every_rule_has_an_example():
    assert {type(example.rule).__name__ for example in EXAMPLES} == set(CLIPPERS)


@pytest.mark.parametrize(("name", "rule"), CLIPPERS.items())
def test_a_rule_is_registered_under_the_name_its_repr_uses(name: str, rule: type):
    assert rule.__name__ == name


@every_rule
def test_every_threshold_has_a_range_that_holds_its_default(example: Example):
    for spec in fields(example.rule):
        if spec.metadata.get("lanewise"):
            assert 0 < spec.metadata["low"] <= spec.default <= spec.metadata["high"] < inf


@every_rule
def test_every_setting_has_a_range(example: Example):
    for spec in fields(example.rule):
        if "whole" in spec.metadata:
            assert 0 < spec.metadata["low"] < spec.metadata["high"] < inf
            assert spec.default == inf or spec.metadata["low"] <= spec.default <= spec.metadata["high"]
            assert spec.metadata["title"] == spec.name


# ---- what clipping does


@every_rule
@LAWS
@given(grads=gradients(FINITE))
def test_the_bound_holds(example: Example, grads: Grads):
    clipped, params = example.clip(grads), {name: torch.ones_like(g) for name, g in grads.items()}
    assert clipped.threshold.shape == (len(grads["scale"]),)
    bounded = clipped.threshold.isfinite()
    assert ((example.rule.measure(clipped.grads, params) <= clipped.threshold * (1 + 1e-5)) | ~bounded).all()


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.loose], ids=name_of)
@LAWS
@given(grads=gradients())
def test_a_loose_bound_changes_nothing(example: Example, grads: Grads):
    assert_same(example.clip(grads, example.loose).grads, grads)


UNBOUNDED = [ClipByNorm, ClipByTensorNorm, ClipByValue, ClipByBlockRMS, AdaptiveGradientClip, ZClip, AdaGC]


@pytest.mark.parametrize("after", [0, 30])
@pytest.mark.parametrize("rule", UNBOUNDED)
def test_an_infinite_bound_changes_nothing(rule: type, after: int):
    grads = random_gradients(2, seed=0)
    assert_same(clip(rule(inf), grads, after).grads, grads)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.only_shortens], ids=name_of)
@LAWS
@given(grads=gradients(FINITE))
def test_no_element_grows_or_changes_sign(example: Example, grads: Grads):
    before, after = flat(grads), flat(example.clip(grads).grads)
    assert (after.abs() <= before.abs()).all()
    assert (after * before.sign() >= 0).all()


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.keeps_direction], ids=name_of)
@LAWS
@given(grads=gradients())
def test_direction_is_kept(example: Example, grads: Grads):
    before, after = flat(grads), flat(example.clip(grads).grads)
    moving = before.norm(dim=1) > 1e-30  # a zero gradient has no direction
    cosine = torch.nn.functional.cosine_similarity(before[moving], after[moving], eps=0)
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=0, atol=1e-6)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.idempotent], ids=name_of)
@LAWS
@given(grads=gradients())
def test_twice_is_once(example: Example, grads: Grads):
    # Not bitwise: norm clipping divides by norm + 1e-6, so that a second pass shortens by one part in a million more.
    once = example.clip(grads).grads
    twice = example.clip(once).grads
    torch.testing.assert_close(twice, once, rtol=1e-5, atol=1e-37)


@every_rule
def test_something_is_clipped_at_all(example: Example):
    # The laws above would hold for a rule that does nothing.
    grads = random_gradients(1, seed=0, scale=10.0)
    changed = not same(flat(example.clip(grads).grads), flat(grads))
    assert changed == example.acts_on_gradient


# ---- lanes


@every_rule
def test_lanes_together_are_each_lane_alone(example: Example):
    steps, params = some_steps(5), random_gradients(5, seed=9)
    together = list(run(example.rule, steps, params))
    for lane in range(5):
        alone = run(example.rule, [take(grads, [lane]) for grads in steps], take(params, [lane]))
        for whole, single in zip(together, alone, strict=True):
            assert_lane(whole, lane, single)


@every_rule
@LAWS
@given(grads=gradients(FINITE), random=st.randoms(use_true_random=False))
def test_permuted_lanes_give_permuted_results(example: Example, grads: Grads, random: Any):
    order = list(range(len(grads["scale"])))
    random.shuffle(order)
    whole, permuted = example.clip(grads), example.clip(take(grads, order))
    assert_same(permuted.grads, take(whole.grads, order))
    assert same(permuted.threshold, whole.threshold[order])


@every_rule
@LAWS
@given(grads=gradients(GENTLE), data=st.data())
def test_a_broken_lane_leaves_the_others_untouched(example: Example, grads: Grads, data: st.DataObject):
    lane = data.draw(st.integers(0, len(grads["scale"]) - 1))
    name = data.draw(st.sampled_from(sorted(grads)))
    broken = {n: g.clone() for n, g in grads.items()}
    broken[name][lane] = data.draw(st.sampled_from([nan, inf, -inf, 3e38]))
    healthy = [i for i in range(len(grads["scale"])) if i != lane]
    assert_same(take(example.clip(broken).grads, healthy), take(example.clip(grads).grads, healthy))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@every_rule
def test_stacked_rules_are_each_rule_alone(example: Example, dtype: torch.dtype):
    rules = example.family
    steps, params = some_steps(len(rules), dtype), random_gradients(len(rules), seed=9, dtype=dtype)
    together = list(run(stack(rules), steps, params))
    for lane, rule in enumerate(rules):
        alone = run(rule, [take(grads, [lane]) for grads in steps], take(params, [lane]))
        for whole, single in zip(together, alone, strict=True):
            assert_lane(whole, lane, single)


@every_rule
def test_a_family_differs_in_thresholds_only(example: Example):
    assert set(map(family, example.family)) == {family(example.rule)}


def test_families_are_told_apart():
    different = {family(e.rule) for e in EXAMPLES}
    assert len(different) == len(EXAMPLES)


@pytest.mark.parametrize("rules", [[], [ClipByNorm(), ClipByValue()], [ClipByNorm(1.0, 1.0), ClipByNorm(1.0, 2.0)]])
def test_only_one_family_is_stacked(rules: list[Clipper]):
    with pytest.raises(ValueError, match=r"^stack: "):
        stack(rules)


# ---- a rule is a value


@every_rule
def test_repr_is_read_back(example: Example):
    for rule in example.family:
        again = parse(repr(rule))
        assert again == rule
        assert type(again) is type(rule)
        assert hash(again) == hash(rule)


@LAWS
@given(max_norm=st.floats(2**-126), norm_type=st.floats(1))
def test_every_number_is_read_back(max_norm: float, norm_type: float):
    rule = ClipByNorm(max_norm, norm_type)
    assert parse(repr(rule)) == rule


@every_rule
def test_thresholds_tell_rules_apart(example: Example):
    assert len(set(example.family)) == (1 if isinstance(example.rule, NoClip) else len(example.family))


@every_rule
def test_a_rule_is_frozen(example: Example):
    for name in [spec.name for spec in fields(example.rule)] or ["anything"]:
        with pytest.raises(FrozenInstanceError):
            setattr(example.rule, name, 2.0)


@every_rule
def test_clipping_is_pure(example: Example):
    grads, params = random_gradients(3, seed=0, scale=10.0), random_gradients(3, seed=1)
    kept, kept_params = ({name: t.clone() for name, t in tensors.items()} for tensors in (grads, params))
    state = example.rule.init(params)
    first = example.rule.clip(grads, state, params)
    second = example.rule.clip(grads, state, params)  # differs if the first call wrote into the state
    assert_same(grads, kept)
    assert_same(params, kept_params)
    assert_same(first.grads, second.grads)
    assert first.grads is not grads


@every_rule
def test_a_network_of_scalars_is_clipped(example: Example):
    grads = {"bias": torch.tensor([30.0, 0.01, -4.0]), "weight": torch.tensor([-40.0, 0.02, 0.0])}
    grads["scale"] = torch.tensor([1.0, -0.02, 0.0])
    clipped = clip(example.rule, grads, 3)
    assert {name: g.shape for name, g in clipped.grads.items()} == {name: g.shape for name, g in grads.items()}
    columns = {name: g[:, None] for name, g in grads.items()}  # the same numbers as vectors of one element
    assert_same({name: g[:, None] for name, g in clipped.grads.items()}, clip(example.rule, columns, 3).grads)
