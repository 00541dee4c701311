"""The PyTorch script of a recurrent run has gclip's data, weights and batches, and so its losses."""

from __future__ import annotations

from typing import Any

import export_examples as examples
import numpy as np
import pytest
import torch

import gclip
from gclip import export
from gclip.clipping import ClipByNorm, ClipDerivative, NoClip
from gclip.training import RecurrentConfig, sequences
from gclip.training.recurrent import initialise

NEAR = 1e-3
"""The most by which a loss may differ, as a share of it."""


def run(config: RecurrentConfig) -> tuple[dict[str, Any], dict[str, float | None]]:
    """Run the script and return all its names, and its last line."""
    names: dict[str, Any] = {}
    printed = examples.run_in(export.pytorch(config), names)
    return names, printed


@pytest.mark.parametrize("name", examples.RECURRENT)
def test_every_loss_is_that_of_the_run(name: str) -> None:
    config = examples.RECURRENT[name]
    [history] = gclip.run([config])
    names, printed = run(config)
    np.testing.assert_allclose(names["losses"], history.loss, rtol=NEAR)
    np.testing.assert_allclose(names["losses"][:10], history.loss[:10], rtol=1e-5)
    assert printed["train_loss"] == pytest.approx(float(history.train_loss[-1]), rel=NEAR)
    assert printed["test_loss"] == pytest.approx(float(history.test_loss[-1]), rel=NEAR)


@pytest.mark.parametrize("name", examples.RECURRENT)
def test_the_rule_makes_a_difference(name: str) -> None:
    """Else a script that leaves it out would pass for right."""
    config = examples.RECURRENT[name]
    clipped, unclipped = gclip.run([config, config.model_copy(update={"clipper": NoClip()})])
    assert abs(clipped.test_loss[-1] / unclipped.test_loss[-1] - 1) > 5 * NEAR


@pytest.mark.parametrize("problem", sequences.PROBLEMS)
def test_it_draws_the_same_sequences_and_weights(problem: str) -> None:
    config = RecurrentConfig.model_validate(dict(problem=problem, steps=20, sequence_length=9, weight_gain=3.0))
    names, _ = run(config)
    x, y = sequences.test_set(problem, 9)
    assert torch.equal(names["x_test"], x)
    assert torch.equal(names["y_test"], y)
    seeded = [torch.Generator().manual_seed(5) for _ in range(2)]
    for drawn, ours in zip(names["draw"](4, seeded[0]), sequences.PROBLEMS[problem].draw(4, 9, seeded[1]), strict=True):
        assert torch.equal(drawn, ours)
    fresh = run(config.model_copy(update={"learning_rate": 0.0}))[0]["model"]
    for weight, our in zip(fresh.parameters(), initialise(config).values(), strict=True):
        assert torch.equal(weight, our)


def test_where_rounding_is_amplified_the_script_agrees_in_kind() -> None:
    for rule, verdict in ((ClipByNorm(0.1), "learned"), (NoClip(), "diverged")):
        config = RecurrentConfig(steps=200, clipper=rule)
        assert gclip.run([config])[0].verdict == verdict
        loss = run(config)[1]["test_loss"]
        assert (loss is not None and loss < sequences.baseline("sine", 50) / 2) == (verdict == "learned")


def test_loose_bounds_inside_leave_the_run_as_it_is() -> None:
    config = examples.RECURRENT["graves"].model_copy(update={"clipper": ClipDerivative(1e6, 1e6)})
    plain = config.model_copy(update={"clipper": NoClip()})
    np.testing.assert_allclose(run(config)[0]["losses"], run(plain)[0]["losses"], rtol=1e-4)


@pytest.mark.parametrize("library", ["keras", "lightning", "optax", "pytorch"])
@pytest.mark.parametrize(("bad_scale", "bad_step", "said"), [(2.0, 19, True), (2.0, 20, False), (1.0, 5, False)])
def test_a_bad_step_is_said_only_where_there_is_one(library: str, bad_scale: float, bad_step: int, said: bool) -> None:
    config = RecurrentConfig(steps=20, bad_scale=bad_scale, bad_step=bad_step)
    assert ("BAD_S" in getattr(export, library)(config)) == said


@pytest.mark.parametrize("name", examples.RECURRENT)
def test_the_script_is_clean(name: str) -> None:
    examples.assert_clean(export.pytorch(examples.RECURRENT[name]))
