"""The measure of all costs: a plain PyTorch loop, as a learner writes it, and how a cost is timed and judged."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from gclip import RunConfig
from gclip.clipping import ClipByNorm
from gclip.training import mlp
from gclip.training.problems import make_data

NORM = ClipByNorm(1.0)


def plain_loop(config: RunConfig = RunConfig(clipper=NORM)) -> None:  # noqa: B008
    """The tutorial's network with ``config``'s length, batches, width and seeds, clipped by norm 1; records nothing."""
    data, shuffle = make_data(config), torch.Generator().manual_seed(config.batch_seed)
    net = nn.Sequential(nn.Linear(20, config.hidden_units), nn.ReLU(), nn.Linear(config.hidden_units, 1))
    with torch.no_grad():
        for mine, fresh in zip(net.parameters(), mlp.initialise(config).values(), strict=True):
            mine.copy_(fresh)
    optimizer, score, y = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9), nn.MSELoss(), data.y_train[:, None]
    for _ in range(config.epochs):
        for rows in torch.randperm(config.n_train, generator=shuffle).split(config.batch_size):
            optimizer.zero_grad()
            score(net(data.x_train[rows]), y[rows]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Return the seconds that ``work`` takes: of processor time, all threads together, unless ``clock`` says other."""
    start = clock()
    work()
    return clock() - start


def verdict(value: float, target: float | None, write: Callable[[float], str] = "{:<5g}".format) -> str:
    """Say whether ``value`` is at most ``target``, which ``write`` writes."""
    return "" if target is None else f"<= {write(target)} {'met' if value <= target else 'NOT MET'}"
