"""Rules for layers and for the backward pass, and rules that are limits of others."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
import torch
from clipping_examples import assert_same, clip, flat, random_gradients
from memory_examples import SHAPES, run, sequence

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    Clipper,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
    derivative_clip,
    family,
    layers,
    parse,
    stack,
)

RULE = PerLayer(ClipByNorm(1.0), output=ClipByNorm(10.0))
GRADS = sequence(1)[0]

# ---- per layer


@pytest.mark.parametrize(
    "rest", [ClipByNorm(0.5), ClipByTensorNorm(0.5), AdaptiveGradientClip(0.1), AutoClip(), ZClip(), AdaGC()]
)
@pytest.mark.parametrize(
    "named", [ClipByNorm(0.1), ClipByValue(0.1), Chain(AutoClip(30.0), ClipByValue(0.1)), NoClip()]
)
def test_each_layer_is_clipped_as_though_it_were_the_network(rest: Clipper, named: Clipper):
    steps = sequence(30)
    both = run(PerLayer(rest, output=named), steps)
    hidden = run(rest, [{n: g for n, g in grads.items() if n.startswith("hidden.")} for grads in steps])
    output = run(named, [{n: g for n, g in grads.items() if n.startswith("output.")} for grads in steps])
    for whole, part, other in zip(both, hidden, output, strict=True):
        assert_same(whole.grads, part.grads | other.grads)
        assert list(whole.grads) == list(SHAPES)
        assert torch.equal(whole.threshold, part.threshold)


def test_it_measures_what_the_rest_measures():
    hidden = {name: g for name, g in GRADS.items() if name.startswith("hidden.")}
    assert torch.equal(RULE.measure(GRADS, GRADS), ClipByNorm().measure(hidden, hidden))
    ratio = PerLayer(AdaptiveGradientClip(), output=NoClip()).measure(GRADS, GRADS)
    assert ratio.tolist() == pytest.approx([1.0] * len(ratio))


def test_with_every_layer_named_the_first_one_reports():
    rule = PerLayer(AutoClip(), output=ClipByNorm(10.0), hidden=ClipByValue(0.5))
    clipped = clip(rule, GRADS)
    assert clipped.threshold.tolist() == [0.5] * 3
    hidden = [GRADS["hidden.weight"].flatten(1), GRADS["hidden.bias"]]
    assert torch.equal(rule.measure(GRADS, GRADS), torch.cat(hidden, 1).abs().amax(1))
    assert clipped.grads["hidden.bias"].abs().max() <= 0.5


def test_the_order_of_layers_does_not_matter():
    one = PerLayer(NoClip(), a=ClipByNorm(1.0), b=ClipByNorm(2.0))
    other = PerLayer(NoClip(), b=ClipByNorm(2.0), a=ClipByNorm(1.0))
    assert one == other
    assert (repr(one), hash(one), family(one)) == (repr(other), hash(other), family(other))
    assert one != PerLayer(NoClip(), a=ClipByNorm(2.0), b=ClipByNorm(1.0))


def test_families_of_layers():
    assert family(RULE) == family(PerLayer(ClipByNorm(3.0), output=ClipByNorm(0.1)))
    assert family(RULE) != family(PerLayer(ClipByNorm(1.0), hidden=ClipByNorm(10.0)))
    assert family(RULE) != family(PerLayer(ClipByNorm(1.0), output=ClipByNorm(10.0, 1.0)))
    assert family(RULE) != family(Chain(ClipByNorm(1.0), ClipByNorm(10.0)))


def test_a_layer_that_is_not_there_is_refused_at_the_start():
    with pytest.raises(ValueError, match=r"^PerLayer: no layer is named 'out'; this network has hidden, output\.$"):
        PerLayer(NoClip(), hidden=NoClip(), out=NoClip()).init(GRADS)


def test_which_layers_a_rule_mentions():
    assert layers(RULE) == {"output"}
    assert layers(Chain(NoClip(), Chain(RULE), PerLayer(NoClip(), a=NoClip(), b=NoClip()))) == {"a", "b", "output"}
    assert layers(ClipByNorm()) == layers(Chain(NoClip())) == set()


REFUSED: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((NoClip(),), {}, "no layer is named"),
    ((1.0,), {"output": NoClip()}, "1.0 is not a rule"),
    ((NoClip,), {"output": NoClip()}, "is not a rule"),
    ((NoClip(),), {"output": None}, "None is not a rule"),
    ((NoClip(),), {"output": RULE}, "is a PerLayer too"),
    ((RULE,), {"output": NoClip()}, "is a PerLayer too"),
    ((NoClip(),), {"output": Chain(NoClip(), RULE)}, "is a PerLayer too"),
    ((ClipDerivative(),), {"output": NoClip()}, "ClipDerivative acts on the whole backward pass"),
    ((NoClip(),), {"output": Chain(ClipDerivative(), NoClip())}, "ClipDerivative acts on the whole backward pass"),
    *[((NoClip(),), {name: NoClip()}, "is no name of a layer") for name in ("", "0", "a b", "a.b", "None", "ﬁ", "if")],
]


@pytest.mark.parametrize(("args", "named", "reason"), REFUSED, ids=lambda case: str(case)[:40])
def test_what_is_no_rule_for_layers_is_refused(args: tuple[Any, ...], named: dict[str, Any], reason: str):
    with pytest.raises(ValueError, match=rf"^PerLayer: .*{reason}.*allowed (is|are) .*\.$"):
        PerLayer(*args, **named)


@pytest.mark.parametrize("name", ["rest", "self", "layers", "_", "h2"])
def test_any_name_of_a_layer_is_read_back(name: str):
    rule = PerLayer(Chain(NoClip(), AutoClip(window=30)), **{name: Chain(ZClip(), ClipByValue(0.5))})
    assert parse(repr(rule)) == rule
    assert layers(rule) == {name}


def test_a_rule_for_each_of_a_dozen_layers_is_read_back():
    rule = PerLayer(ZClip(), **{f"hidden{i}": ZClip(1.0 + i) for i in range(12)})
    assert parse(repr(rule)) == rule
    assert parse(repr(Chain(PerLayer(Chain(NoClip()), a=Chain(NoClip()))))).init({"a": torch.zeros(1)})


# ---- inside the backward pass


def test_the_bounds_for_the_backward_pass():
    rule = ClipDerivative(1.0, 2.0)
    assert derivative_clip(rule) is derivative_clip(Chain(Chain(rule, NoClip()), ClipByNorm())) is rule
    assert derivative_clip(ClipByNorm()) is derivative_clip(Chain(NoClip())) is derivative_clip(RULE) is None
    stacked = derivative_clip(stack([Chain(rule, ClipByNorm(1.0)), Chain(ClipDerivative(3.0, 4.0), ClipByNorm(5.0))]))
    assert stacked is not None
    assert torch.as_tensor(stacked.gate_clip).tolist() == [1.0, 3.0]
    assert torch.as_tensor(stacked.output_clip).tolist() == [2.0, 4.0]


def test_it_leaves_the_finished_gradient_alone():
    clipped = clip(ClipDerivative(1e-3, 1e-3), GRADS)
    assert_same(clipped.grads, GRADS)
    assert clipped.threshold.tolist() == [inf] * 3


@pytest.mark.parametrize("second", [ClipDerivative(), Chain(ClipDerivative(), NoClip())], ids=repr)
def test_it_comes_first_in_a_chain(second: Clipper):
    with pytest.raises(ValueError, match=r"^Chain: ClipDerivative .* allowed is the first place\.$"):
        Chain(NoClip(), second)
    assert Chain(second, NoClip())


# ---- limits


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_normalising_is_norm_clipping_with_every_step_clipped(scale: float):
    grads = random_gradients(3, seed=0, scale=100.0)
    assert (ClipByNorm().measure(grads, grads) >= scale).all()
    ours, clipped = (flat(clip(rule(scale), grads).grads) for rule in (NormalizeGradient, ClipByNorm))
    torch.testing.assert_close(ours, clipped, rtol=1e-6, atol=0)


def test_normalising_lengthens_too_and_leaves_zero():
    grads = {"w": torch.tensor([[3e-7, 4e-7], [0.0, -0.0], [3e-25, 0.0]])}
    clipped = clip(NormalizeGradient(5.0), grads).grads["w"]
    assert clipped[0].tolist() == pytest.approx([3.0, 4.0])
    assert torch.equal(clipped[1:], grads["w"][1:])
