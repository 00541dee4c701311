"""What a run leaves behind: arrays, laws between them, verdicts and the post-mortem."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from training_examples import RULES, SHORT, differing

import gclip
from gclip import Event, History, RunConfig
from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, NoClip
from gclip.training import measure
from gclip.training.history import ALWAYS, FIRST_MARKS, PER_EPOCH, PER_MARK, PER_STEP, mark_steps
from gclip.training.layout import Layout
from gclip.training.tasks import task_of

SEEDS = range(5)


@cache
def preset(rule: Any) -> list[History]:
    """The tutorial's MLP under ``rule``, five seeds; all rules of this module are trained in one batch."""
    rules = [NoClip(), ClipByNorm(1.0), ClipByNorm(0.1), ClipByNorm(512.0), ClipByValue(5.0)]
    configs = [RunConfig(clipper=r, init_seed=s, batch_seed=s) for r in rules for s in SEEDS]
    return [history for history in everything(tuple(configs)) if history.config.clipper == rule]


@cache
def everything(configs: tuple[RunConfig, ...]) -> list[History]:
    return gclip.run(configs)


@cache
def short(rule: Any) -> History:
    """A short run of a learning rate at which no rule of RULES explodes."""
    configs = [RunConfig(clipper=r, learning_rate=1e-3, **SHORT) for r in RULES]
    return next(history for history in everything(tuple(configs)) if history.config.clipper == rule)


# ---- arrays


@pytest.mark.parametrize("layers", [1, 3])
def test_arrays_have_the_length_and_type_that_series_says(layers: int) -> None:
    config = RunConfig(hidden_layers=layers, **SHORT)
    history = gclip.run([config])[0]
    assert set(history.arrays()) == set(History.series(config)) == ALWAYS
    for name, (n, shape, kind) in History.series(config).items():
        array = getattr(history, name)
        assert (array.shape, array.dtype) == ((n, *shape), kind), name
    assert len(history.loss) == history.steps_done == config.steps == 12
    assert len(history.test_loss) == 3
    assert history.layer_norm.shape[1] == history.histogram.shape[1] == len(history.tensors) == 2 * layers + 2


def test_an_empty_history_is_empty() -> None:
    history = History(RunConfig())
    assert (history.steps_done, history.done, history.verdict) == (0, False, "still learning")
    assert all(len(array) == 0 for array in history.arrays().values())
    assert (history.diverged_at, history.post_mortem, len(history.last_finite_norms)) == (None, [], 0)


def test_an_unknown_array_is_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="History has no 'losss'; it has loss, "):
        _ = History(RunConfig()).losss


@pytest.mark.parametrize(
    ("fields", "marks"),
    [
        ({"epochs": 3}, [*range(FIRST_MARKS), 31, 47]),
        ({"epochs": 1}, [*range(16)]),
        ({"epochs": 30, "batch_size": 500}, [*range(30)]),
        ({"epochs": 2, "batch_size": 5}, [*range(FIRST_MARKS), 99, 199]),
    ],
    ids=str,
)
def test_marks_are_the_first_steps_and_the_end_of_each_epoch(fields: dict[str, Any], marks: list[int]) -> None:
    history = gclip.run([RunConfig(clipper=ClipByNorm(1.0), **fields)])[0]
    assert mark_steps(history.config) == marks
    assert history.mark_step.tolist() == marks
    assert len(history.histogram) == len(marks)


# ---- laws between the arrays


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_coefficient_cosine_and_share_agree(rule: Any) -> None:
    history = short(rule)
    coef, cosine, share, changed = history.clip_coef, history.cosine, history.clipped_share, history.clipped
    np.testing.assert_allclose(coef, history.clipped_norm / history.total_norm, rtol=1e-6)
    assert ((coef > 0) & (coef <= 1 + 1e-6)).all()
    assert ((cosine > 0) & (cosine <= 1)).all()
    np.testing.assert_array_equal(changed, share > 0)
    assert (share <= 1).all()
    assert (coef[~changed] == 1).all()
    assert (cosine[~changed] == 1).all()
    np.testing.assert_allclose(np.sqrt((history.layer_norm**2).sum(1)), history.total_norm, rtol=1e-5)


def test_no_clip_changes_nothing() -> None:
    history = short(NoClip())
    assert not history.clipped.any()
    assert np.isinf(history.threshold).all()
    assert history.clipped_norm.tobytes() == history.total_norm.tobytes()


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, ClipByNorm)], ids=repr)
def test_the_global_norm_keeps_the_direction(rule: ClipByNorm) -> None:
    history = short(rule)
    np.testing.assert_allclose(history.cosine, 1, atol=1e-5)
    # It scales every element that is not 0, so the share is that of the units that fire.
    assert (history.clipped_share[history.clipped] > 0.5).all()


def test_value_and_tensor_norm_turn_the_direction() -> None:
    for rule in (ClipByValue(5.0), ClipByTensorNorm(1.0)):
        assert short(rule).cosine.min() < 0.99


MEASURES: list[tuple[Any, Callable[[History], np.ndarray]]] = [
    (NoClip(), lambda h: h.total_norm),
    (ClipByNorm(300.0), lambda h: h.total_norm),
    (ClipByTensorNorm(1.0), lambda h: h.layer_norm.max(1)),
    (Chain(ClipByNorm(1.0), ClipByValue(0.1)), lambda h: h.total_norm),
]


@pytest.mark.parametrize(("rule", "want"), MEASURES, ids=lambda v: repr(v)[:20])
def test_measured_is_what_the_rule_compares(rule: Any, want: Callable[[History], np.ndarray]) -> None:
    np.testing.assert_allclose(short(rule).measured, want(short(rule)), rtol=1e-6)


@pytest.mark.parametrize(
    "rule",
    [
        ClipByNorm(1500.0),
        ClipByNorm(20_000.0, 1.0),
        ClipByNorm(200.0, math.inf),
        ClipByTensorNorm(300.0),
        ClipByValue(200.0),
    ],
    ids=repr,
)
def test_the_what_if_rate_at_a_runs_own_threshold_is_its_clip_rate(rule: Any) -> None:
    history = gclip.run([RunConfig(clipper=rule, learning_rate=1e-3, epochs=2)])[0]
    what_if = history.measured > history.threshold
    # A threshold that sorts the steps, or the test would say nothing.
    assert 0 < what_if.mean() < 1
    np.testing.assert_array_equal(what_if, history.clipped)


def test_a_zero_gradient_counts_as_unchanged() -> None:
    arrays = compare_one([0.0, 0.0], [0.0, 0.0])
    assert (arrays["clip_coef"], arrays["cosine"], arrays["clipped"], arrays["clipped_share"]) == (1, 1, False, 0)


def test_a_nan_that_stays_where_it_was_is_no_change() -> None:
    assert not compare_one([math.nan, 1.0], [math.nan, 1.0])["clipped"]
    assert compare_one([math.nan, 1.0], [math.nan, math.nan])["clipped_share"] == 0.5


def compare_one(raw: list[float], clipped: list[float]) -> dict[str, Any]:
    layout = Layout({"w": (len(raw),)}, 1)
    arrays = measure.compare(torch.tensor([raw]), torch.tensor([clipped]), layout)
    return {name: array.flatten()[0].item() for name, array in arrays.items()}


# ---- histograms


def test_histograms_count_every_element_once() -> None:
    for history in (short(NoClip()), preset(NoClip())[0], preset(ClipByNorm(512.0))[0]):
        sizes = [math.prod(shape) for shape in task_of(history.config).shapes(history.config).values()]
        np.testing.assert_array_equal(history.histogram.sum(-1), [sizes] * len(history.mark_step))


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (0.0, 0),
        (1e-11, 0),
        (1.1e-10, 1),
        (0.9, 20),
        (1.1, 21),
        (-1.1, 21),
        (3.3, 22),
        (9e9, 40),
        (1.1e10, 41),
        (math.inf, 41),
        (-math.inf, 41),
        (math.nan, 42),
    ],
)
def test_each_number_has_its_bin(value: float, place: int) -> None:
    assert measure.BINS == 43
    counts = measure.histograms(torch.tensor([[value]]), Layout({"w": (1,)}, 1))
    assert counts.flatten().nonzero().flatten().tolist() == [place]


def test_dead_and_diverged_runs_fill_the_outer_bins() -> None:
    diverged, dead = preset(NoClip())[0].histogram, preset(ClipByNorm(512.0))[0].histogram
    assert diverged[-1, :, -1].sum() == diverged[-1].sum()
    # Of a dead network only the output's bias has a gradient.
    assert dead[-1, :3, 0].sum() == dead[-1, :3].sum()


# ---- verdicts: the published measurements, in kind


def test_unclipped_diverges_within_the_first_epoch() -> None:
    for history in preset(NoClip()):
        assert history.verdict == "diverged"
        assert history.diverged_at is not None
        assert 7 <= history.diverged_at <= 10
        assert not np.isfinite(history.test_loss).any()


@pytest.mark.parametrize(
    ("rule", "verdict", "low", "high"),
    [
        (ClipByNorm(1.0), "learned", 5, 45),
        (ClipByValue(5.0), "learned", 5, 1000),
        (ClipByNorm(0.1), "still learning", 10_000, 14_000),
        (ClipByNorm(512.0), "stuck", 25_000, 100_000),
    ],
    ids=repr,
)
def test_clipped_runs_end_as_measured(rule: Any, verdict: str, low: float, high: float) -> None:
    for history in preset(rule):
        assert history.verdict == verdict
        assert low < history.test_loss[-1] < high
        assert history.diverged_at is None
        assert history.post_mortem == []


def test_a_stuck_run_is_dead() -> None:
    assert all(history.dead_units[-1] > 0.9 for history in preset(ClipByNorm(512.0)))
    assert all(history.dead_units[-1] < 0.5 for history in preset(ClipByNorm(1.0)))


def test_at_a_tight_norm_every_step_is_clipped() -> None:
    for history in preset(ClipByNorm(1.0)):
        assert history.clipped.mean() == 1.0
        np.testing.assert_allclose(history.clipped_norm, 1.0, rtol=1e-4)


def cut(history: History, steps: int, epochs: int, events: list[Event]) -> History:
    """The history as it was after ``steps`` steps."""
    length = dict.fromkeys(PER_STEP, steps) | dict.fromkeys(PER_EPOCH, epochs) | dict.fromkeys(PER_MARK, 0)
    arrays = {name: array[: length[name]] for name, array in history.arrays().items()}
    return History.restore(history.config, arrays, events)


def test_a_run_on_its_way_is_still_learning_until_it_has_learned_or_diverged() -> None:
    stuck, learned, diverged = (preset(rule)[0] for rule in (ClipByNorm(512.0), ClipByNorm(1.0), NoClip()))
    assert cut(stuck, 160, 10, []).verdict == "still learning"
    assert cut(learned, 5, 0, []).verdict == "still learning"
    assert cut(learned, 1584, 99, []).verdict == "learned"
    assert cut(diverged, 15, 0, diverged.events).verdict == "diverged"


def test_a_norm_that_overflows_is_no_divergence_while_the_weights_are_finite() -> None:
    # Clipping by value survives it; the first epoch's losses decide.
    overflow = [Event("norm", 3, "")]
    assert cut(preset(ClipByValue(5.0))[0], 10, 0, overflow).verdict == "still learning"
    assert cut(preset(ClipByValue(5.0))[0], 1600, 100, overflow).verdict == "learned"


@cache
def lost_by_loss() -> list[History]:
    """Runs whose weights stay finite and whose loss does not."""
    rules = ["AutoClip(10.0)", "AutoClip(50.0)"]
    return gclip.run([RunConfig(clipper=rule, learning_rate=10, epochs=4) for rule in rules])


def test_a_run_is_lost_at_its_first_broken_weight() -> None:
    for history in preset(NoClip()):
        assert history.lost_at == history.diverged_at is not None
    for history in (*preset(ClipByNorm(1.0)), *preset(ClipByNorm(512.0))):
        assert history.lost_at is None


def test_a_run_whose_loss_is_infinite_is_lost_at_the_first_sign_of_it() -> None:
    for history in lost_by_loss():
        assert (history.diverged_at, history.verdict) == (None, "diverged")
        assert not np.isfinite(history.test_loss[-1])
        assert history.lost_at == history.post_mortem[0].step
        first = np.flatnonzero(~np.isfinite(history.total_norm) | ~np.isfinite(history.loss))[0]
        assert history.lost_at == first


def test_a_run_that_only_its_test_loss_gives_away_is_lost_when_that_is_first_seen() -> None:
    history = short(ClipByNorm(1.0))
    test_loss = np.array([1, np.inf, np.inf], np.float32)
    silent = History.restore(history.config, history.arrays() | {"test_loss": test_loss}, [])
    assert (silent.lost_at, silent.verdict) == (2 * history.config.steps_per_epoch - 1, "diverged")


def test_a_run_that_was_infinite_and_came_back_is_not_lost() -> None:
    history = short(ClipByNorm(1.0))
    arrays = history.arrays() | {"test_loss": np.array([np.inf, 1, 1], np.float32)}
    back = History.restore(history.config, arrays, [Event("norm", 1, ""), Event("loss", 2, "")])
    assert (back.lost_at, back.verdict) == (None, "learned")


def test_a_run_is_lost_where_its_verdict_says_so() -> None:
    runs = [*preset(NoClip()), *preset(ClipByNorm(0.1)), *preset(ClipByNorm(512.0)), *lost_by_loss()]
    for history in runs:
        brief = gclip.Summary.of(history)
        assert (history.verdict == "diverged") == history.lost == brief.lost == (history.lost_at is not None)
        assert brief.verdict == history.verdict


# ---- post-mortem


def test_the_post_mortem_is_in_order_and_tells_the_first_of_each_kind() -> None:
    for history in preset(NoClip()):
        kinds = {event.kind: event for event in history.post_mortem}
        steps = [event.step for event in history.post_mortem]
        assert len(kinds) == len(steps) == 4
        assert steps == sorted(steps)
        firsts = {"loss": history.loss, "norm": history.total_norm}
        for kind, array in firsts.items():
            assert kinds[kind].step == np.flatnonzero(~np.isfinite(array))[0]
        assert kinds["weight"].step == history.diverged_at
        # A norm overflows before its elements do, and only a gradient that is not finite spoils a weight at once.
        assert kinds["norm"].step <= kinds["gradient"].step
        assert kinds["weight"].tensor in history.tensors
        assert kinds["gradient"].tensor in history.tensors
        assert kinds["loss"].tensor == kinds["norm"].tensor == ""


def test_events_are_counted_from_the_first_step_of_the_run() -> None:
    # Two hundred lanes make the stretches so short that these runs, which diverge at 18 to 35, do so in a later one.
    configs = [RunConfig(learning_rate=3e-3, epochs=4, init_seed=s, batch_seed=s) for s in SEEDS]
    filling = [RunConfig(clipper=ClipByNorm(1.0), epochs=4, init_seed=s) for s in range(200)]
    assert next(gclip.train([*configs, *filling])).steps.stop < 15
    for history in gclip.run([*configs, *filling])[: len(configs)]:
        losses = next(event for event in history.post_mortem if event.kind == "loss")
        assert losses.step == np.flatnonzero(~np.isfinite(history.loss))[0]
        assert history.diverged_at is not None
        assert 15 <= history.diverged_at <= losses.step + 1


def test_within_one_step_events_are_in_the_order_in_which_a_step_makes_them() -> None:
    history = History(RunConfig())
    made = [Event("norm", 3, ""), Event("loss", 4, ""), Event("gradient", 4, "w"), Event("weight", 4, "w")]
    history.append({}, made[::-1])
    assert history.post_mortem == made


def test_real_events_of_one_step_are_in_the_order_in_which_a_step_makes_them() -> None:
    order = ["loss", "gradient", "norm", "weight"]
    # At this rate the weights overflow in the first steps, several kinds in one.
    for history in gclip.run([RunConfig(learning_rate=1000, epochs=1, init_seed=s) for s in SEEDS]):
        found = [(event.step, order.index(event.kind)) for event in history.post_mortem]
        assert len({step for step, _ in found}) < len(found)
        assert found == sorted(found)


def test_the_last_finite_norms_are_those_before_the_first_that_was_not() -> None:
    history = preset(NoClip())[0]
    bad = np.flatnonzero(~np.isfinite(history.total_norm))[0]
    norms = history.last_finite_norms
    assert np.isfinite(norms).all()
    np.testing.assert_array_equal(norms, history.total_norm[max(0, bad - 8) : bad])
    assert norms[-1] > 1e6
    learned = preset(ClipByNorm(1.0))[0]
    np.testing.assert_array_equal(learned.last_finite_norms, learned.total_norm[-8:])


# ---- there and back


def test_a_restored_history_is_the_same() -> None:
    for history in (preset(NoClip())[0], short(ClipByValue(5.0)), cut(short(NoClip()), 5, 1, [])):
        again = History.restore(history.config, history.arrays(), history.events)
        assert differing(again, history) == []
        assert (again.steps_done, again.done, again.verdict) == (history.steps_done, history.done, history.verdict)


SPOIL: dict[str, Callable[[dict[str, np.ndarray]], Any]] = {
    "missing": lambda arrays: arrays.pop("cosine"),
    "too long": lambda arrays: arrays.update(loss=np.zeros(13, np.float32)),
    "another shape": lambda arrays: arrays.update(layer_norm=np.zeros((12, 3), np.float32)),
    "no rows": lambda arrays: arrays.update(histogram=np.zeros((12, 4), np.int32)),
    "another type": lambda arrays: arrays.update(loss=np.zeros(12, np.float64)),
    "counts as floats": lambda arrays: arrays.update(mark_step=np.zeros(12, np.float32)),
}


@pytest.mark.parametrize("how", SPOIL)
def test_wrong_arrays_are_refused_by_name(how: str) -> None:
    arrays = dict(short(NoClip()).arrays())
    before = dict(arrays)
    SPOIL[how](arrays)
    (name,) = [n for n in before if arrays.get(n) is not before[n]]
    with pytest.raises(ValueError, match=f"History: {name} is not"):
        History.restore(short(NoClip()).config, arrays, [])


def test_arrays_of_another_run_are_refused() -> None:
    with pytest.raises(ValueError, match="History: "):
        History.restore(RunConfig(hidden_layers=2, **SHORT), short(NoClip()).arrays(), [])
