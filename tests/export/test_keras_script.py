"""The Keras script says what Keras can say, and refuses the rest with the reason."""

import ast
import importlib.util
import json
import math
import os
import subprocess
import sys

import export_examples as examples
import pytest
from hypothesis import given, settings

from gclip import export
from gclip.clipping import Chain, ClipByNorm, ClipByTensorNorm, ClipByValue, Clipper, NoClip
from gclip.training import RunConfig

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
]

RUNS = [
    (RunConfig(clipper=ClipByNorm(1.0), epochs=5), True),
    (RunConfig(clipper=ClipByTensorNorm(1.0), epochs=5, hidden_layers=2), True),
    (RunConfig(epochs=2), False),
    (RunConfig(clipper=ClipByValue(0.5), optimizer="Adam", loss="MAE", standardize_target=True, epochs=5), True),
    (RunConfig(optimizer="RMSprop", loss="Huber", standardize_inputs=True, standardize_target=True, epochs=5), True),
]
"""Runs, and whether they end in numbers."""


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
        export.keras(RunConfig(clipper=rule))


def test_the_trap_is_told_where_it_lies() -> None:
    told = [rule for rule, _ in SAYS if "In Keras 2.2 and 2.3" in export.keras(RunConfig(clipper=rule))]
    assert told == [ClipByNorm(2.0), ClipByTensorNorm(2.0)]


@settings(max_examples=60, deadline=None)
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


@pytest.mark.parametrize("config", [RUNS[0][0], RUNS[3][0], RUNS[4][0]], ids=lambda config: config.optimizer)
def test_the_script_is_clean(config: RunConfig) -> None:
    script = export.keras(config)
    lint = examples.ruff("check", "--select", "E,W,F,I,B,UP,N,SIM,RET,C90", script=script)
    assert lint.returncode == 0, lint.stdout
    assert examples.ruff("format", "--check", script=script).returncode == 0, script


def test_the_script_runs_in_keras() -> None:
    """All runs in one process: most of the time goes into importing Keras."""
    if importlib.util.find_spec("keras") is None:  # importing it here would ask for a backend that may be absent
        pytest.skip("keras is not installed: the script is for those who have it")
    one_by_one = "import json, sys\nfor script in json.load(sys.stdin): exec(script, {'__name__': '__main__'})"
    done = subprocess.run(
        [sys.executable, "-c", one_by_one],
        input=json.dumps([export.keras(config) for config, _ in RUNS]),
        env={**os.environ, "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = [examples.last_line(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(results) == len(RUNS)
    for (config, ends_in_numbers), result in zip(RUNS, results, strict=True):
        assert all((loss is not None) == ends_in_numbers for loss in result.values()), (config, result)
