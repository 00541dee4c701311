"""Runs whose scripts are tested, and how a script is run and its lint checked."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import strategies as st

from gclip.clipping import (
    AdaGC,
    AdaptiveGradientClip,
    AutoClip,
    Chain,
    ClipByBlockRMS,
    ClipByNorm,
    ClipByTensorNorm,
    ClipByValue,
    ClipDerivative,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
)
from gclip.training import Config, History, RecurrentConfig, RunConfig
from gclip.training.record import LEARNED, STUCK

NORM_THEN_VALUE = Chain(ClipByNorm(1.0), ClipByValue(0.1))
VALUE_THEN_TENSOR = Chain(ClipByValue(5.0), NoClip(), Chain(ClipByTensorNorm(3.0), ClipByValue(2.0)))

PER_LAYER = PerLayer(Chain(ClipByNorm(1.0), ClipByValue(0.1)), hidden2=NoClip(), output=ClipByTensorNorm(1.0))

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
    "block RMS": dict(clipper=ClipByBlockRMS(0.1)),
    "AGC": dict(clipper=AdaptiveGradientClip(0.1), hidden_layers=2),
    "AutoClip": dict(clipper=AutoClip(), learning_rate=0.001),
    "AutoClip's window": dict(clipper=AutoClip(50.0, 20), learning_rate=0.001),
    "ZClip": dict(clipper=ZClip(1.0, warmup_steps=5), learning_rate=0.001),
    "ZClip, all settings": dict(clipper=ZClip(0.5, 0.9, 10, 0.5, 0.5, 50.0), optimizer="Adam"),
    "AdaGC": dict(clipper=AdaGC(5.0, 1.5, 0.9, 10)),
    "AdaGC warming up": dict(clipper=AdaGC(10.0, warmup_steps=1000), learning_rate=0.001),
    "normalised": dict(clipper=NormalizeGradient(10.0)),
    "per layer": dict(clipper=PerLayer(ClipByNorm(1.0), output=ClipByValue(0.5))),
    "per layer of four": dict(clipper=PER_LAYER, hidden_layers=3),
    "chain of the new": dict(clipper=Chain(AutoClip(30.0), PerLayer(ZClip(1.0), output=AdaptiveGradientClip(0.1)))),
}
"""Runs of 8 epochs, by what they change."""

CALM: dict[str, Any] = dict(learning_rate=0.1, steps=40, sequence_length=20)
RECURRENT = {
    name: RecurrentConfig(**{**CALM, **changes})
    for name, changes in dict(
        sine=dict(clipper=ClipByNorm(0.1)),
        vanilla=dict(cell="RNN", clipper=ClipByBlockRMS(0.003)),
        adam=dict(clipper=ClipByValue(1e-3), optimizer="Adam", learning_rate=0.01),
        gain=dict(weight_gain=2.0, clipper=AdaGC(0.5, 1.1, 0.9, 10)),
        bad=dict(bad_scale=10.0, bad_step=25, clipper=ZClip(warmup_steps=10)),
        spoilt_sum=dict(problem="sum", bad_scale=0.0, bad_step=39, learning_rate=0.002, clipper=AutoClip(50.0)),
        characters=dict(problem="characters", learning_rate=0.5, clipper=NormalizeGradient(0.1), batch_seed=3),
        characters_by_layer=dict(
            problem="characters", cell="RNN", clipper=PerLayer(AdaptiveGradientClip(0.1), output=ClipByTensorNorm(0.1))
        ),
        graves=dict(clipper=ClipDerivative(1e-4, 1e-3), init_seed=1),
        graves_sum=dict(problem="sum", clipper=Chain(ClipDerivative(1e-3, 0.01), ClipByNorm(0.1)), weight_gain=1.0),
        graves_vanilla=dict(problem="characters", cell="RNN", clipper=ClipDerivative(1e-4, 1e-3), learning_rate=1.0),
    ).items()
}
"""Runs of 40 steps that amplify no rounding error; every bound is reached."""

CONFIGS = WHOLE | {name: RunConfig(**{"epochs": 8, **changes}) for name, changes in SHORT.items()}


def last_line(printed: str) -> dict[str, float | None]:
    """Read a script's last line as strict JSON: NaN and Infinity are refused."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(printed.splitlines()[-1], parse_constant=refuse)


def execute(script: str) -> dict[str, float | None]:
    """Run a script in a namespace of its own and return its last line."""
    return run_in(script, {})


def run_in(script: str, names: dict[str, Any]) -> dict[str, float | None]:
    """Run a script in the namespace ``names`` and return its last line.

    A script lets torch flush denormal numbers in its whole process; Hypothesis draws none then, and fails.
    """
    printed = io.StringIO()
    names["__name__"] = "__main__"
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(script, "<script>", "exec"), names)
    finally:
        torch.set_flush_denormal(False)
    return last_line(printed.getvalue())


ONE_BY_ONE = """
import json, sys
for script in json.load(sys.stdin): exec(script, {"__name__": "__main__"})
"""


def run_all(scripts: list[str], before: str = "") -> list[dict[str, float | None]]:
    """Run scripts in one process of their own, most of whose time is importing, and return their last lines."""
    done = subprocess.run(
        [sys.executable, "-c", before + ONE_BY_ONE],
        input=json.dumps(scripts),
        env={**os.environ, "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = [last_line(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(results) == len(scripts)
    return results


def kind(loss: float | None, history: History) -> str:
    """Return the verdict that ``history`` would have if it ended with the test loss that a script printed."""
    if loss is None:
        return "diverged"
    ratio = loss / history.baseline[1]
    return "learned" if ratio <= LEARNED else "stuck" if ratio >= STUCK else "still learning"


LINT = ("check", "--select", "E,W,F,I,B,UP,N,SIM,RET,C90")


def assert_clean(script: str, *ignored: str) -> None:
    """Hold a script to what linter and formatter ask of a person's code."""
    lint = ruff(*LINT, *[f"--ignore={code}" for code in ignored], script=script)
    assert lint.returncode == 0, lint.stdout
    assert ruff("format", "--check", script=script).returncode == 0, script


def ruff(*command: str, script: str) -> subprocess.CompletedProcess[str]:
    """Hand ``script`` to ruff, with ruff's own settings rather than this repository's."""
    if importlib.util.find_spec("ruff") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("ruff is not installed: it is in the extra [test]")
    arguments = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "88", "-"]
    return subprocess.run(arguments, input=script, capture_output=True, text=True, check=False, timeout=60)


thresholds = st.floats(1e-3, 1e4)
shares = st.floats(0.01, 0.99)
counts = st.integers(1, 1000)
rules = st.one_of(
    st.just(NoClip()),
    st.builds(ClipByNorm, thresholds | st.just(math.inf), st.sampled_from([1.0, 1.5, 2.0, math.inf])),
    st.builds(ClipByTensorNorm, thresholds),
    st.builds(ClipByValue, thresholds),
    st.builds(ClipByBlockRMS, thresholds),
    st.builds(AdaptiveGradientClip, thresholds, thresholds),
    st.builds(AutoClip, st.floats(1.0, 100.0), counts | st.just(math.inf)),
    st.builds(ZClip, thresholds, shares, counts, shares, thresholds, thresholds | st.just(math.inf)),
    st.builds(AdaGC, thresholds, thresholds, shares, counts),
    st.builds(NormalizeGradient, thresholds),
)
chains = st.lists(rules, min_size=1, max_size=3).map(lambda members: Chain(*members))
derivatives = st.builds(ClipDerivative, thresholds | st.just(math.inf), thresholds)
seeds = st.integers(0, 2**31 - 1)


def by_layer(layers: tuple[str, ...]) -> st.SearchStrategy[PerLayer]:
    """Draw a rule for some of the layers and one for the rest."""
    some = st.dictionaries(st.sampled_from(layers), rules | chains, min_size=1)
    return st.tuples(rules, some).map(lambda drawn: PerLayer(drawn[0], **drawn[1]))


@st.composite
def with_layers(draw: st.DrawFn, settings: st.SearchStrategy[Config]) -> Config:
    """Draw settings; half of them with a rule for each layer, in a chain or alone."""
    config = draw(settings)
    if draw(st.booleans()):
        return config
    first, rule = draw(rules), draw(by_layer(config.layers))
    clipper = draw(st.sampled_from([rule, Chain(first, rule)]))
    return type(config)(**{**config.model_dump(), "clipper": clipper})


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

configs = with_layers(st.fixed_dictionaries(epochs, optional=FIELDS).map(RunConfig.model_validate))

SEQUENCE_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "clipper": rules | chains | derivatives | st.builds(Chain, derivatives, rules),
    "problem": st.sampled_from(["sine", "sum"]),
    "cell": st.sampled_from(["LSTM", "RNN"]),
    "steps": st.integers(1, 200).map(lambda n: 20 * n),
    "sequence_length": st.integers(2, 200),
    "batch_size": st.integers(1, 64),
    "weight_gain": st.floats(0.0, 16.0),
    "bad_scale": st.floats(0.0, 1e6),
    "bad_step": st.integers(0, 4000),
    **{name: FIELDS[name] for name in ("learning_rate", "momentum", "optimizer", "init_seed", "batch_seed")},
}
recurrent_configs = with_layers(
    st.fixed_dictionaries({}, optional=SEQUENCE_FIELDS).map(RecurrentConfig.model_validate)
    | st.builds(RecurrentConfig, problem=st.just("characters"), clipper=rules | derivatives)
)
