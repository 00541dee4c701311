"""What the tests of gclip.dashboard share: comparisons to draw from, real runs, and stages of a run."""

from __future__ import annotations

from typing import Any, Literal

import hypothesis.strategies as some

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    Clipper,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
)
from gclip.dashboard.benches import COMPARE, LSTM
from gclip.dashboard.settings import Bench, Comparison, Entry
from gclip.serving import Snapshot
from gclip.training import History, RecurrentConfig, RunConfig

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

BENCHES: dict[str, Bench] = {"compare": COMPARE, "lstm": LSTM}

thresholds = some.floats(min_value=1e-6, max_value=1e6)
shares = some.floats(min_value=0.01, max_value=0.999)
whole = some.integers(1, 1000)
single_rules = some.one_of(
    some.just(NoClip()),
    some.builds(ClipByNorm, thresholds, some.sampled_from([1.0, 2.0, 2.5, INF])),
    some.builds(ClipByTensorNorm, thresholds),
    some.builds(ClipByValue, thresholds),
    some.builds(ClipByBlockRMS, thresholds),
    some.builds(NormalizeGradient, thresholds),
    some.builds(AdaptiveGradientClip, thresholds, thresholds),
    some.builds(AutoClip, some.floats(min_value=0.1, max_value=100), whole | some.just(INF)),
    some.builds(ZClip, thresholds, shares, whole, shares, thresholds, thresholds | some.just(INF)),
    some.builds(AdaGC, thresholds, some.floats(min_value=1.01, max_value=10), shares, whole),
)
"""Every rule that any network may be trained under."""

inside = some.builds(ClipDerivative, thresholds, thresholds)
clipping_rules = single_rules.filter(lambda rule: not isinstance(rule, NoClip))
chains = some.one_of(single_rules, some.builds(Chain, single_rules, clipping_rules))
inside_chains = some.one_of(inside, some.builds(Chain, inside, clipping_rules))
learning_rates = some.floats(min_value=1e-9, max_value=1000)


def per_layer(*layers: str) -> some.SearchStrategy[Clipper]:
    """Draw a rule with other rules for one or more of these layers."""
    named = some.dictionaries(some.sampled_from(layers), single_rules, min_size=1)
    return some.builds(lambda rest, own: PerLayer(rest, **own), chains, named)


def recurrent_entries(cell: str) -> some.SearchStrategy[Entry]:
    """Draw runs beside others of this cell."""
    own = some.none() | some.sampled_from(["LSTM", "RNN"])

    def of_cell(changed: str | None) -> some.SearchStrategy[Entry]:
        return some.builds(
            Entry,
            clipper=some.one_of(chains, inside_chains, per_layer((changed or cell).lower(), "output")),
            learning_rate=some.none() | learning_rates,
            cell=some.just(changed),
            weight_gain=some.none() | some.floats(min_value=0, max_value=16),
        )

    return own.flatmap(of_cell)


def regression_entries(*layers: str) -> some.SearchStrategy[Entry]:
    """Draw runs of a network of these layers."""
    return some.builds(
        Entry,
        clipper=some.one_of(chains, per_layer(*layers)),
        learning_rate=some.none() | learning_rates,
        standardize_target=some.none() | some.booleans(),
    )


entries = regression_entries("hidden", "output")
all_entries = some.one_of(entries, recurrent_entries("LSTM"))
seeds = some.integers(0, 2**31 - 1 - 20)
regression_settings = some.fixed_dictionaries(
    {"epochs": some.integers(1, 20)},  # always: the default of 100 would be too many steps for the smallest batches
    optional={
        "learning_rate": learning_rates,
        "momentum": some.floats(min_value=0, max_value=0.999),
        "optimizer": some.sampled_from(["SGD", "Adam", "RMSprop"]),
        "loss": some.sampled_from(["MSE", "MAE", "Huber"]),
        "batch_size": some.integers(16, 1000),
        "hidden_units": some.integers(1, 64),
        "hidden_layers": some.integers(1, 4),
        "standardize_target": some.booleans(),
        "standardize_inputs": some.booleans(),
        "n_samples": some.integers(20, 6000),
        "n_features": some.integers(1, 200),
        "n_informative": some.integers(1, 200),
        "noise": some.floats(min_value=0, max_value=1000),
        "data_seed": seeds,
        "init_seed": seeds,
        "batch_seed": seeds,
    },
).map(RunConfig.model_validate)
recurrent_settings = (
    some.fixed_dictionaries(
        {"problem": some.sampled_from(["sine", "characters", "sum"])},
        optional={
            "cell": some.sampled_from(["LSTM", "RNN"]),
            "learning_rate": learning_rates,
            "momentum": some.floats(min_value=0, max_value=0.999),
            "optimizer": some.sampled_from(["SGD", "Adam", "RMSprop"]),
            "steps": some.integers(1, 100).map(lambda n: 20 * n),
            "sequence_length": some.integers(2, 60),
            "batch_size": some.integers(1, 64),
            "hidden_units": some.integers(1, 64),
            "weight_gain": some.floats(min_value=0, max_value=16),
            "bad_scale": some.floats(min_value=0, max_value=1e6),
            "bad_step": some.integers(0, 4000),
            "init_seed": seeds,
            "batch_seed": seeds,
        },
    )
    .map(lambda values: values | ({"bad_scale": 1.0} if values["problem"] == "characters" else {}))
    .map(RecurrentConfig.model_validate)
)


def comparison_of(shared: RunConfig | RecurrentConfig) -> some.SearchStrategy[Comparison]:
    """Draw a comparison with these settings."""
    one = recurrent_entries(shared.cell) if isinstance(shared, RecurrentConfig) else regression_entries(*shared.layers)
    return some.builds(
        Comparison,
        shared=some.just(shared),
        entries=some.lists(one, min_size=1, max_size=6).map(tuple),
        seeds=some.sampled_from([1, 5, 20]),
    )


comparisons = regression_settings.flatmap(comparison_of)
recurrent_comparisons = recurrent_settings.flatmap(comparison_of)
links = some.one_of(some.tuples(comparisons, some.just(COMPARE)), some.tuples(recurrent_comparisons, some.just(LSTM)))
"""A comparison with the bench that it is on."""


RECURRENT: dict[str, dict[str, Any]] = {
    "unclipped": {"clipper": "NoClip()"},
    "norm": {"clipper": "ClipByNorm(0.5)"},
    "autoclip": {"clipper": "AutoClip(10.0)"},
    "derivative": {"clipper": "ClipDerivative(0.01, 0.1)"},
    "rnn": {"clipper": "ClipByNorm(0.5)", "cell": "RNN"},
    "broken": {"clipper": "NoClip()", "learning_rate": 1000.0, "weight_gain": 16.0, "cell": "RNN"},
}
"""Short recurrent runs beside one another: each kind of rule, both cells, and one that ends badly."""

PROBLEMS = ("sine", "characters", "sum")


def recurrent(problem: str, **settings: Any) -> RecurrentConfig:
    """Return the settings of a recurrent run that trains in no time."""
    small = {"steps": 60, "sequence_length": 12, "hidden_units": 8, "batch_size": 4, "learning_rate": 0.5}
    return RecurrentConfig.model_validate(small | {"problem": problem} | settings)


def until_step(history: History, steps: int) -> History:
    """Return ``history`` as it was after ``steps`` steps."""
    epochs = steps // history.config.steps_per_epoch
    marks = int((history.mark_step < steps).sum())
    ends: dict[str, int] = dict.fromkeys(("train_loss", "test_loss", "dead_units", "sample"), epochs)
    ends |= dict.fromkeys(("mark_step", "histogram", "flow"), marks)
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
