"""What rules and runs are called: every one of them, each by a name of its own."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
from dashboard_examples import BENCHES, all_entries
from hypothesis import given, settings

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
    ClipDerivative,
    Clipper,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
)
from gclip.dashboard.controls import grid
from gclip.dashboard.labels import LABELS, NO_WHAT_IF, RULES, no_what_if, rule_label, run_label
from gclip.dashboard.settings import Entry

SINGLE = {name: rule for name, rule in CLIPPERS.items() if rule not in (Chain, PerLayer)}


@pytest.mark.parametrize(
    ("rule", "label"),
    [
        (NoClip(), "No clipping"),
        (ClipByNorm(1.0), "Norm ≤ 1"),
        (ClipByNorm(0.25, norm_type=1.0), "L1 norm ≤ 0.25"),
        (ClipByNorm(2.0, norm_type=math.inf), "Max norm ≤ 2"),
        (ClipByNorm(2.0, norm_type=3.0), "L3 norm ≤ 2"),
        (ClipByTensorNorm(10.0), "Tensor norm ≤ 10"),
        (ClipByValue(5.0), "Value ≤ 5"),
        (Chain(ClipByNorm(1.0), ClipByValue(0.1)), "Norm ≤ 1, then value ≤ 0.1"),
        (Chain(ClipByValue(1.0), ClipByNorm(0.1)), "Value ≤ 1, then norm ≤ 0.1"),
        (ClipByBlockRMS(0.5), "RMS ≤ 0.5"),
        (NormalizeGradient(2.0), "Normalized to 2"),
        (AdaptiveGradientClip(0.1), "AGC 0.1"),
        (AutoClip(10.0), "AutoClip 10 %"),
        (ZClip(3.0), "ZClip z ≤ 3"),
        (AdaGC(2.0), "AdaGC 2"),
        (ClipDerivative(0.1, 1.0), "Derivatives ≤ 0.1, output ≤ 1"),
        (Chain(ClipByValue(1.0), ClipByBlockRMS(0.1)), "Value ≤ 1, then RMS ≤ 0.1"),
        (Chain(ClipByNorm(1.0), AdaGC(1.0)), "Norm ≤ 1, then AdaGC 1"),
        (Chain(ClipByNorm(1.0), ClipByNorm(2.0, norm_type=1.0)), "Norm ≤ 1, then L1 norm ≤ 2"),
        (PerLayer(ClipByNorm(1.0), output=ClipByNorm(10.0)), "Norm ≤ 1, output: norm ≤ 10"),
        (PerLayer(NoClip(), lstm=ZClip(), output=NoClip()), "No clipping, lstm: ZClip z ≤ 2.5, output: no clipping"),
    ],
)
def test_rules_are_named_with_their_threshold(rule: Clipper, label: str) -> None:
    assert rule_label(rule) == label


def test_a_run_is_named_by_all_it_does_differently() -> None:
    label = run_label(Entry(clipper=ClipByNorm(1.0), learning_rate=0.002, standardize_target=True))
    assert label == "Norm ≤ 1 · lr 0.002 · target scaled"
    assert run_label(Entry(standardize_target=False)) == "No clipping · target raw"
    assert run_label(Entry(cell="RNN", weight_gain=0.0)) == "No clipping · RNN · weight gain 0"
    assert run_label(Entry(clipper=ZClip(), cell="LSTM", weight_gain=2.5)) == "ZClip z ≤ 2.5 · LSTM · weight gain 2.5"


@settings(max_examples=100)
@given(all_entries)
def test_every_run_has_a_name_of_one_line(entry: Entry) -> None:
    label = run_label(entry)
    assert label
    assert "\n" not in label
    assert label.count(" · ") == len(entry.changes())


def test_every_rule_has_a_name_in_the_menu_and_in_the_legend() -> None:
    assert set(RULES) == set(SINGLE) == {name for bench in BENCHES.values() for name in bench.rules}
    assert set(LABELS) == set(CLIPPERS.values())


def test_no_two_rules_have_the_same_name() -> None:
    assert len(set(RULES.values())) == len(RULES)
    labels = {name: rule_label(rule()) for name, rule in SINGLE.items()}
    assert len(set(labels.values())) == len(labels)


@pytest.mark.parametrize("name", SINGLE)
def test_names_are_short_enough_to_read(name: str) -> None:
    assert 3 <= len(RULES[name]) <= 30
    label = rule_label(SINGLE[name]())
    assert label[0].isupper()
    assert len(label) <= 40


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "NoClip"])
def test_the_legend_tells_thresholds_apart(name: str) -> None:
    for spec in fields(SINGLE[name]):
        if spec.metadata.get("lanewise"):
            low, high = (rule_label(SINGLE[name](**{spec.name: value})) for value in (0.125, 99.0))
            assert low != high
            assert ("0.125" in low, "99" in high) == (True, True)


@pytest.mark.parametrize("name", SINGLE)
def test_every_place_of_a_slider_is_allowed(name: str) -> None:
    for spec in fields(SINGLE[name]):
        if "low" in spec.metadata:
            places = grid(spec)
            assert len(set(places)) > 5
            assert min(places) == pytest.approx(spec.metadata["low"])
            assert max(places) == pytest.approx(spec.metadata["high"], rel=0.06)
            assert [getattr(SINGLE[name](**{spec.name: place}), spec.name) for place in places] == places


@pytest.mark.parametrize(
    "rule",
    [AutoClip(), ZClip(), AdaGC(), NormalizeGradient(), ClipDerivative(), PerLayer(NoClip(), output=NoClip())],
    ids=repr,
)
def test_where_a_threshold_cannot_be_asked_about_the_reason_is_said(rule: Clipper) -> None:
    assert no_what_if(rule) == NO_WHAT_IF[type(rule)] != ""
    if not isinstance(rule, PerLayer):
        assert no_what_if(Chain(rule, ClipByValue(1.0))) == no_what_if(rule)


@pytest.mark.parametrize(
    "rule",
    [NoClip(), ClipByNorm(), ClipByTensorNorm(), ClipByValue(), ClipByBlockRMS(), AdaptiveGradientClip()],
    ids=repr,
)
def test_where_a_threshold_can_be_asked_about_no_reason_is_said(rule: Clipper) -> None:
    assert no_what_if(rule) == no_what_if(Chain(rule, AutoClip())) == ""


def test_every_rule_can_be_asked_about_or_says_why_not() -> None:
    answered = {NoClip, ClipByNorm, ClipByTensorNorm, ClipByValue, ClipByBlockRMS, AdaptiveGradientClip}
    assert answered | set(NO_WHAT_IF) == {*SINGLE.values(), PerLayer}
    assert not answered & set(NO_WHAT_IF)
    assert len({*NO_WHAT_IF.values()}) >= 5
    assert all(len(reason) <= 30 for reason in NO_WHAT_IF.values())
