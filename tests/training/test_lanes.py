"""A run's numbers do not depend on which other runs were trained in the same batch: bit for bit, in every array."""

from __future__ import annotations

import random
from typing import Any

import pytest
from training_examples import RULES, differing

import gclip
from gclip import History, RunConfig
from gclip.clipping import Chain, ClipByNorm, ClipByValue, NoClip

SIZES: list[dict[str, Any]] = [
    {},
    {"hidden_units": 1},
    {"hidden_units": 1, "hidden_layers": 3, "n_features": 37},
    {"n_features": 1},
    {"n_features": 1, "hidden_units": 1, "batch_size": 1},
    {"n_features": 10},
    {"n_features": 37, "hidden_units": 5, "batch_size": 3},
    {"n_features": 37, "hidden_units": 9, "hidden_layers": 3, "batch_size": 2},
    {"hidden_units": 33, "hidden_layers": 5, "batch_size": 8},
    {"hidden_units": 64, "hidden_layers": 2, "batch_size": 11},
    {"hidden_units": 25, "hidden_layers": 8, "batch_size": 64},
    {"optimizer": "Adam", "loss": "MAE", "n_features": 3, "hidden_units": 17},
    {"optimizer": "RMSprop", "loss": "Huber", "n_features": 10, "hidden_units": 2, "hidden_layers": 2},
]
"""Shapes at which a matrix product is known to take other paths: one column, one row, rows that no vector fits.

With 132 samples, 66 of them trained on, batches of 1, 5, 13 and 65 rows end each epoch with a single row or a few.
"""


def lanes(count: int, seed: int = 0, **size: Any) -> list[RunConfig]:
    """Return ``count`` runs that share a batch and differ in all that they may differ in."""
    pick = random.Random(seed)
    return [
        RunConfig(
            n_samples=132,
            epochs=2,
            clipper=pick.choice(RULES),
            learning_rate=pick.choice([1e-3, 1e-2, 0.1]),
            momentum=pick.choice([0.0, 0.5, 0.9]),
            init_seed=pick.randrange(4),
            batch_seed=pick.randrange(2),
            standardize_target=pick.random() < 0.3,
            standardize_inputs=pick.random() < 0.3,
            data_seed=pick.choice([1, 2]),
            **size,
        )
        for _ in range(count)
    ]


def assert_alone_as_together(configs: list[RunConfig], together: list[History], sample: int = 4) -> None:
    for i in random.Random(1).sample(range(len(configs)), min(sample, len(configs))):
        assert differing(gclip.run([configs[i]])[0], together[i]) == [], configs[i]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_together_as_alone_for_every_shape(size: dict[str, Any]) -> None:
    configs = lanes(7, **size)
    assert_alone_as_together(configs, gclip.run(configs))


@pytest.mark.parametrize("batch_size", [1, 5, 13, 32, 65])
def test_together_as_alone_for_every_batch_size(batch_size: int) -> None:
    configs = lanes(5, seed=1, batch_size=batch_size)
    assert_alone_as_together(configs, gclip.run(configs))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_together_as_alone_for_any_number_of_lanes(count: int) -> None:
    configs = lanes(count, seed=2, hidden_layers=2, hidden_units=9, n_features=10)
    assert_alone_as_together(configs, gclip.run(configs), sample=8)


def test_together_as_alone_where_all_lanes_share_their_rows() -> None:
    # Then one batch is drawn for all, another path than gathering each lane's own rows.
    rules = [*RULES, Chain(ClipByNorm(1.0), ClipByValue(0.5))]
    configs = [RunConfig(epochs=3, n_features=10, init_seed=i, clipper=rule) for i, rule in enumerate(rules)]
    assert_alone_as_together(configs, gclip.run(configs), sample=len(configs))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_together_as_alone_in_a_sweep(size: dict[str, Any]) -> None:
    # Many lanes that share a batch go through the first layer as one matrix product.
    rules = [ClipByNorm(10 ** (i / 7 - 1)) for i in range(35)]
    configs = [
        RunConfig(n_samples=132, epochs=2, clipper=rule, init_seed=seed, batch_seed=seed, **size)
        for rule in rules
        for seed in range(2)
    ]
    assert_alone_as_together(configs, gclip.run(configs), sample=6)


def test_together_as_alone_over_many_steps() -> None:
    # Stretches of steps then end elsewhere for many lanes than for one.
    configs = [RunConfig(clipper=ClipByNorm(1.0), init_seed=i, n_features=10) for i in range(20)]
    assert_alone_as_together(configs, gclip.run(configs), sample=2)


def test_the_order_of_the_runs_does_not_matter() -> None:
    configs = lanes(12, seed=3, hidden_units=9, n_features=37)
    order = random.Random(0).sample(range(12), 12)
    straight, shuffled = gclip.run(configs), gclip.run([configs[i] for i in order])
    assert [differing(straight[i], history) for i, history in zip(order, shuffled, strict=True)] == [[]] * 12


def test_a_lane_that_explodes_stays_in_its_lane() -> None:
    calm = RunConfig(epochs=2, clipper=ClipByNorm(1.0))
    beside_bombs = gclip.run([RunConfig(epochs=2), calm, RunConfig(epochs=2, learning_rate=1000, clipper=NoClip())])
    assert beside_bombs[0].verdict == "diverged"
    assert differing(beside_bombs[1], gclip.run([calm])[0]) == []
