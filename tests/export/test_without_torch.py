"""What a script without torch writes anew: sequences drawn by numpy, and networks in JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch import Tensor

from gclip import export
from gclip.training import Config, RecurrentConfig, RunConfig, mlp, recurrent, sequences
from gclip.training.problems import make_data


def beginning(config: Config) -> dict[str, Any]:
    """Return the names of an Optax script's data, first weights and network; it is cut off before training."""
    script = export.optax(config)
    names: dict[str, Any] = {}
    exec(script[: script.index("# No clipping")], names)
    return names


def tree(params: dict[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Return gclip's parameters as the script has them."""
    nested: dict[str, dict[str, Any]] = {}
    for name, tensor in params.items():
        layer, _, kind = name.partition(".")
        nested.setdefault(layer, {})[kind] = jnp.asarray(tensor.numpy())
    return nested


@pytest.mark.parametrize("cell", ["LSTM", "RNN"])
@pytest.mark.parametrize("problem", sequences.PROBLEMS)
def test_the_recurrent_network_answers_as_gclips(problem: str, cell: str) -> None:
    config = RecurrentConfig.model_validate(dict(problem=problem, cell=cell, sequence_length=12, weight_gain=1.5))
    names, params = beginning(config), recurrent.initialise(config)
    *layer, weight, bias = params.values()
    x = sequences.test_set(problem, 12)[0]
    hidden = recurrent.fused(cell, x, layer)
    answer = recurrent.answers(hidden, weight, bias, sequences.PROBLEMS[problem].every_step)[1]
    theirs = np.array(names["forward"](tree(params), jnp.asarray(x.numpy())))
    np.testing.assert_allclose(theirs.reshape(answer.shape), answer, atol=1e-5)
    assert jax.tree.map(jnp.shape, names["params"]) == jax.tree.map(jnp.shape, tree(params))


@pytest.mark.parametrize("hidden_layers", [1, 3])
def test_the_regression_has_gclips_rows_and_network(hidden_layers: int) -> None:
    config = RunConfig(hidden_layers=hidden_layers, standardize_inputs=True, standardize_target=True)
    names, data, params = beginning(config), make_data(config), mlp.initialise(config)
    np.testing.assert_allclose(names["x_train"], data.x_train, atol=1e-5)
    np.testing.assert_allclose(names["y_test"][:, 0], data.y_test, atol=1e-5)
    ours = mlp.forward({name: p[None] for name, p in params.items()}, data.x_test[None])[0][0]
    np.testing.assert_allclose(names["forward"](tree(params), data.x_test.numpy())[:, 0], ours, atol=1e-4)
    for layer, drawn in names["params"].items():
        assert drawn["weight"].shape == params[f"{layer}.weight"].shape
        assert float(drawn["weight"].std()) == pytest.approx(float(params[f"{layer}.weight"].std()), rel=0.3)


def test_the_sine_is_asked_for_its_next_value_without_noise() -> None:
    x, y = beginning(RecurrentConfig(sequence_length=50))["draw"](500, np.random.default_rng(0))
    ours_x, ours_y = sequences.sine(500, 50, torch.Generator().manual_seed(0))
    assert (x.shape, y.shape, x.dtype, y.dtype) == ((500, 50, 1), (500, 50, 1), np.float32, np.float32)
    assert (x[:, 1:] - y[:, :-1]).std() == pytest.approx(0.1, rel=0.05)
    assert np.diff(y, axis=1).std() == pytest.approx(float(ours_y.diff(dim=1).std()), rel=0.05)
    assert x.std() == pytest.approx(float(ours_x.std()), rel=0.05)


def test_the_sum_is_that_of_numbers_between_0_and_1() -> None:
    x, y = beginning(RecurrentConfig(problem="sum"))["draw"](500, np.random.default_rng(0))
    np.testing.assert_allclose(x.sum(1), y)
    assert x.mean() == pytest.approx(0.5, abs=0.02)
    assert 0 <= x.min() < 0.01 < 0.99 < x.max() <= 1


def test_the_text_is_the_same_and_tested_whole() -> None:
    config = RecurrentConfig(problem="characters", sequence_length=30)
    script = export.optax(config)
    names = beginning(config)
    exec(next(line for line in script.splitlines() if line.startswith("x_test, y_test = ")), names)
    for theirs, ours in zip((names["x_test"], names["y_test"]), sequences.test_set("characters", 30), strict=True):
        np.testing.assert_array_equal(theirs, ours)
    x, y = names["draw"](20, np.random.default_rng(0))
    np.testing.assert_array_equal(x.argmax(-1)[:, 1:], y[:, :-1])
