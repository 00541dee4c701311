"""Recurrent runs: arrays, verdicts, the bad batch, and lanes that do not know of each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
import torch
from recurrent_examples import CELLS, PROBLEMS, SMALL, Network
from training_examples import differing

import gclip
from gclip import History, RunConfig
from gclip.clipping import AutoClip, Chain, ClipByNorm, ClipDerivative, NoClip, PerLayer
from gclip.training import RecurrentConfig, recurrent, sampling, sequences
from gclip.training.history import FIRST_MARKS

STILL = 1e-30
"""A learning rate at which no weight moves: the run then shows what its initial network does."""


def small(**fields: Any) -> RecurrentConfig:
    return RecurrentConfig(**{**SMALL, **fields})


# ---- arrays


def test_a_layers_name_follows_the_cell() -> None:
    rule = PerLayer(ClipByNorm(1.0), rnn=ClipByNorm(0.1))
    history = gclip.run([small(cell="RNN", clipper=rule)])[0]
    assert history.done
    assert history.tensors[0] == "rnn.weight_ih"


@pytest.mark.parametrize(("problem", "sample"), [("sine", 9), ("characters", 60), ("sum", 40)])
@pytest.mark.parametrize("cell", CELLS)
def test_arrays_have_the_length_and_type_that_series_says(cell: Any, problem: Any, sample: int) -> None:
    config = small(problem=problem, cell=cell, clipper=ClipByNorm(1.0))
    history = gclip.run([config])[0]
    assert set(history.arrays()) == set(History.series(config))
    for name, (n, shape, kind) in History.series(config).items():
        array = getattr(history, name)
        assert (array.shape, array.dtype) == ((n, *shape), kind), name
    assert history.steps_done == len(history.loss) == 40
    assert history.test_loss.shape == (2,)
    assert history.sample.shape == (2, sample)
    assert history.flow.shape == (len(history.mark_step), config.sequence_length + 1)
    assert history.mark_step.tolist() == [*range(FIRST_MARKS), 39]
    assert history.layer_norm.shape[1] == len(history.tensors) == 6


def test_marks_are_the_first_steps_and_every_twentieth() -> None:
    history = gclip.run([small(steps=100)])[0]
    assert history.mark_step.tolist() == [*range(20), 39, 59, 79, 99]


def test_a_regression_has_neither_flow_nor_sample() -> None:
    assert not {"flow", "sample"} & set(History.series(RunConfig()))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_flow_at_a_mark_is_that_of_its_step_and_its_batch(problem: Any) -> None:
    # The weights stand still, so every mark's flow is the initial network's on that step's batch.
    config = small(problem=problem, learning_rate=STILL, bad_step=3, bad_scale=1.0 if problem == "characters" else 9.0)
    chosen, generator = sequences.PROBLEMS[problem], torch.Generator().manual_seed(config.batch_seed)
    params, history = list(recurrent.initialise(config).values()), gclip.run([config])[0]
    for step in range(config.steps):
        x, y = chosen.draw(config.batch_size, config.sequence_length, generator)
        y = y * config.bad_scale if step == config.bad_step and problem != "characters" else y
        if step in history.mark_step:
            want = recurrent.gradient_flow(config.cell, x, y, params, chosen.score, chosen.every_step)
            place = history.mark_step.tolist().index(step)
            np.testing.assert_allclose(history.flow[place], want.numpy(), rtol=1e-5)


@pytest.mark.parametrize("problem", ["sine", "sum"])
def test_the_sample_is_what_the_network_answers_to_the_first_test_rows(problem: Any) -> None:
    config = small(problem=problem, learning_rate=STILL)
    answer = Network(config)(sequences.test_set(problem, config.sequence_length)[0]).detach()[..., 0]
    want = answer[0] if problem == "sine" else answer[:40, 0]
    for sample in gclip.run([config])[0].sample:
        np.testing.assert_allclose(sample, want, rtol=1e-4, atol=1e-6)


def test_the_train_loss_is_the_mean_over_the_steps_since_the_last_one() -> None:
    for length in (9, 200):
        history = gclip.run([small(sequence_length=length, steps=60)])[0]
        want = history.loss.reshape(3, 20).mean(1)
        np.testing.assert_allclose(history.train_loss, want, rtol=1e-5)


def test_a_train_loss_counts_every_step_also_where_a_stretch_is_shorter_than_an_evaluation() -> None:
    # Forty lanes of 64 units fill the tape after a few steps, so that an evaluation's losses lie on several of them.
    configs = [
        small(problem="characters", hidden_units=64, sequence_length=2, batch_size=1, init_seed=s) for s in range(40)
    ]
    assert len(next(gclip.train(configs)).steps) < 20
    for history in gclip.run(configs)[:2]:
        np.testing.assert_allclose(history.train_loss, history.loss.reshape(2, 20).mean(1), rtol=1e-5)


# ---- what a network writes


def writer(cell: Any, lanes: int = 1, scale: float = 0.0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    shapes = recurrent.shapes(small(problem="characters", cell=cell))
    return {name: scale * torch.randn(lanes, *shape, generator=generator) for name, shape in shapes.items()}


@pytest.mark.parametrize("cell", CELLS)
def test_characters_are_drawn_from_the_softmax(cell: Any) -> None:
    # Only the output's bias speaks: the shares must be its softmax, and no more even or more greedy than that.
    params = writer(cell)
    bias = torch.zeros(45)
    bias[[3, 7, 11]] = torch.tensor([8.0, 9.0, 10.0])
    params["output.bias"][0] = bias
    counts = Counter(sampling.write(cell, params, 3000)[0].tolist())
    for character, share in enumerate(bias.softmax(0).tolist()):
        assert counts[character] / 3000 == pytest.approx(share, abs=4 * (share / 3000) ** 0.5 + 1e-3)


@pytest.mark.parametrize("cell", CELLS)
def test_each_character_is_the_next_input(cell: Any) -> None:
    # Logits so large that luck decides nothing: the plain network, shown what was written, must write the same.
    params = writer(cell, lanes=3, scale=1.5)
    params["output.weight"] *= 1e4
    written = sampling.write(cell, params, 40).long()
    net = Network(small(problem="characters", cell=cell))
    assert torch.equal(written[0], written[0].clamp(0, 44))
    for lane in range(3):
        with torch.no_grad():
            for mine, given in zip(net.parameters(), params.values(), strict=True):
                mine.copy_(given[lane])
            shown = torch.cat([sequences.text_ids()[:1], written[lane, :-1]])
            answer = net(torch.nn.functional.one_hot(shown, 45).float()[None])[0]
        assert torch.equal(answer.argmax(-1), written[lane])
    assert len({tuple(row.tolist()) for row in written}) == 3


def test_of_a_diverged_network_nothing_can_be_drawn() -> None:
    healthy = writer("LSTM")
    params = {name: torch.cat([p, torch.full_like(p, float("nan"))]) for name, p in healthy.items()}
    written = sampling.write("LSTM", params, 5)
    assert written[len(written) // 2 :].isnan().all()
    assert torch.equal(written[: len(written) // 2], sampling.write("LSTM", healthy, 5))


# ---- verdicts


def test_an_explosion_is_told_as_diverged_at_its_step() -> None:
    history = gclip.run([RecurrentConfig(steps=60)])[0]
    assert history.verdict == "diverged"
    assert history.diverged_at is not None
    assert 10 <= history.diverged_at <= 40
    assert not np.isfinite(history.test_loss[-1])
    assert [event.kind for event in history.post_mortem][-1] == "weight"


def test_a_network_that_learns_is_told_and_one_that_stands_still_is_stuck() -> None:
    # Five numbers are summed in three hundred steps.
    easy: dict[str, Any] = {"problem": "sum", "sequence_length": 5, "hidden_units": 16, "steps": 300}
    rates = {"learned": 0.05, "stuck": STILL}
    histories = gclip.run([RecurrentConfig(learning_rate=rate, **easy) for rate in rates.values()])
    assert [history.verdict for history in histories] == list(rates)
    assert histories[0].test_loss[-1] < 0.25 * histories[0].baseline[1]


def test_the_baseline_is_of_the_test_for_both_losses() -> None:
    history = History(small(problem="sum"))
    assert history.baseline == (sequences.baseline("sum", 9),) * 2


# ---- the bad batch


def test_the_bad_batch_strikes_at_its_step_alone() -> None:
    good, bad = gclip.run([small(learning_rate=STILL, bad_scale=s, bad_step=23) for s in (1.0, 100.0)])
    struck = np.flatnonzero(good.loss != bad.loss)
    assert struck.tolist() == [23]
    assert bad.loss[23] > 1000 * good.loss[23]
    assert np.flatnonzero(good.total_norm != bad.total_norm).tolist() == [23]


def test_the_bad_batch_strikes_its_lane_alone() -> None:
    clean = small()
    both = gclip.run([clean, small(bad_scale=100.0, bad_step=23)])
    assert differing(both[0], gclip.run([clean])[0]) == []
    assert both[0].loss[:23].tobytes() == both[1].loss[:23].tobytes()
    assert (both[0].loss[24:] != both[1].loss[24:]).any()


def test_targets_times_nothing_are_a_bad_batch_too() -> None:
    good, bad = gclip.run([small(learning_rate=STILL, bad_scale=s, bad_step=0) for s in (1.0, 0.0)])
    assert np.flatnonzero(good.loss != bad.loss).tolist() == [0]
    assert bad.loss[0] < good.loss[0]


# ---- lanes


def mixed(**fields: Any) -> list[RecurrentConfig]:
    """Return runs that share a stack and differ in all that they may differ in, every family of rules twice or so."""
    scaled: dict[str, Any] = {} if fields.get("problem") == "characters" else {"bad_scale": 30.0, "bad_step": 7}
    ways: list[dict[str, Any]] = [
        {"clipper": NoClip()},
        {"clipper": ClipDerivative(1e-3, 1e-2), "batch_seed": 1},
        {"clipper": ClipByNorm(0.1), "weight_gain": 3.0},
        {"clipper": AutoClip(50.0), "learning_rate": 0.5, "batch_seed": 1},
        {"clipper": ClipDerivative(0.1, 1e-3), "init_seed": 2, "weight_gain": 1.0},
        {"clipper": ClipByNorm(1.0), "momentum": 0.0, **scaled},
        {"clipper": Chain(ClipDerivative(1e-3, 1.0), ClipByNorm(0.01)), "init_seed": 3},
        {"clipper": NoClip(), "batch_seed": 5, "init_seed": 1, **scaled},
    ]
    return [RecurrentConfig(**{**SMALL, **fields, **way}) for way in ways]


SIZES: list[dict[str, Any]] = [
    {"hidden_units": 1, "batch_size": 1, "sequence_length": 2},
    {"hidden_units": 33, "batch_size": 3},
    {"hidden_units": 32, "sequence_length": 50, "batch_size": 16, "steps": 20},
    {"hidden_units": 64, "sequence_length": 20, "batch_size": 16, "steps": 20},
    {"optimizer": "Adam", "learning_rate": 1e-2, "batch_size": 2},
]


def assert_alone_as_together(configs: list[RecurrentConfig]) -> None:
    for together in gclip.run(configs):
        assert differing(gclip.run([together.config])[0], together) == [], together.config


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("cell", CELLS)
def test_together_as_alone_for_every_problem_and_cell(cell: Any, problem: Any) -> None:
    assert len({config.stack_key for config in mixed(cell=cell, problem=problem)}) == 1
    assert_alone_as_together(mixed(cell=cell, problem=problem))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_together_as_alone_for_every_shape(size: dict[str, Any]) -> None:
    assert_alone_as_together(mixed(**size))


def test_together_as_alone_where_stretches_are_shorter_for_many() -> None:
    seeds = [
        small(problem="characters", hidden_units=64, sequence_length=2, batch_size=1, init_seed=s) for s in range(40)
    ]
    histories = gclip.run(seeds)
    for i in (0, 17, 39):
        assert differing(gclip.run([seeds[i]])[0], histories[i]) == []


def test_the_order_of_the_runs_does_not_matter() -> None:
    configs = mixed()
    forth, back = gclip.run(configs), gclip.run(configs[::-1])[::-1]
    assert [differing(a, b) for a, b in zip(forth, back, strict=True)] == [[]] * len(configs)


@pytest.mark.parametrize("rule", [NoClip(), ClipDerivative(1e30, 1e30)], ids=repr)
def test_a_lane_that_explodes_stays_in_its_lane(rule: Any) -> None:
    calm = [small(clipper=other) for other in (ClipByNorm(1.0), ClipDerivative(0.1, 0.1))]
    bomb = small(clipper=rule, learning_rate=1000.0, bad_scale=1e6, bad_step=2)
    exploded, *others = gclip.run([bomb, *calm])
    assert exploded.verdict == "diverged"
    for config, history in zip(calm, others, strict=True):
        assert differing(history, gclip.run([config])[0]) == []


# ---- the stream


def test_chunks_come_while_it_trains_and_put_together_are_the_run() -> None:
    configs = [*mixed(steps=60), RunConfig(n_samples=200, epochs=3), small(cell="RNN")]
    by_hand = [History(config) for config in configs]
    next_step: dict[int, int] = defaultdict(int)
    for chunk in gclip.train(configs):
        for lane, i in enumerate(chunk.runs):
            assert chunk.steps.start == next_step[i]
            next_step[i] = chunk.steps.stop
            by_hand[i].append(chunk.of_lane(lane), chunk.events.get(lane, []))
    assert all(history.done for history in by_hand)
    assert [differing(a, b) for a, b in zip(by_hand, gclip.run(configs), strict=True)] == [[]] * len(configs)


def test_an_evaluation_comes_with_every_twenty_steps() -> None:
    seen = [(chunk.steps.stop, len(chunk.arrays["test_loss"])) for chunk in gclip.train([small(steps=100)])]
    assert seen == [(20, 1), (40, 1), (60, 1), (80, 1), (100, 1)]


def test_twice_the_same_configs_give_twice_the_same_bits_whatever_torchs_own_luck() -> None:
    first = gclip.run(mixed(problem="sum"))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert [differing(a, b) for a, b in zip(first, gclip.run(mixed(problem="sum")), strict=True)] == [[]] * 8
    assert torch.equal(torch.get_rng_state(), state)
