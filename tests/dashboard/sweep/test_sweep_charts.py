"""A sweep's charts: every trace finds its numbers, what is not finite is marked, and the words say what holds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sweep_examples import LEARNED, NAN, SHORT_TEXT, SLOW, STUCK, made

from gclip.dashboard.stories import naive
from gclip.dashboard.sweep.figures import charts_of, drawing
from gclip.dashboard.sweep.lines import TALL, edges_of, loosest
from gclip.dashboard.sweep.numbers import NUMBERS, best_by_length
from gclip.dashboard.sweep.words import NOTES, intro
from gclip.sweeping import Results, usual

KINDS = ("curve", "learning_rate", "both")

ROWS = [[STUCK, STUCK], [SLOW, LEARNED], [LEARNED, 12.0], [8.0, 9.0], [40.0, 20.0], [STUCK, NAN], [NAN, NAN]]
"""Thresholds 1 to 64: too tight, good at 4 and 8, too loose, one seed diverged, both diverged."""

MAP: dict[str, Any] = {"kind": "both", "count": 2, "low": 1.0, "high": 10.0, "other_count": 2, "other_low": 0.1,
                       "other_high": 1.0}  # fmt: skip


def curve(**own: Any) -> dict[str, Any]:
    return NUMBERS["curve"](made(ROWS, **own))


@pytest.mark.parametrize("kind", KINDS)
def test_every_trace_is_given_numbers_and_no_others_are(kind: str) -> None:
    sweep = usual(kind, "ClipByNorm")
    results = Results(sweep, [None] * len(sweep.configs()))
    for name in charts_of(sweep):
        figure = drawing(name, sweep)["figure"]
        assert {trace["meta"] for trace in figure["data"]} == set(NUMBERS[name](results)["traces"])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_is_sent_is_not_json(kind: str) -> None:
    cells = [[NAN], [LEARNED], [STUCK], [8.0]]
    results = made(ROWS) if kind == "curve" else made(cells, **dict(MAP, kind=kind))
    for name in charts_of(results.sweep):
        json.dumps(NUMBERS[name](results), allow_nan=False)
        json.dumps(drawing(name, results.sweep), allow_nan=False)


def test_medians_are_drawn_and_what_diverged_leaves_a_gap() -> None:
    traces = curve()["traces"]
    assert traces["test"]["x"] == [1, 2, 4, 8, 16, 32, 64]
    assert traces["test"]["y"] == [26_000, 7505, 11, 8.5, 30, None, None]
    assert traces["train"]["y"][:5] == [13_000, 3752, 5.5, 4.25, 15]
    assert traces["clip_rate"]["y"] == [1] * 7


def test_every_seed_is_in_the_row_of_its_fate() -> None:
    traces = curve()["traces"]
    at = {name: traces[f"fate.{name}"]["x"] for name in ("learned", "still learning", "stuck", "diverged")}
    assert at == {"learned": [2, 4, 8, 16], "still learning": [2], "stuck": [1, 32], "diverged": [32, 64]}
    one, both = traces["fate.diverged"]["marker"]["size"]
    assert one < both
    assert [set(traces[f"fate.{name}"]["y"]) for name in at] == [{0}, {1}, {2}, {3}]


def test_the_band_goes_past_the_highest_where_a_seed_diverged() -> None:
    band = curve()["traces"]["test.band"]
    assert band["x"] == [1, 2, 4, 8, 16, 32, 32, 16, 8, 4, 2, 1]
    assert band["y"][5] > 2 * STUCK
    assert band["y"][6] == STUCK


def test_a_loss_far_above_the_baseline_presses_nothing_flat_and_is_told() -> None:
    calm, wild = curve(), NUMBERS["curve"](made([*ROWS[:5], [1e12, 1e12]]))
    assert wild["layout"]["ranges"]["yaxis2"][1] < np.log10(1e4 * STUCK)
    assert "↑ up to 1e+12" in [note["text"] for note in wild["layout"]["annotations"]]
    assert not any("↑" in note["text"] for note in calm["layout"]["annotations"])
    assert calm["layout"]["ranges"]["yaxis2"][1] < np.log10(TALL * STUCK)


def test_lines_stand_where_they_should() -> None:
    layout = NUMBERS["curve"](made(ROWS), 5.66)["layout"]
    baseline, *stretches = layout["shapes"]
    assert baseline["y0"] == pytest.approx(26_000, rel=0.05)
    twice, close = stretches[:2]
    assert (close["x0"], close["x1"]) == (pytest.approx(8 / 2**0.5), pytest.approx(8 * 2**0.5))
    assert (twice["x0"], twice["x1"]) == (pytest.approx(4 / 2**0.5), pytest.approx(8 * 2**0.5))
    assert [shape["x0"] for shape in stretches[2:]] == [2, 3, 4, 5.66]
    texts = [note["text"] for note in layout["annotations"]]
    assert texts == ["predicting the mean", "10 %", "50 %", "90 %", "suggested: 5.66"]


def test_percentiles_are_those_of_the_loosest_run_that_learned() -> None:
    found = loosest(made(ROWS))
    assert found is not None
    assert found[0] == 4
    assert loosest(made([[STUCK], [STUCK], [NAN]]))[0] == 1  # type: ignore[index]
    assert loosest(made([[NAN], [NAN]])) is None


def test_the_budget_is_read_off_the_same_runs() -> None:
    results = made([[30.0], [LEARNED], [50.0]], first=[[9000.0], [5000.0], [4000.0]])
    assert best_by_length(results) == [(1, 2, (2, 2)), (2, 1, (1, 1))]
    traces = NUMBERS["budget"](results)["traces"]
    assert (traces["best"]["x"], traces["best"]["y"]) == ([1, 2], [4, 2])
    early = made([[30.0], [LEARNED], [50.0]], done=1)
    assert NUMBERS["budget"](early)["traces"]["best"]["x"] == [1]
    assert best_by_length(made([[NAN], [NAN]])) == []
    untaught = made([[30.0], [LEARNED]], first=[[STUCK], [2 * STUCK]])
    assert [length for length, *_ in best_by_length(untaught)] == [2]


def test_a_map_colours_what_is_useful_and_marks_the_rest() -> None:
    results = made([[100.0, 10.0, 90.0], [STUCK, STUCK, NAN], [NAN, NAN, 5.0], [4.0, 5.0, NAN]], **MAP)
    traces = NUMBERS["map"](results)["traces"]
    assert traces["loss"]["z"] == [
        [pytest.approx(np.log10(90), rel=1e-3), None],
        [None, pytest.approx(0.699, rel=1e-3)],
    ]
    assert traces["failed"]["z"] == [[None, 0], [1, None]]
    marks = {name: list(zip(traces[name]["x"], traces[name]["y"], strict=True)) for name in list(traces)[2:]}
    assert marks == {"diverged": [(1, 1)], "some": [(10, 0.1), (10, 1)], "stuck": [(10, 0.1)], "best": [(10, 1)]}
    assert traces["loss"]["customdata"] == [[[0, 0], [1, 0]], [[0, 1], [1, 1]]]
    assert traces["loss"]["text"][1][0].startswith("<b>norm 1, value 1</b>")
    assert "2 diverged" in traces["loss"]["text"][1][0]


def test_cells_that_are_not_trained_yet_say_so() -> None:
    results = made([[1.0], [2.0]], done=0)
    assert NUMBERS["curve"](results)["traces"]["test"]["text"][0] == "<b>threshold 1</b><br>not trained yet"
    assert NUMBERS["curve"](results)["traces"]["test"]["y"] == [None, None]
    assert NOTES["curve"](results) == []
    assert NOTES["budget"](results) == []


def test_edges_lie_between_the_places_and_half_a_step_beyond() -> None:
    assert edges_of((1.0, 100.0)) == pytest.approx([0.1, 10, 1000])


@pytest.mark.parametrize("kind", KINDS)
def test_no_chart_grows_or_shrinks_or_loses_its_zoom(kind: str) -> None:
    sweep = usual(kind, "ClipByNorm")
    for name in charts_of(sweep):
        chart = drawing(name, sweep)
        assert chart["figure"]["layout"]["height"] == chart["height"]
        assert chart["figure"]["layout"]["uirevision"] == "keep"


def test_a_threshold_curve_is_told() -> None:
    best, sides, clipped, percentiles = NOTES["curve"](made(ROWS))
    assert best.startswith(
        "Best: test loss 8.5 at 8. No neighbour comes within 10 % of that; at most twice that from 4 "
    )
    assert "Every seed learns from 4 to 16, a factor of 4." in best
    assert sides == (
        "Tighter, 3 of 4 runs fail: 1 not arrived after 2 epochs and 2 no better than predicting the mean yet. "
        "Looser, 4 of 4 runs fail: 1 stuck (finite, but no better than predicting the mean) and 3 diverged."
    )
    assert (
        clipped
        == "The best threshold, 8, clips every step: the gradient gives the direction, the threshold the length."
    )
    assert percentiles == (
        "In the loosest run that learned, at 16, 10, 50 and 90 % of the gradient norms lie below 2, 3 and 4."
    )


def test_the_median_is_spoken_of_where_there_are_several_seeds() -> None:
    assert "from 8 seeds each" in intro(usual("curve", "ClipByNorm"))
    assert "median" in intro(usual("curve", "ClipByNorm"))
    assert "from 1 seed each" in intro(usual("both", "ClipByNorm", "sine"))
    assert "median" not in intro(usual("both", "ClipByNorm", "sine"))


def test_a_recurrent_network_has_its_own_words() -> None:
    rows = [[3.1, 3.1], [2.0, 1.0], [0.1, 0.1], [9.0, NAN]]
    results = made(rows, first=[[3.1] * 2, [2.0] * 2, [1.0] * 2, [1.5] * 2], shared=SHORT_TEXT)
    notes = " ".join([*NOTES["curve"](results), *NOTES["budget"](results)])
    assert "not arrived after 40 steps" in notes
    assert "no better than guessing by how often each letter occurs" in notes
    assert "The best is 4 after 20 steps and 4 after 40 steps" in notes
    assert "epoch" not in notes + NUMBERS["budget"](results)["traces"]["best"]["text"][0]
    assert NUMBERS["budget"](results)["traces"]["best"]["x"] == [20, 40]
    assert NUMBERS["curve"](results)["layout"]["annotations"][0]["text"] == naive(SHORT_TEXT)
    layouts = {name: drawing(name, results.sweep)["figure"]["layout"] for name in ("curve", "budget")}
    assert layouts["curve"]["yaxis2"]["title"]["text"] == "loss (cross-entropy)"
    assert layouts["budget"]["xaxis"]["title"]["text"] == "steps of training"
    low, high = layouts["budget"]["xaxis"]["range"]
    assert 15 < 10**low < 20 < 40 < 10**high < 50


def test_a_wide_good_range_is_told_with_its_factor() -> None:
    first, sides, *_ = NOTES["curve"](made([[10.0], [10.5], [10.0], [10.9]], rate=0.25))
    assert "within 10 % of that from 1 to 8, a factor of 8." in first
    assert sides == "So does the tightest, 1. So does the loosest, 8."
    assert "clips 25 % of the steps." in NOTES["curve"](made([[10.0], [10.5]], rate=0.25))[2]


def test_what_no_threshold_saves_is_told() -> None:
    assert NOTES["curve"](made([[NAN], [NAN]])) == ["Every run diverged: no threshold of this range saves them."]
    assert "At no threshold does every seed learn." in NOTES["curve"](made([[STUCK], [NAN]]))[0]
    assert NOTES["map"](made([[NAN]] * 4, **MAP)) == ["4 of 4 cells diverged."]


def test_before_the_end_only_what_holds_so_far_is_told() -> None:
    lines = NOTES["curve"](made(ROWS, done=1))
    assert not any("Every seed learns" in line or "Tighter" in line for line in lines)


BUDGETS = [
    ((4, 1), "with little time, long steps pay"),
    ((1, 4), "bears a looser threshold"),
    ((2, 2), "hardly matters"),
]


@pytest.mark.parametrize(("best", "told"), BUDGETS, ids=["falls", "rises", "stays"])
def test_a_budget_is_told(best: tuple[int, int], told: str) -> None:
    early, late = ([[LEARNED if 2**i == at else SLOW] for i in range(3)] for at in best)
    [line] = NOTES["budget"](made(late, first=early))
    assert line.startswith(f"The best is {best[0]} after 1 epoch and {best[1]} after 2 epochs")
    assert told in line


def test_a_map_of_norm_and_value_is_told() -> None:
    gains = NOTES["map"](made([[5.0], [90.0], [80.0], [70.0]], **MAP))
    assert gains[0] == "Best: test loss 5 at norm 1, value 0.1. 0 of 4 cells diverged, 0 stuck."
    assert gains[1].endswith("value alone (the other at its loosest): both together are 14 times better.")
    same = NOTES["map"](made([[5.0], [90.0], [5.0], [70.0]], **MAP))
    assert same[1].endswith("a second threshold gains little here.")


def test_the_length_of_a_step_is_told_where_it_is_what_counts() -> None:
    first = {"kind": "learning_rate", "count": 5, "low": 1.0, "high": 16.0}
    own = MAP | first | {"other_count": 3, "other_low": 0.001, "other_high": 0.004}
    falls = [[LEARNED if t == 3 - o else SLOW] for o in range(3) for t in range(5)]
    stays = [[LEARNED if t == 2 else SLOW] for o in range(3) for t in range(5)]
    edge = [[LEARNED if t == 4 else SLOW] for o in range(3) for t in range(5)]
    assert "changes only by a factor of 1, while the learning rate changes by 4." in NOTES["map"](made(falls, **own))[1]
    assert "so one does not stand for the other" in NOTES["map"](made(stays, **own))[1]
    assert len(NOTES["map"](made(edge, **own))) == 1
