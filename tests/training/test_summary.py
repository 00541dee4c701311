"""A summary says what the full history says, bit for bit, and nothing of a run depends on its neighbours in a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from training_examples import RULES

import gclip
from gclip import History, RecurrentConfig, RunConfig, Summary
from gclip.clipping import AdaptiveGradientClip, AutoClip, ClipByNorm, ClipByValue, NoClip, ZClip
from gclip.training import Config
from gclip.training.summary import PERCENTILES, evaluated_epochs, percentiles

ALL_RULES = [*RULES, AdaptiveGradientClip(0.1), AutoClip(10.0), ZClip()]


def equal(a: Summary, b: Summary) -> bool:
    """Say whether two summaries are equal to the last bit; a NaN is a NaN."""
    arrays, others = a.arrays(), b.arrays()
    same = all(np.array_equal(array, others[name], equal_nan=True) for name, array in arrays.items())
    return same and arrays.keys() == others.keys() and a.events == b.events


def grid(thresholds: int, seeds: int, **settings: Any) -> list[RunConfig]:
    return [
        RunConfig(clipper=ClipByNorm(float(t)), init_seed=s, batch_seed=s, **settings)
        for t in np.geomspace(0.1, 1000, thresholds)
        for s in range(seeds)
    ]


@pytest.mark.parametrize("epochs", [1, 2, 9, 23])
def test_a_summary_equals_what_the_history_says(epochs: int) -> None:
    configs: list[Config] = [RunConfig(clipper=rule, epochs=epochs, n_samples=200) for rule in ALL_RULES]
    for brief, full in zip(gclip.run(configs, Summary), gclip.run(configs), strict=True):
        assert equal(brief, Summary.of(full)), brief.config.clipper
        assert brief.done
        assert (brief.verdict, brief.diverged_at) == (full.verdict, full.diverged_at)


@pytest.mark.parametrize("learning_rate", [0.5, 2.0])
def test_a_recurrent_summary_equals_what_the_history_says(learning_rate: float) -> None:
    rules = [NoClip(), ClipByNorm(0.03)]
    configs = [RecurrentConfig(clipper=rule, learning_rate=learning_rate, steps=80) for rule in rules]
    for brief, full in zip(gclip.run(configs, Summary), gclip.run(configs), strict=True):
        assert equal(brief, Summary.of(full))


def test_a_run_of_many_lanes_is_summed_up_as_alone() -> None:
    # Many lanes are measured step by step, few all at once; the stretches between two readings differ, too.
    configs = grid(10, 4, epochs=12)
    together = gclip.run(configs, Summary)
    for i in (0, 5, 17, 22, 39):
        (alone,) = gclip.run([configs[i]], Summary)
        assert equal(together[i], alone)
        assert equal(alone, Summary.of(gclip.run([configs[i]])[0]))


def test_values_are_those_of_the_steps_before_the_end() -> None:
    (history,) = gclip.run([RunConfig(epochs=8, clipper=ClipByNorm(300.0))])
    summary = Summary.of(history)
    assert summary.test_loss.tolist() == history.test_loss[[e - 1 for e in evaluated_epochs(history.config)]].tolist()
    assert summary.clip_rate[-1] == pytest.approx(history.clipped.mean())
    assert summary.clip_rate[0] == pytest.approx(history.clipped[:16].mean())
    np.testing.assert_allclose(summary.percentiles[0], np.percentile(history.measured[::4], PERCENTILES), rtol=1e-6)


def test_what_is_measured_in_the_step_that_kills_a_run_does_not_count() -> None:
    # The largest element is still finite when a long step takes a weight beyond all numbers.
    config = RunConfig(
        epochs=2, learning_rate=1000, n_samples=100, hidden_layers=3, init_seed=1, clipper=ClipByValue(1e38)
    )
    (brief,), (full,) = gclip.run([config], Summary), gclip.run([config])
    assert full.diverged_at is not None
    assert np.isfinite(full.measured[full.diverged_at])
    assert equal(brief, Summary.of(full))


def test_a_diverged_run_is_judged_by_its_steps_with_finite_weights() -> None:
    history, calm = gclip.run([RunConfig(epochs=3), RunConfig(epochs=3, clipper=ClipByNorm(1.0))])
    summary = Summary.of(history)
    assert summary.diverged_at == history.diverged_at
    assert summary.diverged_at is not None
    assert [event.kind for event in summary.events] == ["weight"]
    assert summary.percentiles[0, -1] <= history.total_norm[: summary.diverged_at].max()
    assert np.isfinite(summary.percentiles).all()
    assert not Summary.of(calm).events


def test_a_run_that_dies_in_its_first_step_has_no_clip_rate() -> None:
    dead = RunConfig(epochs=2, learning_rate=1000, noise=1000, clipper=NoClip(), loss="MSE", hidden_units=512)
    (history,) = gclip.run([dead])
    history.events[:] = [event._replace(step=0) for event in history.events]
    assert np.isnan(Summary.of(history).clip_rate).all()
    assert np.isnan(Summary.of(history).percentiles).all()


@pytest.mark.parametrize("epochs", [1, 2, 3, 8, 10, 15, 100, 2000])
def test_evaluations_are_early_and_then_at_every_tenth(epochs: int) -> None:
    found = evaluated_epochs(RunConfig(epochs=epochs, n_samples=100))
    assert found == sorted(set(found))
    assert found[0] == 1
    assert found[-1] == epochs
    assert {e for e in (1, 2, 5) if e <= epochs} <= set(found)
    assert max(b - a for a, b in zip([0, *found], found, strict=False)) <= max(1, -(-epochs // 10))


def test_percentiles_leave_out_what_is_not_finite() -> None:
    measured = np.array([1.0, np.inf, 3.0, np.nan, 2.0], np.float32)
    assert percentiles(measured).tolist() == np.percentile([1, 2, 3], PERCENTILES).astype(np.float32).tolist()
    assert np.isnan(percentiles(measured[:0])).all()


def test_a_summary_is_small_and_is_known_by_its_own_key() -> None:
    config = RunConfig()
    (summary,) = gclip.run([config], Summary)
    assert summary.nbytes < 300 < History(config).nbytes / 100
    assert summary.key == Summary.key_of(config) == f"summary1-{config.key}"
    assert History(config).key == config.key


def test_the_start_of_a_longer_run_is_the_shorter_run() -> None:
    # So the best threshold for every budget comes from one sweep.
    long, short = (gclip.run([RunConfig(epochs=epochs, clipper=ClipByNorm(10.0))], Summary)[0] for epochs in (10, 5))
    at = evaluated_epochs(long.config).index(5)
    assert long.test_loss[at] == short.test_loss[-1]
    assert long.clip_rate[at] == short.clip_rate[-1]
