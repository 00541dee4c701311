"""Known answers: zero, NaN, Inf, overflow, the threshold itself; and everything that is refused."""

from __future__ import annotations

from dataclasses import fields
from math import inf, nan
from typing import Any

import pytest
import torch
from clipping_examples import EXAMPLES, Grads, assert_same, clip, flat, grads_of
from hypothesis import given, settings
from hypothesis import strategies as st

from gclip.clipping import (
    CLIPPERS,
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    Clipper,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
    layers,
    parse,
    tensor_norms,
    total_norm,
)

# ---- non-finite and borderline gradients, each beside a healthy lane

C = 5.0
AT = C / (C + 1e-6)  # torch does not compare: at the threshold it still multiplies by 0.9999998
NORM1, NORM2, NORM3, NORM_INF = (ClipByNorm(C, p) for p in (1.0, 2.0, 3.0, inf))
TENSOR, VALUE = ClipByTensorNorm(C), ClipByValue(C)
RMS, UNIT, SAME_LENGTH = ClipByBlockRMS(C), AdaptiveGradientClip(C / 2**0.5), NormalizeGradient(C)  # the weights are 1
BOUND = ZClip(max_grad_norm=C)

# what happens, the rule, gradients of two tensors, and what they become
TABLE: list[tuple[str, Clipper, list[list[float]], list[list[float]]]] = [
    *[("a NaN spreads to every tensor", r, [[nan, 3], [4]], [[nan, nan], [nan]]) for r in (NORM1, NORM2, NORM3)],
    ("a NaN spreads to every tensor", NORM_INF, [[nan, 3], [4]], [[nan, nan], [nan]]),
    ("a NaN spreads over its own tensor", TENSOR, [[nan, 3], [4]], [[nan, nan], [4]]),
    ("a NaN spreads to every tensor", SAME_LENGTH, [[nan, 3], [4]], [[nan, nan], [nan]]),
    ("a NaN spreads over its own tensor", RMS, [[nan, 3], [4]], [[nan, nan], [4]]),
    ("a NaN spreads over its own unit", UNIT, [[nan, 3], [2]], [[nan, nan], [2]]),
    ("Inf becomes NaN, all others 0", SAME_LENGTH, [[inf, -3], [4]], [[nan, -0.0], [0]]),
    ("Inf becomes NaN in its own tensor", RMS, [[inf, -3], [4]], [[nan, -0.0], [4]]),
    ("Inf becomes NaN in its own unit", UNIT, [[inf, -3], [2]], [[nan, -0.0], [2]]),
    ("Inf becomes NaN, all others 0", BOUND, [[inf, -3], [4]], [[nan, -0.0], [0]]),
    ("an overflowing norm leaves 0", BOUND, [[3e20, 4e20], [1]], [[0, 0], [0]]),
    ("a NaN is left as it is", BOUND, [[nan, 3], [4]], [[nan, 3], [4]]),
    ("nothing bounds it in the warm-up", ZClip(), [[inf, -3], [4]], [[inf, -3], [4]]),
    ("an overflowing norm leaves 0", SAME_LENGTH, [[3e20, 4e20], [1]], [[0, 0], [0]]),
    ("an overflowing norm leaves 0 of its tensor", RMS, [[3e20, 4e20], [1]], [[0, 0], [1]]),
    ("an overflowing norm leaves 0 of its unit", UNIT, [[3e20, 4e20], [1]], [[0, 0], [1]]),
    *[("zero stays", r, [[0, -0.0], [0]], [[0, -0.0], [0]]) for r in (RMS, UNIT, SAME_LENGTH)],
    ("at the threshold: unchanged", RMS, [[5, -5], [5]], [[5, -5], [5]]),
    ("at the threshold: unchanged", UNIT, [[3, 4], [3.5]], [[3, 4], [3.5]]),
    ("at the threshold: unchanged", SAME_LENGTH, [[3, 4], [0]], [[3, 4], [0]]),
    ("above the threshold", RMS, [[6, 8], [1]], [[6 * C / 50**0.5, 8 * C / 50**0.5], [1]]),
    ("above the threshold", UNIT, [[6, 8], [7]], [[3, 4], [C / 2**0.5]]),
    ("a NaN stays where it was", VALUE, [[nan, 3], [40]], [[nan, 3], [5]]),
    *[("Inf becomes NaN, all others 0", r, [[inf, -3], [4]], [[nan, -0.0], [0]]) for r in (NORM1, NORM2, NORM3)],
    ("Inf becomes NaN, all others 0", NORM_INF, [[-inf, -3], [4]], [[nan, -0.0], [0]]),
    ("Inf becomes NaN in its own tensor", TENSOR, [[inf, -3], [4]], [[nan, -0.0], [4]]),
    ("Inf becomes the bound", VALUE, [[inf, -3], [-inf]], [[5, -3], [-5]]),
    ("an overflowing norm leaves 0", NORM2, [[3e20, 4e20], [1]], [[0, 0], [0]]),
    ("an overflowing norm leaves 0", NORM3, [[3e20, 4e20], [1]], [[0, 0], [0]]),
    ("an overflowing norm leaves 0 of its tensor", TENSOR, [[3e20, 4e20], [1]], [[0, 0], [1]]),
    ("the largest element does not overflow", NORM_INF, [[3e20, 4e20], [0]], [[3.75, 5], [0]]),
    ("the sum does not overflow yet", NORM1, [[1e20, 4e20], [0]], [[1, 4], [0]]),
    ("large elements become the bound", VALUE, [[3e20, -4e20], [1]], [[5, -5], [1]]),
    *[("zero stays", r, [[0, -0.0], [0]], [[0, -0.0], [0]]) for r in (NORM1, NORM2, NORM3, NORM_INF, TENSOR, VALUE)],
    ("at the threshold: still scaled", NORM2, [[3, 4], [0]], [[3 * AT, 4 * AT], [0]]),
    ("at the threshold: still scaled", NORM1, [[2, -2], [1]], [[2 * AT, -2 * AT], [AT]]),
    ("at the threshold: still scaled", NORM_INF, [[5, 1], [-5]], [[5 * AT, AT], [-5 * AT]]),
    ("at the threshold: unchanged", TENSOR, [[3, 4], [5]], [[3, 4], [5]]),
    ("at the threshold: unchanged", VALUE, [[5, -5], [4]], [[5, -5], [4]]),
]


@pytest.mark.parametrize("sick", [0, 1], ids=["first lane", "second lane"])
@pytest.mark.parametrize(("what", "rule", "before", "after"), TABLE, ids=[f"{what}-{r!r}" for what, r, *_ in TABLE])
def test_the_table(what: str, rule: Clipper, before: list[list[float]], after: list[list[float]], sick: int):
    healthy = [[1.0, -2.0], [1.5]]  # below every threshold of the table
    left = flat(clip(rule, grads_of(*[[t] for t in healthy])).grads)[0].tolist()
    assert left == [1.0, -2.0, 1.5] or rule is SAME_LENGTH
    lanes = [[t, h] if sick == 0 else [h, t] for t, h in zip(before, healthy, strict=True)]
    clipped = clip(rule, grads_of(*lanes)).grads
    for i, expected in enumerate(after):
        assert clipped[f"p{i}"][sick].tolist() == pytest.approx(expected, rel=2e-7, abs=0, nan_ok=True), what
        assert clipped[f"p{i}"][1 - sick].tolist() == [left[:2], left[2:]][i]


def test_at_the_threshold_the_norm_clip_really_shortens():
    (clipped,) = clip(NORM2, grads_of([[3.0, 4.0]])).grads.values()
    assert (clipped < torch.tensor([3.0, 4.0])).all()


@pytest.mark.parametrize("rule", [TENSOR, VALUE], ids=repr)
def test_at_the_threshold_other_rules_change_no_bit(rule: Clipper):
    grads = grads_of([[3.0, 4.0]], [[5.0]])
    assert_same(clip(rule, grads).grads, grads)


def test_a_chain_cleans_only_in_the_right_order():
    # By value first, an Inf becomes the bound and the norm is finite; by norm first, it becomes a NaN that stays.
    grads = grads_of([[inf, 3.0]])
    assert clip(Chain(ClipByValue(4.0), ClipByNorm(1.0)), grads).grads["p0"][0].tolist() == pytest.approx([0.8, 0.6])
    assert clip(Chain(ClipByNorm(1.0), ClipByValue(4.0)), grads).grads["p0"].isnan().tolist() == [[True, False]]


def test_a_chain_reports_what_its_first_rule_measures():
    grads = grads_of([[3.0, 4.0]])
    chain = Chain(ClipByNorm(2.0), ClipByValue(0.5))
    assert clip(chain, grads).threshold.tolist() == [2.0]
    assert chain.measure(grads, grads).tolist() == [5.0]


def test_no_clip_passes_everything_on():
    grads = grads_of([[nan, inf], [3e38, -0.0]])
    clipped = clip(NoClip(), grads)
    assert_same(clipped.grads, grads)
    assert clipped.threshold.tolist() == [inf, inf]


# ---- numbers from the reference libraries

TWO_TENSORS = grads_of([[3.0, 4.0]], [[[0.0, 12.0]]])
KERAS = grads_of([[3.0, 4.0]], [[0.5]])
TILTED = grads_of([[10.0, 0.1, 0.1]], [[0.5]])


@pytest.mark.parametrize(("norm_type", "expected"), [(1.0, 19.0), (2.0, 13.0), (3.0, 12.2071), (inf, 12.0)])
def test_total_norm(norm_type: float, expected: float):
    assert total_norm(TWO_TENSORS, norm_type).tolist() == pytest.approx([expected], abs=5e-5)
    assert ClipByNorm(1.0, norm_type).measure(TWO_TENSORS, TWO_TENSORS).tolist() == pytest.approx([expected], abs=5e-5)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (NoClip(), 13.0),
        (ClipByTensorNorm(), 12.0),
        (ClipByValue(), 12.0),
        (ClipByBlockRMS(), 72**0.5),
        (AdaptiveGradientClip(), 1.0),
        (AutoClip(), 13.0),
        (ZClip(), 13.0),
        (AdaGC(), 13.0),
        (NormalizeGradient(), 13.0),
    ],
    ids=repr,
)
def test_what_other_rules_measure(rule: Clipper, expected: float):
    assert rule.measure(TWO_TENSORS, TWO_TENSORS).tolist() == pytest.approx([expected], rel=1e-6)


@pytest.mark.parametrize(("norm_type", "expected"), [(1.0, [7.0, 12.0]), (2.0, [5.0, 12.0]), (inf, [4.0, 12.0])])
def test_tensor_norms(norm_type: float, expected: list[float]):
    assert tensor_norms(TWO_TENSORS, norm_type).tolist() == [pytest.approx(expected)]


@pytest.mark.parametrize(
    ("rule", "expected"), [(ClipByNorm(1.0), [0.59702, 0.79603, 0.09950]), (ClipByTensorNorm(1.0), [0.6, 0.8, 0.5])]
)
def test_keras_clips_globally_or_per_variable(rule: Clipper, expected: list[float]):
    assert flat(clip(rule, KERAS).grads)[0].tolist() == pytest.approx(expected, abs=6e-6)


@pytest.mark.parametrize(
    ("rule", "expected"), [(ClipByNorm(1.0), 1.0), (ClipByTensorNorm(1.0), 0.916), (ClipByValue(1.0), 0.910)]
)
def test_how_far_a_rule_turns_the_gradient(rule: Clipper, expected: float):
    cosine = torch.nn.functional.cosine_similarity(flat(TILTED), flat(clip(rule, TILTED).grads))
    assert cosine.item() == pytest.approx(expected, abs=5e-4)


# ---- refused hyperparameters

THRESHOLDS = [(rule, spec.name) for rule in CLIPPERS.values() for spec in fields(rule) if spec.metadata.get("lanewise")]
SETTINGS = [(rule, spec) for rule in CLIPPERS.values() for spec in fields(rule) if "whole" in spec.metadata]
NOT_A_SHARE: list[tuple[type, str]] = [(ZClip, "alpha"), (AdaGC, "beta")]
NOT_ABOVE_ZERO: list[Any] = [0, 0.0, -0.0, -1, -1e-9, -inf, nan, True, False, "1.0", "", None, 1j, [1.0], 10**400]
NOT_A_NORM: list[Any] = [0, 0.5, 0.999, -1, -inf, nan, True, "2", "inf", None, [2.0], 10**400]


def assert_refused(rule: type, field: str, value: Any) -> None:
    with pytest.raises(ValueError, match="allowed is") as error:
        rule(**{field: value})
    shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:56]}..."
    assert str(error.value).startswith(f"{rule.__name__}: {field} is {shown}; allowed is ")


def short(value: Any) -> str:
    return repr(value)[:12]


@pytest.mark.parametrize("value", NOT_ABOVE_ZERO, ids=short)
@pytest.mark.parametrize(("rule", "field"), THRESHOLDS)
def test_a_threshold_that_is_not_above_zero_is_refused(rule: type, field: str, value: Any):
    assert_refused(rule, field, value)


@pytest.mark.parametrize("value", NOT_ABOVE_ZERO, ids=short)
@pytest.mark.parametrize(("rule", "field"), [(rule, spec.name) for rule, spec in SETTINGS])
def test_a_setting_that_is_not_above_zero_is_refused(rule: type, field: str, value: Any):
    assert_refused(rule, field, value)


@pytest.mark.parametrize(
    ("rule", "field", "value"),
    [
        *[(rule, spec.name, value) for rule, spec in SETTINGS if spec.metadata["whole"] for value in (0.5, 2.5, 10**7)],
        *[(rule, field, value) for rule, field in NOT_A_SHARE for value in (1, 1.0, 1.5, inf)],
        *[(AutoClip, "clip_percentile", value) for value in (100.001, 101, inf)],
        *[(ZClip, field, value) for field, value in [("warmup_steps", inf), ("clip_factor", 1.01), ("eps", inf)]],
        *[(AdaGC, field, inf) for field in ("warmup_steps", "relative_threshold")],
        (AdaptiveGradientClip, "eps", inf),
        (NormalizeGradient, "scale", inf),
    ],
)
def test_a_number_out_of_its_range_is_refused(rule: type, field: str, value: Any):
    assert_refused(rule, field, value)


def test_what_counts_something_becomes_whole():
    assert repr(AutoClip(10, 25.0)) == "AutoClip(clip_percentile=10.0, window=25)"
    assert repr(AutoClip()) == "AutoClip(clip_percentile=10.0, window=inf)"
    assert AdaGC(warmup_steps=7) == parse("AdaGC(warmup_steps=7.0)")


@pytest.mark.parametrize("value", NOT_A_NORM, ids=short)
def test_a_norm_type_that_is_no_norm_is_refused(value: Any):
    assert_refused(ClipByNorm, "norm_type", value)


def test_an_empty_chain_is_refused():
    with pytest.raises(ValueError, match=r"^Chain: rules is empty; allowed is one rule or more"):
        Chain()


@pytest.mark.parametrize("value", [1.0, "ClipByNorm()", None, ClipByNorm], ids=repr)
def test_a_chain_of_something_else_is_refused(value: Any):
    with pytest.raises(ValueError, match=r"^Chain: "):
        Chain(NoClip(), value)


def test_whole_numbers_become_floats():
    # So that ClipByNorm(1) and ClipByNorm(1.0) are one run, with one key.
    assert repr(ClipByNorm(1, 2)) == repr(ClipByNorm(1.0)) == "ClipByNorm(max_norm=1.0, norm_type=2.0)"


# ---- reading rules from text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("NoClip", NoClip()),
        ("Chain(NoClip, ClipByNorm)", Chain(NoClip(), ClipByNorm(1.0))),
        (" ClipByNorm( 2 )\n", ClipByNorm(2.0)),
        ("ClipByNorm(2, norm_type=inf)", ClipByNorm(2.0, inf)),
        ("ClipByValue()", ClipByValue()),
        ("Chain(NoClip(), ClipByValue(clip_value=1e-3))", Chain(NoClip(), ClipByValue(0.001))),
        ("Chain(NoClip(), NoClip(), ClipByValue(2))", Chain(NoClip(), NoClip(), ClipByValue(2.0))),
        ("ZClip(max_grad_norm=1)", ZClip(max_grad_norm=1.0)),
        ("AutoClip(window=inf)", AutoClip()),
        ("PerLayer(NoClip(), b=ClipByValue(2), a=NoClip())", PerLayer(NoClip(), a=NoClip(), b=ClipByValue(2.0))),
        ("Chain(PerLayer(Chain(NoClip()), a=NoClip()))", Chain(PerLayer(Chain(NoClip()), a=NoClip()))),
    ],
)
def test_what_people_type_is_read(text: str, rule: Clipper):
    assert parse(text) == rule


HOSTILE = {
    "empty": "",
    "blank": "   ",
    "only a name": "NoClipping",
    "a number": "1.0",
    "unknown rule": "Clip(1.0)",
    "unknown keyword": "ClipByNorm(norm=1.0)",
    "too many arguments": "ClipByNorm(1.0, 2.0, 3.0)",
    "argument for a rule without": "NoClip(1)",
    "given twice, by place and name": "ClipByNorm(1.0, max_norm=2.0)",
    "given twice, by name": "ClipByNorm(max_norm=1.0, max_norm=2.0)",
    "self": "ClipByNorm(self=1.0)",
    "unclosed": "ClipByNorm(1.0",
    "two rules": "NoClip(); NoClip()",
    "two lines": "NoClip()\nNoClip()",
    "an import": "__import__('os').system('true')",
    "an import in an argument": "ClipByNorm(__import__('os').getpid())",
    "attribute": "ClipByNorm.__init__",
    "attribute of a rule": "NoClip().clip()",
    "attribute as argument": "ClipByNorm(max_norm=NoClip.__class__)",
    "method call": "gclip.NoClip()",
    "builtin": "float('1')",
    "builtin as argument": "ClipByNorm(float('1'))",
    "other name as argument": "ClipByNorm(max_norm=e)",
    "arithmetic": "ClipByNorm(9**9**9)",
    "string": "ClipByNorm('1.0')",
    "f-string": "ClipByNorm(f'{1}')",
    "True": "ClipByNorm(True)",
    "minus minus True": "ClipByNorm(--True)",
    "None": "ClipByNorm(None)",
    "complex": "ClipByNorm(1j)",
    "list": "ClipByNorm([1.0])",
    "starred": "ClipByNorm(*[1.0])",
    "starred rules": "Chain(*[NoClip()])",
    "double starred": "ClipByNorm(**{'max_norm': 1.0})",
    "double starred number": "ClipByNorm(**1)",
    "lambda": "(lambda: NoClip())()",
    "walrus": "(rule := NoClip())",
    "comprehension": "[NoClip() for _ in (1,)]",
    "condition": "NoClip() if 1 else NoClip()",
    "rule as number": "ClipByNorm(NoClip())",
    "number as rule": "Chain(1.0)",
    "empty chain": "Chain()",
    "keyword for a chain": "Chain(rules=NoClip())",
    "refused value": "ClipByNorm(-1)",
    "refused value in a chain": "Chain(NoClip(), ClipByNorm(nan))",
    "too large a number": "ClipByNorm(1" + "0" * 400 + ")",
    "far too large a number": "ClipByNorm(0x" + "f" * 20_000 + ")",
    "too many digits": "ClipByNorm(1" + "0" * 5000 + ")",
    "no rule for the rest": "PerLayer(output=NoClip())",
    "no rule at all": "PerLayer()",
    "no layer": "PerLayer(NoClip())",
    "two rules for the rest": "PerLayer(NoClip(), NoClip(), output=NoClip())",
    "one layer twice": "PerLayer(NoClip(), output=NoClip(), output=ClipByNorm(1.0))",
    "number for a layer": "PerLayer(NoClip(), output=1.0)",
    "number for the rest": "PerLayer(1.0, output=NoClip())",
    "refused value in a layer": "PerLayer(NoClip(), output=ClipByNorm(0))",
    "starred layers": "PerLayer(NoClip(), **{'output': NoClip()})",
    "starred rule": "PerLayer(NoClip(), **NoClip())",
    "starred rest": "PerLayer(*[NoClip()], output=NoClip())",
    "layers by their own name": "PerLayer(rest=NoClip(), output=NoClip())",
    "layer with a dot": "PerLayer(NoClip(), output.weight=NoClip())",
    "layers within layers": "PerLayer(NoClip(), output=PerLayer(NoClip(), output=NoClip()))",
    "layers within a chain within layers": "PerLayer(NoClip(), a=Chain(PerLayer(NoClip(), b=NoClip())))",
    "derivative for a layer": "PerLayer(NoClip(), output=ClipDerivative())",
    "derivative after another": "Chain(NoClip(), ClipDerivative())",
    "half a step": "AutoClip(window=2.5)",
    "layers too deep": "PerLayer(NoClip(), a=" * 10 + "NoClip()" + ")" * 10,
    "layers far too deep": "PerLayer(NoClip(), a=" * 90 + "NoClip()" + ")" * 90,
    "null byte": "ClipByNorm(1\0)",
    "surrogate": "NoClip(\ud800)",
    "chains too deep": "Chain(" * 10 + "NoClip()" + ")" * 10,
    "chains far too deep": "Chain(" * 150 + "NoClip()" + ")" * 150,
    "parentheses": "(" * 5000 + ")" * 5000,
    "brackets": "[" * 150 + "]" * 150,
    **{f"{n} minus signs": "ClipByNorm(" + "-" * n + "1)" for n in (901, 1501, 5001)},
    **{f"{n} attributes": "a" + ".a" * n for n in (300, 900, 5000)},
    **{f"{n} sums": "1+" * n + "1" for n in (300, 900, 5000)},
    **{f"{n} calls": "NoClip" + "()" * n for n in (300, 900, 5000)},
    # Short enough to be read, yet too deep to be written out again for the message.
    "480 minus signs": "NoClip(" + "-" * 480 + "1)",
    "many lambdas": "lambda:" * 900 + "1",
    "many nots": "not " * 900 + "1",
    "many conditions": "1 if 1 else " * 900 + "1",
    "1900 minus signs": "NoClip(" + "-" * 1900 + "1)",
    "1000 nots": "PerLayer(NoClip(), a=" + "not " * 400 + "1)",
    "very long": "Chain(" + "NoClip(), " * 20_000 + ")",
    "very long and unclosed": "ClipByNorm(" * 100_000,
    "very long and blank": "ClipByNorm(" + " " * 1_000_000 + "1)",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_refused_in_one_short_sentence(text: str):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is looked at below
        parse(text)
    assert type(error.value) is ValueError
    assert 10 < len(str(error.value)) < 500


def assert_read_or_refused(text: str) -> None:
    try:
        rule = parse(text)
    except ValueError:
        return
    assert parse(repr(rule)) == rule


FUZZ = settings(max_examples=200)


@FUZZ
@given(st.text())
def test_any_text_is_read_or_refused(text: str):
    assert_read_or_refused(text)


PIECES = [
    *CLIPPERS,
    *"()[]{},=.-+*'\"\\\0\n_#:é ",
    *("max_norm=", "norm_type=", "inf", "nan", "1", "0.5", "1e999", "**", "*", "lambda:", "__class__", "if "),
    *("NoClip()", "output=", "window=", "PerLayer(NoClip(), output="),
]


@FUZZ
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_any_pieces_of_rules_are_read_or_refused(text: str):
    assert_read_or_refused(text)


@FUZZ
@given(st.sampled_from([rule for rule in CLIPPERS if rule != "Chain"]), st.data())
def test_rules_with_any_numbers_are_read_or_refused(name: str, data: st.DataObject):
    number = st.one_of(st.floats(), st.integers(), st.integers(300, 320).map(lambda n: 10**n), st.booleans(), st.text())
    args = data.draw(st.lists(number.map(repr), max_size=3))
    names = [f"{spec.name}=" for spec in fields(CLIPPERS[name])] or [""]
    prefixes = [data.draw(st.sampled_from(["", *names])) for _ in args]
    text = f"{name}({', '.join(p + a for p, a in zip(prefixes, args, strict=True))})"
    assert_read_or_refused(text)
    assert_read_or_refused(f"Chain(NoClip(), {text})")


def test_nothing_is_evaluated(tmp_path: Any):
    trace = tmp_path / "trace"
    with pytest.raises(ValueError, match="clipper"):
        parse(f"ClipByNorm(open({str(trace)!r}, 'w').write('x'))")
    assert not trace.exists()


def test_no_lanes_at_all():
    # A batch from which every run has left.
    empty: Grads = {"weight": torch.zeros(0, 2, 3), "scale": torch.zeros(0)}
    for example in EXAMPLES:
        if not layers(example.rule):
            assert_same(example.clip(empty).grads, empty)
