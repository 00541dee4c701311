"""The recurrent problems: what the network is shown, what it should answer, and how the answer is scored."""

from __future__ import annotations

import codecs
import contextlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Generator, Tensor
from torch.nn import functional

Drawn = tuple[Tensor, Tensor]
"""Inputs ``[rows, time, inputs]`` and targets ``[rows, answers]``: one answer at every time step, or one at the end."""

TEST_SEED = 2**31
"""The same sequences test every run; no batch seed reaches this one."""


def sine(rows: int, length: int, generator: Generator) -> Drawn:
    """Draw noisy sines of 0.05 to 0.15 turns a time step and any phase; the target is the next value, without noise."""
    frequency = 0.05 + 0.1 * torch.rand(rows, 1, generator=generator)
    phase = torch.rand(rows, 1, generator=generator)
    clean = torch.sin(2 * math.pi * (frequency * torch.arange(length + 1) + phase))
    noise = 0.1 * torch.randn(rows, length, generator=generator)
    return (clean[:, :-1] + noise).unsqueeze(-1), clean[:, 1:]


def uniform_sum(rows: int, length: int, generator: Generator) -> Drawn:
    """Draw numbers between 0 and 1; the target, asked for at the end alone, is their sum."""
    x = torch.rand(rows, length, 1, generator=generator)
    return x, x.sum(1)


def characters(rows: int, length: int, generator: Generator) -> Drawn:
    """Draw pieces of the Zen of Python, one-hot; the target is the next character's number."""
    ids = text_ids()
    starts = torch.randint(len(ids) - length, (rows, 1), generator=generator)
    return _pieces(ids[starts + torch.arange(length + 1)])


def whole_text(rows: int, length: int, generator: Generator) -> Drawn:
    """Return the whole text, piece after piece; what does not fill a piece is left out."""
    ids = text_ids()
    starts = torch.arange(0, len(ids) - length, length)[:, None]
    return _pieces(ids[starts + torch.arange(length + 1)])


def _pieces(ids: Tensor) -> Drawn:
    return functional.one_hot(ids[:, :-1], len(alphabet())).float(), ids[:, 1:]


@lru_cache(maxsize=1)
def zen() -> str:
    """Return the Zen of Python, which every Python brings along (``import this``): 856 characters."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")


@lru_cache(maxsize=1)
def alphabet() -> str:
    """Return the text's distinct characters, sorted; a character's number is its place here."""
    return "".join(sorted(set(zen())))


@lru_cache(maxsize=1)
def text_ids() -> Tensor:
    """Return the text as numbers ``[characters]``."""
    return torch.tensor([alphabet().index(character) for character in zen()])


def squared_error(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of ``(prediction - target)^2`` and its derivative, ``[rows, answers, 1]``."""
    error = prediction - target.unsqueeze(-1)
    return error.square().mean(), error * (2 / error.numel())


def cross_entropy(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of ``-log softmax(prediction)[target]`` in nats and its derivative, shaped as ``prediction``."""
    log_p = prediction.log_softmax(-1)
    index = target.unsqueeze(-1)
    slope = prediction.softmax(-1).scatter_add(-1, index, torch.full(index.shape, -1.0))
    return -log_p.gather(-1, index).mean(), slope / target.numel()


@dataclass(frozen=True)
class SequenceProblem:
    """A recurrent problem; ``every_step`` says whether every time step has a target, or only the last one."""

    draw: Callable[[int, int, Generator], Drawn]
    test: Callable[[int, int, Generator], Drawn]
    score: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    every_step: bool
    test_rows: int


PROBLEMS = {
    "sine": SequenceProblem(sine, sine, squared_error, every_step=True, test_rows=64),
    "characters": SequenceProblem(characters, whole_text, cross_entropy, every_step=True, test_rows=0),
    "sum": SequenceProblem(uniform_sum, uniform_sum, squared_error, every_step=False, test_rows=256),
}


@lru_cache(maxsize=32)
def test_set(problem: str, length: int) -> Drawn:
    """Return the sequences on which every run of this problem and length is tested."""
    chosen = PROBLEMS[problem]
    return chosen.test(chosen.test_rows, length, Generator().manual_seed(TEST_SEED))


@lru_cache(maxsize=32)
def baseline(problem: str, length: int) -> float:
    """Return the test loss of the best constant answer: the targets' variance, or the entropy of the characters."""
    target = test_set(problem, length)[1]
    if problem != "characters":
        return float(target.var(unbiased=False))
    shares = target.flatten().bincount(minlength=len(alphabet())) / target.numel()
    return float(-(shares * shares.clamp(min=1e-12).log()).sum())
