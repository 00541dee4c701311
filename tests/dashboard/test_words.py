"""Verdicts say what the run's own numbers say."""

from __future__ import annotations

import math

import hypothesis.strategies as some
import numpy as np
import pytest
from dashboard_examples import PROBLEMS, RECURRENT, altered, recurrent, until_step
from hypothesis import given

import gclip
from gclip.clipping import AdaGC, AutoClip, Chain, ClipByNorm, PerLayer, ZClip
from gclip.dashboard.words import (
    ADAPTIVE,
    listed,
    memory_note,
    number,
    percent,
    post_mortem,
    rules_in,
    verdict,
    warm_up_note,
)
from gclip.training import Event, History, RunConfig


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


SHORT_STEPS, LONG_STEPS = "Every step is cut so short that", "steps of this length still overshoot"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"clipper": "ClipByNorm(0.1)", "epochs": 30}, SHORT_STEPS),
        ({"clipper": "ClipByNorm(0.001)", "epochs": 30}, SHORT_STEPS),
        ({"clipper": "ClipByNorm(1.0)", "epochs": 10, "learning_rate": 0.001}, SHORT_STEPS),
        ({"clipper": "ClipByTensorNorm(0.01)", "epochs": 10, "init_seed": 1, "batch_seed": 1}, SHORT_STEPS),
        ({"clipper": "ClipByValue(0.01)", "epochs": 10, "learning_rate": 0.001}, SHORT_STEPS),
        ({"clipper": "ClipByNorm(1.0)", "epochs": 1}, SHORT_STEPS),
        ({"clipper": "ClipByNorm(1.0)", "epochs": 30, "learning_rate": 3.0}, LONG_STEPS),
        ({"clipper": "ClipByNorm(1.0)", "epochs": 10, "learning_rate": 3.0, "init_seed": 1}, LONG_STEPS),
        ({"clipper": "ClipByTensorNorm(10.0)", "epochs": 10, "learning_rate": 0.3}, LONG_STEPS),
        # It comes back from far above: at the end it falls, and yet its steps are too long.
        ({"clipper": "ClipByValue(1.0)", "epochs": 10, "learning_rate": 0.3}, LONG_STEPS),
        ({"clipper": "ClipByValue(10.0)", "epochs": 10, "learning_rate": 0.1}, LONG_STEPS),
    ],
    ids=str,
)
def test_steps_are_said_to_be_too_short_or_too_long_where_the_other_way_helps(settings: dict, said: str) -> None:
    rate = settings.get("learning_rate", 0.01)
    rates = [{"learning_rate": rate * by} for by in (1, 1 / 3, 3)]
    history, shorter, longer = gclip.run([RunConfig.model_validate(settings | other) for other in rates])
    assert history.clipped.all()
    assert verdict([history]).tone in ("still learning", "stuck")
    assert [text for text in (SHORT_STEPS, LONG_STEPS) if text in verdict([history]).text] == [said]
    better, worse = (longer, shorter) if said == SHORT_STEPS else (shorter, longer)
    assert better.test_loss[-1] < history.test_loss[-1]
    assert better.test_loss[-1] < worse.test_loss[-1]


@pytest.mark.parametrize(
    ("problem", "learning_rate", "said"),
    [
        ("sine", 0.01, SHORT_STEPS),
        ("sum", 0.3, SHORT_STEPS),
        ("characters", 1.0, SHORT_STEPS),
        ("sine", 100.0, LONG_STEPS),
        ("sum", 30.0, LONG_STEPS),
    ],
)
def test_steps_of_recurrent_runs_are_told_apart_as_well(problem: str, learning_rate: float, said: str) -> None:
    [history] = gclip.run([recurrent(problem, clipper="ClipByNorm(0.003)", learning_rate=learning_rate, steps=200)])
    assert history.verdict in ("still learning", "stuck")
    assert history.clipped.mean() > 0.99
    assert [text for text in (SHORT_STEPS, LONG_STEPS) if text in verdict([history]).text] == [said]


def test_a_few_steps_that_were_not_clipped_are_not_passed_over() -> None:
    [history] = gclip.run([RunConfig(clipper="ClipByNorm(0.1)", epochs=30)])
    clipped = np.ones(history.steps_done, bool)
    clipped[3] = False
    assert "Nearly every step is cut so short" in verdict([altered(history, clipped=clipped)]).text
    long = altered(history, clipped=clipped, test_loss=history.test_loss[::-1].copy())
    assert "Nearly every step was clipped, and steps of this length" in verdict([long]).text


def test_steps_too_short_to_change_a_weight_are_not_said_to_overshoot() -> None:
    [history] = gclip.run([RunConfig(clipper="ClipByNorm(1e-30)", epochs=5)])
    assert len(set(history.test_loss.tolist())) == 1
    assert SHORT_STEPS in verdict([history]).text


def test_a_run_clipped_now_and_then_is_said_to_need_time_only_while_it_falls(real: dict[str, History]) -> None:
    [slow] = gclip.run([RunConfig(learning_rate=1e-6, epochs=10)])
    assert (slow.verdict, slow.clipped.any()) == ("stuck", False)
    assert "It still needs more epochs or longer steps." in verdict([slow]).text
    flat = altered(slow, test_loss=slow.test_loss[::-1].copy() * np.linspace(1, 2, 10, dtype=np.float32))
    assert "more epochs" not in verdict([flat]).text
    assert verdict([flat]).text.endswith(" Its test loss no longer falls.")
    back = altered(slow, test_loss=np.geomspace(10, 0.5, 10).astype(np.float32) * np.float32(slow.baseline[1]))
    assert verdict([back]).text.endswith(" Its test loss still falls: it needs more epochs.")


def test_a_few_dead_units_are_no_reason(real: dict[str, History]) -> None:
    [history] = gclip.run([RunConfig(clipper="ClipByNorm(0.001)", epochs=10)])
    few, many = (altered(history, dead_units=np.full(10, share, np.float32)) for share in (0.04, 0.6))
    assert "never fire" not in verdict([few]).text
    assert "60 % of the hidden units never fire" in verdict([many]).text


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


def test_a_run_whose_loss_is_infinite_is_told_with_its_step(overflown: list[History]) -> None:
    history = overflown[0]
    assert history.diverged_at is None
    card = verdict([history])
    assert (card.tone, card.title) == ("diverged", f"Diverged at step {history.lost_at}")


def test_the_card_of_a_run_whose_loss_is_infinite_says_that_its_weights_are_not(
    overflown: list[History], real: dict[str, History]
) -> None:
    assert "; the weights stay finite, the test loss is Inf. " in verdict(overflown[:1]).text
    silent = altered(real["norm 1"], test_loss=np.full(100, np.nan, np.float32))
    assert verdict([silent]).text.endswith("; the weights stay finite, the test loss is NaN.")
    assert "stay finite" not in verdict([real["unclipped"]]).text


def test_over_seeds_runs_whose_loss_is_infinite_are_counted(overflown: list[History], real: dict[str, History]) -> None:
    steps = [history.lost_at or 0 for history in overflown]
    card = verdict(overflown)
    assert card.title == "Diverged in 5 of 5 seeds"
    assert f"5 of 5 diverged, at step {min(steps)} to {max(steps)}." in card.text
    assert "1 of 2 diverged" in verdict([overflown[0], real["norm 1"]]).text


def test_a_run_that_has_diverged_may_be_told_before_its_first_epoch_ends(real: dict[str, History]) -> None:
    history = until_step(real["unclipped"], 12)
    assert not len(history.test_loss)
    assert verdict([history]).tone == "diverged"
    assert str(history.diverged_at) in verdict([history]).title


Through = dict[str, dict[str, History]]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_recurrent_run_has_its_card(through_time: Through, problem: str) -> None:
    for history in through_time[problem].values():
        card = verdict([history]).as_dict()
        assert card["tone"] == history.verdict
        assert all(card.values())
        assert card["text"].endswith(".")
        assert "epoch" not in card["text"]
        assert ("memory, not understanding" in card["text"]) == (problem == "characters" and card["tone"] == "learned")


def test_the_learned_card_of_a_recurrent_run(through_time: Through) -> None:
    history = through_time["sine"]["autoclip"]
    card = verdict([history])
    assert (card.tone, card.title) == ("learned", "Learned")
    assert number(float(history.test_loss[-1])) in card.text
    assert "of predicting the mean" in card.text
    assert f"{percent(float(history.clipped.mean()))} of the steps were clipped" in card.text


def test_characters_are_measured_against_the_letters_frequencies(through_time: Through) -> None:
    history = through_time["characters"]["rnn"]
    assert "guessing by how often each letter occurs" in verdict([history]).text
    low = altered(history, test_loss=np.full(3, 0.1, np.float32))
    assert "It is tested on the text it learns from: this is memory, not understanding." in verdict([low]).text


def test_a_saturated_network_is_told_so(through_time: Through) -> None:
    history = through_time["sum"]["unclipped"]
    card = verdict([history])
    assert (card.tone, card.title) == ("stuck", "Finite, but learned nothing")
    assert f"Of its gates' values, {percent(float(history.dead_units[-1]))} are pinned at a limit" in card.text
    assert "dead ReLU" not in card.text
    freed = altered(history, dead_units=np.zeros_like(history.dead_units))
    assert "pinned" not in verdict([freed]).text


def test_a_recurrent_run_that_has_not_arrived_needs_steps(through_time: Through) -> None:
    history = through_time["characters"]["rnn"]
    assert history.verdict == "still learning"
    assert "more steps or longer steps" in verdict([history]).text
    tight = altered(history, clipped=np.ones_like(history.clipped))
    assert "60 steps are too few" in verdict([tight]).text


def broken_at(step: int, rule: str, kind: str = "norm") -> History:
    """Return a run under this rule whose gradient is lost at a step, and its weights with it."""
    [history] = gclip.run([recurrent("sine", clipper=rule)])
    events = [Event(kind, step, "output.weight"), Event("weight", step, "output.weight")]
    return History.restore(history.config, history.arrays(), events)


SAYS = {"AutoClip(10.0)": "reference AutoClip", "ZClip()": "zclip package", "AdaGC()": "plain moving average"}


@pytest.mark.parametrize("rule", SAYS)
@pytest.mark.parametrize("kind", ["norm", "gradient"])
@pytest.mark.parametrize("around", ["{}", "Chain(ClipByValue(1.0), {})", "PerLayer(ClipByNorm(1.0), output={})"])
def test_a_norm_that_an_adaptive_rule_kept_out_of_its_memory_is_told(rule: str, kind: str, around: str) -> None:
    history = broken_at(37, around.format(rule), kind)
    note = memory_note(history)
    assert note.startswith(" Its memory left out the norm of step 37; ")
    assert SAYS[rule] in note
    assert note.endswith(".")
    assert note in verdict([history]).text


@pytest.mark.parametrize("rule", ["NoClip()", "ClipByNorm(1.0)", "NormalizeGradient(1.0)", "AdaptiveGradientClip(0.1)"])
def test_rules_without_a_memory_have_no_note_of_it(rule: str) -> None:
    assert memory_note(broken_at(37, rule)) == ""


def test_a_run_that_stayed_finite_has_no_note_of_its_memory(through_time: Through) -> None:
    assert memory_note(through_time["sine"]["autoclip"]) == ""
    assert "memory" not in verdict([through_time["sine"]["autoclip"]]).text


def test_a_real_run_whose_norm_overflows_is_told_what_the_reference_would_do() -> None:
    [history] = gclip.run([RunConfig(clipper="AutoClip(100.0)", epochs=2, learning_rate=1000.0)])
    assert history.verdict == "diverged"
    card = verdict([history])
    assert "one NaN makes every later threshold NaN" in card.text
    norms = [event.step for event in history.post_mortem if event.kind in ("norm", "gradient")]
    assert f"the norm of step {norms[0]};" in card.text


@pytest.mark.parametrize(("step", "early"), [(0, True), (25, True), (26, False), (59, False)])
def test_an_explosion_within_the_warm_up_is_told(step: int, early: bool) -> None:
    history = broken_at(step, "ZClip()")
    said = "ZClip only watches in its first 25 steps: this explosion was quicker."
    assert (said in warm_up_note(history)) == (said in verdict([history]).text) == early
    assert warm_up_note(broken_at(step, "AutoClip(10.0)")) == ""


def test_the_tutorials_explosion_is_quicker_than_zclips_warm_up() -> None:
    [history] = gclip.run([RunConfig(clipper="ZClip()", epochs=2)])
    assert history.verdict == "diverged"
    assert "this explosion was quicker" in verdict([history]).text


def test_rules_are_found_however_deep() -> None:
    rule = PerLayer(Chain(ClipByNorm(1.0), AutoClip(10.0)), lstm=ZClip(), output=AdaGC())
    assert [type(part).__name__ for part in rules_in(rule)] == [
        "PerLayer", "Chain", "ClipByNorm", "AutoClip", "ZClip", "AdaGC",
    ]  # fmt: skip
    assert {AutoClip, ZClip, AdaGC} == set(ADAPTIVE)


def test_over_seeds_a_recurrent_run_counts_its_verdicts() -> None:
    shapes = [recurrent("sine", init_seed=s, batch_seed=s, **RECURRENT["broken"]) for s in range(5)]
    histories = gclip.run(shapes)
    card = verdict(histories)
    count = sum(history.verdict == card.tone for history in histories)
    assert f"{count} of 5 seeds" in card.title
