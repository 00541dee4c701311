"""The line under each chart agrees with the data it speaks of, however little there is of it."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from dashboard_examples import RULES, altered, until_step

import gclip
from gclip.clipping import ClipByNorm
from gclip.dashboard.conclusions import OF_ALL, OF_ONE, Shown, conclusions
from gclip.dashboard.figures import CHARTS
from gclip.dashboard.words import number, percent
from gclip.serving.runs import empty
from gclip.training import History, RunConfig

LABELS = {name: f"«{name}»" for name in RULES}


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
    assert {*OF_ALL, *OF_ONE} == set(CHARTS)
    assert set(conclusions(shown(real, *RULES), chosen=1)) == set(CHARTS)


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


def test_the_epoch_line_names_the_best_on_unseen_rows(real: dict[str, History]) -> None:
    alive = {name: history for name, history in real.items() if history.diverged_at is None}
    share = {name: float(h.test_loss[-1]) / h.baseline[1] for name, h in alive.items()}
    best = min(share, key=lambda name: share[name])
    line = conclusions(shown(real, *RULES))["epochs"]
    assert LABELS[best] in line
    assert percent(share[best]) in line
    assert not any(LABELS[name] in line for name in RULES if name != best)


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
        assert {"loss", "norms", "rate", "cosine", "histogram", "layers", "elements"} <= set(notes)
        assert not [line for line in notes.values() if re.search(r"\bnan\b", line)]


def test_a_run_that_has_not_started_is_left_out(real: dict[str, History]) -> None:
    runs = [*shown(real, "norm 1"), Shown("waiting", empty(RunConfig()))]
    for chosen in (0, 1):
        notes = conclusions(runs, chosen)
        assert not any("waiting" in line for line in notes.values())
        assert set(notes) == ({*OF_ALL, *OF_ONE} if chosen == 0 else set(OF_ALL))


def test_all_runs_diverged(real: dict[str, History]) -> None:
    runs = [Shown("a", real["unclipped"]), Shown("b", real["unclipped"])]
    notes = conclusions(runs, 1)
    assert notes["loss"].count("explodes at step") == 2
    assert set(notes) == set(CHARTS)


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
