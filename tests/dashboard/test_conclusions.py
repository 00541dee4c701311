"""The line under each chart agrees with the data it speaks of, however little there is of it."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from dashboard_examples import PROBLEMS, RECURRENT, RULES, altered, recurrent, until_step

import gclip
from gclip.clipping import ClipByNorm
from gclip.dashboard.charts import CHARTS, COMPARISON, SAMPLES, charts_of
from gclip.dashboard.conclusions import OF_ALL, OF_ONE, Shown, conclusions
from gclip.dashboard.words import number, percent
from gclip.training import History, RecurrentConfig, RunConfig, Summary
from gclip.training.recurrence import sample_target

LABELS = {name: f"«{name}»" for name in (*RULES, *RECURRENT)}


@pytest.fixture(autouse=True)
def no_runtime_warning() -> None:
    warnings.simplefilter("error", RuntimeWarning)


def shown(real: dict[str, History], *names: str) -> list[Shown]:
    return [Shown(LABELS[name], real[name]) for name in names]


def about(line: str, name: str) -> str:
    """Return the part of a line that speaks of one run."""
    found = line[line.index(LABELS[name]) + len(LABELS[name]) :]
    return found.split("«")[0]


def test_every_chart_has_its_conclusion(real: dict[str, History]) -> None:
    assert {*OF_ALL, *OF_ONE} == set(COMPARISON)
    assert set(conclusions(shown(real, *RULES), chosen=1)) == set(COMPARISON)


def test_every_line_is_a_sentence(real: dict[str, History]) -> None:
    for chosen in range(len(RULES)):
        for line in conclusions(shown(real, *RULES), chosen).values():
            assert line.endswith(".")
            assert "\n" not in line


def test_the_loss_line_names_the_step_of_each_explosion_and_how_far_the_others_fell(real: dict[str, History]) -> None:
    line = conclusions(shown(real, *RULES))["loss"]
    for name, history in real.items():
        if history.diverged_at is not None:
            assert f"explodes at step {history.diverged_at}" in about(line, name)
            continue
        share = float(np.median(history.loss[-16:])) / float(history.loss[0])
        assert share < 1
        assert percent(share) in about(line, name)


def test_a_run_above_its_first_loss_is_not_said_to_fall(real: dict[str, History]) -> None:
    history = real["norm 1"]
    line = conclusions([Shown("a", altered(history, loss=history.loss[::-1].copy()))])["loss"]
    assert line == "a is above its first loss."


def test_a_run_whose_loss_is_infinite_explodes_at_the_step_on_its_card(overflown: list[History]) -> None:
    notes = conclusions([Shown("a", overflown[0])])
    assert notes["loss"] == f"a explodes at step {overflown[0].lost_at}."
    assert "No run has a finite loss" in notes["epochs"]


def test_the_epoch_line_names_the_best_on_unseen_rows(real: dict[str, History]) -> None:
    alive = {name: history for name, history in real.items() if history.diverged_at is None}
    share = {name: float(h.test_loss[-1]) / h.baseline[1] for name, h in alive.items()}
    best = min(share, key=lambda name: share[name])
    line = conclusions(shown(real, *RULES))["epochs"]
    assert LABELS[best] in line
    assert percent(share[best]) in line
    assert not any(LABELS[name] in line for name in RULES if name != best)


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.5, "Best so far: a, with 50 % of the loss of predicting the mean."),
        (1, "No run beats predicting the mean so far; the best, a, has 100 % of its loss."),
        (1.5, "No run beats predicting the mean so far; the best, a, has 150 % of its loss."),
        (2000, "No run beats predicting the mean so far; the best, a, has 2,000 times its loss."),
    ],
)
def test_the_best_of_runs_that_learned_nothing_is_not_praised(
    real: dict[str, History], share: float, said: str
) -> None:
    history = real["norm 1"]
    losses = np.full(100, share, np.float32) * np.float32(history.baseline[1])
    assert conclusions([Shown("a", altered(history, test_loss=losses))])["epochs"] == said


def test_a_huge_loss_is_not_written_in_per_cent() -> None:
    [history] = gclip.run([RunConfig(clipper=ClipByNorm(1e4), learning_rate=1000.0, epochs=10)])
    line = conclusions([Shown("a", history)])["epochs"]
    assert line.startswith("No run beats predicting the mean so far; the best, a, has ")
    assert line.endswith(" times its loss.")


def test_with_all_diverged_the_epoch_line_says_so(real: dict[str, History]) -> None:
    line = conclusions(shown(real, "unclipped"))["epochs"]
    assert "No run has a finite loss" in line


def test_the_norm_line_gives_growth_and_the_largest_norms(real: dict[str, History]) -> None:
    line = conclusions(shown(real, "unclipped", "norm 1", "value 5"))["norms"]
    norms = real["unclipped"].total_norm
    norms = norms[np.isfinite(norms)]
    assert number(norms[-1] / norms[0]) in about(line, "unclipped")
    assert f"{len(norms) - 1} steps" in about(line, "unclipped")
    for name in ("norm 1", "value 5"):
        assert number(real[name].total_norm.max()) in about(line, name)
        assert number(real[name].clipped_norm.max()) in about(line, name)
    assert number(real["norm 1"].clipped_norm.max()) == "1"


def test_with_nothing_clipped_raw_and_clipped_norms_are_the_same() -> None:
    [history] = gclip.run([RunConfig(clipper=ClipByNorm(1e6), epochs=1, standardize_target=True)])
    assert not history.clipped.any()
    notes = conclusions([Shown("a", history)])
    assert "No gradient was clipped" in notes["norms"]
    assert notes["rate"] == "a clips 0 % of its steps."


def test_the_histogram_line_gives_where_four_fifths_lay(real: dict[str, History]) -> None:
    for chosen, name in enumerate(RULES):
        line = conclusions(shown(real, *RULES), chosen)["histogram"]
        measured = real[name].measured[np.isfinite(real[name].measured)]
        low, middle, high = np.percentile(measured, [10, 50, 90])
        assert line.startswith(LABELS[name])
        assert all(number(value) in line for value in (low, middle, high))
        assert low <= middle <= high


def test_the_rate_line_gives_each_rules_share_of_steps(real: dict[str, History]) -> None:
    line = conclusions(shown(real, *RULES))["rate"]
    assert LABELS["unclipped"] not in line
    for name in [name for name in RULES if name != "unclipped"]:
        rate = float(real[name].clipped.mean())
        said = about(line, name)
        assert ("every step" in said) == bool(real[name].clipped.all())
        if rate < 1:
            assert percent(rate) in said


def test_the_rate_line_of_a_lost_run_is_the_sweeps_clip_rate(lost: dict[str, History]) -> None:
    for history in lost.values():
        assert 0 < (history.diverged_at or 0) < history.steps_done - 1
        rate = float(Summary.of(history).clip_rate[-1])
        said = "every step" if rate == 1 else f"{percent(rate)} of its steps"
        assert conclusions([Shown("a", history)])["rate"] == f"a clips {said}."


def test_a_run_that_dies_in_its_first_step_is_judged_by_that_step(lost: dict[str, History]) -> None:
    history = lost["AdaptiveGradientClip(10.0)"]
    events = [event._replace(step=0) for event in history.events]
    notes = conclusions([Shown("a", History.restore(history.config, history.arrays(), events))])
    assert notes["rate"] == f"a clips {'every step' if history.clipped[0] else '0 % of its steps'}."
    assert not any("nan" in line for line in notes.values())


def test_the_rule_line_of_a_run_whose_norms_overflow_counts_them(
    overflown: list[History], lost: dict[str, History]
) -> None:
    for history in (overflown[0], *lost.values()):
        lived = slice(history.diverged_at)
        assert np.isinf(history.measured[lived]).any()
        over = history.measured[lived] > history.threshold[lived]
        line = conclusions([Shown("a", history)])["rule"]
        assert f"; {percent(float(over.mean()))} of the steps measured more." in line


def test_the_histogram_line_says_where_it_leaves_out_infinite_norms(overflown: list[History], real: dict) -> None:
    assert (
        "80 % of the finite numbers that its rule measured lay" in conclusions([Shown("a", overflown[0])])["histogram"]
    )
    assert "80 % of what its rule measured lay" in conclusions([Shown("a", real["norm 1"])])["histogram"]


def test_the_norm_line_of_a_lost_run_speaks_of_its_steps_with_finite_weights(lost: dict[str, History]) -> None:
    history = lost["ClipByTensorNorm(1e30)"]
    lived = slice(history.diverged_at)
    line = conclusions([Shown("a", history)])["norms"]
    assert f"sees norms up to {number(history.total_norm[lived].max())}" in line
    norms = np.ones(history.steps_done, np.float32)
    norms[history.diverged_at :] = 7e30
    after = altered(history, total_norm=norms)
    assert "7e+30" not in conclusions([Shown("a", after)])["norms"]


def test_the_cosine_line_tells_scaling_from_cutting(real: dict[str, History]) -> None:
    line = conclusions(shown(real, *RULES))["cosine"]
    assert "keeps the direction" in about(line, "norm 1")
    middle = float(np.median(real["value 5"].cosine))
    assert middle < 0.99
    assert f"{middle:.2f}" in about(line, "value 5")
    assert LABELS["unclipped"] not in line


def test_without_a_rule_there_is_nothing_to_turn_or_clip(real: dict[str, History]) -> None:
    notes = conclusions(shown(real, "unclipped"))
    assert "cosine 1" in notes["cosine"]
    assert notes["rate"] == "No run here has a clipping rule."


def test_the_layer_line_names_the_largest_tensor(real: dict[str, History]) -> None:
    for chosen, name in enumerate(RULES):
        line = conclusions(shown(real, *RULES), chosen)["layers"]
        norms = real[name].layer_norm.astype(float)
        square = np.where(np.isfinite(norms), norms, 0) ** 2
        share = square.sum(0) / square.sum()
        top = real[name].tensors[int(share.argmax())]
        assert line == f"{LABELS[name]}: {top} holds {percent(float(share.max()))} of the squared gradient."


def test_the_element_line_tells_zeros_from_nans(real: dict[str, History]) -> None:
    for chosen, name in enumerate(RULES):
        line = conclusions(shown(real, *RULES), chosen)["elements"]
        last = real[name].histogram[-1]
        broken, zeros = last[:, -1].sum() / last.sum(), last[:, 0].sum() / last.sum()
        assert ("NaN" in line) == bool(broken)
        assert percent(float(broken or zeros)) in line


def test_the_rule_line_tells_how_far_the_threshold_moved_and_how_often_it_was_passed(real: dict[str, History]) -> None:
    for chosen, name in enumerate(RULES):
        line = conclusions(shown(real, *RULES), chosen)["rule"]
        history = real[name]
        assert line.startswith(LABELS[name])
        if name == "unclipped":
            assert line == f"{LABELS[name]} has no threshold: none is drawn here."
            continue
        over = (history.measured > history.threshold)[np.isfinite(history.measured)]
        assert f"stayed at {number(history.threshold[0])}; {percent(float(over.mean()))} of the steps" in line


@pytest.mark.parametrize("names", [("unclipped",), ("norm 1",), ("unclipped", "norm 1", "value 5"), tuple(RULES)])
@pytest.mark.parametrize("steps", [0, 1])
def test_before_the_second_step_nothing_is_concluded(real: dict[str, History], names: tuple, steps: int) -> None:
    early = [Shown(name, until_step(real[name], steps)) for name in names]
    assert all(conclusions(early, chosen) == {} for chosen in range(len(early)))


@pytest.mark.parametrize("steps", [2, 3, 6, 7, 8, 9, 15, 16, 17, 64, 1599])
@pytest.mark.parametrize("names", [("unclipped",), ("norm 1",), tuple(RULES)])
def test_any_stage_of_training_has_its_lines(real: dict[str, History], names: tuple, steps: int) -> None:
    stage = [Shown(name, until_step(real[name], steps)) for name in names]
    for chosen in range(len(stage)):
        notes = conclusions(stage, chosen)
        assert {"loss", "norms", "rate", "cosine", "histogram", "layers", "elements", "rule"} <= set(notes)
        assert not [line for line in notes.values() if re.search(r"\bnan\b", line)]


def test_a_run_that_has_not_started_is_left_out(real: dict[str, History]) -> None:
    runs = [*shown(real, "norm 1"), Shown("waiting", History.empty(RunConfig()))]
    for chosen in (0, 1):
        notes = conclusions(runs, chosen)
        assert not any("waiting" in line for line in notes.values())
        assert set(notes) == ({*OF_ALL, *OF_ONE} if chosen == 0 else set(OF_ALL))


def test_all_runs_diverged(real: dict[str, History]) -> None:
    runs = [Shown("a", real["unclipped"]), Shown("b", real["unclipped"])]
    notes = conclusions(runs, 1)
    assert notes["loss"].count("explodes at step") == 2
    assert set(notes) == set(COMPARISON)


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 1000.0},
        {"learning_rate": 1000.0, "clipper": "ClipByNorm(1e10)"},
        {"learning_rate": 1000.0, "loss": "MAE"},
        {"learning_rate": 1000.0, "hidden_layers": 8},
        {"learning_rate": 1000.0, "optimizer": "Adam"},
        {"noise": 1000.0, "n_features": 200, "n_informative": 200, "hidden_layers": 8, "learning_rate": 1000.0},
        {"clipper": "ClipByNorm(inf)"},
        {"clipper": "ClipByNorm(1e-30)"},
        {"clipper": "ClipByValue(1e-12)"},
        {"n_samples": 20, "batch_size": 10, "n_features": 1, "hidden_units": 1},
        {"n_samples": 20, "batch_size": 1000},
    ],
    ids=str,
)
def test_extreme_runs_give_no_warning(settings: dict) -> None:
    [history] = gclip.run([RunConfig.model_validate({"epochs": 2} | settings)])
    assert {"loss", "norms", "rate"} <= set(conclusions([Shown("a", history)]))


@pytest.mark.parametrize("rule", ["ClipByNorm(2e-38)", "ClipByValue(2e-38)"])
def test_a_threshold_that_underflows_gives_no_warning(rule: str) -> None:
    [history] = gclip.run([RunConfig(clipper=rule, epochs=2)])
    assert "nan" not in conclusions([Shown("a", history)])["cosine"]


@pytest.mark.parametrize("rule", ["AutoClip(10.0)", "ZClip(warmup_steps=5)", "AdaGC(warmup_steps=5)"])
def test_an_adaptive_rules_threshold_is_said_to_move(rule: str) -> None:
    [history] = gclip.run([RunConfig(clipper=rule, epochs=3, standardize_target=True)])
    line = conclusions([Shown("a", history)])["rule"]
    seen = history.threshold[np.isfinite(history.threshold) & np.isfinite(history.measured)]
    assert f"moved between {number(seen.min())} and {number(seen.max())}" in line
    assert seen.min() < seen.max()
    assert not re.search("nan|inf", line, re.IGNORECASE)


def test_a_threshold_that_has_not_begun_is_none(real: dict[str, History]) -> None:
    [history] = gclip.run([RunConfig(clipper="ZClip(warmup_steps=1000)", epochs=2, standardize_target=True)])
    assert not np.isfinite(history.threshold).any()
    assert conclusions([Shown("a", history)])["rule"] == "a has no threshold: none is drawn here."


Through = dict[str, dict[str, History]]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_recurrent_chart_has_its_conclusion(through_time: Through, problem: str) -> None:
    runs = shown(through_time[problem], *RECURRENT)
    charts = set(charts_of(runs[0].history.config))
    for chosen in range(len(runs)):
        notes = conclusions(runs, chosen)
        assert charts <= set(notes)
        assert not ({"flow", "ratio", "sample", "scatter", "text"} - charts) & set(notes)
        assert all(line.endswith(".") and "\n" not in line for line in notes.values())


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_flow_line_gives_what_reached_the_first_time_step(through_time: Through, problem: str) -> None:
    for chosen, (name, history) in enumerate(through_time[problem].items()):
        line = conclusions(shown(through_time[problem], *RECURRENT), chosen)["flow"]
        assert line.startswith(LABELS[name])
        last = np.flatnonzero(np.isfinite(history.flow).all(1))[-1]
        for mark in (0, last):
            ratio = float(history.flow[mark, 0]) / float(history.flow[mark, -1])
            assert f"{number(ratio)} at step {history.mark_step[mark]}" in line
        assert not re.search("nan|inf", line, re.IGNORECASE)


def test_a_flow_that_breaks_is_told_as_far_as_it_was_finite(through_time: Through) -> None:
    history = through_time["sine"]["broken"]
    assert history.diverged_at is not None
    assert np.isnan(history.flow[-1]).all()
    line = conclusions([Shown("a", history)])["flow"]
    steps = [int(step) for step in re.findall(r"at step (\d+)", line)]
    assert steps[0] == 0
    assert steps[1] <= history.diverged_at + 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_where_no_flow_is_finite_nothing_is_said_of_it(through_time: Through, value: float) -> None:
    history = through_time["sine"]["norm"]
    broken = Shown("a", altered(history, flow=np.full_like(history.flow, value)))
    assert not {"flow", "ratio"} & set(conclusions([broken]))
    assert conclusions([broken, Shown("b", history)])["ratio"].startswith("b ")


def test_a_flow_of_zero_has_its_lines(through_time: Through) -> None:
    history = through_time["sine"]["norm"]
    flow = np.zeros_like(history.flow)
    notes = conclusions([Shown("a", altered(history, flow=flow))])
    assert "a fades (0)" in notes["ratio"]
    assert "0 at step 59" in notes["flow"]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_ratio_line_tells_fading_from_growing(through_time: Through, problem: str) -> None:
    line = conclusions(shown(through_time[problem], *RECURRENT))["ratio"]
    for name, history in through_time[problem].items():
        last = history.flow[np.isfinite(history.flow).all(1)][-1].astype(float)
        word = "fades" if last[0] < last[-1] else "grows"
        assert about(line, name).strip().startswith(f"{word} ({number(last[0] / last[-1])})")
    assert ("cannot change this ratio" in line) == (problem == "sum")
    assert ("loss of its own" in line) == (problem != "sum")


@pytest.mark.parametrize(("problem", "chart"), [("sine", "sample"), ("sum", "scatter")])
def test_the_sample_line_gives_each_runs_error(through_time: Through, problem: str, chart: str) -> None:
    assert SAMPLES[problem] == chart
    line = conclusions(shown(through_time[problem], *RECURRENT))[chart]
    for name, history in through_time[problem].items():
        assert isinstance(history.config, RecurrentConfig)
        right = sample_target(history.config).numpy()
        error = float(np.sqrt(np.mean((history.sample[-1].astype(float) - right) ** 2)))
        said = "answers NaN" if name == "broken" else f"answers {number(error)} off"
        assert re.split(",| and| \\(", about(line, name).strip())[0] == said
    assert line.endswith(" (root mean square).")


def test_an_infinite_answer_is_none(through_time: Through) -> None:
    history = through_time["sine"]["norm"]
    runs = [Shown("a", altered(history, sample=np.full_like(history.sample, np.inf)))]
    assert conclusions(runs)["sample"] == "a answers NaN (root mean square)."


def test_the_text_line_gives_the_probability_of_the_right_letter(through_time: Through) -> None:
    line = conclusions(shown(through_time["characters"], *RECURRENT))["text"]
    for name, history in through_time["characters"].items():
        share = float(np.exp(-float(history.test_loss[-1])))
        assert percent(share) in about(line, name)
    broken = altered(through_time["characters"]["norm"], test_loss=np.full(3, np.nan, np.float32))
    assert conclusions([Shown("a", broken)])["text"].endswith(": a NaN.")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_test_line_names_the_best_run_and_what_it_beats(through_time: Through, problem: str) -> None:
    alive = {name: history for name, history in through_time[problem].items() if history.diverged_at is None}
    share = {name: float(history.test_loss[-1]) / history.baseline[1] for name, history in alive.items()}
    best = min(share, key=lambda name: share[name])
    line = conclusions(shown(through_time[problem], *RECURRENT))["tests"]
    beaten = "guessing by how often each letter occurs" if problem == "characters" else "predicting the mean"
    if share[best] < 1:
        assert line == f"Best so far: {LABELS[best]}, with {percent(share[best])} of the loss of {beaten}."
    else:
        assert (
            line == f"No run beats {beaten} so far; the best, {LABELS[best]}, has {percent(share[best])} of its loss."
        )


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("steps", [0, 1, 2, 5, 19, 20, 21, 40, 59])
def test_any_stage_of_a_recurrent_run_has_its_lines(through_time: Through, problem: str, steps: int) -> None:
    stage = [Shown(name, until_step(history, steps)) for name, history in through_time[problem].items()]
    for chosen in range(len(stage)):
        notes = conclusions(stage, chosen)
        assert ({"loss", "norms", "rate", "cosine", "histogram", "layers", "flow", "ratio"} <= set(notes)) == (
            steps > 1
        )
        assert not [line for line in notes.values() if re.search(r"\bnan\b", line)]
        assert (SAMPLES[problem] in notes) == (steps >= 20)


@pytest.mark.parametrize("name", ["norm 1", "norm .1"])
def test_a_run_before_its_first_evaluation_is_not_said_to_have_exploded(real: dict[str, History], name: str) -> None:
    assert "No run has a finite loss" not in conclusions([Shown("a", until_step(real[name], 7))]).get("epochs", "")


def test_a_recurrent_run_before_its_first_evaluation_is_not_said_to_have_exploded(through_time: Through) -> None:
    for problem in PROBLEMS:
        assert "tests" not in conclusions([Shown("a", until_step(through_time[problem]["norm"], 19))])


def test_recurrent_runs_that_left_the_chart_had_no_epochs(through_time: Through) -> None:
    line = conclusions([Shown("a", through_time["sum"]["broken"])])["tests"]
    assert "No run has a finite loss" in line
    assert "epoch" not in line


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_run_with_finite_weights_and_no_finite_test_loss_is_not_the_best(through_time: Through, value: float) -> None:
    history = through_time["sum"]["norm"]
    odd = altered(history, test_loss=np.full(3, value, np.float32))
    line = conclusions([Shown("odd", odd), Shown("sound", history)])["tests"]
    assert "sound" in line
    assert "odd" not in line
    assert "NaN" not in conclusions([Shown("odd", odd)]).get("tests", "")


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 1000.0, "weight_gain": 16.0, "cell": cell, "problem": problem, "clipper": rule}
        for cell in ("LSTM", "RNN")
        for problem in PROBLEMS
        for rule in ("NoClip()", "ClipByNorm(1e-30)")
    ]
    + [
        {"problem": "sine", "bad_scale": 1e6, "bad_step": 5, "learning_rate": 1000.0},
        {"problem": "sum", "bad_scale": 0.0, "bad_step": 0},
        {"problem": "sum", "sequence_length": 2, "hidden_units": 1, "batch_size": 1},
        {"problem": "sum", "sequence_length": 200, "weight_gain": 16.0, "learning_rate": 10.0},
    ],
    ids=str,
)
def test_extreme_recurrent_runs_give_no_warning(settings: dict) -> None:
    [history] = gclip.run([recurrent(**settings)])
    notes = conclusions([Shown("a", history)])
    assert {"loss", "norms", "rate", "tests"} <= set(notes) <= set(CHARTS) | {"elements", "epochs"}
