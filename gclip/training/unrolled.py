"""The recurrent layer written out step by step, so that the derivative inside it can be clipped (Graves 2013).

torch's fused layer hands out no derivative between two time steps. Here the derivative of the loss with respect to
the gate pre-activations, before sigmoid and tanh, is clamped at every step while it flows back. All lanes at once;
only the rule that needs it pays for it. Tensors are ``[time, lanes, rows, ...]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gclip.clipping import ClipDerivative
from gclip.training.sequences import SequenceProblem


def clamp_(derivative: Tensor, bound: Tensor | None) -> Tensor:
    """Cut every element to ``[-bound, bound]``, in place; without a bound, leave all as they are."""
    return derivative if bound is None else torch.clamp(derivative, -bound, bound, out=derivative)


@dataclass
class LSTM:
    """``c_t = f c_(t-1) + i g; h_t = o tanh(c_t)``: i, f, o sigmoids and g a tanh of ``W x_t + U h_(t-1) + b``."""

    recurrent: Tensor
    gates: Tensor
    memory: Tensor
    outputs: Tensor

    @classmethod
    def forward(cls, driven: Tensor, recurrent: Tensor) -> LSTM:
        """Run over ``driven`` = ``W x_t + b`` ``[time, lanes, rows, 4 units]`` with recurrent weights ``U``."""
        time, lanes, rows, width = driven.shape
        units, gates, across = width // 4, driven.clone(), recurrent.transpose(1, 2)
        memory, outputs = driven.new_zeros(2, time + 1, lanes, rows, units)
        for t in range(time):
            now = gates[t].baddbmm_(outputs[t], across)
            i, f, g, o = now.split(units, dim=-1)
            now[..., : 2 * units].sigmoid_()
            g.tanh_()
            o.sigmoid_()
            torch.addcmul(f * memory[t], i, g, out=memory[t + 1])
            torch.mul(o, memory[t + 1].tanh(), out=outputs[t + 1])
        return cls(recurrent, gates, memory, outputs)

    def backward(self, into_outputs: Tensor, bound: Tensor | None) -> Tensor:
        i, f, g, o = self.gates.chunk(4, dim=-1)
        squashed = self.memory[1:].tanh()
        by_memory = torch.stack([g * i * (1 - i), self.memory[:-1] * f * (1 - f), i * (1 - g * g)], dim=-2)
        by_output, leak = squashed * o * (1 - o), o * (1 - squashed * squashed)
        before = torch.empty_like(self.gates)
        of_memory, of_output = before.unflatten(-1, (4, -1)).split([3, 1], dim=-2)
        through, held = torch.zeros(2, *leak.shape[1:])
        for t in reversed(range(len(before))):
            output = into_outputs[t] + through
            held = torch.addcmul(held, output, leak[t])
            torch.mul(by_memory[t], held.unsqueeze(-2), out=of_memory[t])
            torch.mul(by_output[t], output, out=of_output[t, ..., 0, :])
            clamp_(before[t], bound)
            held, through = held * f[t], torch.bmm(before[t], self.recurrent)
        return before


@dataclass
class RNN:
    """``h_t = tanh(W x_t + U h_(t-1) + b)``."""

    recurrent: Tensor
    outputs: Tensor

    @classmethod
    def forward(cls, driven: Tensor, recurrent: Tensor) -> RNN:
        """Run over ``driven`` = ``W x_t + b`` ``[time, lanes, rows, units]`` with recurrent weights ``U``."""
        outputs = torch.cat([torch.zeros_like(driven[:1]), driven])
        for t in range(len(driven)):
            outputs[t + 1].baddbmm_(outputs[t], recurrent.transpose(1, 2)).tanh_()
        return cls(recurrent, outputs)

    def backward(self, into_outputs: Tensor, bound: Tensor | None) -> Tensor:
        leak = 1 - self.outputs[1:].square()
        before = torch.empty_like(leak)
        through = torch.zeros_like(before[0])
        for t in reversed(range(len(leak))):
            torch.mul(into_outputs[t] + through, leak[t], out=before[t])
            clamp_(before[t], bound)
            through = torch.bmm(before[t], self.recurrent)
        return before


CELLS: dict[str, type[LSTM] | type[RNN]] = {"LSTM": LSTM, "RNN": RNN}


def run(cell: str, x: Tensor, weights: list[Tensor]) -> LSTM | RNN:
    """Run the layer over ``x`` ``[time, lanes, rows, inputs]`` with torch's four weights, each ``[lanes, ...]``."""
    w_ih, w_hh, b_ih, b_hh = weights
    driven = torch.matmul(x, w_ih.transpose(1, 2)) + (b_ih + b_hh).unsqueeze(1)
    return CELLS[cell].forward(driven, w_hh)


def into_weights(layer: LSTM | RNN, x: Tensor, before: Tensor) -> list[Tensor]:
    """Return d loss / d weight, in torch's order, from d loss / d pre-activation ``[time, lanes, rows, ...]``."""
    flat, inputs, outputs = (t.movedim(0, 1).flatten(1, 2) for t in (before, x, layer.outputs[:-1]))
    bias = flat.sum(1)
    return [flat.transpose(1, 2) @ inputs, flat.transpose(1, 2) @ outputs, bias, bias]


class Given(NamedTuple):
    """One step of some lanes: inputs ``[lanes, rows, time, inputs]`` and targets ``[lanes, rows, answers]``."""

    cell: str
    x: Tensor
    y: Tensor
    params: Mapping[str, Tensor]
    problem: SequenceProblem


@dataclass
class Forward:
    """What a forward pass leaves: the layer, the outputs that are scored, losses and d loss / d answer."""

    layer: LSTM | RNN
    scored: Tensor
    loss: Tensor
    slope: Tensor
    weight: Tensor

    @classmethod
    def of(cls, given: Given) -> Forward:
        """Run the network, and score its answers lane by lane."""
        *weights, weight, bias = given.params.values()
        layer = run(given.cell, given.x.movedim(2, 0), weights)
        outputs = layer.outputs[1:].permute(1, 2, 0, 3)
        scored = outputs if given.problem.every_step else outputs[:, :, -1:]
        lanes = zip(scored, given.y, weight, bias, strict=True)
        loss, slope = zip(*[_score(*lane, given.problem) for lane in lanes], strict=True)
        return cls(layer, scored, torch.stack(loss), torch.stack(slope), weight)

    def into_outputs(self, output_clip: Any) -> tuple[Tensor, Tensor]:
        """Return d loss / d answer, clamped, and d loss / d output ``[time, lanes, rows, units]`` by way of it."""
        into_answers = clamp_(self.slope.clone(), _per_lane(output_clip, 3))
        into = self.layer.outputs.new_zeros(self.layer.outputs[1:].shape)
        into[-self.scored.shape[2] :] = torch.matmul(into_answers, self.weight.unsqueeze(1)).permute(2, 0, 1, 3)
        return into_answers, into


def gradients(
    cell: str, x: Tensor, y: Tensor, params: Mapping[str, Tensor], problem: SequenceProblem, clip: ClipDerivative
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """Return the lanes' losses, their gradients, and their gradients with the derivatives clamped on the way.

    Args:
        x, y, params, problem: see `Given`.
        clip: its bounds are tensors ``[lanes]``.
    """
    forward, results = Forward.of(Given(cell, x, y, params, problem)), []
    for output_clip, gate_clip in ((None, None), (clip.output_clip, clip.gate_clip)):
        into_answers, into_outputs = forward.into_outputs(output_clip)
        before = forward.layer.backward(into_outputs, _per_lane(gate_clip, 2))
        flat = into_answers.flatten(1, 2)
        head = [flat.transpose(1, 2) @ forward.scored.flatten(1, 2), flat.sum(1)]
        results.append(dict(zip(params, [*into_weights(forward.layer, x.movedim(2, 0), before), *head], strict=True)))
    return forward.loss, *results


def gradient_flow(
    cell: str, x: Tensor, y: Tensor, params: Mapping[str, Tensor], problem: SequenceProblem, clip: ClipDerivative
) -> Tensor:
    """Return ``||d loss / d h_t||_2`` for h_0 to h_T, ``[lanes, T + 1]``, as the clamped derivatives make it."""
    forward = Forward.of(Given(cell, x, y, params, problem))
    _, into_outputs = forward.into_outputs(clip.output_clip)
    before = forward.layer.backward(into_outputs, _per_lane(clip.gate_clip, 2))
    reaching = torch.zeros_like(forward.layer.outputs)
    reaching[:-1] = torch.matmul(before, forward.layer.recurrent)
    reaching[1:] += into_outputs
    return torch.linalg.vector_norm(reaching.double(), dim=(2, 3)).T.float()


def _score(
    scored: Tensor, target: Tensor, weight: Tensor, bias: Tensor, problem: SequenceProblem
) -> tuple[Tensor, Tensor]:
    return problem.score(functional.linear(scored, weight, bias), target)


def _per_lane(bound: Any, dims: int) -> Tensor | None:
    return None if bound is None else bound.view(-1, *[1] * dims)
