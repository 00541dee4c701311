"""Which threshold is suggested, why, and where that ends."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from sweeping_examples import LEARNED, NAN, SLOW, STUCK, made

from gclip.sweeping import Results, Suggestion, Sweep, suggest
from gclip.sweeping.choice import choose
from gclip.training import RecurrentConfig
from gclip.training.phrases import number


def suggested(results: Results) -> Suggestion:
    found = suggest(results)
    assert found is not None
    return found


def said(results: Results) -> str:
    found = suggested(results)
    return " ".join([*found.reasons, *found.limits])


@pytest.mark.parametrize(
    ("losses", "threshold"),
    [
        ([SLOW, 100, 10.9, 10.5, 10, 100, STUCK], 8),  # The middle, not the best, which is next to a cliff.
        ([SLOW, 100, 10, 100, STUCK], 4),
        ([SLOW, 100, 10.5, 10, 100, STUCK], 8),  # Of two in the middle the better one.
        ([SLOW, 10, 50, 10.5, 10.5, 10.5], 2),  # Good thresholds beyond a bad one are not in the stretch.
        ([10, 10.2, 10.4, 100, STUCK], 2),
        ([STUCK, 10, NAN, NAN], 2),
    ],
    ids=str,
)
def test_it_is_the_middle_of_those_that_are_as_good(losses: list[float], threshold: float) -> None:
    assert suggested(made([[loss] for loss in losses])).threshold == threshold


def test_seeds_that_differ_widen_what_is_as_good() -> None:
    near, far = [13.5] * 5, [15.0] * 5
    for best, within, ends in [([12.0] * 5, 13.2, (2, 2)), ([10.0, 12, 12, 14, 16], 14, (1, 5))]:
        choice = choose(made([far, near, best, near, near, near, far]))
        assert choice is not None
        assert (choice.best, (choice.first, choice.last)) == (2, ends)
        assert choice.within == pytest.approx(within)


def test_thresholds_at_which_a_seed_fails_are_passed_over() -> None:
    rows = [[SLOW] * 3, [12, 12, 12], [5, 5, STUCK], [5, 5, NAN]]
    assert suggested(made(rows)).threshold == 2
    assert "Too loose: at 4, 2 of 3 learned and 1 of 3 stuck" in said(made(rows))


def test_where_no_threshold_makes_every_seed_learn_that_is_said() -> None:
    rows = [[SLOW] * 3, [12, 12, NAN], [5, STUCK, STUCK]]
    assert suggested(made(rows)).threshold == 2
    assert "No threshold makes every seed learn; here 2 of 3 do." in said(made(rows))
    assert "No threshold makes" not in said(made([[12, 12], [SLOW, SLOW]]))


@pytest.mark.parametrize(
    "results",
    [
        made([[SLOW, SLOW], [STUCK, NAN]]),
        made([[LEARNED, NAN], [STUCK, LEARNED]]),
        made([[LEARNED, LEARNED], [LEARNED, None]]),
        Results(Sweep(kind="both", seeds=1), [None] * 288),
    ],
    ids=["none learned", "half of the seeds", "unfinished", "a map"],
)
def test_there_is_none_where_nothing_speaks_for_one(results: Results) -> None:
    assert suggest(results) is None


def test_a_map_gets_none_though_its_runs_have_learned() -> None:
    curve = made([[LEARNED], [LEARNED]])
    as_map = Results(curve.sweep.model_copy(update={"kind": "learning_rate", "other_count": 1}), curve.summaries)
    assert suggest(curve)
    assert suggest(as_map) is None


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([10, 100, SLOW], "The best reaches the lowest threshold of the sweep, 1: sweep below it too."),
        ([SLOW, 100, 10], "The best reaches the highest threshold of the sweep, 4: sweep above it too."),
        ([10.5, 10, 100], "The stretch of good thresholds reaches the lowest threshold of the sweep, 1"),
        ([100, 10, 10.5], "The stretch of good thresholds reaches the highest threshold of the sweep, 4"),
    ],
)
def test_a_best_at_the_edge_asks_for_a_wider_sweep(losses: list[float], words: str) -> None:
    assert words in said(made([[loss] for loss in losses]))
    assert "reaches the" not in said(made([[100.0], *[[loss] for loss in losses], [100.0]]))


def test_thresholds_that_clip_nothing_count_as_one() -> None:
    rows = [[SLOW], [10.5], [10.4], [10], [10], [10], [10], [10]]
    results = made(rows, rates=[1, 1, 0.5, 0, 0, 0, 0, 0])
    assert suggested(results).threshold == 4
    assert "Clipping may not be needed here: from 8 on no step is clipped" in said(results)
    assert "reaches the highest" not in said(results)
    guard = made(rows, rates=[1, 0, 0, 0, 0, 0, 0, 0])
    assert suggested(guard).threshold == 2
    assert "no step is clipped: the threshold only guards against larger gradients than came" in said(guard)
    assert "reaches the" not in said(made([[SLOW], [10], [10], [10]], rates=[1, 1, 1, 0])), "wider would be the same"
    assert "not be needed" not in said(made([[SLOW], [10], [15]], rates=[1, 0.5, 0]))


def test_what_fails_on_either_side_is_told_from_each_other() -> None:
    rows, first = [[SLOW] * 2, [100] * 2, [10] * 2, [NAN] * 2], [[20_000] * 2, [100] * 2, [10] * 2, [NAN] * 2]
    text = said(made(rows, first))
    assert "Too tight: at 1, 2 of 2 not there yet; the median test loss still falls, from 20,000 after 1 epoch" in text
    assert "to 15,000 after 2 epochs." in text
    assert "Too loose: at 8, 2 of 2 diverged." in text
    text = said(made([[11.0], [10.0], [11.0]]))
    assert "Every seed learned down to 1, the end of the sweep." in text
    assert "Every seed learned up to 4, the end of the sweep." in text
    assert "up to 4, the end" not in said(made([[100.0], [50.0], [10.0]])), "there is no such side"


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (1, "every step is clipped: the threshold sets the size of the updates"),
        (0.995, "99.5 % of the steps are clipped: the threshold sets the size of the updates"),
        (0.4, "40 % of the steps are clipped: all others pass unchanged."),
    ],
)
def test_the_clip_rate_is_told_and_what_it_means(rate: float, words: str) -> None:
    assert f"At 2, {words}" in said(made([[100], [10], [100]], rates=[1, rate, 0.01]))


@pytest.mark.parametrize(
    ("early", "moral"),
    [
        ([STUCK, STUCK, 100, 10, 1000], "8 after 1 epoch: a smaller budget wants a larger threshold."),
        ([10, 1000, 1000, 1000, 1000], "1 after 1 epoch: a smaller budget wants a smaller threshold."),
        ([STUCK, STUCK, 10, STUCK, STUCK], "4 after 1 epoch: a smaller budget wants about the same threshold."),
        ([STUCK, STUCK, STUCK, STUCK, STUCK], None),
    ],
)
def test_a_smaller_budget_is_told_from_earlier_epochs(early: list[float], moral: str | None) -> None:
    text = said(made([[SLOW], [100], [10], [100], [SLOW]], [[loss] for loss in early]))
    assert (f"The best was {moral}" in text) if moral else ("budget" not in text)


@pytest.mark.parametrize(
    ("percentiles", "where"),
    [
        ((2.1, 3, 4, 5, 6), "below the 1st"),
        ((1, 3, 4, 5, 6), "between the 1st and the 10th"),
        ((0.1, 0.2, 0.3, 1.9, 6), "between the 90th and the 99th"),
        ((0.1, 0.2, 0.3, 0.4, 0.5), "above the 99th"),
    ],
)
def test_the_threshold_lies_somewhere_among_what_was_measured(percentiles: Any, where: str) -> None:
    text = said(made([[100], [10], [100]], percentiles=percentiles, rule="ClipByValue"))
    assert f"the largest element of the gradient had the percentiles {percentiles[0]:g} (1st)" in text
    assert f"2 lies {where}." in text


def test_seeds_and_their_spread_are_told() -> None:
    assert "It rests on 3 seeds; at 2 their test loss goes from 9 to 12." in said(
        made([[99] * 3, [12, 10, 9], [99] * 3])
    )
    assert "It rests on one seed" in said(made([[99], [10], [99]]))


def test_a_recurrent_network_is_told_of_in_steps() -> None:
    shared = RecurrentConfig(steps=40)
    assert "and for 40 steps" in said(made([[0.3], [0.01], [0.3]], shared=shared))


def test_a_real_sweep_gets_a_threshold_that_was_trained_and_learned(trained: Results) -> None:
    found = suggested(trained)
    at = trained.sweep.thresholds.index(found.threshold)
    medians, lowest, highest = (part[0] for part in trained.band("test_loss"))
    assert medians[at] < 2 * np.nanmin(medians) < 200
    assert 0.3 <= found.threshold <= 32
    assert f"{trained.sweep.thresholds[int(np.argmin(medians))]:g}." in found.reasons[0]
    assert "every step is clipped" in found.reasons[2]
    runs = [
        summary for summary in trained.summaries if summary and repr(found.threshold) in repr(summary.config.clipper)
    ]
    assert len(runs) == 3
    assert f"{number(float(np.median([run.percentiles[0, 2] for run in runs])))} (50th)" in found.reasons[3]
    assert "still falls" in next(text for text in found.reasons if text.startswith("Too tight"))
    assert any(text.startswith("Too loose: at ") for text in found.reasons)
    assert "a smaller budget wants a larger threshold" in said(trained)
    assert f"goes from {lowest[at]:.3g} to {highest[at]:.3g}." in said(trained)


def test_sentences_are_whole(trained: Results) -> None:
    found = suggested(trained)
    for text in [*found.reasons, *found.limits]:
        assert re.fullmatch(r"[A-Z0-9].*\.", text)
        assert not re.search(r"nan|inf\b|None|\{|  ", text, re.IGNORECASE)
