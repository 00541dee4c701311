"""The written-out backward pass against autograd, and the initial weights."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from gclip import RunConfig
from gclip.training import mlp
from gclip.training.losses import LOSSES
from gclip.training.problems import Data

TORCH_LOSS = {"MSE": F.mse_loss, "MAE": F.l1_loss, "Huber": F.huber_loss}
NAN, INF = math.nan, math.inf


def make(config: RunConfig, lanes: int, rows: int, blocks: int) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    params = {n: torch.randn(lanes, *shape, generator=generator) for n, shape in mlp.shapes(config).items()}
    x = torch.randn(blocks, rows, config.n_features, generator=generator)
    return params, x, torch.randn(lanes, rows, generator=generator)


def by_hand(config: RunConfig, params: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    loss = LOSSES[config.loss]
    prediction, inputs = mlp.forward(params, x)
    grads = {name: torch.full_like(p, 77.0) for name, p in params.items()}
    mlp.backward(params, inputs, loss.slope(prediction - y) / y.shape[1], grads)
    return loss.value(prediction - y), grads


def by_autograd(config: RunConfig, params: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    leaves = {name: p.clone().requires_grad_() for name, p in params.items()}
    losses = []
    for lane in range(len(y)):
        *hidden, weight, bias = [leaf[lane] for leaf in leaves.values()]
        h = x[lane * len(x) // len(y)]
        for w, b in zip(hidden[::2], hidden[1::2], strict=True):
            h = F.linear(h, w, b).relu()
        # A product and a sum, as in ours: a matrix product of Inf and 0 may be NaN in other places.
        losses.append(TORCH_LOSS[config.loss]((h * weight).sum(-1) + bias, y[lane]))
    torch.stack(losses).sum().backward()
    return torch.stack(losses).detach(), {name: leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}


@pytest.mark.parametrize("blocks", [1, 2, 64])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_backward_equals_autograd(loss: Any, layers: int, blocks: int) -> None:
    config = RunConfig(loss=loss, hidden_layers=layers, hidden_units=9, n_features=6)
    case = make(config, lanes=64, rows=7, blocks=blocks)
    torch.testing.assert_close(by_hand(config, *case), by_autograd(config, *case), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "size", [{"hidden_units": 1}, {"n_features": 1}, {"hidden_units": 1, "n_features": 1}], ids=str
)
@pytest.mark.parametrize("rows", [1, 5])
def test_backward_equals_autograd_in_the_smallest_networks(size: dict[str, int], rows: int) -> None:
    config = RunConfig(hidden_layers=2, **size)  # type: ignore[arg-type]
    case = make(config, lanes=2, rows=rows, blocks=2)
    torch.testing.assert_close(by_hand(config, *case), by_autograd(config, *case), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("place", ["x", "y", "hidden1.weight", "hidden2.weight", "hidden2.bias", "output.weight"])
@pytest.mark.parametrize("loss", LOSSES)
def test_nan_and_inf_spread_as_in_autograd(loss: Any, place: str, bad: float) -> None:
    config = RunConfig(loss=loss, hidden_layers=2, hidden_units=5, n_features=4)
    params, x, y = make(config, lanes=3, rows=6, blocks=3)
    tensors = {**params, "x": x.clone(), "y": y}
    tensors[place][1].view(-1)[2] = bad
    case = ({name: tensors[name] for name in params}, tensors["x"], tensors["y"])
    (value, grads), (want_value, want) = by_hand(config, *case), by_autograd(config, *case)
    torch.testing.assert_close(value, want_value, equal_nan=True)
    for name in grads:
        # Same numbers, the same NaNs, and infinities of the same sign; the lanes beside it stay finite.
        torch.testing.assert_close(grads[name], want[name], rtol=1e-4, atol=1e-5, equal_nan=True)
        assert grads[name][[0, 2]].isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_have_torchs_value_and_slope(loss: str) -> None:
    error = torch.tensor([-3.0, -1.0, -0.3, 0.0, 0.5, 1.0, 8.0], requires_grad=True)
    want = TORCH_LOSS[loss](error, torch.zeros(7))
    want.backward()
    assert error.grad is not None
    torch.testing.assert_close(LOSSES[loss].value(error.detach()), want.detach())
    torch.testing.assert_close(LOSSES[loss].slope(error.detach()) / 7, error.grad)


@pytest.mark.parametrize("layers", [1, 3])
def test_weights_begin_he_and_glorot_uniform_and_biases_zero(layers: int) -> None:
    config = RunConfig(hidden_layers=layers, hidden_units=200, n_features=50)
    for name, tensor in mlp.initialise(config).items():
        fan_in = tensor.shape[-1]
        limit = math.sqrt(6 / (fan_in + 1)) if name == "output.weight" else math.sqrt(6 / fan_in)
        if name.endswith("bias"):
            assert not tensor.any()
            continue
        # Of n uniform numbers the largest comes within a few parts in n of the limit.
        assert 0.95 * limit < tensor.abs().max() <= limit
        assert tensor.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.1)


def test_initial_weights_follow_the_seed_alone() -> None:
    first, again, other = (mlp.initialise(RunConfig(init_seed=s, batch_seed=b)) for s, b in ((4, 0), (4, 9), (5, 0)))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["hidden.weight"], other["hidden.weight"])


def test_names_are_in_the_order_of_the_forward_pass() -> None:
    names = ["hidden1.weight", "hidden1.bias", "hidden2.weight", "hidden2.bias", "output.weight", "output.bias"]
    assert list(mlp.shapes(RunConfig(hidden_layers=2))) == names
    assert next(iter(mlp.shapes(RunConfig()))) == "hidden.weight"


def test_a_baseline_guesses_the_training_mean() -> None:
    data = Data(torch.zeros(3, 1), torch.tensor([0.0, 1.0, 5.0]), torch.zeros(2, 1), torch.tensor([2.0, 4.0]))
    assert data.baseline("MSE") == pytest.approx(((4 + 1 + 9) / 3, (0 + 4) / 2))
    assert data.baseline("MAE") == pytest.approx((2.0, 1.0))
