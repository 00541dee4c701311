"""Runs whose scripts are tested, and how a script is run and its lint checked."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import strategies as st

from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, NoClip
from gclip.training import RunConfig

NORM_THEN_VALUE = Chain(ClipByNorm(1.0), ClipByValue(0.1))
VALUE_THEN_TENSOR = Chain(ClipByValue(5.0), NoClip(), Chain(ClipByTensorNorm(3.0), ClipByValue(2.0)))

WHOLE = {
    "tutorial": RunConfig(),
    "norm 1": RunConfig(clipper=ClipByNorm(1.0)),
    "norm 10": RunConfig(clipper=ClipByNorm(10.0), init_seed=1),
    "value 5": RunConfig(clipper=ClipByValue(5.0)),
    "tensor norm 1": RunConfig(clipper=ClipByTensorNorm(1.0), batch_seed=1),
    "chain": RunConfig(clipper=NORM_THEN_VALUE, init_seed=2, batch_seed=3),
    "Adam": RunConfig(clipper=ClipByValue(0.5), optimizer="Adam"),
    "RMSprop": RunConfig(clipper=ClipByNorm(1.0, math.inf), optimizer="RMSprop"),
}
"""Runs of 100 epochs; most of them amplify a rounding error to another result."""

SHORT: dict[str, dict[str, Any]] = {
    "L1 norm": dict(clipper=ClipByNorm(1.0, 1)),
    "L3 norm": dict(clipper=ClipByNorm(10.0, 3)),
    "inf norm": dict(clipper=ClipByNorm(1.0, math.inf)),
    "no bound": dict(clipper=ClipByNorm(math.inf), learning_rate=0.001),
    "chain of chains": dict(clipper=VALUE_THEN_TENSOR),
    "lower rate": dict(learning_rate=0.001),
    "no momentum": dict(clipper=ClipByNorm(10.0), momentum=0.0),
    "Adam unclipped": dict(optimizer="Adam", learning_rate=0.03),
    "RMSprop unclipped": dict(optimizer="RMSprop", learning_rate=0.03),
    "MAE": dict(loss="MAE", clipper=ClipByNorm(1.0)),
    "Huber": dict(loss="Huber", clipper=ClipByTensorNorm(0.5)),
    "two layers": dict(hidden_layers=2, clipper=ClipByNorm(10.0)),
    "three wide layers": dict(hidden_layers=3, hidden_units=64, clipper=ClipByValue(0.5)),
    "scaled target": dict(standardize_target=True),
    "scaled inputs": dict(standardize_inputs=True, clipper=ClipByNorm(1.0)),
    "all scaled": dict(standardize_inputs=True, standardize_target=True, n_features=40, n_informative=100),
    "other seeds": dict(data_seed=7, init_seed=8, batch_seed=9, clipper=ClipByValue(0.5)),
    "one batch": dict(batch_size=1000, clipper=ClipByNorm(1.0)),
    "uneven batches": dict(batch_size=48, n_samples=601, noise=30.0, clipper=ClipByNorm(10.0)),
}
"""Runs of 8 epochs, by what they change."""

CONFIGS = WHOLE | {name: RunConfig(**{"epochs": 8, **changes}) for name, changes in SHORT.items()}


def last_line(printed: str) -> dict[str, float | None]:
    """Read a script's last line as strict JSON: NaN and Infinity are refused."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(printed.splitlines()[-1], parse_constant=refuse)


def execute(script: str) -> dict[str, float | None]:
    """Run a script in a namespace of its own and return its last line."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(script, "<script>", "exec"), {"__name__": "__main__"})
    return last_line(printed.getvalue())


def ruff(*command: str, script: str) -> subprocess.CompletedProcess[str]:
    """Hand ``script`` to ruff, with ruff's own settings rather than this repository's."""
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed: it is in the extra [dev]")
    arguments = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "88", "-"]
    return subprocess.run(arguments, input=script, capture_output=True, text=True, check=False, timeout=60)


thresholds = st.floats(1e-3, 1e4)
rules = st.one_of(
    st.just(NoClip()),
    st.builds(ClipByNorm, thresholds, st.sampled_from([1.0, 1.5, 2.0, math.inf])),
    st.builds(ClipByTensorNorm, thresholds),
    st.builds(ClipByValue, thresholds),
)
chains = st.lists(rules, min_size=1, max_size=3).map(lambda members: Chain(*members))
seeds = st.integers(0, 2**31 - 1)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "clipper": rules | chains,
    "learning_rate": st.floats(1e-5, 10.0),
    "momentum": st.floats(0.0, 0.99),
    "optimizer": st.sampled_from(["SGD", "Adam", "RMSprop"]),
    "loss": st.sampled_from(["MSE", "MAE", "Huber"]),
    "batch_size": st.integers(1, 1000),
    "hidden_units": st.integers(1, 64),
    "hidden_layers": st.integers(1, 8),
    "standardize_target": st.booleans(),
    "standardize_inputs": st.booleans(),
    "n_samples": st.integers(20, 900),
    "n_features": st.integers(1, 200),
    "n_informative": st.integers(1, 200),
    "noise": st.floats(0.0, 1000.0),
    "data_seed": seeds,
    "init_seed": seeds,
    "batch_seed": seeds,
}
epochs: dict[str, st.SearchStrategy[Any]] = {"epochs": st.integers(1, 40)}
"""Always drawn: the default of 100 would be too many steps for the smallest batches."""

configs = st.fixed_dictionaries(epochs, optional=FIELDS).map(RunConfig.model_validate)
