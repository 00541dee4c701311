"""What the tests of gclip.dashboard share: comparisons to draw from, real runs, and stages of a run."""

from __future__ import annotations

from typing import Any, Literal

import hypothesis.strategies as some

from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, Clipper, NoClip
from gclip.dashboard.settings import Comparison, Entry
from gclip.serving import Snapshot
from gclip.training import History, RunConfig

INF = float("inf")

RULES: dict[str, Clipper] = {
    "unclipped": NoClip(),
    "norm 1": ClipByNorm(1.0),
    "value 5": ClipByValue(5.0),
    "norm 512": ClipByNorm(512.0),
    "norm .1": ClipByNorm(0.1),
    "norm 400": ClipByNorm(400.0),
    "both": Chain(ClipByNorm(1.0), ClipByValue(0.1)),
}
"""The tutorial's runs and others that end in each verdict."""

thresholds = some.floats(min_value=1e-6, max_value=1e6)
single_rules = some.one_of(
    some.just(NoClip()),
    some.builds(ClipByNorm, thresholds, some.sampled_from([1.0, 2.0, 2.5, INF])),
    some.builds(ClipByTensorNorm, thresholds),
    some.builds(ClipByValue, thresholds),
)
clipping_rules = single_rules.filter(lambda rule: not isinstance(rule, NoClip))
rules = some.one_of(single_rules, some.builds(Chain, single_rules, clipping_rules))
entries = some.builds(
    Entry,
    clipper=rules,
    learning_rate=some.none() | some.floats(min_value=1e-9, max_value=1000),
    standardize_target=some.none() | some.booleans(),
)
seeds = some.integers(0, 2**31 - 1 - 20)
shared_settings = some.fixed_dictionaries(
    {},
    optional={
        "learning_rate": some.floats(min_value=1e-9, max_value=1000),
        "momentum": some.floats(min_value=0, max_value=0.999),
        "optimizer": some.sampled_from(["SGD", "Adam", "RMSprop"]),
        "loss": some.sampled_from(["MSE", "MAE", "Huber"]),
        "epochs": some.integers(1, 20),
        "batch_size": some.integers(16, 1000),
        "hidden_units": some.integers(1, 64),
        "hidden_layers": some.integers(1, 4),
        "standardize_target": some.booleans(),
        "standardize_inputs": some.booleans(),
        "n_samples": some.integers(20, 10_000),
        "n_features": some.integers(1, 200),
        "n_informative": some.integers(1, 200),
        "noise": some.floats(min_value=0, max_value=1000),
        "data_seed": seeds,
        "init_seed": seeds,
        "batch_seed": seeds,
    },
)
comparisons = some.builds(
    Comparison,
    shared=shared_settings.map(RunConfig.model_validate),
    entries=some.lists(entries, min_size=1, max_size=6).map(tuple),
    seeds=some.sampled_from([1, 5, 20]),
)


def until_step(history: History, steps: int) -> History:
    """Return ``history`` as it was after ``steps`` steps."""
    epochs = steps // history.config.steps_per_epoch
    marks = int((history.mark_step < steps).sum())
    ends = {"train_loss": epochs, "test_loss": epochs, "dead_units": epochs, "mark_step": marks, "histogram": marks}
    arrays = {name: array[: ends.get(name, steps)] for name, array in history.arrays().items()}
    return History.restore(history.config, arrays, [event for event in history.events if event.step < steps])


def altered(history: History, **arrays: Any) -> History:
    """Return ``history`` with some arrays replaced."""
    return History.restore(history.config, history.arrays() | arrays, history.events)


def snapshot(
    history: History,
    state: Literal["waiting", "training", "done", "failed", "stopped"] = "done",
    place: int | None = None,
    message: str = "",
) -> Snapshot:
    return Snapshot(history.config.key, history.config, state, place, message, history)
