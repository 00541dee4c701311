"""What a sweep found: bands over seeds, what became of the runs, and the ranges of good thresholds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from sweeping_examples import INF, LEARNED, NAN, SHORT, SLOW, STUCK, made, summary

import gclip
from gclip.sweeping import FATES, Results, Sweep
from gclip.sweeping.results import stretch
from gclip.training import RunConfig


def fates(results: Results, at: int | None = None) -> list[list[str]]:
    return [[FATES[fate] for fate in row] for row in results.fates(at)[0]]


@pytest.mark.parametrize("row", [[3, 1, 2], [4, 1, 3, 2], [NAN, 1, 3], [NAN, 1, 3, NAN], [NAN, NAN], [5]], ids=str)
def test_a_band_counts_a_diverged_seed_as_infinite(row: list[float]) -> None:
    results = made([row, row])
    values = np.where(np.isnan(row), INF, row)
    with np.errstate(invalid="ignore"):
        expected = [np.median(values), min(values), max(values)]
    assert [part[0, 1] for part in results.band("test_loss")] == pytest.approx(expected)
    assert results.band("train_loss")[1][0, 0] == min(values) / 2


def test_a_band_waits_for_all_of_its_seeds() -> None:
    results = made([[1, None, 3], [1, 2, 3], [None, None, None]])
    middle, lowest, highest = (part[0] for part in results.band("test_loss"))
    np.testing.assert_array_equal(middle, [NAN, 2, NAN])
    np.testing.assert_array_equal(lowest, [NAN, 1, NAN])
    np.testing.assert_array_equal(highest, [NAN, 3, NAN])


def test_fates_are_judged_against_the_constant_answer() -> None:
    baseline = gclip.Summary(SHORT).baseline[1]
    row = [0.25 * baseline - 1, 0.25 * baseline + 1, 0.9 * baseline - 1, 0.9 * baseline + 1, NAN, INF, None]
    expected = ["learned", "still learning", "still learning", "stuck", "diverged", "diverged", "untrained"]
    assert fates(made([row, row]))[1] == expected


def test_fates_of_an_earlier_epoch_do_not_know_what_came_later() -> None:
    results = made([[NAN, LEARNED, NAN]] * 2, first=[[LEARNED, STUCK, NAN]] * 2)
    assert fates(results, 0)[0] == ["learned", "stuck", "diverged"]
    assert fates(results, 1)[0] == ["diverged", "learned", "diverged"]
    assert fates(results) == fates(results, 1)


def test_a_finished_run_s_fate_is_its_verdict(trained: Results) -> None:
    verdicts = [summary.verdict for summary in trained.summaries if summary]
    assert [fate for row in fates(trained) for fate in row] == verdicts
    assert {"learned", "stuck", "still learning"} <= set(verdicts)


def test_the_fate_of_a_run_whose_loss_is_infinite_is_its_verdict() -> None:
    config = RunConfig(clipper="AutoClip(10.0)", learning_rate=10, epochs=2)
    [full], [brief] = gclip.run([config]), gclip.run([config], gclip.Summary)
    assert not brief.events
    results = Results(made([[LEARNED]] * 2).sweep, [brief, brief])
    assert fates(results) == [["diverged"], ["diverged"]]
    assert full.verdict == brief.verdict == "diverged"


def test_unclipped_runs_diverge() -> None:
    sweep = Sweep(shared=RunConfig(epochs=2), rule="ClipByTensorNorm", low=1e4, high=1e6, count=2, seeds=1)
    results = Results(sweep, gclip.run([RunConfig(epochs=2)] * 2, gclip.Summary))
    assert fates(results) == [["diverged"], ["diverged"]]
    assert results.good_range() is None


def test_values_are_the_runs_own(trained: Results) -> None:
    found = trained.values("clip_rate", 2)
    for i, record in enumerate(trained.summaries):
        assert record
        assert found.ravel()[i] == record.clip_rate[2]
        assert trained.values("test_loss").ravel()[i] == record.test_loss[-1]


def test_partial_results_say_what_there_is() -> None:
    results = made([[LEARNED, None], [None, None]])
    assert results.done == 0.25
    assert results.good_range() is None
    assert results.learned_range() is None
    growing = Results(results.sweep, [summary(results.sweep.configs()[0], [SLOW]), None, None, None])
    assert growing.done == 0.125
    assert growing.values("test_loss")[0, 0, 0] == SLOW
    assert np.isnan(growing.values("test_loss", 1)).all()
    assert fates(growing) == [["still learning", "untrained"], ["untrained", "untrained"]]
    assert fates(growing, 1)[0] == ["untrained", "untrained"]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([50, 10.9, 10, 11, 11.1], (1, 3)),
        ([10, 10, 50, 10, 9.99], (3, 4)),
        ([50, 40, 30], (2, 2)),
        ([NAN, NAN, NAN], None),
        ([NAN, 30_000, NAN], (1, 1)),
        ([None, 12, 11, None], (1, 2)),
    ],
    ids=str,
)
def test_the_good_range_is_within_10_per_cent_of_the_best(losses: list[float], expected: object) -> None:
    assert made([[loss] for loss in losses]).good_range() == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[SLOW, SLOW], [LEARNED, LEARNED], [LEARNED, LEARNED], [NAN, LEARNED]], (1, 2)),
        ([[LEARNED, LEARNED], [LEARNED, SLOW], [LEARNED, LEARNED], [LEARNED, LEARNED]], (2, 3)),
        ([[LEARNED, SLOW], [SLOW, LEARNED]], None),
        ([[LEARNED, None], [LEARNED, LEARNED]], (1, 1)),
    ],
)
def test_the_learned_range_is_the_widest_in_which_every_seed_learned(rows: list, expected: object) -> None:
    assert made(rows).learned_range() == expected


def test_a_stretch_is_the_unbroken_run_of_good_ones() -> None:
    for good in product([False, True], repeat=6):
        for inside in np.flatnonzero(good):
            first = last = int(inside)
            while first > 0 and good[first - 1]:
                first -= 1
            while last < 5 and good[last + 1]:
                last += 1
            assert stretch(np.array(good), int(inside)) == (first, last)
