"""Verdicts and labels say what the run's own numbers say."""

from __future__ import annotations

import math

import hypothesis.strategies as some
import numpy as np
import pytest
from dashboard_examples import altered, entries, until_step
from hypothesis import given, settings

from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, Clipper, NoClip
from gclip.dashboard.settings import Entry
from gclip.dashboard.words import listed, number, percent, post_mortem, rule_label, run_label, verdict
from gclip.training import History


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1"),
        (0.5, "0.5"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (26269, "26,269"),
        (1e-9, "1e-09"),
        (1e300, "1e+300"),
        (-2500, "-2,500"),
        (math.nan, "NaN"),
        (math.inf, "Inf"),
        (np.float32(np.inf), "Inf"),
        (np.float32(1.5), "1.5"),
        (5e-324, "4.9e-324"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@given(some.floats(min_value=1e-300, max_value=1e300) | some.floats(min_value=-1e300, max_value=-1e-300))
def test_a_number_is_read_back_to_two_digits(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.051)


def test_a_number_just_below_a_thousand_is_not_written_in_powers_of_ten() -> None:
    assert number(999.9) == "1,000"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50 %"),
        (0.001, "0.1 %"),
        (1e-9, "under 0.1 %"),
        (1e-300, "under 0.1 %"),
        (0.9999, "over 99.9 %"),
        (np.nextafter(1, 0), "over 99.9 %"),
        (0.123456, "12.3 %"),
        (1.5, "150 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


@given(some.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True))
def test_a_share_is_never_rounded_to_none_or_all(share: float) -> None:
    assert percent(share) not in ("0 %", "100 %")


def test_a_share_of_many_times_is_written_plainly() -> None:
    assert "e+" not in percent(12.3)


@pytest.mark.parametrize("share", [math.nan, math.inf, 1e300])
def test_percent_of_what_is_no_share_is_still_a_text(share: float) -> None:
    assert percent(share).endswith("%")


def test_lists() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


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
    ],
)
def test_rules_are_named_with_their_threshold(rule: Clipper, label: str) -> None:
    assert rule_label(rule) == label


def test_a_run_is_named_by_all_it_does_differently() -> None:
    label = run_label(Entry(clipper=ClipByNorm(1.0), learning_rate=0.002, standardize_target=True))
    assert label == "Norm ≤ 1 · lr 0.002 · target scaled"
    assert run_label(Entry(standardize_target=False)) == "No clipping · target raw"


@settings(max_examples=100, deadline=None)
@given(entries)
def test_every_run_has_a_name_of_one_line(entry: Entry) -> None:
    label = run_label(entry)
    assert label
    assert "\n" not in label
    assert label.count(" · ") == len(entry.changes())


def test_the_diverged_card_names_the_step_and_what_broke(real: dict[str, History]) -> None:
    history = real["unclipped"]
    card = verdict([history])
    assert card.tone == "diverged"
    assert history.diverged_at is not None
    assert str(history.diverged_at) in card.title
    assert 7 <= history.diverged_at <= 10
    for event in history.post_mortem:
        assert f"step {event.step}" in card.text
    assert "weights" in card.text
    assert number(history.last_finite_norms[-1]) in card.text


def test_the_post_mortem_lists_the_last_finite_norms_in_order(real: dict[str, History]) -> None:
    history = real["unclipped"]
    told = post_mortem(history).split(";")[0].removeprefix("Last norms ").split(", ")
    assert told == [number(norm) for norm in history.last_finite_norms[-5:]]
    assert "NaN" not in told
    assert "Inf" not in told


def test_the_learned_card_gives_test_loss_and_clip_rate(real: dict[str, History]) -> None:
    for name in ("norm 1", "value 5", "both"):
        card = verdict([real[name]])
        assert card.tone == "learned"
        assert number(float(real[name].test_loss[-1])) in card.text
        assert number(real[name].baseline[1]) in card.text
        assert "Every step was clipped" in card.text
        assert real[name].clipped.all()


def test_a_run_that_is_clipped_now_and_then_gives_the_share(real: dict[str, History]) -> None:
    history = real["norm 1"]
    clipped = np.arange(history.steps_done) % 4 == 0
    assert "25 % of the steps" in verdict([altered(history, clipped=clipped)]).text
    assert "clipped" not in verdict([altered(history, clipped=np.zeros_like(clipped))]).text


def test_a_finite_run_that_learned_nothing_is_told_so(real: dict[str, History]) -> None:
    history = real["norm 512"]
    card = verdict([history])
    assert card.tone == "stuck"
    assert history.diverged_at is None
    assert number(float(history.test_loss[-1])) in card.text
    assert f"{percent(float(history.dead_units[-1]))} of the hidden units" in card.text


def test_a_threshold_too_tight_has_not_arrived(real: dict[str, History]) -> None:
    history = real["norm .1"]
    card = verdict([history])
    assert card.tone == "still learning"
    assert "100 epochs" in card.text
    assert percent(float(history.test_loss[-1]) / history.baseline[1]) in card.text


def test_the_card_has_three_texts(real: dict[str, History]) -> None:
    for history in real.values():
        card = verdict([history]).as_dict()
        assert set(card) == {"tone", "title", "text"}
        assert all(card.values())
        assert card["tone"] == history.verdict
        assert card["text"].endswith(".")


def test_over_seeds_the_card_counts(over_seeds: dict[str, list[History]]) -> None:
    for histories in over_seeds.values():
        card = verdict(histories)
        verdicts = [history.verdict for history in histories]
        assert f"{verdicts.count(card.tone)} of 5 seeds" in card.title
        assert verdicts.count(card.tone) == max(map(verdicts.count, verdicts))


def test_over_seeds_the_card_gives_range_and_divergence(real: dict[str, History]) -> None:
    histories = [real["norm 1"], real["unclipped"], real["value 5"], real["norm .1"]]
    text = verdict(histories).text
    assert "1 of 4 diverged" in text
    assert f"step {real['unclipped'].diverged_at}" in text
    losses = sorted(float(history.test_loss[-1]) for history in histories if history.verdict != "diverged")
    assert all(number(loss) in text for loss in losses)
    assert text.index(number(losses[1])) < text.index(number(losses[0])) < text.index(number(losses[2]))


def test_when_all_seeds_diverge_there_is_no_loss_to_give(real: dict[str, History]) -> None:
    card = verdict([real["unclipped"]] * 5)
    assert (card.tone, card.title) == ("diverged", "Diverged in 5 of 5 seeds")
    assert "Test loss" not in card.text


def test_a_run_that_has_diverged_may_be_told_before_its_first_epoch_ends(real: dict[str, History]) -> None:
    history = until_step(real["unclipped"], 12)
    assert not len(history.test_loss)
    assert verdict([history]).tone == "diverged"
    assert str(history.diverged_at) in verdict([history]).title
