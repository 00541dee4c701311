"""Training: all lanes' forward and backward pass, clipping and update at once, on one flat vector."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from gclip.training.config import Config
from gclip.training.groups import by_family, group_lanes
from gclip.training.history import History
from gclip.training.layout import Layout
from gclip.training.optimizers import OPTIMIZERS, Optimizer
from gclip.training.record import Chunk, Record
from gclip.training.summary import Summary, SummaryTape
from gclip.training.tape import HistoryTape, Tape
from gclip.training.tasks import Task, task_of

TAPES: dict[type[Record], type[Tape]] = {History: HistoryTape, Summary: SummaryTape}
"""What measures what each kind of record keeps."""

LARGE = 7 * 2**20
"""Once a block of so many numbers was freed, glibc keeps smaller ones at hand; else it may give each step's memory
back to the system and ask for it again, which was seen to take a twentieth of the time of 256 lanes."""

Kept = TypeVar("Kept", bound=Record)


def train(configs: Sequence[Config], record: type[Record] = History) -> Iterator[Chunk]:
    """Train ``configs`` and yield chunks of what ``record`` keeps; a plain generator: no thread, no I/O.

    Runs that may share a stacked batch are trained together; where they may not, the batches take turns.
    """
    stacks: dict[Hashable, list[int]] = {}
    for i, config in enumerate(configs):
        stacks.setdefault(config.stack_key, []).append(i)
    turns = [train_stack(configs, runs, TAPES[record]) for runs in stacks.values()]
    while turns:
        for turn in list(turns):
            chunk = next(turn, None)
            if chunk is None:
                turns.remove(turn)
            else:
                yield chunk


def run(configs: Sequence[Config], record: type[Kept] = History) -> list[Kept]:
    """Train ``configs`` in this process on one torch thread and return their records, in the same order."""
    records = [record(config) for config in configs]
    with one_thread():
        for chunk in train(configs, record):
            # Most chunks of a sweep hold nothing: there are no arrays between two evaluations.
            for lane in range(len(chunk.runs)) if chunk.arrays else chunk.events:
                records[chunk.runs[lane]].append(chunk.of_lane(lane), chunk.events.get(lane, []))
    return records


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one torch thread and no denormal numbers, which are many times slower; then let all be as it was."""
    torch.empty(LARGE)
    threads, flushes = torch.get_num_threads(), flushes_denormal()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(flushes)


def flushes_denormal() -> bool:
    """Say whether numbers too small for full precision are taken for 0 now; torch can be told, but not asked."""
    return not (torch.tensor(1e-38) / 1000).item()


def train_stack(configs: Sequence[Config], runs: Sequence[int], tape_kind: type[Tape]) -> Iterator[Chunk]:
    """Train ``configs[i] for i in runs`` as lanes of one stacked batch, and yield its chunks."""
    # Lanes of one family are clipped in one call, and those of one batch seed share their batches.
    runs = sorted(runs, key=lambda i: (by_family(configs[i]), configs[i].batch_seed))
    lanes = [configs[i] for i in runs]
    kind = task_of(lanes[0])
    task, layout, params = kind(lanes), Layout(kind.shapes(lanes[0]), len(lanes)), stack_params(lanes)
    tape = tape_kind(lanes, group_lanes(lanes, params), layout, task)
    for name, view in tape.slots[0].params.items():
        view.copy_(params[name])
    optimizer = OPTIMIZERS[lanes[0].optimizer](
        layout.spread(torch.tensor([config.learning_rate for config in lanes], dtype=torch.float64)),
        layout.spread(torch.tensor([config.momentum for config in lanes])),
    )
    k = 0
    for batch in task.batches():
        step(tape, k, optimizer, task, batch)
        k += 1
        if k == tape.length:
            yield tape.read(k, runs)
            k = 0
    if k:
        yield tape.read(k, runs)


def stack_params(lanes: Sequence[Config]) -> dict[str, Tensor]:
    """Return every lane's fresh parameters, stacked ``[lanes, *shape]``."""
    fresh = [task_of(config).initialise(config) for config in lanes]
    return {name: torch.stack([params[name] for params in fresh]) for name in fresh[0]}


def step(tape: Tape, k: int, optimizer: Optimizer, task: Task, batch: Any) -> None:
    """One step of every lane: find the gradient, clip it, move the weights."""
    now = tape.slots[k]
    tape.loss[k] = task.gradients(now.params, batch, now.raw)
    tape.batches[k] = batch
    for group, raw, params, clipped, threshold in now.groups:
        grads, group.state, bound = group.rule.clip(task.inside(group.lanes) or raw, group.state, params)
        for name, grad in grads.items():
            clipped[name].copy_(grad)
        threshold.copy_(bound)
    optimizer.step(tape.params[k], tape.clipped[k], out=tape.params[k + 1])
