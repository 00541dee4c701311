"""The networks that all experiments are about: the tutorial's regression, and recurrent ones as measured before."""

from __future__ import annotations

from gclip.training.config import Config, RunConfig
from gclip.training.recurrent_config import RecurrentConfig

NETWORKS: dict[str, Config] = {
    "regression": RunConfig(),
    "sine": RecurrentConfig(),
    "bad_batch": RecurrentConfig(learning_rate=0.5, bad_scale=100.0, steps=600),
    "characters": RecurrentConfig(problem="characters", hidden_units=64, learning_rate=20.0, momentum=0.0, steps=600),
    "sum": RecurrentConfig(
        problem="sum", sequence_length=30, batch_size=32, weight_gain=4.0, learning_rate=0.03, steps=1200
    ),
}
"""Each network with its usual settings; unclipped, every one of them fails."""


def network_of(config: Config) -> str:
    """Name the network of `NETWORKS` that a run's settings are a variant of."""
    if not isinstance(config, RecurrentConfig):
        return "regression"
    return "bad_batch" if config.problem == "sine" and config.bad_scale != 1 else config.problem
