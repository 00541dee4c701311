"""What tests of recurrent networks need: small settings, and the same networks written in plain PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F  # noqa: N812
from training_examples import torch_clip, torch_optimizer

from gclip.training import RecurrentConfig, recurrent, sequences

CELLS: list[Any] = ["LSTM", "RNN"]
PROBLEMS: list[Any] = list(sequences.PROBLEMS)

SMALL: dict[str, Any] = {"sequence_length": 9, "batch_size": 5, "hidden_units": 7, "steps": 40, "learning_rate": 0.1}
"""Forty steps, two evaluations, two chunks; sizes that differ from one another, so that no mix-up of axes fits."""


def drawn(config: RecurrentConfig, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Return one batch of inputs and targets."""
    draw = sequences.PROBLEMS[config.problem].draw
    return draw(config.batch_size, config.sequence_length, Generator().manual_seed(seed))


def torch_loss(config: RecurrentConfig, prediction: Tensor, y: Tensor) -> Tensor:
    if config.problem == "characters":
        return F.cross_entropy(prediction.flatten(0, 1), y.flatten())
    return F.mse_loss(prediction.squeeze(-1), y)


class Network(nn.Module):
    """The run's network as a learner would write it, with the run's initial weights."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        inputs, outputs = recurrent.INPUTS[config.problem], recurrent.OUTPUTS[config.problem]
        kind = {"LSTM": nn.LSTM, "RNN": nn.RNN}[config.cell]
        self.layer = kind(inputs, config.hidden_units, batch_first=True)
        self.output = nn.Linear(config.hidden_units, outputs)
        self.every_step = config.problem != "sum"
        with torch.no_grad():
            for mine, fresh in zip(self.parameters(), recurrent.initialise(config).values(), strict=True):
                mine.copy_(fresh)

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.layer(x)
        return self.output(hidden if self.every_step else hidden[:, -1:])


def unrolled_states(cell: str, x: Tensor, weights: list[Tensor], bound: float | None = None) -> list[Tensor]:
    """Return h_0 to h_T, written out step by step for autograd, each keeping its gradient.

    With ``bound``, Graves' clipping as he says it: a hook on the pre-activations of every step.
    """
    w_ih, w_hh, b_ih, b_hh = weights
    h = torch.zeros(x.shape[0], w_hh.shape[1], requires_grad=True)
    c, states = torch.zeros_like(h), [h]
    for t in range(x.shape[1]):
        z = x[:, t] @ w_ih.T + b_ih + h @ w_hh.T + b_hh
        if bound is not None and z.requires_grad:
            z.register_hook(lambda g: g.clamp(-bound, bound))
        if cell == "RNN":
            h = z.tanh()
        else:
            i, f, g, o = z.chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        h.retain_grad()
        states.append(h)
    return states


def unrolled_loss(
    config: RecurrentConfig, params: list[Tensor], x: Tensor, y: Tensor, clip: tuple[float, float] | None = None
) -> tuple[Tensor, list[Tensor]]:
    """Return the unrolled network's loss and states; ``clip`` bounds the derivatives by the gates and by the output."""
    *layer, weight, bias = params
    states = unrolled_states(config.cell, x, layer, clip[0] if clip else None)
    scored = torch.stack(states[1:], dim=1) if config.problem != "sum" else states[-1].unsqueeze(1)
    answer = F.linear(scored, weight, bias)
    if clip:
        bound = clip[1]
        answer.register_hook(lambda g: g.clamp(-bound, bound))
    return torch_loss(config, answer, y), states


def plain_run(config: RecurrentConfig) -> dict[str, np.ndarray]:
    """Train ``config`` by nn.LSTM or nn.RNN, autograd and torch.optim; return what a History calls by the same names.

    Every step draws a fresh batch; every 20 steps the loss of the last 20 batches and the test loss are taken.
    """
    net, draw = Network(config), sequences.PROBLEMS[config.problem].draw
    generator, params = Generator().manual_seed(config.batch_seed), list(net.parameters())
    optimizer, (x_test, y_test) = (
        torch_optimizer(config, params),
        sequences.test_set(config.problem, config.sequence_length),
    )
    found: dict[str, list[float]] = {
        "loss": [],
        "total_norm": [],
        "clipped_norm": [],
        "train_loss": [],
        "test_loss": [],
    }
    for step in range(config.steps):
        x, y = draw(config.batch_size, config.sequence_length, generator)
        if step == config.bad_step and config.bad_scale != 1:
            y = y * config.bad_scale
        loss = torch_loss(config, net(x), y)
        optimizer.zero_grad()
        loss.backward()
        found["loss"].append(loss.item())
        found["total_norm"].append(nn.utils.get_total_norm([p.grad for p in params if p.grad is not None]).item())
        torch_clip(config.clipper, params)
        found["clipped_norm"].append(nn.utils.get_total_norm([p.grad for p in params if p.grad is not None]).item())
        optimizer.step()
        if (step + 1) % 20 == 0:
            with torch.no_grad():
                found["train_loss"].append(float(np.mean(found["loss"][-20:])))
                found["test_loss"].append(torch_loss(config, net(x_test), y_test).item())
    return {name: np.array(values) for name, values in found.items()}
