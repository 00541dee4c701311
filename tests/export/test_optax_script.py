"""The Optax script says what Optax can say, and refuses the rest with the reason."""

from __future__ import annotations

import math
from typing import Any

import export_examples as examples
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

import gclip
from gclip import export
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
    Clipper,
    NoClip,
    NormalizeGradient,
    PerLayer,
    ZClip,
)
from gclip.export.optax_rules import EACH_ALONE
from gclip.training import Config, RecurrentConfig, RunConfig

SAYS = [
    (NoClip(), None),
    (ClipByNorm(2.0), "optax.clip_by_global_norm(MAX_NORM)"),
    (ClipByTensorNorm(2.0), "each_alone(optax.clip_by_global_norm(MAX_NORM))"),
    (ClipByValue(0.5), "optax.clip(CLIP_VALUE)"),
    (ClipByBlockRMS(0.5), "optax.clip_by_block_rms(THRESHOLD)"),
    (AdaptiveGradientClip(0.5), "optax.adaptive_grad_clip(CLIP_FACTOR, EPS, axis=-1)"),
    (NormalizeGradient(2.0), "optax.normalize_by_update_norm(scale_factor=SCALE)"),
    (Chain(ClipByValue(0.5), NoClip(), ClipByNorm(2.0)), "optax.clip(CLIP_VALUE_1), optax.clip_by_global_norm(MAX_NOR"),
    (
        PerLayer(ClipByNorm(2.0), output=Chain(ClipByValue(0.5), ClipByTensorNorm(0.1))),
        'optax.partition({"rest": optax.clip_by_global_norm(MAX_NORM_1), "output": optax.chain(',
    ),
    (
        PerLayer(NormalizeGradient(2.0), hidden=NoClip(), output=ClipByBlockRMS(0.1)),
        'optax.partition({"hidden": optax.identity(), "output": optax.clip_by_block_rms(THRESHOLD)',
    ),
]

REFUSES = [
    (ClipByNorm(1.0, norm_type=1), "L2 norm only: .* norm_type=1"),
    (Chain(ClipByValue(1.0), ClipByNorm(1.0, norm_type=math.inf)), "L2 norm only: .* norm_type=inf"),
    (AutoClip(), "no transformation for AutoClip: .*norms of earlier steps"),
    (Chain(ClipByNorm(1.0), ZClip()), "no transformation for ZClip: .*norms of earlier steps"),
    (PerLayer(ClipByNorm(1.0), output=AdaGC()), "no transformation for AdaGC: .*norms of earlier steps"),
    (Chain(ClipDerivative(), ClipByNorm(1.0)), "cannot do ClipDerivative: .*finished gradient"),
]

RUNS: list[Config] = [
    RunConfig(clipper=ClipByNorm(10.0), epochs=30),
    RunConfig(clipper=PerLayer(ClipByTensorNorm(1.0), output=ClipByValue(0.5)), hidden_layers=3, epochs=50),
    RunConfig(epochs=2),
    RunConfig(clipper=AdaptiveGradientClip(0.1), loss="MAE", standardize_target=True, epochs=50),
    RunConfig(clipper=ClipByBlockRMS(0.001), optimizer="RMSprop", learning_rate=1e-4, epochs=2),
    RunConfig(loss="Huber", optimizer="Adam", standardize_inputs=True, standardize_target=True, epochs=20),
    RecurrentConfig(clipper=ClipByNorm(0.1), steps=200),
    RecurrentConfig(clipper=NormalizeGradient(0.05), cell="RNN", learning_rate=0.1, weight_gain=1.0, steps=200),
    RecurrentConfig(problem="sum", learning_rate=0.002, steps=100, sequence_length=20, bad_scale=2.0, bad_step=10),
    RecurrentConfig(problem="characters", cell="RNN", learning_rate=1e-4, steps=20, clipper=ClipByValue(1.0)),
]
"""Runs whose verdict no random number changes."""


@pytest.mark.parametrize(("rule", "chained"), SAYS, ids=repr)
def test_each_rule_is_its_transformation(rule: Clipper, chained: str | None) -> None:
    wanted = f"optimizer = optax.chain({chained}" if chained else "optimizer = optax.sgd(LEARNING_RATE, MOMENTUM)"
    assert "".join(wanted.split()) in "".join(export.optax(RunConfig(clipper=rule)).split())


@pytest.mark.parametrize(("rule", "reason"), REFUSES, ids=repr)
def test_what_optax_cannot_say_is_refused_with_the_reason(rule: Clipper, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^Optax .*{reason}.*\\.$"):
        export.optax(RecurrentConfig(clipper=rule))


def optimizer_of(rule: Clipper, params: dict[str, Any]) -> optax.GradientTransformation:
    """Return the optimizer of the rule's script: a step of length 1 along what is left of the gradient."""
    script = export.optax(RunConfig(clipper=rule, learning_rate=1.0, momentum=0.0))
    names: dict[str, Any] = {"jax": jax, "optax": optax, "math": math, "params": params}
    lines = [line for line in script.splitlines() if line[:1].isupper() and " = " in line]
    making = script[script.index("\noptimizer = ") : script.index("@jax.jit")]
    exec("\n".join([*lines, EACH_ALONE, making]), names)
    return names["optimizer"]


def lanes(tree: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return what JAX calls a tree as gclip has it: one tensor a name, one lane in front."""
    return {f"{part}.{name}": torch.tensor(np.array(a))[None] for part, of in tree.items() for name, a in of.items()}


@pytest.mark.parametrize("rule", [rule for rule, _ in SAYS], ids=repr)
def test_the_chain_clips_as_the_rule_does(rule: Clipper) -> None:
    random = np.random.default_rng(0)
    shapes = {"hidden": {"weight": (4, 3), "bias": (4,)}, "output": {"weight": (1, 4), "bias": (1,)}}
    draw = {part: {name: random.standard_normal(s) for name, s in of.items()} for part, of in shapes.items()}
    params = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), draw)
    optimizer = optimizer_of(rule, params)
    for size in (0.01, 1.0, 100.0):
        grads = jax.tree.map(lambda leaf, size=size: leaf[::-1] * size, params)
        updates: Any = optimizer.update(grads, optimizer.init(params), params)[0]
        ours, weights = lanes(grads), lanes(params)
        for name, clipped in rule.clip(ours, rule.init(weights), weights).grads.items():
            # Optax adds no 1e-6 to the norm that it clips by, but does where it normalises, here to norms of .04.
            part, _, tensor = name.partition(".")
            np.testing.assert_allclose(-updates[part][tensor], clipped[0], rtol=1e-4)


def test_the_scripts_end_in_kind_as_the_runs_do() -> None:
    printed = examples.run_all([export.optax(config) for config in RUNS])
    for config, result in zip(RUNS, printed, strict=True):
        [history] = gclip.run([config])
        assert examples.kind(result["test_loss"], history) == history.verdict, (config, result, history.test_loss[-1])


@pytest.mark.parametrize("config", RUNS, ids=lambda config: repr(config.clipper))
def test_the_script_is_clean(config: Config) -> None:
    examples.assert_clean(export.optax(config))


@pytest.mark.parametrize("rule", [rule for rule, _ in SAYS], ids=repr)
def test_the_script_is_clean_whatever_the_rule(rule: Clipper) -> None:
    examples.assert_clean(export.optax(RunConfig(clipper=rule)))
