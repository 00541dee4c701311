"""Training: all lanes' forward and backward pass, clipping and update at once, on one flat vector."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from gclip.training import mlp
from gclip.training.batches import Batches
from gclip.training.config import RunConfig
from gclip.training.groups import by_family, group_lanes
from gclip.training.history import Chunk, History
from gclip.training.layout import Layout
from gclip.training.losses import LOSSES
from gclip.training.optimizers import OPTIMIZERS, Optimizer
from gclip.training.tape import Tape


def train(configs: Sequence[RunConfig]) -> Iterator[Chunk]:
    """Train ``configs`` and yield chunks of what was measured; a plain generator: no thread, no I/O.

    Runs that may share a stacked batch are trained together; where they may not, the batches take turns.
    """
    stacks: dict[Hashable, list[int]] = {}
    for i, config in enumerate(configs):
        stacks.setdefault(config.stack_key, []).append(i)
    turns = [train_stack(configs, runs) for runs in stacks.values()]
    while turns:
        for turn in list(turns):
            chunk = next(turn, None)
            if chunk is None:
                turns.remove(turn)
            else:
                yield chunk


def run(configs: Sequence[RunConfig]) -> list[History]:
    """Train ``configs`` in this process on one torch thread and return their histories, in the same order."""
    histories = [History(config) for config in configs]
    with one_thread():
        for chunk in train(configs):
            for lane, i in enumerate(chunk.runs):
                histories[i].append(chunk.of_lane(lane), chunk.events.get(lane, []))
    return histories


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one torch thread and no denormal numbers, which are many times slower; then put the threads back."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)


def train_stack(configs: Sequence[RunConfig], runs: Sequence[int]) -> Iterator[Chunk]:
    """Train ``configs[i] for i in runs`` as lanes of one stacked batch, and yield its chunks."""
    runs = sorted(runs, key=lambda i: by_family(configs[i]))
    lanes = [configs[i] for i in runs]
    layout = Layout(mlp.shapes(lanes[0]), len(lanes))
    params = stack_params(lanes)
    tape = Tape(lanes, group_lanes(lanes, params), layout)
    for name, view in tape.slots[0].params.items():
        view.copy_(params[name])
    optimizer = OPTIMIZERS[lanes[0].optimizer](
        layout.spread(torch.tensor([config.learning_rate for config in lanes], dtype=torch.float64)),
        layout.spread(torch.tensor([config.momentum for config in lanes])),
    )
    batches = Batches(lanes)
    k = 0
    for _ in range(lanes[0].epochs):
        for x, y in batches.epoch():
            step(tape, k, optimizer, x, y)
            k += 1
            if k == tape.length:
                yield tape.read(k, runs, batches)
                k = 0
    if k:
        yield tape.read(k, runs, batches)


def stack_params(lanes: Sequence[RunConfig]) -> dict[str, Tensor]:
    """Return every lane's fresh parameters, stacked ``[lanes, *shape]``."""
    fresh = [mlp.initialise(config) for config in lanes]
    return {name: torch.stack([params[name] for params in fresh]) for name in fresh[0]}


def step(tape: Tape, k: int, optimizer: Optimizer, x: Tensor, y: Tensor) -> None:
    """One step of every lane: predict, compare, find the gradient, clip it, move the weights."""
    now, loss = tape.slots[k], LOSSES[tape.configs[0].loss]
    prediction, inputs = mlp.forward(now.params, x)
    error = prediction - y
    tape.loss[k] = loss.value(error)
    mlp.backward(now.params, inputs, loss.slope(error) * (1 / y.shape[1]), now.raw)
    for group, raw, params, clipped, threshold in now.groups:
        grads, group.state, bound = group.rule.clip(raw, group.state, params)
        for name, grad in grads.items():
            clipped[name].copy_(grad)
        threshold.copy_(bound)
    optimizer.step(tape.params[k], tape.clipped[k], out=tape.params[k + 1])
