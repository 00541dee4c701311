"""The recurrent network as a task: fresh sequences at every step, lane by lane on torch's fused kernels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from gclip.clipping import ClipDerivative, derivative_clip, stack
from gclip.training import recurrent, sampling, sequences, unrolled
from gclip.training.batches import distinct
from gclip.training.groups import stretches
from gclip.training.recurrent_config import RecurrentConfig

SHOWN = {"sine": None, "characters": 60, "sum": 40}
"""How much of what the network answers is kept at each evaluation: time steps, characters, test rows; None is all."""

UNROLLED_ELEMENTS = 2**20
"""Outputs of hidden units that are kept at once where the layer is unrolled; some 100 MB with what goes with them."""

PROBED = 8
"""Test rows on which saturated gates are counted."""


class Batch(NamedTuple):
    """One step's inputs, one tensor for each batch seed, and targets, one for each lane."""

    x: list[Tensor]
    y: list[Tensor]


class Recurrence:
    """Recurrent networks beside one another; see `gclip.training.tasks.Task`."""

    STRETCH: ClassVar[int] = 20
    shapes = staticmethod(recurrent.shapes)
    initialise = staticmethod(recurrent.initialise)

    def __init__(self, configs: Sequence[RecurrentConfig]) -> None:
        self.configs, first = configs, configs[0]
        self.cell, self.problem, self.length = first.cell, sequences.PROBLEMS[first.problem], first.sequence_length
        seeds, places = distinct(configs, lambda config: config.batch_seed)
        self.generators = [torch.Generator().manual_seed(config.batch_seed) for config in seeds]
        self.stream = places.tolist()
        self.fused, self.unrolled = by_derivative_clip(configs)
        self.bounded: dict[str, Tensor] = {}

    @staticmethod
    def baseline(config: RecurrentConfig) -> tuple[float, float]:
        """Return the loss of the best constant answer, twice: what trains and what tests is drawn alike."""
        loss = sequences.baseline(config.problem, config.sequence_length)
        return loss, loss

    @staticmethod
    def extras(config: RecurrentConfig) -> dict[str, int]:
        """Return the widths of the gradient flow, h_0 to h_T, and of the sample of answers."""
        return {"flow": config.sequence_length + 1, "sample": SHOWN[config.problem] or config.sequence_length}

    def batches(self) -> Iterator[Batch]:
        """Yield fresh sequences for every step; a lane's bad step has its targets scaled."""
        rows = self.configs[0].batch_size
        for step in range(self.configs[0].steps):
            drawn = [self.problem.draw(rows, self.length, generator) for generator in self.generators]
            lanes = zip(self.configs, self.stream, strict=True)
            yield Batch([x for x, _ in drawn], [spoilt(drawn[i][1], config, step) for config, i in lanes])

    def gradients(self, params: Mapping[str, Tensor], batch: Batch, raw: Mapping[str, Tensor]) -> Tensor:
        """Write the gradients into ``raw`` and return the losses ``[lanes]``."""
        losses = torch.empty(len(self.configs))
        for lane in self.fused:
            x, score, every = batch.x[self.stream[lane]], self.problem.score, self.problem.every_step
            losses[lane], grads = recurrent.gradients(self.cell, x, batch.y[lane], of_lane(params, lane), score, every)
            for into, grad in zip(raw.values(), grads, strict=True):
                into[lane] = grad
        for lanes, clip in self.unrolled:
            losses[lanes], grads, bounded = unrolled.gradients(*self._unrolled(params, batch, lanes), clip)
            for name, grad in grads.items():
                raw[name][lanes] = grad
                self.bounded.setdefault(name, torch.empty_like(raw[name]))[lanes] = bounded[name]
        return losses

    def _unrolled(self, params: Mapping[str, Tensor], batch: Batch, lanes: slice) -> unrolled.Given:
        x = torch.stack([batch.x[i] for i in self.stream[lanes]])
        part = {name: p[lanes] for name, p in params.items()}
        return unrolled.Given(self.cell, x, torch.stack(batch.y[lanes]), part, self.problem)

    def inside(self, lanes: slice) -> dict[str, Tensor] | None:
        """Return the gradients that come of the clamped derivatives, or None for lanes whose rule clamps none."""
        if not any(lanes.start <= part.start < lanes.stop for part, _ in self.unrolled):
            return None
        return {name: grad[lanes] for name, grad in self.bounded.items()}

    def evaluate(self, params: Mapping[str, Tensor], losses: Tensor) -> dict[str, Tensor]:
        """Return the mean of the latest batches' losses, the test loss, the share of saturated gates, and a sample."""
        x, y = sequences.test_set(self.configs[0].problem, self.length)
        rows = [self._test(of_lane(params, lane), x, y) for lane in range(len(self.configs))]
        test_loss, saturated, sample = (torch.stack(column) for column in zip(*rows, strict=True))
        if self.configs[0].problem == "characters":
            sample = sampling.write(self.cell, params, SHOWN["characters"] or 0)
        # Lane by lane: down a column, torch adds in another order for one lane than for many.
        train_loss = losses.T.contiguous().mean(1)
        return {"train_loss": train_loss, "test_loss": test_loss, "dead_units": saturated, "sample": sample}

    def _test(self, params: list[Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        *layer, weight, bias = params
        hidden = recurrent.fused(self.cell, x, layer)
        answer = recurrent.answers(hidden, weight, bias, self.problem.every_step)[1]
        saturated = recurrent.saturation(self.cell, x[:PROBED], hidden[:PROBED], layer)
        shown = answer[0, :, 0] if self.problem.every_step else answer[: SHOWN["sum"], 0, 0]
        return self.problem.score(answer, y)[0], saturated, shown

    def mark(self, params: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the norm of the gradient by the state at every time step, clamped on its way if the rule does so."""
        score, every = self.problem.score, self.problem.every_step
        flow = torch.empty(len(self.configs), self.length + 1)
        for lane in self.fused:
            x, y = batch.x[self.stream[lane]], batch.y[lane]
            flow[lane] = recurrent.gradient_flow(self.cell, x, y, of_lane(params, lane), score, every)
        for lanes, clip in self.unrolled:
            flow[lanes] = unrolled.gradient_flow(*self._unrolled(params, batch, lanes), clip)
        return {"flow": flow}


def sample_target(config: RecurrentConfig) -> Tensor:
    """Return the right answers to what is kept of the network's own; a written text has none."""
    target = sequences.test_set(config.problem, config.sequence_length)[1]
    if config.problem == "characters":
        return target[:0, 0]
    return target[0] if sequences.PROBLEMS[config.problem].every_step else target[: SHOWN[config.problem], 0]


def spoilt(target: Tensor, config: RecurrentConfig, step: int) -> Tensor:
    """Return the step's targets, scaled if this is the bad one."""
    return target * config.bad_scale if config.bad_scale != 1 and step == config.bad_step else target


def of_lane(params: Mapping[str, Tensor], lane: int) -> list[Tensor]:
    """Return one lane's parameters, in torch's order."""
    return [p[lane] for p in params.values()]


def by_derivative_clip(
    configs: Sequence[RecurrentConfig],
) -> tuple[list[int], list[tuple[slice, ClipDerivative]]]:
    """Return the lanes for the fused layer, and stretches of lanes whose rule clamps inside, with their bounds."""
    lanes, inside = [], []
    for part in stretches(configs):
        if derivative_clip(configs[part.start].clipper) is None:
            lanes += range(part.start, part.stop)
            continue
        for start in range(part.start, part.stop, together(configs[0])):
            piece = slice(start, min(part.stop, start + together(configs[0])))
            clip = derivative_clip(stack([config.clipper for config in configs[piece]], torch.float32))
            inside += [(piece, clip)] if clip else []
    return lanes, inside


def together(config: RecurrentConfig) -> int:
    """Return how many lanes may be unrolled at once: every time step of each is kept until the backward pass."""
    return max(1, UNROLLED_ELEMENTS // (config.batch_size * config.sequence_length * config.hidden_units))
