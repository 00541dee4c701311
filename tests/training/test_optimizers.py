"""Each optimizer against torch.optim, step by step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gclip.training.optimizers import OPTIMIZERS

CASES = [("SGD", 0.0), ("SGD", 0.9), ("Adam", 0.9), ("RMSprop", 0.9)]
RATES = (0.1, 0.003)
LANE = 13
STEPS = 50


def random_steps() -> list[Tensor]:
    """Gradients of two lanes, over six orders of magnitude, some exactly zero."""
    generator = torch.Generator().manual_seed(0)
    sizes = 10.0 ** torch.randint(-3, 4, (STEPS, 2 * LANE), generator=generator)
    grads = torch.randn(STEPS, 2 * LANE, generator=generator) * sizes
    return list(grads * (torch.rand(STEPS, 2 * LANE, generator=generator) > 0.1))


def ours(name: str, momentum: float, start: Tensor, grads: list[Tensor]) -> Tensor:
    rates = torch.tensor(RATES).repeat_interleave(LANE)
    optimizer = OPTIMIZERS[name](rates, torch.full_like(rates, momentum))
    path = [start]
    for grad in grads:
        path.append(torch.empty_like(start))
        optimizer.step(path[-2], grad, out=path[-1])
    return torch.stack(path[1:])


def torchs(name: str, momentum: float, start: Tensor, grads: list[Tensor]) -> Tensor:
    params = [nn.Parameter(part.clone()) for part in start.split(LANE)]
    groups = [{"params": [p], "lr": rate} for p, rate in zip(params, RATES, strict=True)]
    optimizer = getattr(torch.optim, name)(groups, **({"momentum": momentum} if name == "SGD" else {}))
    path = []
    for grad in grads:
        for p, part in zip(params, grad.split(LANE), strict=True):
            p.grad = part.clone()
        optimizer.step()
        path.append(torch.cat([p.detach().clone() for p in params]))
    return torch.stack(path)


@pytest.mark.parametrize(("name", "momentum"), CASES)
def test_fifty_steps_are_torchs(name: str, momentum: float) -> None:
    start, grads = torch.linspace(-1, 1, 2 * LANE), random_steps()
    # Each step rounds once or twice in another order than torch's: a few units in the last place of the largest weight.
    want = torchs(name, momentum, start, grads)
    torch.testing.assert_close(ours(name, momentum, start, grads), want, rtol=2e-6, atol=1e-6 * want.abs().max().item())


def test_every_optimizer_is_tested() -> None:
    assert {name for name, _ in CASES} == set(OPTIMIZERS)


def test_only_sgd_listens_to_momentum() -> None:
    start, grads = torch.zeros(2 * LANE), random_steps()
    for name in OPTIMIZERS:
        same = torch.equal(ours(name, 0.0, start, grads), ours(name, 0.9, start, grads))
        assert same == (name != "SGD"), name
