"""The recurrent problems: what is drawn, what is asked for, how it is scored, and the score to beat."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from recurrent_examples import PROBLEMS
from torch import Generator, Tensor
from torch.nn import functional as F  # noqa: N812

from gclip.training import RecurrentConfig, sequences
from gclip.training.recurrent_config import INPUTS, OUTPUTS
from gclip.training.sequences import alphabet, text_ids, zen


def draw(problem: str, rows: int, length: int, seed: int = 0) -> sequences.Drawn:
    return sequences.PROBLEMS[problem].draw(rows, length, Generator().manual_seed(seed))


# ---- what all of them are


@pytest.mark.parametrize(("rows", "length"), [(1, 2), (16, 50), (128, 200)])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_step_shows_its_inputs_and_every_answer_has_its_target(problem: str, rows: int, length: int) -> None:
    x, y = draw(problem, rows, length)
    assert (x.shape, x.dtype) == ((rows, length, INPUTS[problem]), torch.float32)
    answers = length if sequences.PROBLEMS[problem].every_step else 1
    assert y.shape == (rows, answers)
    assert y.dtype == (torch.int64 if problem == "characters" else torch.float32)
    assert x.isfinite().all()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_same_seed_draws_the_same_and_another_seed_another(problem: str) -> None:
    first, again, other = (draw(problem, 8, 20, seed) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_batch_is_fresh(problem: str) -> None:
    generator = Generator().manual_seed(0)
    one, two = (sequences.PROBLEMS[problem].draw(8, 20, generator) for _ in range(2))
    assert not any(map(torch.equal, one, two))


# ---- sine


def sines(rows: int = 2000, length: int = 50) -> tuple[Tensor, Tensor, Tensor]:
    x, y = draw("sine", rows, length)
    # Of a sampled sine, s(t-1) + s(t+1) = 2 cos(2 pi f) s(t); where s is large, f follows exactly.
    clean = y.double()
    place = clean[:, 1:-1].abs().argmax(1, keepdim=True)
    around = clean[:, :-2].gather(1, place) + clean[:, 2:].gather(1, place)
    turns = torch.arccos(around / (2 * clean[:, 1:-1].gather(1, place))) / (2 * math.pi)
    return x.squeeze(-1), y, turns.squeeze(1)


def test_sines_have_the_published_frequencies() -> None:
    _, clean, turns = sines()
    assert 0.0499 < turns.min() < 0.051
    assert 0.149 < turns.max() < 0.1501
    assert turns.mean().item() == pytest.approx(0.1, abs=0.003)
    # One frequency all along: the law of a sampled sine holds at every step, not only where it was read off.
    law = clean[:, :-2] + clean[:, 2:] - 2 * torch.cos(2 * math.pi * turns).float()[:, None] * clean[:, 1:-1]
    assert law.abs().max() < 1e-4


def test_a_sine_begins_at_any_phase_and_has_amplitude_one() -> None:
    _, clean, _ = sines()
    assert 0.999 < clean.abs().max() <= 1
    assert clean[:, 0].mean().item() == pytest.approx(0, abs=0.05)
    assert clean[:, 0].square().mean().item() == pytest.approx(0.5, abs=0.03)


def test_the_input_is_noisy_and_the_target_is_the_next_value_without_noise() -> None:
    x, clean, _ = sines()
    noise = x[:, 1:] - clean[:, :-1]
    assert noise.std().item() == pytest.approx(0.1, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=2e-3)
    # Fresh at every step: neighbours do not know of each other.
    assert (noise[:, 1:] * noise[:, :-1]).mean().item() == pytest.approx(0, abs=3e-4)
    # Normal, not uniform: 1 in 370 lies beyond three deviations.
    assert (noise.abs() > 0.3).float().mean().item() == pytest.approx(0.0027, abs=0.001)


# ---- sum


def test_numbers_are_uniform_and_their_sum_is_asked_for_at_the_end() -> None:
    x, y = draw("sum", 3000, 30)
    assert 0 <= x.min() < 1e-3
    assert 0.999 < x.max() < 1
    assert x.var().item() == pytest.approx(1 / 12, rel=0.02)
    torch.testing.assert_close(y[:, 0], x.double().sum((1, 2)).float())


# ---- characters


def test_the_text_is_the_zen_of_python() -> None:
    assert len(zen()) == len(text_ids()) == 856
    assert zen().startswith("The Zen of Python, by Tim Peters\n\nBeautiful is better than ugly.")
    assert zen().endswith("Namespaces are one honking great idea -- let's do more of those!")
    assert "".join(alphabet()[i] for i in text_ids()) == zen()
    assert len(alphabet()) == INPUTS["characters"] == OUTPUTS["characters"]


def test_reading_the_text_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    zen.__wrapped__()
    assert capsys.readouterr().out == ""


def test_pieces_are_of_the_text_and_ask_for_the_next_character() -> None:
    x, y = draw("characters", 400, 12)
    assert (x.sum(-1) == 1).all()
    read = x.argmax(-1)
    assert torch.equal(read[:, 1:], y[:, :-1])
    starts = Counter(
        zen().find("".join(alphabet()[i] for i in [*piece.tolist(), last]))
        for piece, last in zip(read, y[:, -1].tolist(), strict=True)
    )
    assert -1 not in starts
    # From anywhere in the text: 400 draws of some 840 places hit 320 different ones.
    assert len(starts) > 250
    assert min(starts) < 20
    assert max(starts) > 820


def test_the_last_character_is_asked_for_and_never_read_past() -> None:
    # The longest piece there is: all starts are 0, and the target ends with the text's last character but one.
    _, y = draw("characters", 4, 855)
    assert (y == text_ids()[1:]).all()


@pytest.mark.parametrize("length", [2, 30, 50, 200])
def test_the_test_reads_the_whole_text_once(length: int) -> None:
    x, y = sequences.test_set("characters", length)
    read = y.flatten()
    assert torch.equal(read, text_ids()[1 : len(read) + 1])
    assert torch.equal(x.argmax(-1).flatten(), text_ids()[: len(read)])
    # Less than one more piece would fit.
    assert 855 - length <= len(read) <= 855


# ---- scores

LOGITS = [1.0, 30.0, 1e4, 1e30]


@pytest.mark.parametrize("size", LOGITS)
def test_cross_entropy_and_its_slope_are_torchs(size: float) -> None:
    generator = Generator().manual_seed(0)
    prediction = (size * torch.randn(4, 6, 45, generator=generator)).requires_grad_()
    target = torch.randint(45, (4, 6), generator=generator)
    want = F.cross_entropy(prediction.flatten(0, 1), target.flatten())
    want.backward()
    kept = prediction.detach().clone()
    loss, slope = sequences.cross_entropy(prediction.detach(), target)
    torch.testing.assert_close(loss, want.detach())
    torch.testing.assert_close(slope, prediction.grad, rtol=1e-5, atol=1e-8)
    assert slope.isfinite().all()
    assert torch.equal(prediction, kept)


@pytest.mark.parametrize("size", LOGITS[:3])
@pytest.mark.parametrize("answers", [1, 6])
def test_squared_error_and_its_slope_are_torchs(size: float, answers: int) -> None:
    generator = Generator().manual_seed(0)
    prediction = (size * torch.randn(4, answers, 1, generator=generator)).requires_grad_()
    target = torch.randn(4, answers, generator=generator)
    want = F.mse_loss(prediction.squeeze(-1), target)
    want.backward()
    loss, slope = sequences.squared_error(prediction.detach(), target)
    torch.testing.assert_close(loss, want.detach())
    torch.testing.assert_close(slope, prediction.grad)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("problem", ["sine", "characters"])
def test_a_score_of_what_is_not_finite_is_torchs(problem: str, bad: float) -> None:
    width = OUTPUTS[problem]
    prediction = torch.zeros(2, 3, width).index_fill_(2, torch.tensor([0]), bad).requires_grad_()
    target = torch.ones(2, 3) if problem == "sine" else torch.ones(2, 3, dtype=torch.int64)
    flat = (prediction.flatten(0, 1), target.flatten())
    want = F.mse_loss(prediction.squeeze(-1), target) if problem == "sine" else F.cross_entropy(*flat)
    want.backward()
    loss, slope = sequences.PROBLEMS[problem].score(prediction.detach(), target)
    torch.testing.assert_close(loss, want.detach(), equal_nan=True)
    torch.testing.assert_close(slope, prediction.grad, equal_nan=True)


# ---- baselines and test sets


@pytest.mark.parametrize("length", [30, 50])
def test_baselines_are_the_published_ones(length: int) -> None:
    # A sine's variance is 1/2, that of a sum of T uniform numbers T/12; 256 test rows settle that to a tenth or two.
    assert sequences.baseline("sine", length) == pytest.approx(0.5, abs=0.02)
    assert sequences.baseline("sum", length) == pytest.approx(length / 12, rel=0.2)
    counts = Counter(zen())
    entropy = -sum(n / 856 * math.log(n / 856) for n in counts.values())
    assert sequences.baseline("characters", length) == pytest.approx(entropy, abs=0.02)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_constant_answer_scores_better_than_the_baseline(problem: str) -> None:
    chosen, (x, y) = sequences.PROBLEMS[problem], sequences.test_set(problem, 30)
    if problem == "characters":
        constant = y.flatten().bincount(minlength=OUTPUTS[problem]).clamp(min=1e-9).log()
    else:
        constant = y.mean().view(1)
    answer = constant.expand(*y.shape, -1)
    best = chosen.score(answer, y)[0].item()
    assert sequences.baseline(problem, 30) == pytest.approx(best, rel=1e-5)
    generator = Generator().manual_seed(0)
    for _ in range(5):
        other = constant + 0.1 * torch.randn(constant.shape, generator=generator)
        assert chosen.score(other.expand_as(answer), y)[0] > best
    assert len(x) == len(y)


@pytest.mark.parametrize("problem", ["sine", "sum"])
def test_no_run_trains_on_its_test(problem: Any) -> None:
    # No seed that a run may have is the test's, and the test stays the same whoever asks for it.
    refused = RecurrentConfig.model_fields["batch_seed"].metadata
    assert max(bound.le for bound in refused if hasattr(bound, "le")) < sequences.TEST_SEED
    rows = sequences.PROBLEMS[problem].test_rows
    before = [part.clone() for part in sequences.test_set(problem, 20)]
    torch.manual_seed(1)
    sequences.test_set.cache_clear()
    after = sequences.test_set(problem, 20)
    assert all(map(torch.equal, before, after))
    assert not any(torch.equal(draw(problem, rows, 20, seed)[0], after[0]) for seed in (0, 1, 2**31 - 1))


def test_test_sets_are_large_enough_to_rank_runs() -> None:
    assert len(sequences.test_set("sine", 50)[0]) == 64
    assert len(sequences.test_set("sum", 30)[0]) == 256
