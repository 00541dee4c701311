"""The Keras script says what Keras can say, and refuses the rest with the reason."""

import ast
import math

import export_examples as examples
import pytest
from hypothesis import given, settings

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
from gclip.training import Config, RecurrentConfig, RunConfig

SAYS = [
    (NoClip(), None),
    (ClipByNorm(2.0), "global_clipnorm=MAX_NORM"),
    (ClipByTensorNorm(2.0), "clipnorm=MAX_NORM"),
    (ClipByValue(2.0), "clipvalue=CLIP_VALUE"),
    (Chain(NoClip(), ClipByValue(2.0)), "clipvalue=CLIP_VALUE"),
]

REFUSES = [
    (Chain(ClipByNorm(1.0), ClipByValue(0.5)), "only one of .* cannot do ClipByNorm then ClipByValue"),
    (ClipByNorm(1.0, norm_type=1), "L2 norm only: .* norm_type=1"),
    (ClipByNorm(1.0, norm_type=math.inf), "L2 norm only: .* norm_type=inf"),
    (ClipByValue(math.inf), "finite threshold"),
    (ClipByBlockRMS(1.0), "no argument for ClipByBlockRMS: .*tensor's size"),
    (AdaptiveGradientClip(), "no argument for AdaptiveGradientClip: .*not at the weights"),
    (AutoClip(), "no argument for AutoClip: .*fixed number"),
    (Chain(ClipByNorm(1.0), ZClip()), "no argument for ZClip: .*fixed number"),
    (AdaGC(), "no argument for AdaGC: .*fixed number"),
    (NormalizeGradient(), "no argument for NormalizeGradient: .*lengthens"),
    (PerLayer(ClipByNorm(1.0), output=NoClip()), "no argument for PerLayer: .*all layers to one bound"),
    (ClipDerivative(), "no argument for ClipDerivative: .*finished gradient"),
]

RUNS: list[Config] = [
    RunConfig(clipper=ClipByNorm(10.0), epochs=20),
    RunConfig(clipper=ClipByTensorNorm(1.0), epochs=20, hidden_layers=2),
    RunConfig(epochs=2),
    RunConfig(clipper=ClipByValue(0.5), optimizer="Adam", loss="MAE", standardize_target=True, epochs=10),
    RunConfig(optimizer="RMSprop", loss="Huber", standardize_inputs=True, standardize_target=True, epochs=10),
    RecurrentConfig(clipper=ClipByNorm(0.1), learning_rate=0.5, steps=120, sequence_length=10),
    RecurrentConfig(problem="sum", cell="RNN", learning_rate=1e-3, steps=40, sequence_length=10, weight_gain=0.5),
    RecurrentConfig(problem="characters", clipper=ClipByValue(1.0), learning_rate=1e-4, steps=20, sequence_length=9),
    RecurrentConfig(clipper=ClipByTensorNorm(0.1), steps=20, sequence_length=5, bad_scale=0.0, bad_step=7),
]
"""Runs whose verdict no random number changes."""


def clip_arguments(script: str) -> list[str]:
    """Return the optimizer's arguments that clip."""
    keywords = [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.keyword)]
    return [ast.unparse(node) for node in keywords if "clip" in str(node.arg)]


@pytest.mark.parametrize(("rule", "argument"), SAYS, ids=repr)
def test_each_rule_is_its_argument(rule: Clipper, argument: str | None) -> None:
    script = export.keras(RunConfig(clipper=rule))
    assert clip_arguments(script) == ([argument] if argument else [])
    assert ("= 2.0\n" in script) == (argument is not None)


@pytest.mark.parametrize(("rule", "reason"), REFUSES, ids=repr)
def test_what_keras_cannot_say_is_refused_with_the_reason(rule: Clipper, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^Keras 3 .*{reason}.*\\.$"):
        export.keras(RecurrentConfig(clipper=rule))


def test_the_trap_is_told_where_it_lies() -> None:
    told = [rule for rule, _ in SAYS if "In Keras 2.2 and 2.3" in export.keras(RunConfig(clipper=rule))]
    assert told == [ClipByNorm(2.0), ClipByTensorNorm(2.0)]


@settings(max_examples=60)
@given(config=examples.configs)
def test_the_script_says_every_hyperparameter_or_refuses(config: RunConfig) -> None:
    try:
        script = export.keras(config)
    except ValueError as error:
        assert str(error).startswith("Keras 3 ")  # noqa: PT017
        return
    compile(script, "<script>", "exec")
    assert "results agree in kind" in " ".join(script.split())
    for field in ("learning_rate", "epochs", "batch_size", "hidden_units", "noise", "init_seed", "batch_seed"):
        assert f"\n{field.upper()} = {getattr(config, field)!r}\n" in script


@pytest.mark.parametrize("config", RUNS, ids=lambda config: repr(config.clipper))
def test_the_script_is_clean(config: Config) -> None:
    examples.assert_clean(export.keras(config))


def test_the_scripts_end_in_kind_as_the_runs_do() -> None:
    printed = examples.run_all([export.keras(config) for config in RUNS])
    for config, result in zip(RUNS, printed, strict=True):
        [history] = gclip.run([config])
        assert examples.kind(result["test_loss"], history) == history.verdict, (config, result, history.test_loss[-1])
