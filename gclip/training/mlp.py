"""The regression MLP, many lanes at once, its backward pass written out.

Written out, one step costs a third of what autograd needs for it; `tests/training/test_mlp.py`
holds it against autograd.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from gclip.training.config import RunConfig


def shapes(config: RunConfig) -> dict[str, tuple[int, ...]]:
    """Return the parameters' names and shapes, in the order of the forward pass."""
    sizes = [config.n_features, *[config.hidden_units] * config.hidden_layers, 1]
    found: dict[str, tuple[int, ...]] = {}
    for name, (inputs, outputs) in zip(config.layers, pairwise(sizes), strict=True):
        found |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    return found


def initialise(config: RunConfig) -> dict[str, Tensor]:
    """Return fresh parameters: He-uniform hidden weights, Glorot-uniform output weights, zero biases."""
    generator = torch.Generator().manual_seed(config.init_seed)
    params = {name: torch.zeros(shape) for name, shape in shapes(config).items()}
    for name, weight in params.items():
        if name == "output.weight":
            nn.init.xavier_uniform_(weight, generator=generator)
        elif name.endswith("weight"):
            nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=generator)
    return params


def forward(params: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return predictions ``[lanes, rows]`` and each layer's input, the first being ``x`` ``[lanes, rows, features]``.

    The output layer is a product and a sum, not a matrix product: with one output column, the
    latter takes another path for one lane than for many, and a run would depend on its neighbours.
    """
    *weights, out_weight = [p for name, p in params.items() if name.endswith("weight")]
    *biases, out_bias = [p for name, p in params.items() if name.endswith("bias")]
    inputs = [x]
    for weight, bias in zip(weights, biases, strict=True):
        inputs.append(_layer(inputs[-1], weight, bias).relu_())
    return (inputs[-1] * out_weight).sum(-1) + out_bias, inputs


def _layer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``x @ weight.T + bias`` for each lane; one unit by product and sum, for the reason `forward` gives."""
    if weight.shape[1] == 1:
        return (x * weight).sum(-1, keepdim=True) + bias.unsqueeze(1)
    return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))


def backward(params: Mapping[str, Tensor], inputs: list[Tensor], slope: Tensor, grads: Mapping[str, Tensor]) -> None:
    """Write d loss / d parameter into ``grads``, given ``slope`` = d loss / d prediction ``[lanes, rows]``."""
    names = [name.removesuffix(".weight") for name in params if name.endswith("weight")]
    delta = slope.unsqueeze(-1)
    torch.sum(inputs[-1] * delta, dim=1, keepdim=True, out=grads["output.weight"])
    torch.sum(slope, dim=1, keepdim=True, out=grads["output.bias"])
    delta = delta * params["output.weight"]
    for i in reversed(range(len(names) - 1)):
        # A NaN unit passes its gradient on, as in autograd: only units that are off block it.
        delta.masked_fill_(inputs[i + 1] <= 0, 0.0)
        torch.bmm(delta.transpose(1, 2), inputs[i], out=grads[f"{names[i]}.weight"])
        torch.sum(delta, dim=1, out=grads[f"{names[i]}.bias"])
        if i:
            delta = torch.bmm(delta, params[f"{names[i]}.weight"])
