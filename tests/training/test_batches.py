"""Which rows each lane sees, and that lanes which share them share one block."""

from __future__ import annotations

from itertools import product
from math import gcd

import hypothesis.strategies as some
import pytest
import torch
from hypothesis import given

from gclip import RunConfig
from gclip.training import batches as batches_module
from gclip.training.batches import Batches, block_size
from gclip.training.problems import Data, make_data
from gclip.training.tasks import MAX_ELEMENTS, MAX_LANES, most_lanes


def configs(seeds: list[int], **settings: object) -> list[RunConfig]:
    return [RunConfig(n_samples=70, batch_size=8, batch_seed=seed, **settings) for seed in seeds]  # type: ignore[arg-type]


@pytest.mark.parametrize("at_once", [batches_module.AT_ONCE, 0], ids=["all at once", "by batch"])
@pytest.mark.parametrize(
    ("seeds", "blocks"), [([0], 1), ([0] * 6, 1), ([0, 0, 1, 1], 2), ([0, 0, 1, 1, 1, 1], 3), ([0, 1, 0, 1], 4)]
)
def test_a_block_sees_what_its_lanes_would_see_alone(
    monkeypatch: pytest.MonkeyPatch, seeds: list[int], blocks: int, at_once: int
) -> None:
    monkeypatch.setattr(batches_module, "AT_ONCE", at_once)
    together, alone = Batches(configs(seeds)), [Batches([config]) for config in configs(seeds)]
    for _ in range(2):
        for (x, y), *ones in zip(together.epoch(), *[batches.epoch() for batches in alone], strict=True):
            assert len(x) == blocks
            assert torch.equal(x.repeat_interleave(len(seeds) // blocks, 0), torch.cat([one for one, _ in ones]))
            assert torch.equal(y, torch.cat([one for _, one in ones]))


def test_lanes_whose_targets_differ_still_share_inputs() -> None:
    mixed = [RunConfig(standardize_target=scaled) for scaled in (False, True, False)]
    x, y = next(Batches(mixed).epoch())
    assert len(x) == 1
    assert torch.equal(y[0], y[2])
    assert y[1].std() < y[0].std() / 50


@pytest.mark.parametrize("changed", ["data_seed", "noise", "n_informative", "standardize_inputs"])
def test_lanes_whose_inputs_differ_share_no_block(changed: str) -> None:
    # Noise leaves the inputs as they are; they are told apart all the same, as the data are drawn together.
    other = RunConfig(
        **{changed: {"data_seed": 2, "noise": 5.0, "n_informative": 3, "standardize_inputs": True}[changed]}
    )
    x, _ = next(Batches([RunConfig(), other]).epoch())
    assert len(x) == 2
    assert {tuple(row) for row in x[1].tolist()} <= {tuple(row) for row in make_data(other).x_train.tolist()}


@given(some.lists(some.integers(0, 2), min_size=1, max_size=24))
def test_blocks_are_as_large_as_can_be(seen: list[int]) -> None:
    size = block_size(seen)

    def fits(n: int) -> bool:
        return len(seen) % n == 0 and all(len(set(seen[i : i + n])) == 1 for i in range(0, len(seen), n))

    # Neighbouring stretches that differ bound it: every stretch is a whole number of blocks.
    assert fits(size)
    edges = [i for i in range(1, len(seen)) if seen[i] != seen[i - 1]]
    assert size == gcd(len(seen), *edges)


def test_halves_are_the_lanes_own_data() -> None:
    runs = [RunConfig(data_seed=seed, standardize_target=scaled) for seed, scaled in product((1, 2), (False, True))]
    (x, y), (x_test, y_test) = Batches(runs).halves(slice(1, 3))
    for lane, config in enumerate(runs[1:3]):
        data = make_data(config)
        assert torch.equal(x[lane], data.x_train)
        assert torch.equal(y[lane], data.y_train)
        assert torch.equal(x_test[lane], data.x_test)
        assert torch.equal(y_test[lane], data.y_test)


def test_a_stack_is_no_larger_than_its_data_allow() -> None:
    assert most_lanes(RunConfig()) == MAX_LANES
    large = RunConfig(n_samples=10_000, n_features=200, hidden_units=1)
    assert most_lanes(large) * large.n_samples * large.n_features <= MAX_ELEMENTS
    assert most_lanes(large) > 32


def test_data_are_made_once_for_each_data_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def make(config: RunConfig) -> Data:
        made.append(config.data_seed)
        return make_data(config)

    monkeypatch.setattr(batches_module, "make_data", make)
    Batches([RunConfig(data_seed=seed, n_samples=40) for seed in range(20) for _ in range(2)])
    assert sorted(made) == sorted([*range(20)] * 2)  # Once for the inputs, once for the targets.
