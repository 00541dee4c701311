"""The networks of the experiments, and which of them a run's settings are a variant of."""

from __future__ import annotations

from typing import Any

import pytest

from gclip.training import RecurrentConfig, RunConfig
from gclip.training.networks import NETWORKS, network_of

VARIANTS: list[tuple[Any, str]] = [
    *[(config, name) for name, config in NETWORKS.items()],
    (RunConfig(hidden_layers=3, loss="Huber"), "regression"),
    (RecurrentConfig(cell="RNN", learning_rate=0.1), "sine"),
    (RecurrentConfig(bad_scale=0.0), "bad_batch"),
    (RecurrentConfig(problem="sum", bad_scale=5.0), "sum"),
]


@pytest.mark.parametrize(("config", "name"), VARIANTS)
def test_a_variant_is_known_by_its_problem(config: Any, name: str) -> None:
    assert network_of(config) == name
