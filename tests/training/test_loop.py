"""A run against the same training written in plain PyTorch, and the generator that yields it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import torch
from training_examples import RULES, SHORT, differing, plain_run

import gclip
from gclip import Chunk, History, RunConfig
from gclip.clipping import ClipByNorm, ClipByValue, NoClip
from gclip.training import one_thread
from gclip.training.loop import flushes_denormal

RTOL = 2e-4
"""Relative: the two round differently, and twelve steps through ReLUs carry that on. A wrong rule is off by more."""

CALM: dict[str, Any] = {**SHORT, "learning_rate": 1e-3}


def assert_as_plain(config: RunConfig) -> None:
    history, plain = gclip.run([config])[0], plain_run(config)
    for name, want in plain.items():
        np.testing.assert_allclose(getattr(history, name), want, rtol=RTOL, err_msg=name)


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_every_rule_trains_as_in_plain_pytorch(rule: Any) -> None:
    assert_as_plain(RunConfig(clipper=rule, **CALM))


@pytest.mark.parametrize("loss", ["MSE", "MAE", "Huber"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop"])
def test_every_loss_and_optimizer_trains_as_in_plain_pytorch(loss: str, optimizer: str) -> None:
    assert_as_plain(RunConfig(clipper=ClipByNorm(1.0), loss=loss, optimizer=optimizer, **CALM))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        {"hidden_layers": 3, "hidden_units": 8},
        {"hidden_units": 1},
        {"n_features": 1},
        {"batch_size": 33},
        {"batch_size": 100},
        {"batch_size": 1000},
        {"momentum": 0.0},
        {"standardize_target": True, "standardize_inputs": True},
        {"init_seed": 5, "batch_seed": 6, "data_seed": 7, "noise": 3.0, "n_informative": 4},
    ],
    ids=str,
)
def test_every_setting_trains_as_in_plain_pytorch(other: dict[str, Any]) -> None:
    assert_as_plain(RunConfig(clipper=ClipByNorm(10.0), **{**CALM, **other}))


def test_an_explosion_comes_at_the_step_at_which_it_comes_in_plain_pytorch() -> None:
    history, plain = gclip.run([RunConfig(epochs=1)])[0], plain_run(RunConfig(epochs=1))
    np.testing.assert_array_equal(np.isfinite(history.loss), np.isfinite(plain["loss"]))
    finite = np.isfinite(plain["loss"])
    np.testing.assert_allclose(history.loss[finite], plain["loss"][finite], rtol=RTOL)


def test_weights_are_carried_from_one_stretch_of_steps_to_the_next() -> None:
    # 240 steps: several chunks, where the other tests of this file need one.
    config = RunConfig(clipper=ClipByNorm(1.0), n_samples=200, epochs=60, learning_rate=1e-3)
    assert len(list(gclip.train([config]))) > 3
    assert_as_plain(config)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_epochs_longer_than_a_stretch_of_steps_are_trained(batch_size: int) -> None:
    # Chunks then end inside an epoch, with no epoch's losses to report.
    history = gclip.run([RunConfig(epochs=2, batch_size=batch_size, clipper=ClipByNorm(1.0))])[0]
    assert history.done
    assert len(history.test_loss) == 2


def test_twice_the_same_configs_give_twice_the_same_bits() -> None:
    configs = [RunConfig(**SHORT), RunConfig(**SHORT, clipper=ClipByNorm(1.0))]
    assert [differing(a, b) for a, b in zip(gclip.run(configs), gclip.run(configs), strict=True)] == [[], []]


def test_training_leaves_the_global_random_state_and_the_threads_alone() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)  # these tests have one, which is what training uses: it would not show
    try:
        gclip.run([RunConfig(**SHORT)])
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


# ---- the generator

MIXED = [
    RunConfig(**SHORT),
    RunConfig(**SHORT, hidden_units=3),
    RunConfig(**SHORT, clipper=ClipByValue(1.0)),
    RunConfig(**SHORT, optimizer="Adam"),
    RunConfig(**{**SHORT, "epochs": 60}, clipper=ClipByNorm(1.0)),
    RunConfig(**SHORT, clipper=ClipByNorm(1.0)),
    RunConfig(**SHORT),
]
"""Four kinds that cannot share a batch, two equal configs, and one run that is longer than a stretch."""


def test_chunks_put_together_are_the_run() -> None:
    by_hand = [History(config) for config in MIXED]
    next_step: dict[int, int] = defaultdict(int)
    for chunk in gclip.train(MIXED):
        for lane, i in enumerate(chunk.runs):
            assert chunk.steps.start == next_step[i]
            next_step[i] = chunk.steps.stop
            by_hand[i].append(chunk.of_lane(lane), chunk.events.get(lane, []))
    assert all(history.done for history in by_hand)
    assert [differing(a, b) for a, b in zip(by_hand, gclip.run(MIXED), strict=True)] == [[]] * len(MIXED)


def test_histories_come_in_the_order_of_the_configs() -> None:
    histories = gclip.run(MIXED)
    assert [history.config for history in histories] == MIXED
    assert [differing(a, gclip.run([a.config])[0]) for a in histories] == [[]] * len(MIXED)


def test_batches_that_cannot_be_shared_take_turns() -> None:
    long = [RunConfig(epochs=40, clipper=ClipByNorm(1.0)), RunConfig(epochs=40, hidden_units=5)]
    turns = [tuple(chunk.runs) for chunk in gclip.train(long)]
    assert turns[:4] == [(0,), (1,), (0,), (1,)]


def test_a_chunk_keeps_its_numbers_while_training_goes_on() -> None:
    # A chunk handed out must not be a view of the tape, which the next steps write over.
    chunks: list[Chunk] = []
    copies = []
    for chunk in gclip.train([RunConfig(epochs=12, clipper=NoClip(), learning_rate=1e-3)]):
        chunks.append(chunk)
        copies.append({name: array.copy() for name, array in chunk.arrays.items()})
    assert len(chunks) > 2
    for chunk, copy in zip(chunks, copies, strict=True):
        for name, array in chunk.arrays.items():
            np.testing.assert_array_equal(array, copy[name], err_msg=name)


def test_no_configs_give_no_histories() -> None:
    assert gclip.run([]) == []


def test_what_was_told_about_denormal_numbers_outside_holds_again_after_training_inside() -> None:
    with one_thread():
        gclip.run([RunConfig(epochs=1, n_samples=40)])
        assert flushes_denormal()
