"""The PyTorch script computes what gclip computes, and reads as a person would write it."""

import ast
import math
import re
import subprocess
import sys
from dataclasses import dataclass

import export_examples as examples
import pytest
from hypothesis import assume, given, settings

import gclip
from gclip import export
from gclip.clipping import ClipByNorm, ClipByTensorNorm, NoClip, layers
from gclip.export import text
from gclip.export.acts import acts_of
from gclip.training import RunConfig

CLEAN = ["tutorial", "chain", "chain of chains", "all scaled", "two layers", "RMSprop", "block RMS", "AGC", "AutoClip"]
CLEAN += ["ZClip", "AdaGC", "normalised", "per layer of four", "chain of the new"]

WITHOUT_GCLIP = "import sys; sys.modules['gclip'] = None; exec(compile(sys.stdin.read(), '<script>', 'exec'))"
"""Importing a module whose place holds None raises ImportError."""


def same(printed: float | None, ours: float) -> bool:
    """Say whether a printed loss is ours: null where it is not finite, else to one part in a thousand."""
    return printed is None if not math.isfinite(ours) else printed == pytest.approx(float(ours), rel=1e-3)


def check(config: RunConfig, printed: dict[str, float | None]) -> None:
    [history] = gclip.run([config])
    assert list(printed) == ["train_loss", "test_loss"]
    assert same(printed["train_loss"], history.train_loss[-1]), (printed, history.train_loss[-1])
    assert same(printed["test_loss"], history.test_loss[-1]), (printed, history.test_loss[-1])


@pytest.mark.parametrize("name", examples.CONFIGS)
def test_the_script_ends_where_the_run_ends(name: str) -> None:
    config = examples.CONFIGS[name]
    check(config, examples.execute(export.pytorch(config)))


def test_the_tutorial_ends_in_null_and_a_clip_saves_it() -> None:
    unclipped = examples.execute(export.pytorch(RunConfig(epochs=2)))
    clipped = examples.execute(export.pytorch(RunConfig(epochs=2, clipper=ClipByNorm(1.0))))
    assert unclipped == {"train_loss": None, "test_loss": None}
    assert all(isinstance(loss, float) for loss in clipped.values())


def test_the_script_runs_by_itself_where_gclip_cannot_be_imported() -> None:
    config = RunConfig(clipper=ClipByNorm(10.0), epochs=30)
    command = [sys.executable, "-I", "-c", WITHOUT_GCLIP]
    script = export.pytorch(config)
    done = subprocess.run(command, input=script, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    check(config, examples.last_line(done.stdout))


OF_RUN = {name for config in (RunConfig(hidden_layers=2),) for group in text.run_constants(config) for name in group}
"""The names of all constants that are not the rule's."""


def assigned(script: str) -> dict[str, object]:
    """Return the constants at the top of a script, by name."""
    lines = [node for node in ast.parse(script).body if isinstance(node, ast.Assign)]
    named = {ast.unparse(node.targets[0]): ast.unparse(node.value) for node in lines}
    return {name: eval(value, {"math": math}) for name, value in named.items() if name.isupper()}


@settings(max_examples=60)
@given(config=examples.configs)
def test_every_hyperparameter_stands_at_the_top(config: RunConfig) -> None:
    constants = assigned(export.pytorch(config))
    for field in ("learning_rate", "epochs", "batch_size", "hidden_units", "n_samples", "n_features", "noise"):
        assert constants[field.upper()] == getattr(config, field)
    for field in ("data_seed", "init_seed", "batch_seed"):
        assert constants[field.upper()] == getattr(config, field)
    assert constants["N_INFORMATIVE"] == min(config.n_informative, config.n_features)
    assert constants.get("HIDDEN_LAYERS", 1) == config.hidden_layers
    assert constants.get("MOMENTUM") == (config.momentum if config.optimizer == "SGD" else None)


@settings(max_examples=40)
@given(config=examples.configs)
def test_the_rule_is_said_in_full_and_in_order(config: RunConfig) -> None:
    assume(layers(config.clipper) != set(config.layers))  # a rule for the rest of no layers is left out
    said = re.findall(r"(\w+)=(-?[\d.e+-]+|inf)", repr(config.clipper))
    wanted = [float(value) for name, value in said if (name, value) != ("norm_type", "2.0")]
    constants = assigned(export.pytorch(config))
    of_rule = [value for name, value in constants.items() if name not in OF_RUN]
    assert [math.inf if value is None else value for value in of_rule] == wanted


@settings(max_examples=30)
@given(config=examples.configs)
def test_only_code_that_the_run_needs_is_written(config: RunConfig) -> None:
    script = export.pytorch(config)
    unused = {name for name in assigned(script) if script.count(name) == 1}
    assert not unused
    assert "import gclip" not in script
    assert script.count("mean, std =") == config.standardize_inputs + config.standardize_target
    assert ("# Clip here" in script) == bool(acts_of(config))


@pytest.mark.parametrize("name", CLEAN)
def test_the_script_is_clean(name: str) -> None:
    examples.assert_clean(export.pytorch(examples.CONFIGS[name]))


def test_the_clip_stands_between_backward_and_step() -> None:
    for rule in (ClipByNorm(1.0), ClipByTensorNorm(1.0), NoClip()):
        script = export.pytorch(RunConfig(clipper=rule))
        here = script.index("# No clipping" if rule == NoClip() else "# Clip here")
        assert script.index("loss.backward()") < here < script.index("optimizer.step()")


def plain(config: RunConfig) -> str:
    """Return the script as one line, so that a sentence is found wherever it is wrapped."""
    return " ".join(export.pytorch(config).split())


def test_a_script_whose_digits_may_differ_says_so() -> None:
    warning = "agree only in kind"
    assert warning not in plain(RunConfig())
    for field, value in {"hidden_units": 4, "batch_size": 1, "n_features": 3, "n_samples": 965}.items():
        assert warning in plain(RunConfig.model_validate({field: value, "epochs": 1})), field


def test_a_rule_without_a_script_is_refused_by_name() -> None:
    @dataclass(frozen=True)
    class ClipByMood:
        mood: float = 1.0

    config = RunConfig().model_copy(update={"clipper": ClipByMood()})
    with pytest.raises(ValueError, match="ClipByMood has no script yet; there is one for ClipByNorm"):
        export.pytorch(config)
