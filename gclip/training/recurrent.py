"""One recurrent layer with a linear output, one lane at a time on torch's fused kernels.

The fused layer beats every hand-stacked one on a CPU; only the layer itself goes through autograd.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gclip.training.recurrent_config import GATES, INPUTS, OUTPUTS, RecurrentConfig

Score = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def shapes(config: RecurrentConfig) -> dict[str, tuple[int, ...]]:
    """Return the parameters' names and shapes, as torch has them; an LSTM's gates are in torch's order i, f, g, o."""
    layer, units, rows = config.layers[0], config.hidden_units, GATES[config.cell] * config.hidden_units
    return {
        f"{layer}.weight_ih": (rows, INPUTS[config.problem]),
        f"{layer}.weight_hh": (rows, units),
        f"{layer}.bias_ih": (rows,),
        f"{layer}.bias_hh": (rows,),
        "output.weight": (OUTPUTS[config.problem], units),
        "output.bias": (OUTPUTS[config.problem],),
    }


def initialise(config: RecurrentConfig) -> dict[str, Tensor]:
    """Return fresh parameters: torch's, uniform in ±1/sqrt(units); with a weight gain, gates gain x orthogonal."""
    generator = torch.Generator().manual_seed(config.init_seed)
    bound = config.hidden_units**-0.5
    params = {
        name: nn.init.uniform_(torch.empty(shape), -bound, bound, generator) for name, shape in shapes(config).items()
    }
    if config.weight_gain:
        for gate in params[f"{config.layers[0]}.weight_hh"].chunk(GATES[config.cell]):
            nn.init.orthogonal_(gate, config.weight_gain, generator)
    return params


def fused(cell: str, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Return the layer's outputs ``[rows, time, units]`` for ``x`` ``[rows, time, inputs]``, from a zero state."""
    zero = x.new_zeros(1, x.shape[0], weights[1].shape[1])
    training = any(w.requires_grad for w in (x, *weights))
    if cell == "LSTM":
        return torch.lstm(x, (zero, zero), list(weights), True, 1, 0.0, training, False, True)[0]
    return torch.rnn_tanh(x, zero, list(weights), True, 1, 0.0, training, False, True)[0]


def answers(hidden: Tensor, weight: Tensor, bias: Tensor, every_step: bool) -> tuple[Tensor, Tensor]:
    """Return the outputs that are scored ``[rows, answers, units]`` and the network's answers to them."""
    scored = hidden if every_step else hidden[:, -1:]
    return scored, functional.linear(scored.detach(), weight, bias)


def gradients(
    cell: str, x: Tensor, y: Tensor, params: Sequence[Tensor], score: Score, every_step: bool
) -> tuple[Tensor, list[Tensor]]:
    """Return one lane's loss and d loss / d parameter, in the order of ``params``."""
    *layer, weight, bias = params
    weights = [p.detach().requires_grad_() for p in layer]
    scored, prediction = answers(fused(cell, x, weights), weight, bias, every_step)
    loss, slope = score(prediction, y)
    into_layer = torch.autograd.grad(scored, weights, slope @ weight)
    flat = slope.flatten(0, 1)
    return loss, [*into_layer, flat.T @ scored.detach().flatten(0, 1), flat.sum(0)]


def gradient_flow(cell: str, x: Tensor, y: Tensor, params: Sequence[Tensor], score: Score, every_step: bool) -> Tensor:
    """Return ``||d loss / d h_t||_2`` over rows and units for h_0 (before the first input) to h_T, ``[T + 1]``.

    The fused layer does not hand these out. But as many extra inputs as units, all zero and entering through the
    recurrent weights, leave every output as it is, and the derivative by the extra input of step t is what reaches
    h_(t-1) through that step.
    """
    *layer, weight, bias = params
    w_ih, w_hh, b_ih, b_hh = layer
    extra = x.new_zeros(*x.shape[:2], w_hh.shape[1]).requires_grad_()
    hidden = fused(cell, torch.cat([x, extra], 2), [torch.cat([w_ih, w_hh], 1), w_hh, b_ih, b_hh])
    scored, prediction = answers(hidden, weight, bias, every_step)
    direct = score(prediction, y)[1] @ weight
    (through,) = torch.autograd.grad(scored, extra, direct)
    reaching = functional.pad(through, (0, 0, 0, 1))
    reaching[:, -direct.shape[1] :] += direct
    # In double precision: the square of what has faded would vanish in float32.
    return torch.linalg.vector_norm(reaching.double(), dim=(0, 2)).float()


SIGMOID_LIMIT, TANH_LIMIT = 4.595, 2.647
"""Beyond these, a sigmoid is within .01 of 0 or 1, and a tanh within .01 of -1 or 1."""


def saturation(cell: str, x: Tensor, hidden: Tensor, layer: Sequence[Tensor]) -> Tensor:
    """Return the share of gates within 1 % of a limit, where a gate hardly passes any gradient on."""
    w_ih, w_hh, b_ih, b_hh = layer
    before = functional.pad(hidden[:, :-1], (0, 0, 1, 0))
    z = functional.linear(x, w_ih, b_ih) + functional.linear(before, w_hh, b_hh)
    limits = torch.full((len(w_hh),), TANH_LIMIT)
    if cell == "LSTM":
        units = w_hh.shape[1]
        limits[: 2 * units] = limits[3 * units :] = SIGMOID_LIMIT
    return (z.abs() > limits).float().mean()
